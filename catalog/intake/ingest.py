"""Brings the rows in line with what a source says: compares digests, writes only what changed, in batches."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.utils.timezone import now

from catalog import problems
from catalog.descriptors.findings import Finding
from catalog.intake.reading import Found, Reading, finding_at, read
from catalog.intake.rows import WRITTEN, edges, filled
from catalog.intake.sources.registry import OPENERS, start_of
from catalog.intake.sources.tree import Tree
from catalog.models import Entity, Relation, Source
from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
from portal.kit.announcing import announce

BATCH = 500
GRACE = timedelta(days=14)
# First key of the advisory lock that lets one ingestion write in an organisation at a time.
LOCK_SPACE = 20_261

AfterIngest = Callable[[Organisation, Source, list[Entity]], None]
# Called with the entities that were added or changed, inside the transaction. Higher rooms register here. It finds
# nothing wrong: what only a change brought up would be gone after the next refresh. ALSO_STORE finds, each time.
AFTER_INGEST: dict[str, AfterIngest] = {}

# A room above that keeps something of the files themselves takes it while they are open: no transaction is open then.
AlsoRead = Callable[[Source, Tree, Reading], Any]
ALSO_READ: dict[str, AlsoRead] = {}
# And stores it here, inside the transaction, at every ingestion, changed or not. What it finds is kept and counted with
# the source's own problems.
AlsoStore = Callable[[Organisation, Source, Reading, Any], Iterable[Finding]]
ALSO_STORE: dict[str, AlsoStore] = {}
# Called inside the transaction that points a source elsewhere, with the source as it was.
ON_MOVE: dict[str, Callable[[Organisation, Source], None]] = {}

# So many entities, or so many characters of text, are written in one transaction.
CHUNK = 500
CHUNK_TEXT = 8 * 1024 * 1024


class Watch:
    """Who is told how far an ingestion is, and may end it: a job, or nobody."""

    def tell(self, text: str, done: int, total: int) -> None:
        """Called between two transactions."""

    def prove(self) -> None:
        """Called inside each transaction that writes; raises when the work is somebody else's by now."""


NOBODY = Watch()


@dataclass(frozen=True)
class Ingested:
    """What an ingestion did; `entity_refs` in the order of the files."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    problems: int = 0
    entity_refs: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        parts = [
            (self.added, "added"),
            (self.changed, "changed"),
            (self.removed, "removed"),
            (self.unchanged, "unchanged"),
        ]
        said = ", ".join(f"{count} {word}" for count, word in parts if count) or "nothing found"
        return f"{said[0].upper()}{said[1:]}." + (f" {self.problems} to look at." if self.problems else "")


def gather(source: Source) -> Reading:
    """What the source says now; raises Refusal when it cannot be read. Writes nothing."""
    with OPENERS[source.kind](source) as tree:
        return read_tree(source, tree)


def read_tree(source: Source, tree: Tree) -> Reading:
    """What the files say, from the source's first file on."""
    reading = read(tree, "**" if source.kind == Source.Kind.PORTAL else start_of(source))
    return replace(reading, beside={name: take(source, tree, reading) for name, take in ALSO_READ.items()})


def ingest(source: Source, watch: Watch = NOBODY) -> Ingested:
    """Reads the source and stores what it says; raises Refusal when it cannot be read (nothing is written then)."""
    watch.tell("Reading the source", 0, 0)
    return store(source, gather(source), watch)


def store(source: Source, reading: Reading, watch: Watch = NOBODY) -> Ingested:
    """Writes the difference between the rows and the reading.

    A small source in one transaction; a large one in several, each with whole entities. Whoever is killed in between
    is followed by one that finds the written ones unchanged and goes on, so there is no size that takes too long.
    """
    chunks = list(_chunks(reading.entities))
    work = _Work(source, reading)
    for chunk in chunks[:-1]:
        with tenant(source.organisation_id):
            _one_at_a_time(source.organisation_id)
            watch.prove()
            work.take(chunk)
        watch.tell("Writing entities", work.done, len(reading.entities))
    with tenant(source.organisation_id):
        _one_at_a_time(source.organisation_id)
        watch.prove()
        work.take(chunks[-1] if chunks else [])
        outcome = work.finish()
        _remember(source, reading, outcome)
    return outcome


def store_part(source: Source, reading: Reading) -> Ingested:
    """Writes what the reading holds and leaves the rest of the source as it is. Must run inside the tenant."""
    _one_at_a_time(source.organisation_id)
    work = _Work(source, replace(reading, is_whole=False))
    work.take(reading.entities)
    outcome = work.finish(paths=sorted({found.path for found in reading.entities}))
    _count(source)
    return outcome


def _chunks(entities: Sequence[Found]) -> Iterator[list[Found]]:
    chunk, size = list[Found](), 0
    for found in entities:
        chunk.append(found)
        size += len(found.entity.raw)
        if len(chunk) >= CHUNK or size >= CHUNK_TEXT:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def fail(source: Source, sentence: str) -> None:
    """Notes that the source could not be read: what is known of it stays; the next try comes later each time."""
    failures = source.failures + 1
    wait = min(source.schedule_minutes * 2 ** min(failures, 6), 24 * 60)
    Source.objects.for_tenant(source.organisation_id).filter(pk=source.pk).update(
        state=Source.State.FAILED,
        state_text=sentence[:1000],
        failures=failures,
        next_refresh_at=now() + timedelta(minutes=wait) if source.kind != Source.Kind.PORTAL else None,
    )
    problems.note_unread(source, sentence)
    Source.objects.for_tenant(source.organisation_id).filter(pk=source.pk).update(
        problem_count=problems.rows_of(source).count()
    )
    _announce(source)


def _one_at_a_time(organisation_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_SPACE, organisation_id])


def _remember(source: Source, reading: Reading, outcome: Ingested) -> None:
    source.state, source.state_text, source.failures = Source.State.OK, "", 0
    source.digest, source.read_revision = reading.digest, reading.revision[:100]
    source.refreshed_at = now()
    source.next_refresh_at = (
        source.refreshed_at + timedelta(minutes=source.schedule_minutes) if source.schedule_minutes else None
    )
    source.entity_count, source.problem_count = len(outcome.entity_refs), outcome.problems
    source.save(
        update_fields=[
            "state",
            "state_text",
            "failures",
            "digest",
            "read_revision",
            "refreshed_at",
            "next_refresh_at",
            "entity_count",
            "problem_count",
        ]
    )
    _announce(source)


def _count(source: Source) -> None:
    """After a part of a source was written: how many entities and problems it has now."""
    source.entity_count = (
        Entity.objects.for_tenant(source.organisation_id).filter(source=source, removed_at=None).count()
    )
    source.problem_count = problems.rows_of(source).count()
    source.state, source.refreshed_at = Source.State.OK, now()
    source.save(update_fields=["entity_count", "problem_count", "state", "refreshed_at"])
    _announce(source)


def _announce(source: Source) -> None:
    organisation_id, topic = source.organisation_id, f"source:{source.pk}"
    transaction.on_commit(lambda: announce(organisation_id, topic))


class _Work:
    """One ingestion: rows as they are, entities as they should be, and the difference."""

    def __init__(self, source: Source, reading: Reading) -> None:
        self.source, self.reading = source, reading
        self.now = now()
        self.rows = Entity.objects.for_tenant(source.organisation_id)
        self.problems = set(reading.problems)
        self.refs: list[str] = []
        self.added = self.changed = self.done = 0
        self.before: dict[int, str] | None = None  # what was there of the source, once that is known

    @property
    def organisation(self) -> Organisation:
        organisation: Organisation = self.source.organisation
        return organisation

    def take(self, chunk: Sequence[Found]) -> None:
        """Writes those of the chunk that are new or changed, and tells the hooks."""
        known = self._known([found.ref for found in chunk], is_all=len(chunk) == len(self.reading.entities))
        mine = [found for found in chunk if self._is_mine(found, known.get(found.ref))]
        fresh = [
            filled(
                known.get(found.ref) or Entity(organisation_id=self.source.organisation_id),
                self.source,
                found,
                self.now,
            )
            for found in mine
            if found.ref not in known or self._differs(known[found.ref], found)
        ]
        changed = [row for row in fresh if row.pk]
        for row in changed:
            row.created_at = self.now  # not loaded and not written
        self._write([row for row in fresh if not row.pk], changed)
        self.refs += [found.ref for found in mine]
        self.added, self.changed = self.added + len(fresh) - len(changed), self.changed + len(changed)
        self.done += len(chunk)
        if fresh:
            for hook in AFTER_INGEST.values():
                hook(self.organisation, self.source, fresh)

    def finish(self, paths: Sequence[str] = ()) -> Ingested:
        """What is left when all are written: what has gone, what is wrong, what rooms above keep.

        paths: the files that were read, when not all were; problems of the others stay.
        """
        gone = self._gone()
        if gone:
            Relation.objects.for_tenant(self.source.organisation_id).filter(from_entity__in=gone).delete()
            bury(gone, f"It is no longer described in {self.source.label}.")
            tell_removed(self.organisation, gone)
        self.rows.filter(removed_at__lt=self.now - GRACE).delete()
        for name, keep in ALSO_STORE.items():
            self.problems.update(keep(self.organisation, self.source, self.reading, self.reading.beside.get(name)))
        problems.keep(self.source, self.problems, paths=paths, commit=self.reading.revision, author=self.reading.author)
        return Ingested(
            added=self.added,
            changed=self.changed,
            unchanged=len(self.refs) - self.added - self.changed,
            removed=len(gone),
            problems=len(self.problems),
            entity_refs=self.refs,
        )

    def _known(self, refs: list[str], *, is_all: bool) -> dict[str, Entity]:
        """The rows of these references; with all of a source at once, also what else is the source's."""
        wanted = Q(ref__in=refs)
        if is_all and self.reading.is_whole:
            wanted |= Q(source=self.source)
        slim = self.rows.filter(wanted).select_related("source").only(
            "id", "uid", "organisation_id", "kind", "ref", "digest", "removed_at", "path",
            "source__id", "source__target", "source__kind",
        )  # fmt: skip
        known = {row.ref: row for row in slim}
        if is_all:
            self.before = {row.pk: row.ref for row in known.values() if self._is_there(row)}
        return known

    def _is_there(self, row: Entity) -> bool:
        return row.source_id == self.source.pk and row.removed_at is None

    def _is_mine(self, found: Found, row: Entity | None) -> bool:
        """False, with a problem, when the reference belongs to another source."""
        if row is None or row.removed_at or row.source is None or row.source.pk == self.source.pk:
            return True
        sentence = (
            f"{found.ref} already comes from {row.source.label} ({row.path}). A name belongs to one source: rename "
            "this one, or remove it there."
        )
        self.problems.add(finding_at(found.path, "conflict", sentence, found.entity))
        return False

    def _differs(self, row: Entity, found: Found) -> bool:
        return row.digest != found.digest or row.removed_at is not None or row.source_id != self.source.pk

    def _gone(self) -> list[Entity]:
        if not self.reading.is_whole:
            return []
        there = {*self.refs, *self.reading.broken}
        if self.before is None:
            rows = self.rows.filter(source=self.source, removed_at=None)
            self.before = dict(rows.values_list("pk", "ref"))
        gone = [pk for pk, ref in self.before.items() if ref not in there]
        return list(self.rows.filter(pk__in=gone).only("pk", "organisation_id", "uid", "ref", "kind")) if gone else []

    def _write(self, added: Sequence[Entity], changed: Sequence[Entity]) -> None:
        if added:
            Entity.objects.bulk_create(added, batch_size=CHUNK)
        if changed:
            Relation.objects.for_tenant(self.source.organisation_id).filter(from_entity__in=changed).delete()
            # One statement for many rows: an UPDATE of so many columns by CASE takes twenty times as long.
            Entity.objects.bulk_create(
                changed,
                batch_size=CHUNK,
                update_conflicts=True,
                unique_fields=["organisation", "ref"],
                update_fields=WRITTEN,
            )
        Relation.objects.bulk_create((edge for row in (*added, *changed) for edge in edges(row)), batch_size=BATCH)


# Called with the entities that became tombstones.
AFTER_REMOVAL: dict[str, Callable[[Organisation, list[Entity]], None]] = {}


def tell_removed(organisation: Organisation, rows: list[Entity]) -> None:
    """Tells everybody who keeps something about these entities."""
    for hook in AFTER_REMOVAL.values():
        hook(organisation, rows)


def bury(rows: Iterable[Entity], reason: str) -> int:
    """Makes tombstones: hidden from lists, explained on their page, deleted after the grace period."""
    buried = list(rows)
    if not buried:
        return 0
    organisation_id = buried[0].organisation_id
    return (
        Entity.objects.for_tenant(organisation_id)
        .filter(pk__in=[row.pk for row in buried])
        .update(removed_at=now(), removed_reason=reason[:1000])
    )
