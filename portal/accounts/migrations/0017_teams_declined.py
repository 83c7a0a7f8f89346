"""Widen: a team keeps what of it was declined, so that the same is not asked again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0016_team_paths")]

    operations = [
        migrations.AddField(
            "team",
            "declined",
            models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="What of it was looked at and declined: a digest.",
                max_length=20,
            ),
        ),
    ]
