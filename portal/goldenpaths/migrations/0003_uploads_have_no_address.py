"""The name of an uploaded file is no address: anybody may upload a file of any name, and would be the same origin.

The tenant wall holds for the owner of the tables too: each organisation is entered in turn.
"""

from typing import Any

from django.db import migrations


def clear(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT id FROM accounts_organisation")
        for (organisation,) in cursor.fetchall():
            cursor.execute("SELECT set_config('app.tenant', %s, true)", [str(organisation)])
            for kind in ("upload", "portal"):
                like = f"kind={kind} %"
                cursor.execute(
                    "UPDATE goldenpaths_goldenpath SET origin_address = '' WHERE origin_address LIKE %s", [like]
                )
                cursor.execute(
                    "UPDATE goldenpaths_candidate SET origin_address = '' WHERE origin_address LIKE %s", [like]
                )
        cursor.execute("SELECT set_config('app.tenant', '', true)")


class Migration(migrations.Migration):
    dependencies = [("goldenpaths", "0002_candidates"), ("accounts", "0001_initial")]

    operations = [migrations.RunPython(clear, migrations.RunPython.noop)]
