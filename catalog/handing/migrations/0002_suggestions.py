"""Suggested owners, behind the tenant wall."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from portal.accounts.tenancy import EnableTenantPolicy


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0017_teams_declined"),
        ("handing", "0001_transfers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Suggestion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("entity_uid", models.UUIDField()),
                ("ref", models.CharField(max_length=400)),
                ("title", models.TextField(blank=True)),
                ("to_ref", models.CharField(db_collation="C", max_length=400)),
                ("score", models.FloatField()),
                ("evidence", models.JSONField(default=list)),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Open"), ("accepted", "Accepted"), ("declined", "Declined")],
                        default="open",
                        max_length=8,
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("answered_by_label", models.CharField(blank=True, max_length=300)),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
                ("reason", models.CharField(blank=True, max_length=1000)),
                (
                    "answered_by",
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
            ],
            options={
                "indexes": [
                    models.Index(fields=["organisation", "state", "-score", "id"], name="suggestions_by_score")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "entity_uid", "to_ref"), name="suggested_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "open")),
                        fields=("organisation", "entity_uid"),
                        name="one_open_suggestion",
                    ),
                ],
            },
        ),
        EnableTenantPolicy("suggestion"),
    ]
