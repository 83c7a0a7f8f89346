"""Widen: what finds entities has tables of its own, and the long texts of an entity leave its row. See docs/adr/0120."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from portal.accounts.tenancy import EnableTenantPolicy

# Sets of entities are read by walks that look at indexes alone: these live from a fresh visibility map.
VACUUM = (
    "autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05,"
    " autovacuum_analyze_scale_factor = 0.02"
)
STORAGE = f"""
ALTER TABLE catalog_entitybody SET (toast_tuple_target = 256, fillfactor = 95);
ALTER TABLE catalog_entity SET ({VACUUM});
ALTER TABLE catalog_edge SET ({VACUUM});
ALTER TABLE catalog_fact SET (fillfactor = 90, {VACUUM});
ALTER TABLE catalog_factblock SET (fillfactor = 80, {VACUUM});
ALTER TABLE catalog_factblock ALTER COLUMN bits SET STORAGE MAIN;
ALTER TABLE catalog_near SET ({VACUUM});
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_team_is_one_thing"),
        ("catalog", "0005_wall_source_file"),
    ]

    operations = [
        migrations.CreateModel(
            name="EntityBody",
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
                ("document", models.JSONField()),
                ("raw", models.TextField(blank=True)),
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
        migrations.CreateModel(
            name="Edge",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "organisation_id",
                        "num",
                        "type",
                        "target",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("num", models.IntegerField()),
                ("type", models.SmallIntegerField()),
                ("target", models.CharField(db_collation="C", max_length=400)),
                (
                    "organisation",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.organisation",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["organisation", "target", "type", "num"], name="edge_backward")],
            },
        ),
        migrations.CreateModel(
            name="FactKey",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "organisation_id", "key", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("id", models.IntegerField()),
                ("key", models.TextField(db_collation="C")),
                ("is_many", models.BooleanField(default=False)),
                (
                    "organisation",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.organisation",
                    ),
                ),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="Fact",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "organisation_id",
                        "key_id",
                        "value",
                        "label",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.organisation",
                    ),
                ),
                ("key_id", models.IntegerField()),
                ("n", models.IntegerField()),
                ("one", models.IntegerField(null=True)),
                ("value", models.TextField(db_collation="C")),
                ("label", models.TextField(db_collation="C")),
                (
                    "members",
                    django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), null=True, size=None),
                ),
                ("blocks", models.BigIntegerField(null=True)),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="FactBlock",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "organisation_id",
                        "blocks",
                        "chunk",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("blocks", models.BigIntegerField()),
                ("chunk", models.IntegerField()),
                ("bits", models.BinaryField()),
                (
                    "organisation",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.organisation",
                    ),
                ),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="Near",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "organisation_id", "part", "word", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("part", models.TextField(db_collation="C")),
                ("word", models.TextField(db_collation="C")),
                (
                    "organisation",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.organisation",
                    ),
                ),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="IndexState",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("format", models.IntegerField()),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organisation"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("organisation",), name="index_state_once")],
            },
        ),
        migrations.AddField("entity", "num", models.IntegerField(null=True)),
        EnableTenantPolicy("entitybody"),
        EnableTenantPolicy("edge"),
        EnableTenantPolicy("factkey"),
        EnableTenantPolicy("fact"),
        EnableTenantPolicy("factblock"),
        EnableTenantPolicy("near"),
        EnableTenantPolicy("indexstate"),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
    ]
