"""Entities as the catalog API shows them: the author's document with what the server knows added."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import JSONField
from django.db.models.expressions import RawSQL

from catalog.asking.locations import annotations_of, location_of
from catalog.asking.query import Entities
from catalog.models import Entity
from portal.kit.errors import Invalid

__all__ = ["fields_of", "location_of", "present", "project", "whole"]

REJECTED = "https://backstage.io/annotation-rejected-for-security-reasons"


# Each entity's relations and problems as the last two columns of its own row: a list is one statement.
_EDGES = """(SELECT jsonb_agg(DISTINCT jsonb_build_array(r.type, r.target_ref)) FROM catalog_relation r
    WHERE r.organisation_id = catalog_entity.organisation_id AND r.source_ref = catalog_entity.ref)"""
_TROUBLES = """(SELECT jsonb_agg(jsonb_build_array(p.path, p.line, p.sentence) ORDER BY p.id) FROM catalog_problem p
    WHERE p.organisation_id = catalog_entity.organisation_id AND p.entity_ref = catalog_entity.ref)"""


def whole(rows: Entities) -> Entities:
    """The same entities with all that `present` shows of each, to be read in one statement."""
    # Constant texts: nothing of a request goes into them.
    columns = {"edges": RawSQL(_EDGES, [], JSONField()), "troubles": RawSQL(_TROUBLES, [], JSONField())}  # noqa: S611
    return rows.select_related("source").defer("raw", "search", "words").annotate(**columns)


def present(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """The JSON of each entity of `whole`, relations and errors included."""
    return [_one(row, sorted(row.edges or ()), row.troubles or ()) for row in rows]


def _one(row: Entity, edges: Iterable[Sequence[str]], troubles: Iterable[tuple[str, int, str]]) -> dict[str, Any]:
    document = row.document
    metadata = {
        **document["metadata"],
        "uid": str(row.uid),
        "etag": document["metadata"].get("etag") or row.digest[:40],
        "annotations": {**annotations_of(row.source, row.path), **_safe(row.annotations)},
    }
    shown = {**document, "metadata": metadata, "relations": [{"type": kind, "targetRef": ref} for kind, ref in edges]}
    items = [
        {
            "type": "backstage.io/catalog-processing",
            "level": "error",
            "message": f"InputError: {path}:{line} {sentence}",
            "error": {"name": "InputError", "message": sentence},
        }
        for path, line, sentence in troubles
    ]
    return {**shown, "status": {"items": items}} if items else shown


def _safe(annotations: dict[str, str]) -> dict[str, str]:
    """Addresses that would run as a script are taken out."""
    guarded = ("backstage.io/view-url", "backstage.io/edit-url")
    return {
        key: REJECTED if key in guarded and "javascript:" in "".join(value.split()).lower() else value
        for key, value in annotations.items()
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
