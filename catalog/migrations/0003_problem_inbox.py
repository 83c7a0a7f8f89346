"""Problems as an inbox: what makes two the same, since when, whose, with the lines around and what would mend them."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("catalog", "0002_configured_card"),
    ]

    operations = [
        # The column keeps its name: only the model says first_seen_at.
        migrations.AlterField(
            "problem", "seen_at", models.DateTimeField(default=django.utils.timezone.now, db_column="seen_at")
        ),
        migrations.RenameField("problem", "seen_at", "first_seen_at"),
        migrations.AddField("problem", "key", models.CharField(blank=True, db_default="", default="", max_length=32)),
        migrations.AddField("problem", "severity", models.PositiveSmallIntegerField(db_default=0, default=0)),
        migrations.AddField(
            "problem", "field", models.CharField(blank=True, db_default="", default="", max_length=300)
        ),
        migrations.AddField(
            "problem", "owner_ref", models.CharField(blank=True, db_default="", default="", max_length=400)
        ),
        migrations.AddField("problem", "excerpt_json", models.JSONField(blank=True, null=True)),
        migrations.AddField("problem", "edit_json", models.JSONField(blank=True, null=True)),
        migrations.AddField(
            "problem", "commit", models.CharField(blank=True, db_default="", default="", max_length=100)
        ),
        migrations.AddField(
            "problem", "author", models.CharField(blank=True, db_default="", default="", max_length=300)
        ),
        migrations.AddField("problem", "aside_until", models.DateTimeField(blank=True, null=True)),
        migrations.AddField(
            "problem", "aside_reason", models.CharField(blank=True, db_default="", default="", max_length=500)
        ),
        migrations.AddField(
            "problem",
            "aside_by",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            "problem", models.Index(fields=["organisation", "first_seen_at", "id"], name="problem_age")
        ),
        migrations.AddIndex(
            "problem", models.Index(fields=["organisation", "owner_ref", "first_seen_at", "id"], name="problem_owner")
        ),
        migrations.AddIndex(
            "problem", models.Index(fields=["organisation", "code", "first_seen_at", "id"], name="problem_code")
        ),
        migrations.AddIndex(
            "problem", models.Index(fields=["organisation", "severity", "first_seen_at", "id"], name="problem_severity")
        ),
    ]
