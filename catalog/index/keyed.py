"""Pages in the order of a key's values.

Where a key has few values, they are known with their sets and the page is told from those. Of few entities the values
are read from themselves. Otherwise the values are walked in the index, each tested against the set; where an entity
may have several values, whoever is met on the walk is asked whether it stands there.
"""

# ruff: noqa: S608  # the pieces of SQL that are put together here are all our own constants
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from django.db import connection

from catalog.index import said, sets
from catalog.index.pages import Order, Page, Place, given, is_few
from catalog.index.reading import FoundSet, IndexQuestion, Value, Values
from catalog.index.walking import KeyWalk

# A key with more values than these is walked.
MOST_RUNS = 24
# Of so many entities the values are read from themselves rather than all values of a key of which they have several.
MOST_READ = 1000
# Behind more than so many, the places of entities with several values are told from all values.
MOST_MET = 60

# A stretch of the order: a value and who has it.
Run = tuple[str | None, str, int]


def page(
    found: FoundSet,
    order: Order,
    everyone: int,
    values: Values,
    size: int,
    place: Place | None,
    is_backwards: bool,
    offset: int,
) -> Page:
    """One page; `everyone`: those of all entities who have the key; of the found set all others come last."""
    having = found.bits & everyone
    known = known_runs(found, order, having, values, size + 1 + offset)
    if known is not None:
        runs = [*known, *_rest(found.bits & ~_all(known))]
        return Page(*given(_window(runs, order, place, is_backwards, offset, size + 1)), size, is_backwards)
    count = having.bit_count()
    if place is None and not is_backwards and not values.is_many and count < offset * 2 and offset + size < count:
        return _from_the_end(found, order, everyone, values, size, count - offset)
    walk = _stretch(found, order, having, everyone, values, is_backwards, size + 1)
    rest = found.bits & ~having
    lacks = place is not None and place[0] is None
    if is_backwards:
        number = place[2] if lacks and place else None
        tail = list(islice(sets.numbers_down(rest, number), size + 1)) if lacks or place is None else []
        return Page(*_joined(given((each, None, "") for each in tail), walk(None if lacks else place, 0), size + 1),
                    size, True)  # fmt: skip
    if lacks and place:
        return Page(*given((each, None, "") for each in islice(sets.numbers_of(rest, place[2] + 1), size + 1)), size)
    start = max(0, offset - count) if place is None else 0
    tail = list(islice(sets.numbers_of(rest), start, start + size + 1))
    if offset >= count and place is None:
        return Page(*given((each, None, "") for each in tail), size)
    return Page(*_joined(walk(place, offset), given((each, None, "") for each in tail), size + 1), size)


def _from_the_end(found: FoundSet, order: Order, everyone: int, values: Values, size: int, before_end: int) -> Page:
    """A page that the end is nearer to than the beginning, walked from there."""
    there = min(size + 1, before_end)
    turned = Order(order.by, order.key, not order.is_descending)
    having = FoundSet(found.organisation_id, found.bits & everyone, found.live)
    inner = page(having, turned, everyone, values, there - 1, None, False, before_end - there)
    return Page(f"SELECT -place AS place, num, value, label FROM ({inner.sql}) turned", inner.parameters, size)


def _stretch(
    found: FoundSet, order: Order, having: int, everyone: int, values: Values, is_backwards: bool, most: int
) -> Any:
    """(place, offset) -> SQL for the next so many of those who have the key."""
    walk = KeyWalk(found.within(having), order, is_backwards, most, is_all=having == everyone)
    if not values.is_many:
        return walk.sql

    def several(place: Place | None, offset: int) -> tuple[str, list[Any]]:
        met = _met(walk, order, place, offset + most) if offset <= MOST_MET else None
        return walk.settled(place, offset) if met is None else given(met[offset:])

    return several


def _met(walk: KeyWalk, order: Order, place: Place | None, wanted: int) -> list[tuple[int, str | None, str]] | None:
    """Who is met on a walk at the value where they stand; None where that does not find so many soon: one statement."""
    if not said.is_told(order.key):
        return None
    asked = said.SaidOf(walk.found.organisation_id, [order.key])
    batch = 3 * wanted + 20
    sql, parameters = walk.sql(place, most=batch)
    with connection.cursor() as cursor:
        cursor.execute(
            # Materialized: to the planner the walk has a row or two, and it would walk anew for every entity.
            f"WITH w AS MATERIALIZED (SELECT row_number() OVER () AS at, k.* FROM ({sql}) k)"
            f" SELECT w.num, w.value, w.label, {asked.columns}"
            f" FROM w JOIN catalog_entity e ON e.organisation_id = %s AND e.num = w.num{asked.joins} ORDER BY w.at",
            [*parameters, *asked.parameters, walk.found.organisation_id, *asked.behind],
        )
        rows = cursor.fetchall()
    met = list[tuple[int, str | None, str]]()
    for number, value, label, *columns in rows:
        [told] = asked.told(columns)
        if told and stands_at(told, order) == (value, label):
            met.append((number, value, label))
    return met if len(met) >= wanted or len(rows) < batch else None


def stands_at(told: Sequence[said.Told], order: Order) -> said.Told:
    """Of several values, the least first, the one that an entity is put in order by: the first that is met."""
    return told[-1] if order.is_descending else told[0]


def known_runs(found: FoundSet, order: Order, having: int, values: Values, wanted: int) -> list[Run] | None:
    """The values in their order, each with who of the found set stands there; None where that is not cheaply known."""
    if values.rows:
        return runs_of(having, values.rows, order)
    count = having.bit_count()
    among = found.there if values.is_many else count
    is_read = is_few(count, max(among, count), wanted, is_read=True)
    if (is_read or (values.is_many and count <= MOST_READ)) and said.is_told(order.key):
        return read_runs(found.organisation_id, having, order)
    if values.has_items:
        return all_runs(found.organisation_id, [(order, having)])[0]
    return None


def all_runs(organisation_id: int, orders: Sequence[tuple[Order, int]]) -> list[list[Run]]:
    """The same from all values of each key, for who has it: one statement, which grows with them."""
    question = IndexQuestion(organisation_id)
    every = [question.values(order.key) for order, _ in orders]
    question.ask()
    return [runs_of(bits, values.rows, order) for (order, bits), values in zip(orders, every, strict=True)]


def read_runs(organisation_id: int, bits: int, order: Order) -> list[Run]:
    """The same from these entities themselves: one statement."""
    runs: dict[said.Told, int] = {}
    if bits:
        for number, [told] in said.read(organisation_id, bits, [order.key]):
            if told:
                at = stands_at(told, order)
                runs[at] = runs.get(at, 0) | 1 << number
    return [(*told, runs[told]) for told in sorted(runs, reverse=order.is_descending)]


def _joined(first: tuple[str, list[Any]], second: tuple[str, list[Any]], most: int) -> tuple[str, list[Any]]:
    sql = (
        "SELECT row_number() OVER () AS place, num, value, label FROM ("
        f"SELECT num, value, label FROM ({first[0]}) first UNION ALL SELECT num, value, label FROM ({second[0]}) second"
        " LIMIT %s) w"
    )
    return sql, [*first[1], *second[1], most]


def _all(runs: Iterable[Run]) -> int:
    found = 0
    for _, _, bits in runs:
        found |= bits
    return found


def runs_of(bits: int, values: list[Value], order: Order) -> list[Run]:
    """Each entity at the first of its values that the order comes to: the least, or the greatest."""
    found, left = list[Run](), bits
    for row in reversed(values) if order.is_descending else values:
        if not left:
            break
        here = row.set_of() & left
        left &= ~here
        if here:
            found.append((row.value, row.label, here))
    return found


def _rest(bits: int) -> list[Run]:
    return [(None, "", bits)] if bits else []


def _window(
    runs: list[Run], order: Order, place: Place | None, is_backwards: bool, offset: int, most: int
) -> Iterator[tuple[int, str | None, str]]:
    """The entities of the runs from the place on, or from it backwards; within a run in the direction of the order."""
    at = (
        len(runs)
        if place is None
        else next((n for n, run in enumerate(runs) if not _is_before(run, place, order)), len(runs))
    )
    is_there = place is not None and at < len(runs) and runs[at][:2] == place[:2]
    turns = range(at + is_there)[::-1] if is_backwards else range(0 if place is None else at, len(runs))
    for n in turns:
        value, label, bits = runs[n]
        is_down = (order.is_descending and value is not None) != is_backwards
        if place is not None and is_there and n == at:
            bits &= (1 << place[2]) - 1 if is_down else -1 << (place[2] + 1)
        count = bits.bit_count()
        if offset >= count:
            offset -= count
            continue
        numbers = sets.numbers_down(bits) if is_down else sets.numbers_of(bits)
        for number in islice(numbers, offset, None):
            if not most:
                return
            most -= 1
            yield number, value, label
        offset = 0


def _is_before(run: Run, place: Place, order: Order) -> bool:
    """Whether the run ends before the place's begins."""
    if run[0] is None or place[0] is None:
        return run[0] is not None and place[0] is None
    here, there = (run[0], run[1]), (place[0], place[1])
    return here > there if order.is_descending else here < there
