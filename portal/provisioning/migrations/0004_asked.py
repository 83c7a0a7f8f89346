"""Widen: a run keeps a digest of what it was asked with, so that its key is good for nothing else."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("provisioning", "0003_adoptions")]

    operations = [
        migrations.AddField("run", "asked", models.CharField(blank=True, db_default="", default="", max_length=64)),
    ]
