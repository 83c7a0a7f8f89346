"""Narrow: the kinds that a cluster allows belong to the cluster's organisation."""

from django.db import migrations

from portal.accounts.tenancy import WallForeignKeys


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("accounts", "0006_wall_foreign_keys"), ("clusters", "0002_reach")]

    operations = [WallForeignKeys("clusters.allowedkind")]
