"""One entity as the database keeps it: every column read from its document, and the relations that it says."""

from collections.abc import Iterator
from datetime import datetime

from catalog.asking import facts
from catalog.asking.locations import annotations_of
from catalog.asking.words import words_of
from catalog.descriptors import relations
from catalog.intake.reading import Found
from catalog.models import Entity, EntityBody, Relation, Source


def filled(row: Entity, source: Source, found: Found, moment: datetime) -> Entity:
    """The row with every column read from the document."""
    document, ref = found.entity.document, found.entity.ref
    metadata, spec = document["metadata"], document.get("spec") or {}
    # What is shown with an entity finds it: its place is no part of the document.
    placed = {**metadata, "annotations": {**annotations_of(source, found.path), **(metadata.get("annotations") or {})}}
    index = facts.of({**document, "metadata": placed}, (), str(row.uid))
    row.kind, row.namespace, row.name, row.ref = ref.kind, ref.namespace, ref.name, str(ref)
    row.title = metadata.get("title") or _display_name(spec)
    row.description = metadata.get("description") or ""
    row.type, row.lifecycle = _text(spec.get("type")), _text(spec.get("lifecycle"))
    outgoing = relations.outgoing(document)
    row.owner_ref, row.system_ref = relations.owner_among(outgoing), relations.system_among(outgoing)
    row.tags, row.document = metadata.get("tags") or [], document
    row.facts, row.labels = index.facts, index.labels
    row.sort_name, row.words = (row.title or ref.name).lower()[:200], words_of(document)
    row.source, row.path, row.line, row.raw = source, found.path, found.entity.line, found.entity.raw
    row.body = EntityBody(organisation_id=source.organisation_id, document=document, raw=found.entity.raw)
    row.digest, row.updated_at = found.digest, moment
    row.removed_at, row.removed_reason = None, ""
    return row


def edges(row: Entity) -> Iterator[Relation]:
    """The relations that the row's document says."""
    for source_ref, kind, target_ref in relations.of(row.document):
        yield Relation(
            organisation_id=row.organisation_id,
            source_ref=source_ref,
            type=kind,
            target_ref=target_ref,
            from_entity=row,
        )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _display_name(spec: dict[str, object]) -> str:
    profile = spec.get("profile")
    return _text(profile.get("displayName")) if isinstance(profile, dict) else ""
