"""Transfers: what was offered to whom, behind the tenant wall."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from portal.accounts.tenancy import EnableTenantPolicy, WallForeignKeys


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0017_teams_declined"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Transfer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("to_ref", models.CharField(db_collation="C", max_length=400)),
                ("why", models.CharField(blank=True, max_length=1000)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("asked", "Waits for an answer"),
                            ("accepted", "Accepted, dated"),
                            ("done", "Handed over"),
                            ("declined", "Declined"),
                            ("withdrawn", "Withdrawn"),
                            ("expired", "Expired"),
                            ("void", "Came to nothing"),
                            ("undone", "Undone"),
                        ],
                        max_length=10,
                    ),
                ),
                ("is_direct", models.BooleanField(default=False)),
                ("count", models.PositiveIntegerField(help_text="How many entities.")),
                ("asked_by_label", models.CharField(blank=True, max_length=300)),
                ("asked_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("due_at", models.DateTimeField(blank=True, null=True)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("reminded_at", models.DateTimeField(blank=True, null=True)),
                ("answered_by_label", models.CharField(blank=True, max_length=300)),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
                (
                    "reason",
                    models.CharField(
                        blank=True, help_text="Of the answer, or why it came to nothing.", max_length=1000
                    ),
                ),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
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
                    "asked_by",
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
        ),
        migrations.CreateModel(
            name="TransferItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("entity_uid", models.UUIDField()),
                ("ref", models.CharField(max_length=400)),
                ("title", models.TextField(blank=True)),
                ("was_ref", models.CharField(blank=True, max_length=400)),
                ("held_ref", models.CharField(blank=True, max_length=400)),
                ("is_open", models.BooleanField(default=True)),
                ("outcome", models.CharField(blank=True, max_length=8)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organisation"
                    ),
                ),
                (
                    "transfer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="items", to="handing.transfer"
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="transfer",
            index=models.Index(fields=["organisation", "state", "-id"], name="transfer_by_state"),
        ),
        migrations.AddIndex(
            model_name="transfer",
            index=models.Index(fields=["organisation", "asked_by", "-id"], name="transfer_by_asker"),
        ),
        migrations.AddIndex(
            model_name="transfer",
            index=models.Index(
                condition=models.Q(("state", "asked")), fields=["organisation", "to_ref"], name="transfer_waits"
            ),
        ),
        migrations.AddIndex(
            model_name="transfer",
            index=models.Index(condition=models.Q(("state", "accepted")), fields=["due_at"], name="transfer_due"),
        ),
        migrations.AddIndex(
            model_name="transfer",
            index=models.Index(condition=models.Q(("state", "asked")), fields=["expires_at"], name="transfer_expires"),
        ),
        migrations.AddConstraint(
            model_name="transferitem",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_open", True)), fields=("organisation", "entity_uid"), name="entity_offered_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="transferitem",
            constraint=models.UniqueConstraint(
                fields=("organisation", "transfer", "entity_uid"), name="transfer_item_once"
            ),
        ),
        EnableTenantPolicy("transfer", sweepable=True),
        EnableTenantPolicy("transferitem"),
        WallForeignKeys("transferitem"),
    ]
