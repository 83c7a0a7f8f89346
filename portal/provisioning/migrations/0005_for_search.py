"""An index that finds the newest runs for what is called so or begins so, made beside running work."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import F
from django.db.models.functions import Collate


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("provisioning", "0004_asked")]

    operations = [
        AddIndexConcurrently(
            "run", models.Index("organisation", Collate("subject", "C"), F("id").desc(), name="run_by_subject")
        )
    ]
