"""Entities as the catalog API shows them: the author's document with what the server knows added."""

# the pieces of SQL that are put together here are all our own constants
from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from catalog.asking.locations import annotations_of, location_of
from catalog.asking.owned import with_owner_how
from catalog.descriptors.kinds import REVERSE
from catalog.index.edges import TYPES
from catalog.index.ordering import Page
from catalog.models import Source
from catalog.packing import document_of
from portal.accounts.models import Organisation
from portal.kit.errors import Invalid

__all__ = ["ShownEntity", "at_page", "fields_of", "in_place", "location_of", "project", "with_refs", "with_uid"]

REJECTED = "https://backstage.io/annotation-rejected-for-security-reasons"

# Everything that is shown of each entity, whoever chose them: one statement, relations and problems as columns.
_SHOWN = """
WITH p AS MATERIALIZED ({page})
SELECT p.num, p.value, p.label, e.ref, e.uid, e.path, e.digest, e.owner_how, b.packed,
  s.id, s.kind, s.target, s.revision,
  (SELECT jsonb_agg(jsonb_build_array(x.type, x.target)) FROM catalog_edge x
    WHERE x.organisation_id = %s AND x.num = e.num),
  (SELECT jsonb_agg(jsonb_build_array(x.type, o.ref)) FROM catalog_edge x
    JOIN catalog_entity o ON o.organisation_id = %s AND o.num = x.num
    WHERE x.organisation_id = %s AND x.target = e.ref),
  (SELECT jsonb_agg(jsonb_build_array(t.path, t.line, t.sentence) ORDER BY t.id) FROM catalog_problem t
    WHERE t.organisation_id = %s AND t.entity_ref = e.ref)
FROM p
JOIN catalog_entity e ON e.organisation_id = %s AND e.num = p.num
JOIN catalog_body b ON b.entity_id = e.id
LEFT JOIN catalog_source s ON s.organisation_id = %s AND s.id = e.source_id
ORDER BY p.place
"""
_ONES = "SELECT num AS place, num, NULL::text AS value, '' AS label FROM catalog_entity"


@dataclass(frozen=True)
class ShownEntity:
    """An entity as it is shown, with its place in the order that was asked for."""

    num: int
    value: str | None
    label: str
    ref: str
    entity: dict[str, Any]

    @property
    def place(self) -> list[Any]:
        return [self.value, self.label, self.num]


def at_page(organisation: Organisation, page: Page) -> list[ShownEntity]:
    """The entities of a page, and the one behind it if there is one (see Page.cut): one statement."""
    return _shown(organisation, page.sql, page.parameters)


def with_refs(organisation: Organisation, refs: Sequence[str]) -> list[ShownEntity]:
    """Those of these references that are there, in no order: one statement."""
    sql = f"{_ONES} WHERE organisation_id = %s AND ref = ANY(%s::text[]) AND removed_at IS NULL"
    return _shown(organisation, sql, [organisation.pk, list(refs)])


def with_uid(organisation: Organisation, uid: object) -> list[ShownEntity]:
    """The entity of this uid, if it is there: one statement."""
    sql = f"{_ONES} WHERE organisation_id = %s AND uid = %s AND removed_at IS NULL"
    return _shown(organisation, sql, [organisation.pk, uid])


def in_place(organisation: Organisation, source: Source, most: int) -> list[ShownEntity]:
    """What a source describes, in the order of its files: one statement."""
    sql = (
        "SELECT row_number() OVER () AS place, num, NULL::text AS value, '' AS label FROM ("
        " SELECT num FROM catalog_entity WHERE organisation_id = %s AND source_id = %s AND removed_at IS NULL"
        " ORDER BY path, line LIMIT %s) w"
    )
    return _shown(organisation, sql, [organisation.pk, source.pk, most])


def _shown(organisation: Organisation, page: str, parameters: list[Any]) -> list[ShownEntity]:
    sql = _SHOWN.format(page=page)
    with connection.cursor() as cursor:
        cursor.execute(sql, [*parameters, *[organisation.pk] * 6])
        rows = cursor.fetchall()
    return [ShownEntity(row[0], row[1], row[2], row[3], _entity(*row[4:])) for row in rows]


def _json(text: Any) -> Any:
    return json.loads(text) if isinstance(text, str | bytes) else text


def _entity(
    uid: Any, path: str, digest: str, owner_how: str, packed: bytes, source_id: int | None, kind: str, target: str,
    revision: str, said: Any, mirrored: Any, troubles: Any,
) -> dict[str, Any]:  # fmt: skip
    known = document_of(packed)
    source = Source(id=source_id, kind=kind, target=target, revision=revision) if source_id else None
    metadata = {
        **known["metadata"],
        "uid": str(uid),
        "etag": known["metadata"].get("etag") or digest[:40],
        "annotations": with_owner_how(
            {**annotations_of(source, path), **_safe(known["metadata"].get("annotations"))}, owner_how
        ),
    }
    edges = {(TYPES[number], other) for number, other in _json(said) or ()}
    edges |= {(REVERSE[TYPES[number]], other) for number, other in _json(mirrored) or ()}
    relations = [{"type": kind, "targetRef": ref} for kind, ref in sorted(edges)]
    shown = {**known, "metadata": metadata, "relations": relations}
    items = [_item(*trouble) for trouble in _json(troubles) or ()]
    return {**shown, "status": {"items": items}} if items else shown


def _item(path: str, line: int, sentence: str) -> dict[str, Any]:
    return {
        "type": "backstage.io/catalog-processing",
        "level": "error",
        "message": f"InputError: {path}:{line} {sentence}",
        "error": {"name": "InputError", "message": sentence},
    }


def _safe(annotations: Any) -> dict[str, str]:
    """Addresses that would run as a script are taken out."""
    guarded = ("backstage.io/view-url", "backstage.io/edit-url")
    return {
        key: REJECTED if key in guarded and "javascript:" in "".join(value.split()).lower() else value
        for key, value in (annotations if isinstance(annotations, dict) else {}).items()
    }


def project(entity: dict[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """Only the wanted dot paths; a key that holds dots itself is found by joining segments."""
    if not fields:
        return entity
    kept: dict[str, Any] = {}
    for field in fields:
        _copy(entity, kept, field.split("."))
    return kept


def _copy(source: Any, into: dict[str, Any], parts: list[str]) -> None:
    if not isinstance(source, dict):
        return
    for length in range(1, len(parts) + 1):
        key = ".".join(parts[:length])
        if key not in source:
            continue
        if length == len(parts):
            into[key] = source[key]
        elif isinstance(source[key], dict):
            nested = into.get(key)
            if nested is source[key]:
                return
            inner: dict[str, Any] = dict(nested) if isinstance(nested, dict) else {}
            _copy(source[key], inner, parts[length:])
            if inner:
                into[key] = inner
        return


def fields_of(values: Sequence[str]) -> list[str]:
    """The `fields` parameter; raises Invalid for index syntax."""
    fields = [field.strip() for value in values for field in value.split(",") if field.strip()]
    for field in fields:
        if "[" in field:
            raise Invalid(f'The field "{field}" is not a dot path; lists cannot be indexed.', field="fields")
    return fields
