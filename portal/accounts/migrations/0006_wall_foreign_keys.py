"""Narrow: no foreign key of a tenant's table leads into another organisation.

One migration for the tables of all rooms, so that they change together; each statement stands for itself (`atomic = False`)
and waits for no long lock: indexes are made concurrently, constraints are added unlooked-at and then validated.
"""

from django.db import migrations

from portal.accounts.tenancy import WallForeignKeys


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("accounts", "0005_seal_authenticators"),
        ("catalog", "0001_initial"),
        ("clusters", "0001_initial"),
        ("goldenpaths", "0002_candidates"),
        ("provisioning", "0002_who_acts"),
    ]

    operations = [
        WallForeignKeys("team"),
        WallForeignKeys("teammembership"),
        WallForeignKeys("outboxentry"),
        WallForeignKeys("clusters.transition"),
        WallForeignKeys("catalog.upload"),
        WallForeignKeys("catalog.entity"),
        WallForeignKeys("catalog.relation"),
        WallForeignKeys("catalog.problem"),
        WallForeignKeys("goldenpaths.version"),
        WallForeignKeys("goldenpaths.versionfile"),
        WallForeignKeys("goldenpaths.candidate"),
        WallForeignKeys("goldenpaths.candidatefile"),
        WallForeignKeys("goldenpaths.trust"),
        WallForeignKeys("provisioning.run"),
        WallForeignKeys("provisioning.step"),
        WallForeignKeys("provisioning.effect"),
        WallForeignKeys("provisioning.logline"),
        WallForeignKeys("provisioning.workspace"),
    ]
