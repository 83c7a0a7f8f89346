"""What people do to the catalog: register, refresh and remove sources; write, change and remove entities."""

import logging
from dataclasses import dataclass

from django.db import transaction
from django.utils.timezone import now
from kombu.exceptions import OperationalError

from catalog.asking.query import live
from catalog.descriptors.parsing import parse
from catalog.intake import ingest
from catalog.intake.reading import Reading
from catalog.intake.sources import folder
from catalog.intake.sources.portal import files_of, path_of
from catalog.intake.sources.tree import MemoryTree
from catalog.intake.sources.upload import tree_of
from catalog.models import Entity, Relation, Source, Upload
from catalog.tasks import refresh_source_task
from catalog.teams import sync_teams
from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.models import Organisation
from portal.githosts.fetch import check_ref, parse_location
from portal.githosts.pushes import Push
from portal.kit.errors import Conflict, Invalid, NotFound

__all__ = [
    "Draft", "Glance", "add_source", "glance", "move_source", "refresh_source", "remove_entity", "remove_source",
    "sync_teams", "write_entity",
]  # fmt: skip

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Draft:
    """A source that somebody wants to register. An upload brings its file's name as target and its bytes."""

    kind: str
    target: str
    path: str = ""
    revision: str = ""
    content: bytes = b""

    def source(self, organisation: Organisation) -> Source:
        """The row, not saved; raises Invalid where the words cannot be right."""
        target = self.target.strip()
        if not target:
            raise Invalid("Say where the descriptors are.", field="target")
        if self.kind == Source.Kind.FOLDER:
            target = str(folder.allowed(target))
        elif self.kind == Source.Kind.GIT:
            parse_location(target)
        elif self.kind not in (Source.Kind.URL, Source.Kind.UPLOAD, Source.Kind.REPOSITORY):
            raise Invalid(f'"{self.kind}" is not a kind of source.', field="kind")
        if self.revision:
            check_ref(self.revision)
        return Source(
            organisation=organisation,
            kind=self.kind,
            target=target[:1000],
            revision=self.revision,
            path=self._path(),
            schedule_minutes=0 if self.kind == Source.Kind.UPLOAD else 30,
        )

    def _path(self) -> str:
        if self.kind == Source.Kind.URL:
            return ""
        if self.kind == Source.Kind.UPLOAD:
            return self.path.strip() or "**"
        path = self.path.strip() or "catalog-info.yaml"
        if path.startswith("/"):
            raise Invalid("Write the path from the repository's root, without the slash in front.", field="path")
        return path[:500]

    def reading(self, source: Source) -> Reading:
        """What the source says; raises Refusal when it cannot be read."""
        if source.kind == Source.Kind.UPLOAD:
            return ingest.read_tree(source, tree_of(self.content, self.target))
        return ingest.gather(source)


@dataclass(frozen=True)
class Glance:
    """A look at a source before it is registered: (reference, new | changed | known | elsewhere) and the problems."""

    reading: Reading
    entities: list[tuple[str, str]]


def glance(*, organisation: Organisation, draft: Draft) -> Glance:
    """Reads without writing; raises Refusal when there is nothing to read."""
    reading = draft.reading(draft.source(organisation))
    refs = [found.ref for found in reading.entities]
    known = dict(live(organisation).filter(ref__in=refs).values_list("ref", "source__target"))
    return Glance(reading, [(ref, "elsewhere" if ref in known else "new") for ref in refs])


def add_source(
    *,
    organisation: Organisation,
    actor: Actor,
    kind: str,
    target: str,
    path: str = "catalog-info.yaml",
    revision: str = "",
    content: bytes = b"",
    run_id: int | None = None,
    on_conflict: str = "reject",
) -> Source:
    """Registers a source and reads it at once: its entities are there when this returns.

    on_conflict  "reject" refuses a source that is registered already; "refresh" reads it again
    Raises Refusal when the source cannot be read or names nothing; then nothing is kept.
    """
    draft = Draft(kind, target, path, revision, content)
    source = draft.source(organisation)
    reading = draft.reading(source)
    if not reading.entities and not reading.problems:
        raise Invalid("There is no entity in it. Point to a file that describes at least one.", field="target")
    with transaction.atomic():
        before = _registered(source)
        if before is not None and on_conflict != "refresh":
            raise Conflict(f"{source.label} is registered already.", field="target", code="source-exists")
        if before is None:
            source.created_by, source.run_id = actor.person, run_id
            source.save()
            record(
                organisation=organisation,
                actor=actor,
                verb="source.registered",
                subject=source,
                summary=f"Registered {source.get_kind_display().lower()} {source.label}",
            )
        source = before or source
        if kind == Source.Kind.UPLOAD:
            Upload.objects.update_or_create(
                organisation=organisation, source=source, defaults={"filename": target[:255], "content": content}
            )
        ingest.store(source, reading)
    return source


def _registered(source: Source) -> Source | None:
    rows = Source.objects.for_tenant(source.organisation_id).filter(
        kind=source.kind, target=source.target, revision=source.revision, path=source.path
    )
    found: Source | None = rows.first()
    return found


def move_source(
    *,
    organisation: Organisation,
    actor: Actor,
    source: Source,
    draft: Draft,
) -> Source:
    """Points a source somewhere else and reads it there at once: what the new place describes stays what it was.

    Raises Refusal when the new place cannot be read, describes nothing, or is a source already; then nothing changes.
    """
    moved = draft.source(organisation)
    reading = draft.reading(moved)
    if not reading.entities and not reading.problems:
        raise Invalid("There is no entity in it. Point to a file that describes at least one.", field="target")
    with transaction.atomic():
        other = _registered(moved)
        if other is not None and other.pk != source.pk:
            raise Conflict(f"{other.label} is registered already.", field="target", code="source-exists")
        before = source.label
        for hook in ingest.ON_MOVE.values():
            hook(organisation, source)
        source.kind, source.target, source.path, source.revision = moved.kind, moved.target, moved.path, moved.revision
        source.save(update_fields=["kind", "target", "path", "revision"])
        ingest.store(source, reading)
        record(
            organisation=organisation,
            actor=actor,
            verb="source.moved",
            subject=source,
            summary=f"Moved the source {before} to {source.label}",
        )
    return source


def refresh_source(*, organisation: Organisation, actor: Actor, source: Source) -> None:
    """Asks for the source to be read soon: by the worker now, or by the next sweep when the message is lost."""
    with transaction.atomic():
        Source.objects.for_tenant(organisation).filter(pk=source.pk).update(
            next_refresh_at=now(), state=Source.State.PENDING, state_text=""
        )
        record(
            organisation=organisation,
            actor=actor,
            verb="source.refreshed",
            subject=source,
            summary=f"Asked for a refresh of {source.label}",
        )
        organisation_id, source_id = organisation.pk, source.pk
        transaction.on_commit(lambda: _nudge(organisation_id, source_id))


def refresh_pushed(push: Push) -> None:
    """After a push to the built-in host: every source that reads a branch or tag which moved is read anew at once.

    Runs inside the push's own transaction. The events name who pushed.
    """
    rows = Source.objects.for_tenant(push.organisation).filter(kind=Source.Kind.REPOSITORY, target=push.repository.name)
    for source in rows:
        if push.moved(source.revision):
            refresh_source(organisation=push.organisation, actor=push.actor, source=source)


def _nudge(organisation_id: int, source_id: int) -> None:
    try:
        refresh_source_task.delay(organisation_id, source_id)
    except OperationalError as error:
        log.warning("refresh of source %s waits for the sweep: %s", source_id, error)


def remove_source(*, organisation: Organisation, actor: Actor, source: Source) -> int:
    """Removes the source; its entities become tombstones that say so. Returns how many."""
    with transaction.atomic():
        rows = list(live(organisation).filter(source=source).only("pk", "organisation_id", "uid", "ref", "kind"))
        Relation.objects.for_tenant(organisation).filter(from_entity__in=rows).delete()
        ingest.bury(rows, f"Its source, {source.label}, was removed by {actor}.")
        ingest.tell_removed(organisation, rows)
        record(
            organisation=organisation,
            actor=actor,
            verb="source.removed",
            subject=source,
            summary=f"Removed {source.label} with {len(rows)} entities",
        )
        source.delete()
    return len(rows)


def write_entity(
    *,
    organisation: Organisation,
    actor: Actor,
    text: str,
    entity: Entity | None = None,
) -> Entity:
    """Writes an entity that lives in the portal: a new one, or a new text for `entity`.

    Raises Invalid (field "text") with every sentence, line by line, and Conflict when the name belongs to another.
    """
    ref = check_text(text, entity)
    if entity is None and live(organisation).filter(ref=ref).exists():
        raise Conflict(f"{ref} exists already. Choose another name.", field="text", code="entity-exists")
    with transaction.atomic():
        source, _ = Source.objects.get_or_create(
            organisation=organisation,
            kind=Source.Kind.PORTAL,
            target="portal",
            revision="",
            path="",
            defaults={"schedule_minutes": 0, "created_by": actor.person},
        )
        path = path_of(parse(text, "").entities[0].ref)
        files = {**files_of(source), path: text.encode()}
        ingest.store(source, ingest.read_tree(source, MemoryTree(files, "")))
        written: Entity = live(organisation).get(ref=ref)
        record(
            organisation=organisation,
            actor=actor,
            verb="entity.changed" if entity else "entity.written",
            subject=written,
            subject_label=ref,
            summary=f"{'Changed' if entity else 'Wrote'} {ref}",
        )
    return written


def check_text(text: str, entity: Entity | None = None) -> str:
    """The reference that the text describes; raises Invalid unless it is exactly one entity, and this one if given."""
    parsed = parse(text.replace("\r\n", "\n"), "")
    if parsed.problems:
        said = [f"Line {problem.line}: {problem.sentence}" for problem in parsed.problems]
        raise Invalid("\n".join(said), field="text", code="descriptor")
    if len(parsed.entities) != 1:
        raise Invalid(f"Write exactly one entity; this describes {len(parsed.entities)}.", field="text")
    ref = str(parsed.entities[0].ref)
    if parsed.entities[0].document["kind"] == "Location":
        raise Invalid("A Location points to files of its own source; register a source instead.", field="text")
    if entity is not None and ref != entity.ref:
        raise Invalid(
            f"This would become {ref}. Kind, namespace and name stay as they are: {entity.ref}.", field="text"
        )
    return ref


def remove_entity(*, organisation: Organisation, actor: Actor, entity: Entity) -> None:
    """Removes an entity that lives in the portal; it becomes a tombstone."""
    if entity.source is None or entity.source.kind != Source.Kind.PORTAL:
        raise NotFound("Only entities written in the portal can be removed here.")
    with transaction.atomic():
        Relation.objects.for_tenant(organisation).filter(from_entity=entity).delete()
        ingest.bury([entity], f"It was removed by {actor}.")
        ingest.tell_removed(organisation, [entity])
        record(
            organisation=organisation,
            actor=actor,
            verb="entity.removed",
            subject=entity,
            subject_label=entity.ref,
            summary=f"Removed {entity.ref}",
        )
