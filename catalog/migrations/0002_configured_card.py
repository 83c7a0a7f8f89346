"""Cards that admins add to entities' pages."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from portal.accounts.tenancy import EnableTenantPolicy


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_team_is_one_thing"),
        ("catalog", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="ConfiguredCard",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=80)),
                (
                    "kinds",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=63),
                        blank=True,
                        default=list,
                        help_text="Empty = entities of any kind.",
                        size=None,
                    ),
                ),
                ("permission", models.CharField(default="catalog.view", help_text="Who is shown it.", max_length=40)),
                (
                    "label",
                    models.CharField(blank=True, help_text="The words of the link; empty = the title.", max_length=80),
                ),
                ("address", models.CharField(help_text="With placeholders: catalog/configured.py.", max_length=1000)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organisation"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("organisation", "title"), name="configured_card_once")],
            },
        ),
        EnableTenantPolicy("configuredcard"),
    ]
