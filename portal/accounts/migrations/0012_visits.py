"""What members looked at last."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from portal.accounts.tenancy import EnableTenantPolicy


class Migration(migrations.Migration):
    dependencies = [("accounts", "0011_for_search")]

    operations = [
        migrations.CreateModel(
            name="Visit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ref", models.CharField(help_text="Lower-cased catalog reference.", max_length=300)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "membership",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="visits", to="accounts.membership"
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
                "indexes": [models.Index(fields=["organisation", "membership", "-at"], name="visit_newest")],
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "membership", "ref"), name="visit_once")
                ],
            },
        ),
        EnableTenantPolicy("visit"),
    ]
