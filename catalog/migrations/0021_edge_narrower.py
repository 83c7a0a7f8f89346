"""The other end of an edge stands in one index instead of two. See docs/adr/0166.

The indexes are made beside running work; the key then takes the new one in an instant. Whoever looks edges up finds an
index at every moment.
"""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

KEY = """
DO $key$
BEGIN
    IF EXISTS (SELECT FROM pg_class WHERE relname = 'edge_key' AND relkind = 'i') THEN
        ALTER TABLE catalog_edge DROP CONSTRAINT catalog_edge_pkey;
        ALTER TABLE catalog_edge ADD CONSTRAINT catalog_edge_pkey PRIMARY KEY USING INDEX edge_key;
    END IF;
END $key$
"""


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("catalog", "0020_body_narrow")]

    operations = [
        AddIndexConcurrently("edge", models.Index(fields=["num", "organisation"], name="edge_by_num")),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS edge_key", migrations.RunSQL.noop),
        migrations.RunSQL(
            "CREATE UNIQUE INDEX CONCURRENTLY edge_key ON catalog_edge (target, organisation_id, type, num)",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(KEY, migrations.RunSQL.noop),
        RemoveIndexConcurrently("edge", "edge_by_target"),
    ]
