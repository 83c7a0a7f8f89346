"""Widen: how somebody came in stands in the audit log, and each event gets a place in the outbox."""

import django.db.models.deletion
from django.db import migrations, models

from portal.accounts.tenancy import EnableTenantPolicy


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_audit_only_grows")]

    operations = [
        migrations.AddField(
            "auditevent",
            "agent",
            models.CharField(
                blank=True, db_default="", help_text="Key of the agent that acted, if any.", max_length=100
            ),
        ),
        migrations.AddField("auditevent", "token_id", models.BigIntegerField(blank=True, null=True)),
        migrations.AddField(
            "auditevent",
            "way",
            models.CharField(
                blank=True,
                choices=[
                    ("page", "Page"),
                    ("api", "API"),
                    ("git", "Git"),
                    ("task", "Slipway’s own work"),
                    ("command", "Command line"),
                    ("mcp", "Agent tools"),
                ],
                db_default="",
                help_text="The way in.",
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            "OutboxEntry",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organisation"
                    ),
                ),
                (
                    "event",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="outbox", to="accounts.auditevent"
                    ),
                ),
                ("position", models.BigIntegerField(blank=True, null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["organisation", "position"], name="outbox_position_once")
                ],
                "indexes": [
                    models.Index(
                        condition=models.Q(("position", None)),
                        fields=["organisation", "id"],
                        name="outbox_unnumbered",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            "OutboxCursor",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organisation"
                    ),
                ),
                ("consumer", models.CharField(max_length=40)),
                ("position", models.BigIntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["organisation", "consumer"], name="outbox_cursor_once")
                ],
            },
        ),
        EnableTenantPolicy("outboxentry", sweepable=True),
        EnableTenantPolicy("outboxcursor"),
    ]
