"""What belongs to a source or an entity belongs to one of its own organisation."""

from django.db import migrations

from portal.accounts.tenancy import WallForeignKeys


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("catalog", "0011_truth")]

    operations = [
        WallForeignKeys(name) for name in ("sourcereading", "nameclaim", "namechoice", "formername", "problemtold")
    ]
