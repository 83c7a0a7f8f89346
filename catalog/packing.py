"""How what an author wrote lies in its row: the document and the text that it was read from, in one, compressed.

Both say nearly the same, and each alone is too short to be compressed well. The first byte tells with which words it
was packed, so that what was written once stays readable. See docs/adr/0166.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

# What descriptors are made of, known before the first letter; what stands last costs least. Never changed: other words
# get another number.
_WORDS_1 = (
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
_WORDS = {1: _WORDS_1}
_NOW = 1
# Deflate without a frame: whether a page is whole is PostgreSQL's to check.
_WINDOW = -15
_LEVEL = 6
# Memory for one packing; one more and the system is asked for it each time, which takes twice as long.
_MEMORY = 7


def pack(document: Mapping[str, Any], raw: str) -> bytes:
    """The document and its text as one. Raises ValueError for what neither JSON nor UTF-8 can hold."""
    told = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # No JSON has a zero byte: the first one parts the two.
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zdict=_WORDS[_NOW])
    return b"".join((bytes([_NOW]), packer.compress(f"{told}\0{raw}".encode()), packer.flush()))


def unpack(packed: bytes | memoryview) -> tuple[dict[str, Any], str]:
    """The document and its text."""
    told, _, raw = _plain(packed).partition(b"\0")
    return json.loads(told), raw.decode()


def document_of(packed: bytes | memoryview) -> dict[str, Any]:
    """The document alone."""
    found: dict[str, Any] = json.loads(_plain(packed).partition(b"\0")[0])
    return found


def _plain(packed: bytes | memoryview) -> bytes:
    kept = bytes(packed)
    return zlib.decompressobj(_WINDOW, zdict=_WORDS[kept[0]]).decompress(kept[1:])
