"""Repositories get protection for their default branch, and grants to push beside their owner's own right."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from portal.accounts.tenancy import EnableTenantPolicy


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_audit_only_grows"),
        ("githosts", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="repository",
            name="is_protected",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="Nobody rewrites or deletes the default branch, not even who may push.",
            ),
        ),
        migrations.CreateModel(
            name="Grant",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("granted_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "granted_by",
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
                    "person",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="grants", to="githosts.repository"
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.team",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("team", None), ("person", None), _connector="XOR"),
                        name="grant_to_a_team_or_a_person",
                    ),
                    models.UniqueConstraint(fields=("repository", "team"), name="grant_team_once"),
                    models.UniqueConstraint(fields=("repository", "person"), name="grant_person_once"),
                ],
            },
        ),
        EnableTenantPolicy("grant"),
    ]
