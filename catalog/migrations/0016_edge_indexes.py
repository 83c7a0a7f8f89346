"""Indexes of edges begin with what is looked up, and whoever fills tables may have them looked at. See docs/adr/0163.

The indexes are made beside running work; the key then takes the new one in an instant.
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
# ANALYZE is for owners; the application may ask for it of these tables, and for nothing else.
LOOK = """
CREATE OR REPLACE FUNCTION catalog_look_at_tables() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $look$
BEGIN
    ANALYZE catalog_entity;
    ANALYZE catalog_edge;
    ANALYZE catalog_fact;
    ANALYZE catalog_factkey;
    ANALYZE catalog_factblock;
    ANALYZE catalog_near;
    ANALYZE catalog_sourcefile;
END $look$
"""


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("catalog", "0015_wall_statements")]

    operations = [
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS edge_key", migrations.RunSQL.noop),
        migrations.RunSQL(
            "CREATE UNIQUE INDEX CONCURRENTLY edge_key ON catalog_edge (num, organisation_id, type, target)",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(KEY, migrations.RunSQL.noop),
        AddIndexConcurrently(
            "edge", models.Index(fields=["target", "organisation", "type", "num"], name="edge_by_target")
        ),
        RemoveIndexConcurrently("edge", "edge_backward"),
        migrations.RunSQL(LOOK, "DROP FUNCTION IF EXISTS catalog_look_at_tables()"),
    ]
