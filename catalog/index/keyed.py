"""Pages in the order of a key's values, and in several such orders one after the other.

Where a key has few values, they are known with their sets and the page is told from those. Of few entities the values
are read from their documents. Otherwise the values are walked in the index, each tested against the set.
"""

# ruff: noqa: S608  # the pieces of SQL that are put together here are all our own constants
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from django.db import connection

from catalog.asking import facts
from catalog.asking.owned import OWNER_HOW
from catalog.index import sets
from catalog.index.pages import IN_SET, Order, Page, Place, given, is_few, listed, tested
from catalog.index.parts import fact_of
from catalog.index.reading import FoundSet, IndexQuestion, Value, Values
from catalog.packing import document_of

# A key with more values than these is walked.
MOST_RUNS = 24
# Of so many entities the documents are read rather than all values of a key of which entities have several.
MOST_READ = 1000
# What no document says: it is made of edges, of the source, of the row.
_NOT_IN_DOCUMENTS = (
    "relations.", "metadata.annotations.backstage.io/managed-by-", f"metadata.annotations.{OWNER_HOW}", "metadata.uid",
)  # fmt: skip

# A stretch of the order: a value and who has it.
Run = tuple[str | None, str, int]


def page(
    found: FoundSet,
    order: Order,
    having: int,
    values: Values,
    size: int,
    place: Place | None,
    is_backwards: bool,
    offset: int,
) -> Page:
    """One page; `having`: those of the found set who have the key, all others come last."""
    known = known_runs(found, order, having, values, size + 1 + offset)
    if known is not None:
        runs = [*known, *_rest(found.bits & ~_all(known))]
        return Page(*given(_window(runs, order, place, is_backwards, offset, size + 1)), size, is_backwards)
    rest = found.bits & ~having
    walk = _KeyWalk(FoundSet(found.organisation_id, having, found.live), order, is_backwards, size + 1)
    lacks = place is not None and place[0] is None
    if is_backwards:
        number = place[2] if lacks and place else None
        tail = list(islice(sets.numbers_down(rest, number), size + 1)) if lacks or place is None else []
        return Page(*_joined(given((each, None, "") for each in tail), walk.sql(None if lacks else place), size + 1),
                    size, True)  # fmt: skip
    if lacks and place:
        return Page(*given((each, None, "") for each in islice(sets.numbers_of(rest, place[2] + 1), size + 1)), size)
    count = having.bit_count()
    start = max(0, offset - count) if place is None else 0
    tail = list(islice(sets.numbers_of(rest), start, start + size + 1))
    if offset >= count and place is None:
        return Page(*given((each, None, "") for each in tail), size)
    return Page(*_joined(walk.sql(place, offset), given((each, None, "") for each in tail), size + 1), size)


def known_runs(found: FoundSet, order: Order, having: int, values: Values, wanted: int) -> list[Run] | None:
    """The values in their order, each with who of the found set stands there, each entity at the least of its values;
    None where that is not cheaply known."""
    if values.rows:
        return _runs(having, values.rows, is_descending=order.is_descending)
    count = having.bit_count()
    among = found.there if values.is_many else count
    is_read = is_few(count, max(among, count), wanted, is_read=True)
    if (is_read or (values.is_many and count <= MOST_READ)) and not order.key.startswith(_NOT_IN_DOCUMENTS):
        return read_runs(found.organisation_id, having, order)
    if not values.is_many and not values.has_items:
        return None
    return all_runs(found.organisation_id, having, order)


def all_runs(organisation_id: int, bits: int, order: Order) -> list[Run]:
    """The same from all values of the key: one statement, which grows with them."""
    question = IndexQuestion(organisation_id)
    every = question.values(order.key)
    question.ask()
    return _runs(bits, every.rows, is_descending=order.is_descending)


def read_runs(organisation_id: int, bits: int, order: Order) -> list[Run]:
    """The same from the documents of these entities: one statement."""
    numbers = list(sets.numbers_of(bits))
    runs: dict[tuple[str, str], int] = {}
    if numbers:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT e.num, b.packed FROM catalog_entity e JOIN catalog_body b ON b.entity_id = e.id"
                " WHERE e.organisation_id = %s AND b.organisation_id = %s AND e.num = ANY(%s::int[])",
                [organisation_id, organisation_id, numbers],
            )
            for number, packed in cursor.fetchall():
                if told := _values(document_of(packed), order.key):
                    runs[told[0]] = runs.get(told[0], 0) | 1 << number
    return [(*told, runs[told]) for told in sorted(runs, reverse=order.is_descending)]


def _values(document: dict[str, Any], key: str) -> list[tuple[str, str]]:
    """(value, as written) of a key, as facts have them, the least first."""
    found: set[tuple[str, str]] = set()
    for path, value in facts.rows(document, only=key):
        found.update((each, label) for named, each, label in fact_of(path.lower(), value) if named == key)
    return sorted(found)


def _joined(first: tuple[str, list[Any]], second: tuple[str, list[Any]], most: int) -> tuple[str, list[Any]]:
    sql = (
        "SELECT row_number() OVER () AS place, num, value, label FROM ("
        f"SELECT num, value, label FROM ({first[0]}) first UNION ALL SELECT num, value, label FROM ({second[0]}) second"
        " LIMIT %s) w"
    )
    return sql, [*first[1], *second[1], most]


class _KeyWalk:
    """Along the values of a key, for keys of which an entity has one value: its sets stand behind one another."""

    def __init__(self, found: FoundSet, order: Order, is_backwards: bool, most: int) -> None:
        self.found, self.key, self.most = found, order.key, most
        is_down = order.is_descending != is_backwards
        self.way, self.than = ("DESC", "<") if is_down else ("ASC", ">")
        # Reckoned from the block, so that it is made for blocks only: left free, the planner makes it for every value.
        last = "octet_length(b.bits) * 8 - 1"
        self.steps = f"{last}, 0, -1" if is_down else f"0, {last}"

    def sql(self, place: Place | None, offset: int = 0) -> tuple[str, list[Any]]:
        """Rows of (num, value, label). A nested loop keeps the order of the walk: the sets of a value are read when
        their turn comes, and no further than the page."""
        organisation_id, inside = self.found.organisation_id, tested(self.found.bits)
        most = self.most + offset
        facts = (
            "SELECT value, label, one, members, blocks FROM catalog_fact WHERE organisation_id = %s"
            " AND key_id = (SELECT id FROM catalog_factkey WHERE organisation_id = %s AND key = %s)"
            f" {'' if place is None else f'AND value {self.than}= %s AND (value, label) {self.than}= (%s, %s)'}"
            f" AND (one IS NULL OR {IN_SET.format(num='one')})"
            f" ORDER BY value {self.way}, label {self.way} OFFSET 0"
        )
        # A value without blocks must not look at anybody's: the planner may read the table whole for each.
        block = (
            "SELECT chunk * 8192 AS base, bits FROM catalog_factblock WHERE f.blocks IS NOT NULL"
            f" AND organisation_id = %s AND blocks = f.blocks ORDER BY chunk {self.way} OFFSET 0"
        )
        begin = "" if place is None else f"AND ((f.value, f.label) {self.than} (%s, %s) OR {{num}} {self.than} %s)"
        sql = (
            f"SELECT m.num, f.value, f.label FROM ({facts}) f CROSS JOIN LATERAL ("
            f"SELECT f.one AS num WHERE f.one IS NOT NULL {begin.format(num='f.one')}"
            " UNION ALL"
            f" (SELECT u.num FROM unnest(f.members) WITH ORDINALITY AS u (num, at)"
            f" WHERE {IN_SET.format(num='u.num')} {begin.format(num='u.num')} ORDER BY u.at {self.way})"
            " UNION ALL"
            f" (SELECT b.base + i FROM ({block}) b CROSS JOIN LATERAL generate_series({self.steps}) AS i"
            f" WHERE get_bit(b.bits, i) = 1 AND {IN_SET.format(num='(b.base + i)')} {begin.format(num='(b.base + i)')}"
            " LIMIT %s)"
            ") m OFFSET %s LIMIT %s"
        )
        at = [] if place is None else [place[0], place[1], place[2]]
        start = [] if place is None else [place[0], place[0], place[1]]
        parameters = [
            *[organisation_id, organisation_id, self.key, *start, *inside],
            *at,
            *[*inside, *at],
            *[organisation_id, *inside, *at, most],
            *[offset, self.most],
        ]
        return sql, parameters


# --- several orders ---


def by_several(found: FoundSet, orders: Sequence[tuple[Order, Values, int]], *, size: int, offset: int) -> Page:
    """A page in several orders by keys, each with its values if they are few and the set of who has the key: where the
    first has equals, the next one decides. Only what overlaps the page is put in order."""
    return listed(_ordered(found, found.bits, list(orders), offset, size + 1), size=size)


def _ordered(found: FoundSet, bits: int, orders: list[tuple[Order, Values, int]], offset: int, most: int) -> list[int]:
    """So many numbers of the set in these orders, behind the offset."""
    if not orders or bits.bit_count() < 2:
        return list(islice(sets.numbers_of(bits), offset, offset + most))
    (order, values, having), *more = orders
    known = known_runs(found, order, bits & having, values, most + offset)
    if known is None and not more:
        return _walked(found, bits, order, having, offset, most)
    if known is None:
        known = all_runs(found.organisation_id, bits & having, order)
    numbers = list[int]()
    # A value in several spellings is one: the next order decides among all who have it.
    parts = dict[str | None, int]()
    for value, _, here in known:
        parts[value] = parts.get(value, 0) | here
    for here in (*parts.values(), bits & ~_all(known)):
        count = here.bit_count()
        if offset >= count:
            offset -= count
            continue
        numbers += _ordered(found, here, more, offset, most - len(numbers))
        offset = 0
        if len(numbers) >= most:
            break
    return numbers


def _walked(found: FoundSet, bits: int, order: Order, having: int, offset: int, most: int) -> list[int]:
    """The last order of several, along the values of its key: one statement."""
    sql, parameters = _KeyWalk(found.within(bits & having), order, False, most).sql(None, offset)
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        numbers = [row[0] for row in cursor.fetchall()]
    start = max(0, offset - (bits & having).bit_count())
    lacking = islice(sets.numbers_of(bits & ~having), start, start + most - len(numbers))
    return [*numbers, *lacking]


def _all(runs: Iterable[Run]) -> int:
    found = 0
    for _, _, bits in runs:
        found |= bits
    return found


def _runs(bits: int, values: list[Value], *, is_descending: bool) -> list[Run]:
    """Each entity at the least of its values, in either direction."""
    found, left = list[Run](), bits
    for row in values:
        if not left:
            break
        here = row.set_of() & left
        left &= ~here
        if here:
            found.append((row.value, row.label, here))
    return found[::-1] if is_descending else found


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
