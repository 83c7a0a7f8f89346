"""Cards that show what an address answers, and the answers."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from portal.accounts.tenancy import EnableTenantPolicy


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_team_is_one_thing"),
        ("catalog", "0008_index_ready"),
    ]

    operations = [
        migrations.AddField(
            model_name="configuredcard",
            name="shows",
            field=models.CharField(
                choices=[("link", "A link"), ("json", "What the address answers (JSON)")],
                db_default="link",
                default="link",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="configuredcard",
            name="template",
            field=models.TextField(
                blank=True,
                db_default="",
                default="",
                help_text="In the language of golden paths; comes to Markdown.",
            ),
        ),
        migrations.AddField(
            model_name="configuredcard",
            name="refresh_seconds",
            field=models.PositiveIntegerField(db_default=300, default=300),
        ),
        migrations.AddField(
            model_name="configuredcard",
            name="header_name",
            field=models.CharField(blank=True, db_default="", default="", max_length=100),
        ),
        migrations.AddField(
            model_name="configuredcard",
            name="sealed_header",
            field=models.TextField(blank=True, db_default="", default="", help_text="For workers: kit/sealing.py."),
        ),
        migrations.AddField(
            model_name="configuredcard",
            name="header_fingerprint",
            field=models.CharField(blank=True, db_default="", default="", max_length=12),
        ),
        migrations.CreateModel(
            name="CardAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "text",
                    models.TextField(blank=True, help_text="Markdown: the newest answer that could be used."),
                ),
                ("as_of", models.DateTimeField(help_text="When that was.", null=True)),
                (
                    "error",
                    models.CharField(
                        blank=True, help_text="Why the newest try gave nothing; empty = it did.", max_length=1000
                    ),
                ),
                ("tried_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "card",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="answers",
                        to="catalog.configuredcard",
                    ),
                ),
                (
                    "entity",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="catalog.entity"
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
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "card", "entity"), name="card_answer_once")
                ],
            },
        ),
        EnableTenantPolicy("cardanswer"),
    ]
