"""Old processes still select the column."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("ownership", "0002_column_that_old_code_does_not_fill")]
    operations = [migrations.RemoveField("Crate", "label")]
