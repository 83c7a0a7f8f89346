"""Saved views, stars, what was looked at, and many changes at once: all behind the tenant wall."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from portal.accounts.tenancy import EnableTenantPolicy, WallForeignKeys


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0013_wall_visits"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Bulk",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("act", models.CharField(max_length=12)),
                ("value", models.CharField(blank=True, max_length=400)),
                ("job_uid", models.UUIDField(blank=True, null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
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
                    "undoes",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="undone_by",
                        to="lists.bulk",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BulkRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("entity_uid", models.UUIDField()),
                ("ref", models.CharField(max_length=200)),
                ("title", models.TextField(blank=True)),
                ("outcome", models.CharField(default="waiting", max_length=10)),
                ("sentence", models.CharField(blank=True, max_length=1000)),
                ("before", models.TextField(blank=True)),
                ("after", models.TextField(blank=True)),
                ("place", models.CharField(blank=True, max_length=1000)),
                ("line", models.PositiveIntegerField(default=1)),
                ("url", models.CharField(blank=True, max_length=1000)),
                (
                    "bulk",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="rows", to="lists.bulk"
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organisation"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SavedView",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80)),
                ("query", models.CharField(blank=True, max_length=2000)),
                (
                    "columns",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20),
                        blank=True,
                        default=list,
                        help_text="Empty = the kind's own.",
                        size=None,
                    ),
                ),
                ("is_shared", models.BooleanField(default=False)),
                ("is_default", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organisation"
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ListSetting",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("columns", models.JSONField(default=dict)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organisation"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "opens_with",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="lists.savedview",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Star",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("entity_uid", models.UUIDField()),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organisation"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="bulk",
            index=models.Index(fields=["organisation", "created_at"], name="bulk_age"),
        ),
        migrations.AddIndex(
            model_name="bulkrow",
            index=models.Index(fields=["organisation", "bulk", "outcome", "id"], name="bulk_rows"),
        ),
        migrations.AddConstraint(
            model_name="bulkrow",
            constraint=models.UniqueConstraint(fields=("organisation", "bulk", "entity_uid"), name="bulk_row_once"),
        ),
        migrations.AddConstraint(
            model_name="savedview",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_shared", True)), fields=("organisation", "name"), name="shared_view_name_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="savedview",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_shared", False)),
                fields=("organisation", "owner", "name"),
                name="own_view_name_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="savedview",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_default", True)), fields=("organisation",), name="default_view_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="savedview",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_default", False), ("is_shared", True), _connector="OR"),
                name="default_view_is_shared",
            ),
        ),
        migrations.AddConstraint(
            model_name="listsetting",
            constraint=models.UniqueConstraint(fields=("organisation", "user"), name="list_setting_once"),
        ),
        migrations.AddIndex(
            model_name="star",
            index=models.Index(fields=["organisation", "user", "-at"], name="star_newest"),
        ),
        migrations.AddConstraint(
            model_name="star",
            constraint=models.UniqueConstraint(fields=("organisation", "user", "entity_uid"), name="star_once"),
        ),
        EnableTenantPolicy("star"),
        EnableTenantPolicy("savedview"),
        EnableTenantPolicy("listsetting"),
        EnableTenantPolicy("bulk"),
        EnableTenantPolicy("bulkrow"),
        WallForeignKeys("listsetting"),
        WallForeignKeys("bulk"),
        WallForeignKeys("bulkrow"),
    ]
