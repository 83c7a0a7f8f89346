"""One entity as the database keeps it: every column read from its document."""

from datetime import datetime

from catalog.descriptors import relations
from catalog.intake.reading import FoundEntity
from catalog.models import Body, Entity, Source


def filled(row: Entity, source: Source, found: FoundEntity, moment: datetime) -> Entity:
    """The row with every column read from the document."""
    document, ref = found.entity.document, found.entity.ref
    metadata, spec = document["metadata"], document.get("spec") or {}
    row.kind, row.namespace, row.name, row.ref = ref.kind, ref.namespace, ref.name, str(ref)
    row.title = metadata.get("title") or _display_name(spec)
    row.description = metadata.get("description") or ""
    row.type, row.lifecycle = _text(spec.get("type")), _text(spec.get("lifecycle"))
    outgoing = relations.outgoing(document)
    row.owner_ref, row.system_ref = relations.owner_among(outgoing), relations.system_among(outgoing)
    row.tags, row.sort_name = metadata.get("tags") or [], (row.title or ref.name).lower()[:200]
    row.source, row.path, row.line = source, found.path, found.entity.line
    row.body = Body.of(source.organisation_id, document, found.entity.raw)
    row.digest, row.updated_at = found.digest, moment
    row.removed_at, row.removed_reason = None, ""
    return row


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _display_name(spec: dict[str, object]) -> str:
    profile = spec.get("profile")
    return _text(profile.get("displayName")) if isinstance(profile, dict) else ""
