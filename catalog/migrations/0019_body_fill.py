"""Fill: what authors wrote is packed into its new table. From here on the old one is only read.

In pieces, each a transaction of its own, so that whoever is interrupted goes on from there. What the application's code
knows of packing is written down here as it is today. The owner is held by the wall as everybody is: one organisation
after the other.
"""

import json
import zlib
from typing import Any

from django.db import migrations, transaction

AT_ONCE = 1000
# A process of the version before reads on; what it writes would be lost, and is refused. Rows that are there stay.
ONLY_READ = """
ALTER TABLE catalog_entitybody DROP CONSTRAINT IF EXISTS entitybody_moved;
ALTER TABLE catalog_entitybody ADD CONSTRAINT entitybody_moved CHECK (false) NOT VALID;
"""
WRITTEN_AGAIN = "ALTER TABLE catalog_entitybody DROP CONSTRAINT IF EXISTS entitybody_moved"
READ = """
SELECT entity_id, document::text, raw FROM catalog_entitybody
WHERE organisation_id = %s AND entity_id > %s ORDER BY entity_id LIMIT %s
"""
WRITE = """
INSERT INTO catalog_body (organisation_id, entity_id, packed)
SELECT %s, entity_id, packed FROM unnest(%s::bigint[], %s::bytea[]) AS fresh (entity_id, packed)
"""
WORDS = (
    b'"children":[],"memberOf":[],"profile":{"displayName":"","email":""},"type":"team","parent":"group:'
    b'"definition":"openapi: 3.0.0\\ninfo:\\n  title: \\n  version: 1.0.0\\npaths:\\n  /v1/\\n    get:\\n'
    b'      responses:\\n        \\"200\\":\\n          description: OK\\n","providesApis":["api:default/"],'
    b'"consumesApis":["api:default/"],"subcomponentOf":"component:default/","partOf":"domain":"implementsApis":'
    b'"apiVersion":"scaffolder.backstage.io/v1beta3","kind":"Template","kind":"Location","targets":["./"'
    b'"kind":"System","kind":"Domain","kind":"User","kind":"Group","kind":"Resource","type":"database",'
    b'"kind":"API","type":"openapi","type":"grpc",'
    b"apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata:\n  name: \nspec:\n  type: team\n  children: []\n"
    b"kind: User\nspec:\n  profile:\n    displayName: \n    email: \n  memberOf: []\n"
    b"kind: API\nspec:\n  type: openapi\n  definition: |\n    openapi: 3.0.0\nkind: Resource\nkind: System\n"
    b"kind: Domain\n  domain: \n  providesApis:\n    - \n  consumesApis:\n    - \n  subcomponentOf: \n"
    b'{"apiVersion":"backstage.io/v1alpha1","kind":"Component","metadata":{"name":"","namespace":"default",'
    b'"title":"","description":"","labels":{"":"","":""},"annotations":{"backstage.io/source-location":"url:https://",'
    b'"jira/project-key":"","prometheus.io/rule":"","opsgenie.com/team":"","backstage.io/kubernetes-namespace":"",'
    b'"backstage.io/kubernetes-label-selector":"app=","backstage.io/kubernetes-id":"",'
    b'"backstage.io/techdocs-ref":"dir:.","gitlab.com/project-slug":"",'
    b'"pagerduty.com/service-id":"","pagerduty.com/integration-key":"","sonarqube.org/project-key":"",'
    b'"grafana/dashboard-selector":""},"tags":["java","python","go",""],"links":[{"url":"https://","title":"Runbook",'
    b'"icon":"docs"},{"url":"https://","title":"Chat"},{"url":"https://","title":"Dashboard","icon":"dashboard"}]},'
    b'"spec":{"type":"service","lifecycle":"production","owner":"group:default/","system":"","type":"website",'
    b'"type":"library","lifecycle":"experimental","lifecycle":"deprecated",'
    b'"dependsOn":["component:default/","resource:default/","component:","resource:"]}}'
    b"\0apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: \n  title: \n  description: \n"
    b"  labels:\n    \n  annotations:\n    backstage.io/source-location: url:https://\n    jira/project-key: \n"
    b"    backstage.io/kubernetes-namespace: \n    backstage.io/kubernetes-label-selector: app=\n"
    b"    backstage.io/kubernetes-id: \n    backstage.io/techdocs-ref: dir:.\n"
    b"    gitlab.com/project-slug: \n    pagerduty.com/service-id: \n    sonarqube.org/project-key: \n"
    b"    grafana/dashboard-selector: \n  tags: [\n  tags:\n    - \n    - \n"
    b"  links:\n    - url: https://\n      title: Runbook\n      icon: docs\n    - url: https://\n      title: Chat\n"
    b"    - url: https://\n      title: Dashboard\n      icon: dashboard\n"
    b"spec:\n  type: service\n  lifecycle: production\n  type: website\n  type: library\n  lifecycle: experimental\n"
    b"  lifecycle: deprecated\n  owner: group:default/\n  owner: \n  system: \n"
    b"  dependsOn:\n    - component:default/\n    - resource:default/\n"
    b'  dependsOn: ["component:", "resource:\n'
)


def pack(document: str, raw: str) -> bytes:
    told = json.dumps(json.loads(document), ensure_ascii=False, separators=(",", ":"))
    packer = zlib.compressobj(6, zlib.DEFLATED, -15, 7, zdict=WORDS)
    return b"".join((b"\x01", packer.compress(f"{told}\0{raw}".encode()), packer.flush()))


def fill(apps: Any, schema_editor: Any) -> None:
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM accounts_organisation ORDER BY id")
        organisations = [row[0] for row in cursor.fetchall()]
    for organisation in organisations:
        while piece(connection, organisation):
            pass


def piece(connection: Any, organisation: int) -> bool:
    """Packs the next bodies; whether there were any."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.tenant', %s, true)", [str(organisation)])
        cursor.execute(
            "SELECT coalesce(max(entity_id), 0) FROM catalog_body WHERE organisation_id = %s", [organisation]
        )
        [last] = cursor.fetchone()
        cursor.execute(READ, [organisation, last, AT_ONCE])
        rows = cursor.fetchall()
        packed = [pack(document, raw) for _, document, raw in rows]
        cursor.execute(WRITE, [organisation, [row[0] for row in rows], packed])
        return bool(rows)


def empty(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("TRUNCATE catalog_body")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("catalog", "0018_wall_body")]

    operations = [migrations.RunSQL(ONLY_READ, WRITTEN_AGAIN), migrations.RunPython(fill, empty)]
