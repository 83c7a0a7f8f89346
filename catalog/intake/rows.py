"""One entity as the database keeps it: every column read from its document."""

import os
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from catalog.descriptors import relations
from catalog.intake.reading import FoundEntity
from catalog.models import Body, Entity, Source


def blank_rows(organisation_id: int, count: int) -> Iterator[Entity]:
    """New rows without an end, of which so many are wanted: the defaults are asked for once, and the system for the
    letters of their uids."""
    fields = Entity._meta.concrete_fields
    values = {field.attname: getattr(Entity(organisation_id=organisation_id), field.attname) for field in fields}
    while True:
        letters = os.urandom(16 * max(1, count))
        for start in range(0, len(letters), 16):
            values["uid"] = UUID(bytes=letters[start : start + 16], version=4)
            yield Entity(*values.values())


def filled(row: Entity, source: Source, found: FoundEntity, moment: datetime) -> Entity:
    """The row with every column read from the document."""
    document, ref = found.entity.document, found.entity.ref
    metadata, spec = document["metadata"], document.get("spec") or {}
    row.kind, row.namespace, row.name, row.ref = ref.kind, ref.namespace, ref.name, found.ref
    row.title = metadata.get("title") or _display_name(spec)
    row.description = metadata.get("description") or ""
    row.type, row.lifecycle = _text(spec.get("type")), _text(spec.get("lifecycle"))
    outgoing = relations.outgoing(document) if found.parts is None else found.parts.said
    row.owner_ref, row.system_ref = relations.owner_among(outgoing), relations.system_among(outgoing)
    row.tags, row.sort_name = metadata.get("tags") or [], (row.title or ref.name).lower()[:200]
    row.source, row.path, row.line = source, found.path, found.entity.line
    row.body = Body.of(source.organisation_id, document, found.entity.raw, found.packed)
    row.digest, row.updated_at = found.digest, moment
    row.removed_at, row.removed_reason = None, ""
    return row


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _display_name(spec: dict[str, object]) -> str:
    profile = spec.get("profile")
    return _text(profile.get("displayName")) if isinstance(profile, dict) else ""
