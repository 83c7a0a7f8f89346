"""A file belongs to a source of its own organisation."""

from django.db import migrations

from portal.accounts.tenancy import WallForeignKeys


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("catalog", "0004_source_file")]

    operations = [WallForeignKeys("sourcefile")]
