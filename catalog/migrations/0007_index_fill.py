"""Fill: every entity gets its number, its body and its edges. Its facts follow when the format is looked at (after all
migrations): they are made by the code that makes them always.

The owner is held by the wall as everybody is: one organisation after the other.
"""

from django.db import migrations

FILL = """
DO $fill$
DECLARE organisation bigint;
BEGIN
    FOR organisation IN SELECT id FROM accounts_organisation ORDER BY id LOOP
        PERFORM set_config('app.tenant', organisation::text, true);
        UPDATE catalog_entity e SET num = r.place
            FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM catalog_entity
                  WHERE organisation_id = organisation) r
            WHERE e.organisation_id = organisation AND e.id = r.id;
        INSERT INTO catalog_entitybody (organisation_id, entity_id, document, raw)
            SELECT organisation_id, id, document, raw FROM catalog_entity WHERE organisation_id = organisation
            ON CONFLICT DO NOTHING;
        INSERT INTO catalog_edge (organisation_id, num, type, target)
            SELECT DISTINCT r.organisation_id, e.num, t.place - 1, r.target_ref
            FROM catalog_relation r
            JOIN catalog_entity e ON e.organisation_id = r.organisation_id AND e.id = r.from_entity_id
            JOIN unnest(ARRAY[
                'ownedBy', 'ownerOf', 'partOf', 'hasPart', 'providesApi', 'apiProvidedBy', 'consumesApi', 'apiConsumedBy',
                'dependsOn', 'dependencyOf', 'parentOf', 'childOf', 'memberOf', 'hasMember'
            ]) WITH ORDINALITY AS t (name, place) ON t.name = r.type
            WHERE r.organisation_id = organisation AND r.source_ref = e.ref AND e.removed_at IS NULL
            ON CONFLICT DO NOTHING;
        PERFORM set_config('app.tenant', '', true);
    END LOOP;
END $fill$
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0006_index")]

    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
