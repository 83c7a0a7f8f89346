"""Widen: a run keeps how the people came in whose wishes it carries out later."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("provisioning", "0001_initial")]

    operations = [
        migrations.AddField("run", "launched_as", models.JSONField(db_default={}, default=dict)),
        migrations.AddField("run", "steered_as", models.JSONField(db_default={}, default=dict)),
    ]
