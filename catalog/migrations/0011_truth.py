"""What sources were read, names that two describe, former names, and who was told of a problem."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from portal.accounts.tenancy import EnableTenantPolicy


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0013_wall_visits"),
        ("catalog", "0010_wall_card_answers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="source",
            name="read_author",
            field=models.CharField(blank=True, db_default="", default="", help_text="Who made that.", max_length=300),
        ),
        migrations.AddField(
            model_name="source",
            name="read_seconds",
            field=models.FloatField(blank=True, help_text="How long the last reading took.", null=True),
        ),
        migrations.CreateModel(
            name="FormerName",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ref", models.CharField(db_collation="C", max_length=200)),
                ("renamed_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("commit", models.CharField(blank=True, max_length=100)),
                (
                    "entity",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="former_names", to="catalog.entity"
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organisation"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["organisation", "entity"], name="former_name_entity")],
                "constraints": [models.UniqueConstraint(fields=("organisation", "ref"), name="former_name_once")],
            },
        ),
        migrations.CreateModel(
            name="NameChoice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ref", models.CharField(db_collation="C", max_length=200)),
                ("chosen_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("reason", models.CharField(max_length=500)),
                (
                    "chosen_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organisation"
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="catalog.source"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("organisation", "ref"), name="name_choice_once")],
            },
        ),
        migrations.CreateModel(
            name="NameClaim",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ref", models.CharField(db_collation="C", max_length=200)),
                ("path", models.CharField(max_length=1000)),
                ("line", models.PositiveIntegerField(default=1)),
                ("digest", models.CharField(max_length=64)),
                ("document", models.JSONField()),
                ("raw", models.TextField(blank=True)),
                ("raw_line", models.PositiveIntegerField(default=1)),
                ("first_seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organisation"
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="claims", to="catalog.source"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["organisation", "source", "ref"], name="name_claim_source")],
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "ref", "source"), name="name_claim_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="ProblemTold",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=32)),
                ("address", models.CharField(max_length=254)),
                ("told_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organisation"
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="catalog.source"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organisation", "source", "key", "address"), name="problem_told_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SourceReading",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("seconds", models.FloatField(blank=True, null=True)),
                ("is_ok", models.BooleanField()),
                ("text", models.CharField(blank=True, max_length=1000)),
                ("commit", models.CharField(blank=True, max_length=100)),
                ("author", models.CharField(blank=True, max_length=300)),
                ("added", models.PositiveIntegerField(default=0)),
                ("changed", models.PositiveIntegerField(default=0)),
                ("removed", models.PositiveIntegerField(default=0)),
                ("problems", models.PositiveIntegerField(default=0)),
                ("times", models.PositiveIntegerField(default=1)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organisation"
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="readings", to="catalog.source"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["organisation", "source", "id"], name="source_reading_newest")],
            },
        ),
        EnableTenantPolicy("sourcereading"),
        EnableTenantPolicy("nameclaim"),
        EnableTenantPolicy("namechoice"),
        EnableTenantPolicy("formername"),
        EnableTenantPolicy("problemtold"),
    ]
