"""Brings the rows in line with what a source says: compares digests, writes only what changed, in batches."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.utils.timezone import now

from catalog.asking import facts
from catalog.asking.words import words_of
from catalog.descriptors import relations
from catalog.descriptors.findings import Finding
from catalog.intake.reading import Found, Reading, read
from catalog.intake.sources.registry import OPENERS, start_of
from catalog.intake.sources.tree import Tree
from catalog.models import Entity, Problem, Relation, Source
from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
from portal.kit.live import announce

BATCH = 500
GRACE = timedelta(days=14)
# First key of the advisory lock that lets one ingestion write in an organisation at a time.
LOCK_SPACE = 20_261

AfterIngest = Callable[[Organisation, Source, list[Entity]], None]
# Called with the entities that were added or changed, inside the transaction. Higher rooms register here.
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

WRITTEN = [
    "kind", "namespace", "name", "title", "description", "type", "lifecycle", "owner_ref", "system_ref", "tags",
    "document", "facts", "labels", "sort_name", "words", "source", "path", "line", "raw", "digest", "updated_at",
    "removed_at", "removed_reason",
]  # fmt: skip


@dataclass(frozen=True)
class Outcome:
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


def ingest(source: Source) -> Outcome:
    """Reads the source and stores what it says; raises Refusal when it cannot be read (nothing is written then)."""
    reading = gather(source)
    with tenant(source.organisation_id):
        return store(source, reading)


def store(source: Source, reading: Reading) -> Outcome:
    """Writes the difference between the rows and the reading. Must run inside the tenant's transaction."""
    _one_at_a_time(source.organisation_id)
    work = _Work(source, reading)
    outcome = work.run()
    _remember(source, reading, outcome)
    return outcome


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
    _announce(source)


def _one_at_a_time(organisation_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_SPACE, organisation_id])


def _remember(source: Source, reading: Reading, outcome: Outcome) -> None:
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

    def run(self) -> Outcome:
        wanted = {found.ref: found for found in self.reading.entities}
        known = self._known(list(wanted))
        mine = {ref: found for ref, found in wanted.items() if self._is_mine(ref, found, known)}
        added = [
            self._filled(Entity(organisation_id=self.source.organisation_id), f)
            for r, f in mine.items()
            if r not in known
        ]
        changed = [self._filled(known[r], f) for r, f in mine.items() if r in known and self._differs(known[r], f)]
        gone = self._gone(known, mine)
        self._write(added, changed, gone)
        organisation = Organisation.objects.get(pk=self.source.organisation_id)
        for name, keep in ALSO_STORE.items():
            self.problems.update(keep(organisation, self.source, self.reading, self.reading.beside.get(name)))
        self._write_problems()
        self._tell(organisation, added + changed, gone)
        return Outcome(
            added=len(added),
            changed=len(changed),
            unchanged=len(mine) - len(added) - len(changed),
            removed=len(gone),
            problems=len(self.problems),
            entity_refs=list(mine),
        )

    def _known(self, refs: list[str]) -> dict[str, Entity]:
        rows = self.rows.filter(Q(source=self.source) | Q(ref__in=refs))
        slim = rows.select_related("source").only("id", "uid", "organisation_id", "kind", "ref", "digest", "removed_at",
                                                  "path", "source__id", "source__target", "source__kind")  # fmt: skip
        return {row.ref: row for row in slim}

    def _is_mine(self, ref: str, found: Found, known: dict[str, Entity]) -> bool:
        """False, with a problem, when the reference belongs to another source."""
        row = known.get(ref)
        if row is None or row.removed_at or row.source is None or row.source.pk == self.source.pk:
            return True
        sentence = (
            f"{ref} already comes from {row.source.label} ({row.path}). A name belongs to one source: rename this one, "
            "or remove it there."
        )
        self.problems.add(Finding(found.path, found.entity.line, "conflict", sentence, ref))
        return False

    def _differs(self, row: Entity, found: Found) -> bool:
        return row.digest != found.digest or row.removed_at is not None or row.source_id != self.source.pk

    def _filled(self, row: Entity, found: Found) -> Entity:
        """The row with every column read from the document."""
        document, ref = found.entity.document, found.entity.ref
        metadata, spec = document["metadata"], document.get("spec") or {}
        index = facts.of(document, (), str(row.uid))
        row.kind, row.namespace, row.name, row.ref = ref.kind, ref.namespace, ref.name, str(ref)
        row.title = metadata.get("title") or _display_name(spec)
        row.description = metadata.get("description") or ""
        row.type, row.lifecycle = _text(spec.get("type")), _text(spec.get("lifecycle"))
        row.owner_ref, row.system_ref = relations.owner_of(document), relations.system_of(document)
        row.tags, row.document = metadata.get("tags") or [], document
        row.facts, row.labels = index.facts, index.labels
        row.sort_name, row.words = (row.title or ref.name).lower()[:200], words_of(document)
        row.source, row.path, row.line, row.raw = self.source, found.path, found.entity.line, found.entity.raw
        row.digest, row.updated_at = found.digest, self.now
        row.removed_at, row.removed_reason = None, ""
        return row

    def _gone(self, known: dict[str, Entity], mine: dict[str, Found]) -> list[Entity]:
        if not self.reading.is_whole:
            return []
        return [
            row
            for ref, row in known.items()
            if row.source_id == self.source.pk
            and not row.removed_at
            and ref not in mine
            and ref not in self.reading.broken
        ]

    def _write(self, added: Sequence[Entity], changed: Sequence[Entity], gone: Sequence[Entity]) -> None:
        if changed or gone:
            stale = [row.pk for row in (*changed, *gone)]
            Relation.objects.for_tenant(self.source.organisation_id).filter(from_entity__in=stale).delete()
        if gone:
            bury(gone, f"It is no longer described in {self.source.label}.")
        if added:
            Entity.objects.bulk_create(added, batch_size=BATCH)
        if changed:
            Entity.objects.bulk_update(changed, WRITTEN, batch_size=100)
        fresh = [*added, *changed]
        if fresh:
            Relation.objects.bulk_create((edge for row in fresh for edge in _edges(row)), batch_size=BATCH)
        self.rows.filter(removed_at__lt=self.now - GRACE).delete()

    def _write_problems(self) -> None:
        rows = Problem.objects.for_tenant(self.source.organisation_id).filter(source=self.source)
        before = {Finding(row.path, row.line, row.code, row.sentence, row.entity_ref): row.pk for row in rows}
        if over := [pk for finding, pk in before.items() if finding not in self.problems]:
            rows.filter(pk__in=over).delete()
        Problem.objects.bulk_create(
            (
                Problem(
                    organisation_id=self.source.organisation_id,
                    source=self.source,
                    path=each.path[:1000],
                    line=each.line,
                    entity_ref=each.entity_ref[:200],
                    code=each.code,
                    sentence=each.sentence,
                )
                for each in sorted(self.problems - set(before))
            ),
            batch_size=BATCH,
        )

    def _tell(self, organisation: Organisation, fresh: list[Entity], gone: list[Entity]) -> None:
        if not (fresh or gone):
            return
        for hook in AFTER_INGEST.values():
            hook(organisation, self.source, fresh)
        tell_removed(organisation, gone)


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


def _edges(row: Entity) -> Iterable[Relation]:
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
