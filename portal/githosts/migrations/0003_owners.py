"""Repositories that were made before owners counted: the owner that their run named; where no team of the portal stands
behind it, who launched the run may push, so that nobody is shut out of their own work.

The tenant wall holds for the owner of the tables too: each organisation is entered in turn.
"""

from typing import Any

from django.db import migrations

OWNERS = """
UPDATE githosts_repository r SET owner_ref = left(run.owner_ref, 200)
FROM provisioning_run run
WHERE r.owner_ref = '' AND run.id = r.created_by_run AND run.organisation_id = r.organisation_id
"""
MAKERS = """
INSERT INTO githosts_grant (organisation_id, repository_id, person_id, granted_at)
SELECT r.organisation_id, r.id, run.requester_id, now()
FROM githosts_repository r
JOIN provisioning_run run ON run.id = r.created_by_run AND run.organisation_id = r.organisation_id
WHERE run.requester_id IS NOT NULL
  AND NOT EXISTS (
    SELECT FROM accounts_team t WHERE t.organisation_id = r.organisation_id AND t.ref = r.owner_ref
  )
ON CONFLICT DO NOTHING
"""


def fill(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('provisioning_run')")
        if cursor.fetchone()[0] is None:
            return  # a new installation: nothing has been made yet
        cursor.execute("SELECT id FROM accounts_organisation")
        for (organisation,) in cursor.fetchall():
            cursor.execute("SELECT set_config('app.tenant', %s, true)", [str(organisation)])
            cursor.execute(OWNERS)
            cursor.execute(MAKERS)
        cursor.execute("SELECT set_config('app.tenant', '', true)")


class Migration(migrations.Migration):
    dependencies = [("githosts", "0002_rights")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
