"""A statement is about an entity of its own organisation."""

from django.db import migrations

from portal.accounts.tenancy import WallForeignKeys


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("catalog", "0014_statements")]

    operations = [WallForeignKeys("statement")]
