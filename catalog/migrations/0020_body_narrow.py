"""Narrow: the table that nothing reads any more, and with it its space."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("catalog", "0019_body_fill")]

    operations = [migrations.DeleteModel("EntityBody")]
