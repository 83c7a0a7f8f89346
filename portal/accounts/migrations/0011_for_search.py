"""Indexes that find people by the beginning of a name or an address, made beside running work."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Func, Value
from django.db.models.functions import Collate, Lower

LAST_NAME = Func(
    F("name"), Value(r"^.*\s"), Value(""), function="regexp_replace", output_field=models.CharField(max_length=120)
)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("accounts", "0010_place_of_token")]

    operations = [
        AddIndexConcurrently("user", models.Index(Collate(Lower("name"), "C"), name="user_named")),
        AddIndexConcurrently("user", models.Index(Collate(Lower(LAST_NAME), "C"), name="user_last_named")),
        AddIndexConcurrently("user", models.Index(Collate(Lower("email"), "C"), name="user_mailed")),
    ]
