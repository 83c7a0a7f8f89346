"""Narrow: an entity has a number, and its names compare letter by letter, as the index of names needs it."""

import django.db.models.deletion
from django.db import migrations, models

from portal.accounts.tenancy import WallForeignKeys


class Migration(migrations.Migration):
    dependencies = [("catalog", "0007_index_fill")]

    operations = [
        WallForeignKeys("entitybody"),
        migrations.AlterField("entity", "num", models.IntegerField()),
        migrations.RemoveConstraint("entity", "entity_ref_once"),
        migrations.AlterField("entity", "ref", models.CharField(db_collation="C", max_length=200)),
        migrations.AlterField("entity", "sort_name", models.CharField(db_collation="C", max_length=200)),
        migrations.AlterField(
            "entity",
            "organisation",
            models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="accounts.organisation",
            ),
        ),
        migrations.AlterField(
            "entity",
            "source",
            models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="entities",
                to="catalog.source",
            ),
        ),
        migrations.AddConstraint(
            "entity",
            models.UniqueConstraint(fields=("organisation", "ref"), include=("num",), name="entity_ref"),
        ),
        migrations.AddConstraint(
            "entity",
            models.UniqueConstraint(fields=("organisation", "num"), include=("sort_name", "ref"), name="entity_num"),
        ),
        migrations.AddIndex(
            "entity",
            models.Index(
                condition=models.Q(("removed_at", None)),
                fields=["organisation", "sort_name", "num"],
                name="entity_sort_name",
            ),
        ),
        migrations.AddIndex(
            "entity", models.Index(fields=["organisation", "source", "path", "line"], name="entity_place")
        ),
        migrations.AddIndex(
            "entity",
            models.Index(
                condition=models.Q(("removed_at__isnull", False)),
                fields=["organisation", "removed_at"],
                name="entity_removed",
            ),
        ),
    ]
