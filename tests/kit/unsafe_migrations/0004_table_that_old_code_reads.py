"""Old processes still ask for the table by its old name."""

from django.db import migrations


class Migration(migrations.Migration):
    # It says that it is a first one, and is none.
    initial = True
    dependencies = [("ownership", "0003_column_that_old_code_reads")]
    operations = [migrations.RenameModel("Crate", "Box")]
