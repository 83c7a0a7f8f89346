"""The index that counts what an agent has spent of its budget, made beside running work."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("accounts", "0003_actor_and_outbox")]

    operations = [
        AddIndexConcurrently(
            "auditevent",
            models.Index(
                condition=models.Q(("agent", ""), _negated=True), fields=["organisation", "agent"], name="audit_agent"
            ),
        )
    ]
