"""Narrow: a notice, its delivery and what somebody chose belong to one organisation with what they hang on."""

from django.db import migrations

from portal.accounts.tenancy import WallForeignKeys


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("notices", "0001_initial")]

    operations = [
        WallForeignKeys("notice"),
        WallForeignKeys("destination"),
        WallForeignKeys("delivery"),
        WallForeignKeys("preference"),
        WallForeignKeys("rhythm"),
        WallForeignKeys("followedteam"),
    ]
