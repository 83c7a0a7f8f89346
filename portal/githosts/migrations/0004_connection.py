"""Connections to git hosts: an address with a sealed credential."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from portal.accounts.tenancy import EnableTenantPolicy

STATES = [("untried", "Not tried yet"), ("works", "Works"), ("fails", "Does not work")]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_audit_only_grows"), ("githosts", "0003_owners")]

    operations = [
        migrations.CreateModel(
            name="Connection",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=[("git", "Git over https")], default="git", max_length=12)),
                (
                    "base_url",
                    models.CharField(help_text="Everything below this address is fetched with it.", max_length=300),
                ),
                (
                    "probe_url",
                    models.CharField(help_text="The repository below it that a test reads.", max_length=500),
                ),
                ("username", models.CharField(max_length=200)),
                ("sealed", models.TextField()),
                ("fingerprint", models.CharField(max_length=12)),
                ("state", models.CharField(choices=STATES, default="untried", max_length=8)),
                ("state_text", models.CharField(blank=True, max_length=500)),
                ("checked_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organisation"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "base_url"), name="connection_once"),
                ],
            },
        ),
        EnableTenantPolicy("connection"),
    ]
