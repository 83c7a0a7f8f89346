"""Narrow: what a member looked at belongs to the member's organisation."""

from django.db import migrations

from portal.accounts.tenancy import WallForeignKeys


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("accounts", "0012_visits")]

    operations = [WallForeignKeys("visit")]
