"""Entities as the catalog API shows them: the author's document with what the server knows added."""

from collections.abc import Iterable, Sequence
from typing import Any

from catalog.intake.locations import annotations_of, location_of
from catalog.models import Entity, Problem, Relation
from portal.accounts.models import Organisation
from portal.kit.errors import Invalid

__all__ = ["fields_of", "location_of", "present", "project"]

REJECTED = "https://backstage.io/annotation-rejected-for-security-reasons"


def present(organisation: Organisation, rows: Sequence[Entity]) -> list[dict[str, Any]]:
    """The JSON of each entity, relations and errors included: two queries, however many."""
    refs = [row.ref for row in rows]
    edges: dict[str, set[tuple[str, str]]] = {}
    found = Relation.objects.for_tenant(organisation).filter(source_ref__in=refs)
    for ref, kind, target in found.values_list("source_ref", "type", "target_ref"):
        edges.setdefault(ref, set()).add((kind, target))
    troubles: dict[str, list[Problem]] = {}
    for problem in Problem.objects.for_tenant(organisation).filter(entity_ref__in=refs):
        troubles.setdefault(problem.entity_ref, []).append(problem)
    return [_one(row, sorted(edges.get(row.ref, ())), troubles.get(row.ref, [])) for row in rows]


def _one(row: Entity, edges: Iterable[tuple[str, str]], troubles: Iterable[Problem]) -> dict[str, Any]:
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
            "message": f"InputError: {trouble.path}:{trouble.line} {trouble.sentence}",
            "error": {"name": "InputError", "message": trouble.sentence},
        }
        for trouble in troubles
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
