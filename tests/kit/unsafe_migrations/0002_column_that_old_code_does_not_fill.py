"""Old processes insert rows without the new column, and PostgreSQL refuses them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ownership", "0001_initial")]
    operations = [migrations.AddField("Crate", "weight", models.IntegerField(default=1))]
