"""An item's transfer is of its own organisation: takes the key on the id alone away, which the first migration left."""

from django.db import migrations

from portal.accounts.tenancy import WallForeignKeys


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("handing", "0003_reorganisations")]

    operations = [WallForeignKeys("transferitem")]
