"""The only way by which entities and what they say of one another change: rows, bodies, edges and facts together.

Everything here runs inside the tenant and inside a transaction, and takes the organisation's lock first: one writer at
a time, so that what is read, changed and written again is nobody else's meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.db import connection
from django.utils.timezone import now

from catalog.asking.locations import annotations_of
from catalog.descriptors import relations
from catalog.descriptors.kinds import OWNED_BY, REVERSE
from catalog.index import arriving, bulk, edges, owning, terms
from catalog.index.edges import Said
from catalog.index.owning import FileTeller, Owner, OwnerChange
from catalog.index.parts import (
    FORMAT,
    HAS,
    Fact,
    Lines,
    Parts,
    fact_in,
    facts_at,
    facts_of,
    line_of,
    many_of,
    owner_facts,
    parts_of,
    relation_facts,
    uid_facts,
)
from catalog.models import Body, Entity, FactBlock, FactKey, IndexState, Near, Source
from catalog.models import Fact as FactRow
from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
from portal.kit.refs import kind_of

# First key of the advisory lock that lets one writer at a time change the catalog of an organisation.
LOCK_SPACE = 20_261
AT_ONCE = 500
# An upgrade says how far it is with catalogs of more than this, each time that so many more are done.
SAID_FROM, SAID_EVERY = 1000, 5000
# Called with how many are done, and of how many.
Tell = Callable[[int, int], None]
# What a change of the document may change on the row.
COLUMNS = [
    "kind", "namespace", "name", "title", "description", "type", "lifecycle", "owner_ref", "owner_how", "owner_since",
    "system_ref", "tags", "sort_name", "source", "path", "line", "digest", "updated_at", "removed_at", "removed_reason",
]  # fmt: skip


@dataclass(frozen=True)
class _State:
    """What the index holds of an entity that is there. Of one that never was there before, what its document says is
    told by `parts`, and `facts` are only those that it does not say."""

    num: int
    ref: str
    facts: set[Fact] = field(default_factory=set)
    said: set[Said] = field(default_factory=set)
    parts: Parts | None = None


# An entity before and after; None where it is not there, new or buried.
_Pair = tuple[_State | None, _State | None]


def lock(organisation_id: int) -> None:
    """Waits for whoever else writes in this catalog; none does until the transaction ends. Makes the index ready."""
    if _wait(organisation_id) != FORMAT:
        make_ready(organisation_id)


def _wait(organisation_id: int) -> int | None:
    """Takes the lock; the format of the index as it was when the statement began, None where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, %s), (SELECT format FROM catalog_indexstate WHERE organisation_id = %s)",
            [LOCK_SPACE, organisation_id, organisation_id],
        )
        found: int | None = cursor.fetchone()[1]
        return found


def put(
    organisation_id: int,
    rows: Sequence[Entity],
    told: FileTeller = FileTeller(),  # noqa: B008 - frozen
    parts: Mapping[str, Parts] = MappingProxyType({}),
) -> list[OwnerChange]:
    """Writes entities with their bodies, and what their documents say of others: new ones, and those that have a key.

    Each has all its columns, its `source` and its `body`; `owner_ref` is the owner that its document names, and becomes
    the one that it has. A new one gets its number and key here; a changed one needs `pk` and `ref`, and comes back if
    it was buried. Returns those whose document names another owner than before.

    parts: of documents, by reference, as far as whoever read them has worked them out
    """
    if not rows:
        return []
    lock(organisation_id)
    changed = [row for row in rows if row.pk]
    known = _known(organisation_id, [row.pk for row in changed])
    before = _states(organisation_id, known)
    for row in changed:
        row.num = known[row.pk].num
    statements, handed = owning.settle(organisation_id, rows, known, told)
    added = [row for row in rows if not row.pk]
    _number(organisation_id, added)
    _write_rows(organisation_id, added, changed)
    owning.write(organisation_id, statements)
    pairs: list[_Pair] = [(before.get(row.pk), _state_of(row, _says(row))) for row in changed]
    pairs += [(None, _arrival(row, parts.get(row.ref) or parts_of(row.body.document))) for row in added]
    _change(organisation_id, pairs)
    _pass_on(organisation_id, pairs)
    return handed


def bury(organisation_id: int, keys: Collection[int], reason: str) -> int:
    """Makes tombstones: they leave every set at once, and say nothing of others any more. Returns how many."""
    if not keys:
        return 0
    lock(organisation_id)
    before = _states(organisation_id, _known(organisation_id, keys))
    rows = Entity.objects.for_tenant(organisation_id).filter(pk__in=before)
    buried = rows.update(removed_at=now(), removed_reason=reason[:1000])
    pairs = [(state, None) for state in before.values()]
    _change(organisation_id, pairs)
    _pass_on(organisation_id, pairs)
    return buried


def own(organisation_id: int, owners: Mapping[int, Owner]) -> None:
    """Gives entities that are there the owners that statements name, by key; with nobody named, whoever owns what they
    are part of. The statements themselves are written by who calls. Some statements, however many entities."""
    if not owners:
        return
    lock(organisation_id)
    rows = Entity.objects.for_tenant(organisation_id).filter(pk__in=list(owners), removed_at=None)
    found = list(rows.only(*owning.SLIM))
    lost = {row.system_ref for row in found if not owners[row.pk].holder_ref and row.system_ref}
    stand_in = owning.above(organisation_id, lost, _named(found, owners)) if lost else {}
    wanted = {row.pk: each for row in found if (each := owners[row.pk]).holder_ref}
    for row in found:
        row.owner_since = owners[row.pk].since
        wanted.setdefault(row.pk, _stood_in(row, stand_in))
    _own(organisation_id, found, wanted)


def forget(organisation_id: int, before: datetime) -> None:
    """Deletes the tombstones from before that moment: nothing points at them by number any more."""
    Entity.objects.for_tenant(organisation_id).filter(removed_at__lt=before).delete()


def say(organisation_id: int, gone: Iterable[tuple[int, Said]], fresh: Iterable[tuple[int, Said]]) -> None:
    """Takes edges away and adds others, by the number of the entity that says them: who belongs to a team, say."""
    gone, fresh = list(gone), list(fresh)
    if not gone and not fresh:
        return
    lock(organisation_id)
    numbers = sorted({number for number, _ in (*gone, *fresh)})
    rows = Entity.objects.for_tenant(organisation_id).filter(num__in=numbers, removed_at=None)
    said = edges.said_by(organisation_id, numbers)
    pairs = list[_Pair]()
    for number, ref in rows.values_list("num", "ref"):
        before = _State(number, ref, set(), said[number])
        after = {each for number_, each in fresh if number_ == number}
        over = {each for number_, each in gone if number_ == number}
        pairs.append((before, replace(before, said=(before.said - over) | after)))
    _change(organisation_id, pairs)


def moved(before: Source, after: Source) -> None:
    """The source is somewhere else: so are its entities, and they are found by their place."""
    organisation_id = after.organisation_id
    lock(organisation_id)
    rows = Entity.objects.for_tenant(organisation_id).filter(source=after, removed_at=None).select_related("body")
    keys = list(rows.values_list("pk", flat=True))
    for start in range(0, len(keys), AT_ONCE):
        part = list(rows.filter(pk__in=keys[start : start + AT_ONCE]))
        pairs = list[_Pair]()
        for row in part:
            row.source = before
            was = _state_of(row, set())
            row.source = after
            pairs.append((was, _state_of(row, set())))
        _change(organisation_id, pairs)


def make_ready(organisation_id: int, tell: Tell | None = None) -> None:
    """Makes the index anew when it is written in another format than ours: the old facts could not be told any more."""
    known = IndexState.objects.for_tenant(organisation_id).values_list("format", flat=True).first()
    if known != FORMAT:
        rebuild(organisation_id, tell)


def after_migration(stdout: Any = None, **_: object) -> None:
    """The hook: the same for every organisation, before anybody reads. Says on `stdout` how far it is with large ones:
    whoever upgrades waits for it."""
    for organisation_id, name in Organisation.objects.order_by("pk").values_list("pk", "name"):

        def tell(done: int, total: int, name: str = name) -> None:
            if stdout is not None and total > SAID_FROM:
                stdout.write(f"  The catalog of {name}: {done:,} of {total:,} entities made findable.\n")
                stdout.flush()

        with tenant(organisation_id):
            _wait(organisation_id)
            make_ready(organisation_id, tell)


def rebuild(organisation_id: int, tell: Tell | None = None) -> int:
    """Makes the index anew from the entities that are there. Returns how many. Must run under the lock.

    tell  called with (how many are done, of how many), now and then and at the end
    """
    _settle_all(organisation_id)
    for model in (FactRow, FactBlock, FactKey, Near):
        model.objects.for_tenant(organisation_id).delete()
    rows = Entity.objects.for_tenant(organisation_id).filter(removed_at=None).select_related("source", "body")
    keys = list(rows.order_by("num").values_list("pk", flat=True))
    for start in range(0, len(keys), AT_ONCE):
        part = list(rows.filter(pk__in=keys[start : start + AT_ONCE]))
        related = edges.of_entities(organisation_id, {row.num: row.ref for row in part})
        change = terms.FactChange()
        for row in part:
            _arrive(change, _state_of(row, set()), related[row.num])
        terms.apply(organisation_id, change)
        done = start + len(part)
        if tell and (done % SAID_EVERY == 0 or done == len(keys)):
            tell(done, len(keys))
    IndexState.objects.update_or_create(organisation_id=organisation_id, defaults={"format": FORMAT})
    return len(keys)


# --- owners ---


def _named(rows: Sequence[Entity], owners: Mapping[int, Owner]) -> dict[str, tuple[str, str]]:
    return {row.ref: (owners[row.pk].holder_ref, row.system_ref) for row in rows}


def _own(organisation_id: int, rows: Sequence[Entity], owners: Mapping[int, Owner]) -> None:
    """Writes owners on rows that are there, in everything that tells of them, and on whatever is part of them."""
    pairs = _hold(organisation_id, rows, owners)
    _change(organisation_id, pairs)
    _pass_on(organisation_id, pairs)


def _hold(organisation_id: int, rows: Sequence[Entity], owners: Mapping[int, Owner]) -> list[_Pair]:
    """Writes owners on rows; what the index holds of them before and after, as far as owners go."""
    said = edges.said_by(organisation_id, [row.num for row in rows])
    pairs = list[_Pair]()
    for row in rows:
        before = _State(row.num, row.ref, owner_facts(row.owner_how), said[row.num])
        owner = owners[row.pk]
        row.owner_ref, row.owner_how, row.owner_since = owner.holder_ref, owner.how, owner.since
        after = {edge for edge in before.said if edge[0] != OWNED_BY}
        after |= {(OWNED_BY, row.owner_ref)} if row.owner_ref else set()
        pairs.append((before, _State(row.num, row.ref, owner_facts(row.owner_how), after)))
    owning.write_owners(organisation_id, rows)
    return pairs


def _pass_on(organisation_id: int, pairs: Sequence[_Pair]) -> None:
    """Whatever nobody is named for follows what it is part of. No statement where no system or domain changed hands."""
    places = [
        state.ref
        for before, after in pairs
        if (state := before or after) and kind_of(state.ref) in owning.PLACES and _owners(before) != _owners(after)
    ]
    parts = owning.parts_without_owner(organisation_id, places) if places else []
    stand_in = owning.above(organisation_id, {row.system_ref for row in parts}) if parts else {}
    moved = [row for row in parts if row.owner_ref != stand_in[row.system_ref]]
    if moved:
        _own(organisation_id, moved, {row.pk: _stood_in(row, stand_in) for row in moved})


def _stood_in(row: Entity, stand_in: Mapping[str, str]) -> Owner:
    owner = stand_in.get(row.system_ref, "")
    return Owner(owner, owning.INHERITANCE if owner else "", row.owner_since)


def _owners(state: _State | None) -> set[Said]:
    return {edge for edge in state.said if edge[0] == OWNED_BY} if state else set()


def _settle_all(organisation_id: int) -> None:
    """Gives what nobody is named for the owner of what it is part of; facts are told afterwards."""
    rows = owning.every_without_owner(organisation_id)
    stand_in = owning.above(organisation_id, {row.system_ref for row in rows}) if rows else {}
    moved = [row for row in rows if row.owner_ref != stand_in[row.system_ref]]
    for start in range(0, len(moved), AT_ONCE):
        part = moved[start : start + AT_ONCE]
        _write_edges(organisation_id, _hold(organisation_id, part, {row.pk: _stood_in(row, stand_in) for row in part}))


# --- rows ---


def _number(organisation_id: int, rows: list[Entity]) -> None:
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(num) FROM catalog_entity WHERE organisation_id = %s", [organisation_id])
        last = cursor.fetchone()[0]
    for number, row in enumerate(rows, 0 if last is None else last + 1):
        row.num = number


def _write_rows(organisation_id: int, added: list[Entity], changed: list[Entity]) -> None:
    bulk.insert(Entity, added)
    bulk.insert(Entity, changed, unique=["organisation", "ref"], update=COLUMNS)
    for row in (*added, *changed):
        row.body.entity_id, row.body.organisation_id = row.pk, organisation_id
    bodies = [row.body for row in (*added, *changed)]
    bulk.insert(Body, bodies, unique=["entity"], update=["packed"])


def _known(organisation_id: int, keys: Collection[int]) -> dict[int, Entity]:
    rows = Entity.objects.for_tenant(organisation_id).select_related("source", "body")
    return {row.pk: row for row in rows.filter(pk__in=keys)} if keys else {}


def _states(organisation_id: int, known: Mapping[int, Entity]) -> dict[int, _State]:
    """What the index holds of those of these entities that are there, by key."""
    there = [row for row in known.values() if row.removed_at is None]
    said = edges.said_by(organisation_id, [row.num for row in there])
    return {row.pk: _state_of(row, said[row.num]) for row in there}


def _state_of(row: Entity, said: set[Said]) -> _State:
    facts = facts_of(row.body.document, annotations_of(row.source, row.path), str(row.uid), row.owner_how)
    return _State(row.num, row.ref, facts, said)


def _arrival(row: Entity, parts: Parts) -> _State:
    """What the index is to hold of an entity that never was there."""
    said = owning.said_of(parts.said, row)
    facts = {*uid_facts(str(row.uid)), *owner_facts(row.owner_how), *relation_facts(said.difference(parts.said))}
    for key, value in annotations_of(row.source, row.path).items():
        if key not in parts.placed:
            facts.update(facts_at(key, value))
    return _State(row.num, row.ref, facts, said, parts)


def _says(row: Entity) -> set[Said]:
    document = ((kind, target) for source, kind, target in relations.of(row.body.document) if source == row.ref)
    return owning.said_of(document, row)


# --- the index ---


def _change(organisation_id: int, pairs: Sequence[_Pair]) -> None:
    """Brings edges and facts in line with what became of these entities."""
    leaving = [before for before, after in pairs if before and not after]
    coming = [after for before, after in pairs if after and not before]
    steady = [(before, after) for before, after in pairs if before and after]
    change = terms.FactChange()
    related = edges.of_entities(organisation_id, {state.num: state.ref for state in leaving})
    for state in leaving:
        change.drop(state.num, state.facts | relation_facts(related[state.num]))
    news = _news(pairs)
    _write_edges(organisation_id, pairs)
    together = [state for state in coming if state.parts]
    if len(together) >= bulk.FEW:
        coming = [state for state in coming if not state.parts]
        _arrive_together(organisation_id, together)
    related = edges.of_entities(organisation_id, {state.num: state.ref for state in coming})
    for state in coming:
        _arrive(change, state, related[state.num])
    for before, after in steady:
        change.drop(after.num, before.facts - after.facts)
        change.add(after.num, after.facts - before.facts)
        change.many |= many_of(after.facts)
    _relate(organisation_id, change, pairs, news)
    terms.apply(organisation_id, change)


def _write_edges(organisation_id: int, pairs: Sequence[_Pair]) -> None:
    edges.write(
        organisation_id,
        ((before.num, each) for before, after in pairs if before for each in before.said - _said(after)),
        ((after.num, each) for before, after in pairs if after for each in after.said - _said(before)),
    )


def _arrive(change: terms.FactChange, state: _State, related: set[Said]) -> None:
    facts = state.facts | relation_facts(related)
    if state.parts:
        facts |= set(map(fact_in, state.parts.mine()))
    change.add(state.num, facts)
    change.many |= many_of(facts)


def _arrive_together(organisation_id: int, states: Sequence[_State]) -> None:
    """The same for many that never were there before."""
    about = edges.said_about(organisation_id, {state.ref: state.num for state in states})
    many = set[str]()
    files = dict[int, tuple[Lines, dict[int, int]]]()  # the lines of each file, and which number stands at which place
    beside = defaultdict[Fact, set[int]](set)
    for state in states:
        assert state.parts is not None
        many.update(state.parts.many)
        files.setdefault(id(state.parts.lines), (state.parts.lines, {}))[1][state.parts.place] = state.num
        facts = state.facts
        if fresh := about.get(state.num):
            related = relation_facts(fresh - state.said)
            facts = facts | related
            many |= many_of(related)
        for fact in facts:
            beside[fact].add(state.num)
    having = defaultdict[str, list[int]](list)
    for lines, numbers in files.values():
        for line, places in lines:
            having[line] += [numbers[place] for place in places if place in numbers]
    for fact, found in beside.items():
        line = line_of(fact)
        if fact[0] == HAS and not found.isdisjoint(having[line]):
            many.add(fact[1])  # what is said beside a document is another value than its own
        having[line] = [*found.union(having[line])]
    arriving.arrive(organisation_id, having, many)


def _said(state: _State | None) -> set[Said]:
    return state.said if state else set()


def _news(pairs: Sequence[_Pair]) -> set[tuple[str, str, str]]:
    """The edges that somebody says now and did not before, or the other way round, each from one of its ends."""
    found: set[tuple[str, str, str]] = set()
    for before, after in pairs:
        state = before or after
        assert state is not None
        for kind, target in _said(before) ^ _said(after):
            found.add(min((state.ref, kind, target), (target, REVERSE[kind], state.ref)))
    return found


def _relate(
    organisation_id: int, change: terms.FactChange, pairs: Sequence[_Pair], news: set[tuple[str, str, str]]
) -> None:
    """What new and gone edges do to those ends of them that were there before and still are."""
    if not news:
        return
    before = {state.ref: state for state, _ in pairs if state}
    after = {state.ref: state for _, state in pairs if state}
    both = [edge for each in news for edge in (each, (each[2], REVERSE[each[1]], each[0]))]
    others = {edge[0] for edge in both} - set(before) - set(after)
    numbers = _numbers(organisation_id, others)
    called = {number: ref for ref, number in numbers.items()}
    asked = [(numbers[ref], kind, target) for ref, kind, target in both if ref in numbers]
    says = {(called[number], kind, target) for number, kind, target in edges.who_says(organisation_id, asked)}
    numbers |= {ref: state.num for ref, state in after.items() if ref in before}

    def holds(states: Mapping[str, _State], edge: tuple[str, str, str]) -> bool:
        ref, kind, target = edge
        return edge in says or (ref in states and (kind, target) in states[ref].said)

    gone, fresh = list[tuple[str, str, str]](), list[tuple[str, str, str]]()
    for edge in both:
        mirror = (edge[2], REVERSE[edge[1]], edge[0])
        was = holds(before, edge) or holds(before, mirror)
        is_now = holds(after, edge) or holds(after, mirror)
        if was != is_now and edge[0] in numbers:
            (fresh if is_now else gone).append(edge)
    left = edges.how_many(organisation_id, {(numbers[ref], ref, kind) for ref, kind, _ in (*gone, *fresh)})
    for ref, kind, target in gone:
        lost = relation_facts([(kind, target)])
        if left[numbers[ref], kind]:
            lost = {fact for fact in lost if fact[0] != HAS}
        change.drop(numbers[ref], lost)
    for ref, kind, target in fresh:
        change.add(numbers[ref], relation_facts([(kind, target)]))
        if left[numbers[ref], kind] > 1:
            change.many.add(f"relations.{kind}".lower())


def _numbers(organisation_id: int, refs: set[str]) -> dict[str, int]:
    rows = Entity.objects.for_tenant(organisation_id).filter(ref__in=refs, removed_at=None)
    return dict(rows.values_list("ref", "num")) if refs else {}
