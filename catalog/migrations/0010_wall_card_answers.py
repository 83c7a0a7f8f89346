"""An answer belongs to a card and an entity of its own organisation."""

from django.db import migrations

from portal.accounts.tenancy import WallForeignKeys


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("catalog", "0009_card_answers")]

    operations = [WallForeignKeys("cardanswer")]
