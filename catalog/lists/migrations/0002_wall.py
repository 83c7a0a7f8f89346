"""Narrow: what a list's rows lead to belongs to the same organisation."""

from django.db import migrations

from portal.accounts.tenancy import WallForeignKeys


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("lists", "0001_initial")]

    operations = [WallForeignKeys(name) for name in ("bulk", "bulkrow", "listsetting")]
