"""What an author wrote is of an entity of its own organisation."""

from django.db import migrations

from portal.accounts.tenancy import WallForeignKeys


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("catalog", "0017_body")]

    operations = [WallForeignKeys("body")]
