"""Teams that nobody confirmed give no rights. Of those that are here:

* one that somebody who may make teams made, changed or put people into stands, as that was their own act; so does one
  that no file ever described;
* a place in the tree that a file alone has said is nobody's word: it waits to be confirmed.

The tenant wall holds for the owner of the tables too: each organisation is entered in turn.
"""

from typing import Any

from django.db import migrations, models

# Teams from before their birth was kept: the portal's own have an event that says who made them.
WAITS = """
UPDATE accounts_team t SET waits_since = now()
WHERE (t.origin IN ('file', 'gone') OR (t.origin = '' AND NOT EXISTS (
    SELECT FROM accounts_auditevent made WHERE made.organisation_id = t.organisation_id
    AND made.subject_kind = 'team' AND made.subject_id = t.id::text AND made.verb = 'team.created')))
AND NOT EXISTS (
    SELECT FROM accounts_auditevent e
    JOIN accounts_membership m ON m.user_id = e.actor_id AND m.organisation_id = e.organisation_id
    WHERE e.organisation_id = t.organisation_id AND e.subject_kind = 'team' AND e.subject_id = t.id::text
      AND e.verb IN ('team.created', 'team.changed', 'team.member-added', 'team.lead-changed')
      AND m.role IN ('manager', 'admin')
)
"""
PLACES = """
UPDATE accounts_team t SET parent_id = NULL
WHERE t.parent_id IS NOT NULL
AND (t.origin IN ('file', 'gone') OR (t.origin = '' AND NOT EXISTS (
    SELECT FROM accounts_auditevent made WHERE made.organisation_id = t.organisation_id
    AND made.subject_kind = 'team' AND made.subject_id = t.id::text AND made.verb = 'team.created')))
"""


def judge(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT id FROM accounts_organisation")
        for (organisation,) in cursor.fetchall():
            cursor.execute("SELECT set_config('app.tenant', %s, true)", [str(organisation)])
            cursor.execute(WAITS)
            cursor.execute(PLACES)
        cursor.execute("SELECT set_config('app.tenant', '', true)")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0013_wall_visits")]

    operations = [
        migrations.AddField(
            "team",
            "described_by",
            models.CharField(
                blank=True,
                db_default="",
                help_text="The uid of the source whose file it follows.",
                max_length=36,
            ),
        ),
        migrations.AddField(
            "team",
            "waits_since",
            models.DateTimeField(
                blank=True,
                help_text="Since when it waits for somebody who may make teams to confirm it; until then it gives no "
                "rights. Empty: it stands.",
                null=True,
            ),
        ),
        migrations.RunPython(judge, migrations.RunPython.noop),
    ]
