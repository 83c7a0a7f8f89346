"""Narrow: a grant leads to a repository and a team of its own organisation."""

from django.db import migrations

from portal.accounts.tenancy import WallForeignKeys


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("accounts", "0006_wall_foreign_keys"), ("githosts", "0004_connection")]

    operations = [WallForeignKeys("grant")]
