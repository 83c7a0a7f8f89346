"""Narrow: the columns, the relations and the indexes that nothing reads any more. Row-level security kept the indexes
on arrays and text from ever being used; see docs/adr/0120."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("catalog", "0012_wall_truth")]

    operations = [
        migrations.DeleteModel("Relation"),
        *(
            migrations.RemoveIndex("entity", name)
            for name in (
                "entity_list", "entity_names", "entity_owner", "entity_source", "entity_facts", "entity_search",
            )
        ),
        *(
            migrations.RemoveField("entity", name)
            for name in ("search", "words", "facts", "labels", "document", "raw")
        ),
    ]  # fmt: skip
