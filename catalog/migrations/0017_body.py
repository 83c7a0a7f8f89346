"""Widen: a table for what authors wrote, packed, beside the one that it replaces. See docs/adr/0166."""

import django.db.models.deletion
from django.db import migrations, models

from portal.accounts.tenancy import EnableTenantPolicy

# What is compressed already is not worth another try.
STORAGE = "ALTER TABLE catalog_body ALTER COLUMN packed SET STORAGE EXTERNAL"


class Migration(migrations.Migration):
    dependencies = [("catalog", "0016_edge_indexes")]

    operations = [
        migrations.CreateModel(
            name="Body",
            fields=[
                (
                    "entity",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="body",
                        serialize=False,
                        to="catalog.entity",
                    ),
                ),
                ("packed", models.BinaryField()),
                (
                    "organisation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.organisation",
                    ),
                ),
            ],
            options={"abstract": False},
        ),
        EnableTenantPolicy("body"),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
    ]
