"""What people do to the catalog: register, refresh and remove sources; write, change and remove entities."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.timezone import now

from catalog.asking.query import entities_of
from catalog.descriptors.findings import Finding
from catalog.descriptors.parsing import parse
from catalog.index import writing
from catalog.intake import ingest
from catalog.intake.claims import found_in
from catalog.intake.pieces import Pieces
from catalog.intake.sources import folder
from catalog.intake.sources.portal import path_of
from catalog.intake.sources.registry import OPENERS
from catalog.intake.sources.tree import MemoryTree, Tree
from catalog.intake.sources.upload import tree_of
from catalog.models import Entity, NameChoice, NameClaim, Source, Upload
from catalog.tasks import UNFINISHED, ask_refresh
from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
from portal.githosts.fetch import check_ref, parse_location
from portal.githosts.pushes import Push
from portal.jobs.models import Job
from portal.kit.errors import Conflict, Invalid, NotFound, TooMany

__all__ = [
    "Draft",
    "Glance",
    "add_source",
    "check_new",
    "choose_name",
    "glance",
    "move_source",
    "refresh_source",
    "remove_entity",
    "remove_source",
    "restore_entity",
    "write_entity",
]  # fmt: skip


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

    @contextmanager
    def pieces(self, source: Source) -> Iterator[Pieces]:
        """What the source says, to be stored while it is read; raises Refusal when it cannot be read."""
        with ExitStack() as stack:
            if source.kind == Source.Kind.UPLOAD:
                tree: Tree = tree_of(self.content, self.target)
            else:
                tree = stack.enter_context(OPENERS[source.kind](source))
            yield stack.enter_context(Pieces(source, tree, ingest.begins_with(source)))


@dataclass(frozen=True)
class Glance:
    """A look at a source before it is registered: (reference, new | elsewhere) of all, the documents of the first, and
    the problems."""

    entities: list[tuple[str, str]]
    documents: list[dict[str, Any]]
    problems: list[Finding]


def glance(
    *, organisation: Organisation, draft: Draft, watch: ingest.Watch = ingest.NOBODY, most: int = 1000
) -> Glance:
    """Reads without writing; raises Refusal when there is nothing to read. For workers: it waits for the source.

    most  so many documents are kept
    """
    refs, documents = list[str](), list[dict[str, Any]]()
    watch.tell("Reading the source", 0, 0)
    with draft.pieces(draft.source(organisation)) as pieces:
        for piece in pieces:
            refs += [found.ref for found in piece.fresh]
            documents += [found.entity.document for found in piece.fresh[: max(0, most - len(documents))]]
            if not piece.is_last:
                watch.tell("Reading files", *pieces.progress[1:])
        problems = pieces.reading().problems
    with tenant(organisation):
        known = set(entities_of(organisation).filter(ref__in=refs).values_list("ref", flat=True))
    return Glance([(ref, "elsewhere" if ref in known else "new") for ref in refs], documents, problems)


def check_new(*, organisation: Organisation, draft: Draft, on_conflict: str = "reject") -> Source:
    """What can be said of a draft without reading it; raises Refusal. Must run inside the tenant."""
    source = draft.source(organisation)
    if on_conflict != "refresh" and _registered(source) is not None:
        raise Conflict(f"{source.label} is registered already.", field="target", code="source-exists")
    return source


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
    watch: ingest.Watch = ingest.NOBODY,
    kept: Callable[[Source], None] | None = None,
) -> Source:
    """Registers a source and reads it at once: its entities are there when this returns. For workers and commands.

    on_conflict  "reject" refuses a source that is registered already; "refresh" reads it again
    kept         called in the transaction that makes the source
    Raises Refusal when the source cannot be read or names nothing; then nothing is kept.
    """
    draft = Draft(kind, target, path, revision, content)
    source = draft.source(organisation)
    watch.tell("Reading the source", 0, 0)
    with draft.pieces(source) as pieces:
        _require_something(pieces)
        source = _kept(organisation, actor, draft, source, run_id, on_conflict, kept)
        return _stored(source, pieces, watch)


def _stored(source: Source, pieces: Pieces, watch: ingest.Watch) -> Source:
    pieces.belong_to(source)
    ingest.store(source, pieces, watch)
    return source


def _kept(
    organisation: Organisation,
    actor: Actor,
    draft: Draft,
    source: Source,
    run_id: int | None,
    on_conflict: str,
    kept: Callable[[Source], None] | None,
) -> Source:
    """The row of a source that was found to say something: a new one, or the one that is registered already."""
    with tenant(organisation):
        before = _registered(source)
        if before is not None and on_conflict != "refresh":
            raise Conflict(f"{source.label} is registered already.", field="target", code="source-exists")
        if before is None:
            source.created_by, source.run_id = actor.person, run_id
            # Until it is read to the end, the sweep knows it as due.
            source.next_refresh_at = now() + UNFINISHED
            source.save()
            record(
                organisation=organisation,
                actor=actor,
                verb="source.registered",
                subject=source,
                summary=f"Registered {source.get_kind_display().lower()} {source.label}",
            )
        source = before or source
        if source.kind == Source.Kind.UPLOAD:
            Upload.objects.update_or_create(
                organisation=organisation,
                source=source,
                defaults={"filename": draft.target[:255], "content": draft.content},
            )
        if kept is not None:
            kept(source)
    return source


def _require_something(pieces: Pieces) -> None:
    if pieces.is_empty():
        raise Invalid("There is no entity in it. Point to a file that describes at least one.", field="target")


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
    watch: ingest.Watch = ingest.NOBODY,
) -> Source:
    """Points a source somewhere else and reads it there at once: what the new place describes stays what it was.

    For workers. Raises Refusal when the new place cannot be read, describes nothing, or is a source already; then
    nothing changes.
    """
    moved = draft.source(organisation)
    watch.tell("Reading the new place", 0, 0)
    with draft.pieces(moved) as pieces:
        _require_something(pieces)
        with tenant(organisation):
            watch.prove()
            other = _registered(moved)
            if other is not None and other.pk != source.pk:
                raise Conflict(f"{other.label} is registered already.", field="target", code="source-exists")
            if other is None:
                _point(organisation, actor, source, moved)
        return _stored(source, pieces, watch)


def _point(organisation: Organisation, actor: Actor, source: Source, moved: Source) -> None:
    was, before = copy(source), source.label
    for hook in ingest.ON_MOVE.values():
        hook(organisation, source)
    source.kind, source.target, source.path, source.revision = moved.kind, moved.target, moved.path, moved.revision
    source.next_refresh_at = now() + UNFINISHED
    source.save(update_fields=["kind", "target", "path", "revision", "next_refresh_at"])
    writing.moved(was, source)
    record(
        organisation=organisation,
        actor=actor,
        verb="source.moved",
        subject=source,
        summary=f"Moved the source {before} to {source.label}",
        data={"was": before, "is": source.label},
    )


def refresh_source(*, organisation: Organisation, actor: Actor, source: Source) -> Job:
    """Asks for the source to be read now, by a worker. Returns the job, which may be another person's."""
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
        return ask_refresh(organisation, source, actor)


def refresh_pushed(push: Push) -> None:
    """After a push to the built-in host: every source that reads a branch or tag which moved is read anew at once.

    Runs inside the push's own transaction. The events name who pushed. Whoever has enough under way is not kept from
    pushing: the sweep asks for them within seconds.
    """
    rows = Source.objects.for_tenant(push.organisation).filter(kind=Source.Kind.REPOSITORY, target=push.repository.name)
    for source in rows:
        if not push.moved(source.revision):
            continue
        try:
            refresh_source(organisation=push.organisation, actor=push.actor, source=source)
        except TooMany:
            rows.filter(pk=source.pk).update(next_refresh_at=now())


def remove_source(*, organisation: Organisation, actor: Actor, source: Source) -> int:
    """Removes the source; its entities become tombstones that say so. Returns how many."""
    with transaction.atomic():
        rows = list(entities_of(organisation).filter(source=source).only("pk", "organisation_id", "uid", "ref", "kind"))
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
    if entity is None and entities_of(organisation).filter(ref=ref).exists():
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
        reading = ingest.read_tree(source, MemoryTree({path: text.encode()}, ""))
        ingest.store_part(source, reading, actor.person)
        written: Entity = entities_of(organisation).get(ref=ref)
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


def restore_entity(*, organisation: Organisation, actor: Actor, entity: Entity) -> Entity:
    """Brings a tombstone back as an entity that is written in the portal, with its uid and its history.

    Raises Conflict when it is there, and Invalid when its text would not be admitted today.
    """
    if entity.removed_at is None:
        raise Conflict(f"{entity.ref} is in the catalog.", code="not-removed")
    with transaction.atomic():
        restored = write_entity(organisation=organisation, actor=actor, text=entity.body.raw, entity=entity)
        record(
            organisation=organisation,
            actor=actor,
            verb="entity.restored",
            subject=restored,
            subject_label=restored.ref,
            summary=f"Restored {restored.ref}",
            data={"was": entity.removed_reason},
        )
    return restored


def choose_name(*, organisation: Organisation, actor: Actor, claim: NameClaim, reason: str) -> Entity:
    """Gives a name that several sources describe to the source of the claim, from now on and at once.

    What the source before said stays as its claim, so that the choice can be made again the other way. Both sources
    are read again. Raises Invalid without a reason.
    """
    if not reason.strip():
        raise Invalid("Say why; whoever comes after you will ask.", field="reason")
    with transaction.atomic():
        rows = entities_of(organisation).filter(ref=claim.ref).select_related("source")
        before, source = rows.first(), claim.source
        NameChoice.objects.update_or_create(
            organisation=organisation,
            ref=claim.ref,
            defaults={
                "source": source,
                "chosen_by": actor.person,
                "chosen_at": now(),
                "reason": reason.strip()[:500],
            },
        )
        ingest.take_one(source, found_in(claim))
        chosen: Entity = entities_of(organisation).select_related("source").get(ref=claim.ref)
        loser = before.source if before else None
        record(
            organisation=organisation,
            actor=actor,
            verb="name.chosen",
            subject=chosen,
            subject_label=claim.ref,
            summary=f"Gave {claim.ref} to {source.label}",
            data={"to": source.label, "from": loser.label if loser else "", "reason": reason.strip()[:500]},
        )
        for each in (source, loser):
            if each is not None and each.kind != Source.Kind.PORTAL:
                ask_refresh(organisation, each, actor)
    return chosen
