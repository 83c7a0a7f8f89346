"""Pages of facts are filled: of most facts nothing ever changes. See docs/adr/0166."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("catalog", "0021_edge_narrower")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE catalog_fact SET (fillfactor = 100)", "ALTER TABLE catalog_fact SET (fillfactor = 90)"
        )
    ]
