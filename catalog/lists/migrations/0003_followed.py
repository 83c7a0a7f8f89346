"""What followed entities were like when they were looked at last."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from portal.accounts.tenancy import EnableTenantPolicy


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0015_for_notices"),
        ("lists", "0002_wall"),
    ]

    operations = [
        migrations.CreateModel(
            name="FollowedEntity",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("entity_uid", models.UUIDField()),
                ("lifecycle", models.TextField(blank=True)),
                ("is_there", models.BooleanField(default=True)),
                ("is_broken", models.BooleanField(default=False)),
                ("seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organisation"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "entity_uid"), name="followed_entity_once")
                ],
            },
        ),
        EnableTenantPolicy("followedentity"),
    ]
