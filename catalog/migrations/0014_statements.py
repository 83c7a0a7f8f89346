"""Who holds which role of an entity, as dated statements; the owner's row knows how it came to be."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from portal.accounts.tenancy import EnableTenantPolicy


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0014_teams_wait"),
        ("catalog", "0013_index_narrow"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="entity",
            name="owner_how",
            field=models.CharField(blank=True, db_default="", default="", max_length=14),
        ),
        migrations.AddField(
            model_name="entity",
            name="owner_since",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name="Statement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("owner", "Owner"),
                            ("oncall", "On call"),
                            ("technical", "Technical contact"),
                            ("approver", "Approver"),
                        ],
                        max_length=10,
                    ),
                ),
                ("holder_ref", models.CharField(blank=True, db_collation="C", max_length=400)),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField(blank=True, null=True)),
                (
                    "how",
                    models.CharField(
                        choices=[
                            ("file", "Its file"),
                            ("transfer", "Transfer"),
                            ("review", "Review"),
                            ("claim", "Claim"),
                            ("reorganisation", "Reorganisation"),
                            ("directory", "Directory"),
                            ("undo", "Undo"),
                            ("inheritance", "Fallback"),
                        ],
                        max_length=14,
                    ),
                ),
                ("by_label", models.CharField(blank=True, max_length=300)),
                ("why", models.CharField(blank=True, max_length=1000)),
                ("path", models.CharField(blank=True, max_length=1000)),
                ("commit", models.CharField(blank=True, max_length=100)),
                (
                    "by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "entity",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="statements",
                        to="catalog.entity",
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.organisation",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["organisation", "entity", "role", "id"], name="statement_history"),
                    models.Index(
                        condition=models.Q(("until", None)),
                        fields=["organisation", "holder_ref", "role"],
                        name="statement_holder",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("until", None)),
                        fields=("organisation", "entity", "role"),
                        name="statement_stands_once",
                    )
                ],
            },
        ),
        EnableTenantPolicy("statement"),
    ]
