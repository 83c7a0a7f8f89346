"""An index that finds repositories by the beginning of their name, made beside running work."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Collate


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("githosts", "0005_wall_foreign_keys")]

    operations = [
        AddIndexConcurrently("repository", models.Index("organisation", Collate("name", "C"), name="repository_named"))
    ]
