"""Where a team was born and how it is reached."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0008_entering")]

    operations = [
        migrations.AddField(
            "team",
            "origin",
            models.CharField(
                blank=True,
                choices=[
                    ("portal", "Made in the portal"),
                    ("file", "Described by a file"),
                    ("gone", "Described by a file that is gone"),
                ],
                db_default="",
                help_text="Where it was born: there it is changed. Empty until the catalog has looked.",
                max_length=8,
            ),
        ),
        migrations.AddField(
            "team",
            "described_in",
            models.CharField(blank=True, db_default="", help_text="The file, if one does.", max_length=300),
        ),
        migrations.AddField("team", "mail", models.EmailField(blank=True, db_default="", max_length=254)),
        migrations.AddField("team", "chat", models.CharField(blank=True, db_default="", max_length=300)),
        migrations.AddField("team", "on_call", models.CharField(blank=True, db_default="", max_length=300)),
        migrations.AddField("team", "runbook", models.CharField(blank=True, db_default="", max_length=300)),
    ]
