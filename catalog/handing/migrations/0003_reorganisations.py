"""Reorganisations, behind the tenant wall."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from portal.accounts.tenancy import EnableTenantPolicy


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0017_teams_declined"),
        ("handing", "0002_suggestions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Reorganisation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=120)),
                (
                    "state",
                    models.CharField(
                        choices=[("draft", "Draft"), ("dated", "Dated"), ("applied", "Applied"), ("undone", "Undone")],
                        default="draft",
                        max_length=8,
                    ),
                ),
                ("steps", models.JSONField(default=list)),
                (
                    "is_shared",
                    models.BooleanField(default=False, help_text="Everybody here may read it, not managers alone."),
                ),
                ("made_by_label", models.CharField(blank=True, max_length=300)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("due_at", models.DateTimeField(blank=True, null=True)),
                ("applied_at", models.DateTimeField(blank=True, null=True)),
                ("applied_by_label", models.CharField(blank=True, max_length=300)),
                ("undone_at", models.DateTimeField(blank=True, null=True)),
                ("before", models.JSONField(default=dict)),
                (
                    "reason",
                    models.CharField(blank=True, help_text="Why it could not be applied on its date.", max_length=1000),
                ),
                ("bulk", models.BigIntegerField(default=0)),
                (
                    "dated_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "made_by",
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
                    models.Index(fields=["organisation", "-id"], name="reorganisation_newest"),
                    models.Index(condition=models.Q(("state", "dated")), fields=["due_at"], name="reorganisation_due"),
                ],
            },
        ),
        EnableTenantPolicy("reorganisation", sweepable=True),
    ]
