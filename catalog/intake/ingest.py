"""Brings the rows in line with what a source says, piece by piece while it is read: compares digests, writes only what
changed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.timezone import now

from catalog import problems, readings
from catalog.descriptors.findings import Finding
from catalog.descriptors.parsing import ParsedEntity
from catalog.index import writing
from catalog.index.looking import TableLook
from catalog.index.owning import FileTeller
from catalog.index.parts import Parts
from catalog.intake import claims, renaming
from catalog.intake.pieces import CHUNK, Piece, Pieces
from catalog.intake.reading import FoundEntity, Reading, finding_at
from catalog.intake.remembering import forget, remember
from catalog.intake.rows import blank_rows, filled
from catalog.intake.sources.registry import OPENERS, start_of
from catalog.intake.sources.tree import Tree
from catalog.intake.walking import read
from catalog.models import Entity, Source
from catalog.owners.telling import tell_files
from portal.accounts.models import Organisation, User
from portal.accounts.tenancy import tenant
from portal.kit.announcing import announce

GRACE = timedelta(days=14)

AfterIngest = Callable[[Organisation, Source, list[Entity]], None]
# Called with the entities that were added or changed, inside the transaction. Higher rooms register here. It finds
# nothing wrong: what only a change brought up would be gone after the next refresh. ALSO_STORE finds, each time.
AFTER_INGEST: dict[str, AfterIngest] = {}

# A room above that keeps something of the files themselves takes it while they are open: no transaction is open then.
# Of a source that is stored while it is read, the reading holds only entities of the kinds reading.KEPT.
AlsoRead = Callable[[Source, Tree, Reading], Any]
ALSO_READ: dict[str, AlsoRead] = {}
# And stores it here, inside the transaction, at every ingestion, changed or not. What it finds is kept and counted with
# the source's own problems.
AlsoStore = Callable[[Organisation, Source, Reading, Any], Iterable[Finding]]
ALSO_STORE: dict[str, AlsoStore] = {}
# What of it can be found without writing anything: for a look at files before they are merged.
AlsoCheck = Callable[[Any], Iterable[Finding]]
ALSO_CHECK: dict[str, AlsoCheck] = {}
# Called inside the transaction that points a source elsewhere, with the source as it was.
ON_MOVE: dict[str, Callable[[Organisation, Source], None]] = {}


class Watch:
    """Who is told how far an ingestion is, and may end it: a job, or nobody."""

    def tell(self, text: str, done: int, total: int) -> None:
        """Called between two transactions."""

    def prove(self) -> None:
        """Called inside each transaction that writes; raises when the work is somebody else's by now."""


NOBODY = Watch()


@dataclass(frozen=True)
class Ingested:
    """What an ingestion did; `entities` is how many the source has now, `parsed` how many files were read for it."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    problems: int = 0
    entities: int = 0
    parsed: int = 0

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        parts = [
            (self.added, "added"),
            (self.changed, "changed"),
            (self.removed, "removed"),
            (self.unchanged, "unchanged"),
        ]
        said = ", ".join(f"{count:,} {word}" for count, word in parts if count) or "nothing found"
        return f"{said[0].upper()}{said[1:]}." + (f" {self.problems} to look at." if self.problems else "")


def begins_with(source: Source) -> str:
    """The file, or pattern of files, that reading the source begins with."""
    return "**" if source.kind == Source.Kind.PORTAL else start_of(source)


def read_tree(source: Source, tree: Tree) -> Reading:
    """What the files of a small source say, all in memory, from its first file on. Writes nothing."""
    reading = read(tree, begins_with(source))
    return replace(reading, beside=beside(source, tree, reading))


def beside(source: Source, tree: Tree, reading: Reading) -> dict[str, Any]:
    """What the rooms above take from the source's open files."""
    return {name: take(source, tree, reading) for name, take in ALSO_READ.items()}


def ingest(source: Source, watch: Watch = NOBODY) -> Ingested:
    """Reads the source and stores what it says; raises Refusal when it cannot be read (nothing is written then)."""
    watch.tell("Looking for what changed", 0, 0)
    begun = now()
    with OPENERS[source.kind](source) as tree, Pieces(source, tree, begins_with(source)) as pieces:
        return store(source, pieces, watch, begun=begun)


def store(source: Source, pieces: Pieces, watch: Watch = NOBODY, *, begun: datetime | None = None) -> Ingested:
    """Writes the difference between the rows and what is read, piece by piece.

    A small source in one transaction; a large one in several, each with whole entities and with what is remembered of
    their files. Whoever is killed in between is followed by one that finds the written files unchanged and goes on, so
    there is no size that takes too long.
    """
    work = _Work(source, pieces.tree.revision, pieces.tree.author, is_first=not pieces.digests)
    look = TableLook(source.organisation_id)
    for piece in pieces:
        if piece.is_last:
            break
        with tenant(source.organisation_id):
            writing.lock(source.organisation_id)
            watch.prove()
            work.take(piece)
        look.added(work.added)
        watch.tell(*pieces.progress)
    reading = pieces.reading()
    reading = replace(reading, beside=beside(source, pieces.tree, reading))
    while gone := pieces.gone(CHUNK):
        with tenant(source.organisation_id):
            writing.lock(source.organisation_id)
            watch.prove()
            work.remove(gone)
    with tenant(source.organisation_id):
        writing.lock(source.organisation_id)
        watch.prove()
        work.take(piece)
        work.remove(pieces.gone())
        forget(source, pieces.left)
        outcome = replace(work.finish(reading), parsed=pieces.readers.parsed)
        _remember(source, reading, outcome, begun or work.now)
    return outcome


def store_part(source: Source, reading: Reading, person: User | None = None) -> Ingested:
    """Writes what the reading holds, as `person` says, and leaves the rest of the source as it is. Must run inside the
    tenant."""
    writing.lock(source.organisation_id)
    work = _Work(source)
    work.person = person
    work.take(Piece(fresh=list(reading.entities)))
    outcome = work.finish(replace(reading, is_whole=False), paths=sorted({found.path for found in reading.entities}))
    _count(source)
    return outcome


def take_one(source: Source, found: FoundEntity) -> None:
    """Writes one description that the source had lost its name to another with. Must run inside the tenant."""
    writing.lock(source.organisation_id)
    _Work(source, is_first=True).take(Piece(fresh=[found]))
    problems.rows_of(source).filter(code="conflict", entity_ref=found.ref).delete()
    _count(source)


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
    readings.note_failure(source, sentence)
    Source.objects.for_tenant(source.organisation_id).filter(pk=source.pk).update(
        problem_count=problems.rows_of(source).count()
    )
    _announce(source)


def _remember(source: Source, reading: Reading, outcome: Ingested, begun: datetime) -> None:
    was_ok, before = source.state == Source.State.OK, source.problem_count
    source.state, source.state_text, source.failures = Source.State.OK, "", 0
    source.read_revision, source.read_author = reading.revision[:100], reading.author[:300]
    source.refreshed_at = now()
    source.read_seconds = (source.refreshed_at - begun).total_seconds()
    source.next_refresh_at = (
        source.refreshed_at + timedelta(minutes=source.schedule_minutes) if source.schedule_minutes else None
    )
    source.entity_count, source.problem_count = outcome.entities, outcome.problems
    source.save(
        update_fields=[
            "state",
            "state_text",
            "failures",
            "read_revision",
            "read_author",
            "read_seconds",
            "refreshed_at",
            "next_refresh_at",
            "entity_count",
            "problem_count",
        ]
    )
    readings.note(
        source,
        was_ok=was_ok,
        problems_before=before,
        commit=reading.revision,
        author=reading.author,
        seconds=source.read_seconds,
        added=outcome.added,
        changed=outcome.changed,
        removed=outcome.removed,
        problems=outcome.problems,
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


def conflict(found: FoundEntity, row: Entity) -> Finding:
    """What is found, where the name belongs to the source of `row`."""
    label = row.source.label if row.source else "elsewhere"
    sentence = (
        f"{found.ref} already comes from {label} ({row.path}). A name belongs to one source: rename this one, or "
        "remove it there."
    )
    return finding_at(found.path, "conflict", sentence, found.entity)


class _Work:
    """One ingestion: rows as they are, entities as they should be, and the difference."""

    def __init__(self, source: Source, commit: str = "", author: str = "", *, is_first: bool = False) -> None:
        self.source, self.commit, self.author = source, commit, author
        self.person: User | None = None
        self.is_first = is_first
        self.claimed = dict[str, FoundEntity]()
        self.now = now()
        self.rows = Entity.objects.for_tenant(source.organisation_id)
        self.problems = set[Finding]()
        self.added = self.changed = self.unchanged = self.removed = 0

    @property
    def organisation(self) -> Organisation:
        organisation: Organisation = self.source.organisation
        return organisation

    def take(self, piece: Piece) -> None:
        """Writes those of the piece that are new or changed, and tells the hooks."""
        known = self._known([found.ref for found in piece.fresh])
        mine = self._mine(piece.fresh, known)
        known |= self._renamed(piece, [found for found in mine if found.ref not in known])
        blank = blank_rows(self.source.organisation_id, len(mine) - len(known))
        fresh = [
            filled(
                known.get(found.ref) or next(blank),
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
        self._write(fresh, {found.ref: found.parts for found in mine if found.parts})
        remember(self.source, piece.files)
        self.added, self.changed = self.added + len(fresh) - len(changed), self.changed + len(changed)
        self.unchanged += len(mine) - len(fresh) + piece.settled
        if fresh:
            for hook in AFTER_INGEST.values():
                hook(self.organisation, self.source, fresh)

    def remove(self, refs: Sequence[str]) -> None:
        """Makes tombstones of those of these that are there."""
        if not refs:
            return
        rows = self.rows.filter(source=self.source, removed_at=None, ref__in=refs)
        gone = list(rows.only("pk", "organisation_id", "uid", "ref", "kind"))
        if gone:
            bury(gone, f"It is no longer described in {self.source.label}{self._since}.")
            tell_removed(self.organisation, gone)
        self.removed += len(gone)

    @property
    def _since(self) -> str:
        """The commit, in words: `, since commit 1a2b3c4d by Dev`."""
        name = self.author.partition("<")[0].strip()
        return f", since commit {self.commit[:12]}{f' by {name}' if name else ''}" if self.commit else ""

    def finish(self, reading: Reading, paths: Sequence[str] = ()) -> Ingested:
        """What is left when all are written: what is wrong, what rooms above keep.

        paths: the files that were read, when not all were; problems of the others stay.
        """
        writing.forget(self.source.organisation_id, self.now - GRACE)
        self.problems.update(reading.problems)
        for name, keep in ALSO_STORE.items():
            self.problems.update(keep(self.organisation, self.source, reading, reading.beside.get(name)))
        over = problems.keep(self.source, self.problems, paths=paths, commit=reading.revision, author=reading.author)
        claims.drop(self.source, [row.entity_ref for row in over if row.code == "conflict"])
        return Ingested(
            added=self.added,
            changed=self.changed,
            unchanged=self.unchanged,
            removed=self.removed,
            problems=len(self.problems),
            entities=self.added + self.changed + self.unchanged,
        )

    def _known(self, refs: list[str]) -> dict[str, Entity]:
        """The rows of these references."""
        if not refs:
            return {}
        slim = self.rows.filter(ref__in=refs).select_related("source").only(
            "id", "uid", "organisation_id", "kind", "ref", "digest", "removed_at", "path",
            "source__id", "source__target", "source__kind",
        )  # fmt: skip
        return {row.ref: row for row in slim}

    def _mine(self, fresh: Sequence[FoundEntity], known: dict[str, Entity]) -> list[FoundEntity]:
        """Those that are ours; where another source has the name, a problem and a claim, unless an admin chose us."""
        others = {found.ref: found for found in fresh if not self._is_free(known.get(found.ref))}
        choice = claims.chosen(self.source.organisation_id, others)
        won = {ref for ref in others if choice.get(ref) == self.source.pk}
        lost = {ref: found for ref, found in others.items() if ref not in won}
        for found in lost.values():
            self.problems.add(conflict(found, known[found.ref]))
        self.claimed |= lost
        claims.keep(self.source, lost.values())
        self._take_over([known[ref] for ref in won])
        # What was another source's is ours now, or again: there is nothing left to claim.
        claims.drop(self.source, [ref for ref in self._not_ours(known) if ref not in lost])
        return [found for found in fresh if found.ref not in lost]

    def _not_ours(self, known: dict[str, Entity]) -> list[str]:
        return [ref for ref, row in known.items() if row.source_id != self.source.pk]

    def _is_free(self, row: Entity | None) -> bool:
        return row is None or bool(row.removed_at) or row.source is None or row.source.pk == self.source.pk

    def _take_over(self, rows: Sequence[Entity]) -> None:
        """These become this source's: what the one before says of them is its claim from now on."""
        if not rows:
            return
        whole = Entity.objects.for_tenant(self.source.organisation_id).filter(pk__in=[row.pk for row in rows])
        for row in whole.select_related("body", "source"):
            said = FoundEntity(ParsedEntity(row.body.document, row.line, row.body.raw), row.path, row.digest)
            claims.give_up([row], {row.pk: said})

    def _renamed(self, piece: Piece, new: Sequence[FoundEntity]) -> dict[str, Entity]:
        """The rows that new entities are under another name, after they were given it."""
        if self.is_first or not new:
            return {}
        files = {file.path: {each.ref for each in file.entities} | set(file.broken) for file in piece.files}
        found = renaming.renamed(self.source, [each for each in new if each.path in files], files)
        by_ref = {each.ref: each for each in new}
        for ref, row in found.items():
            renaming.rename(row, by_ref[ref], self.commit)
        return found

    def _differs(self, row: Entity, found: FoundEntity) -> bool:
        return row.digest != found.digest or row.removed_at is not None or row.source_id != self.source.pk

    def _write(self, rows: Sequence[Entity], parts: Mapping[str, Parts]) -> None:
        told = FileTeller(self.commit, self.author, self.person)
        handed = writing.put(self.source.organisation_id, rows, told, parts)
        tell_files(self.organisation, told, handed)


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
    return writing.bury(buried[0].organisation_id, [row.pk for row in buried], reason)
