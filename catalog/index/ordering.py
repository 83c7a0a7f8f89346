"""Pages of what was found: by name, by reference or by any key, forwards and backwards from a place.

A page is a piece of SQL whose rows are numbers in their order: whoever shows entities joins what it shows, so that a
page is one statement. Large sets are walked along an index, each number tested against the set; small ones are sorted.
"""

# ruff: noqa: S608  # the pieces of SQL that are put together here are all our own constants
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from catalog.index import sets
from catalog.index.reading import FoundSet, Value, Values

# Up to so many numbers are looked up one by one and sorted.
SMALL = 2000
MOST_CHECKED = 5000

By = Literal["name", "ref", "key"]

# Where a page begins: behind (or, backwards, before) this entity. By name and reference: the text. By a key: the value,
# in lower case and as written; None for entities that lack the key, which come last in both directions.
Place = tuple[str | None, str, int]


@dataclass(frozen=True)
class Order:
    """How entities follow one another; those with the same value by number."""

    by: By = "name"
    key: str = ""
    is_descending: bool = False


@dataclass(frozen=True)
class Check:
    """A last condition on a found set that sets alone cannot tell: the text stands in the name, or in the title.

    titled: those who have a title of their own, where the title counts.
    """

    text: str
    in_name: bool
    titled: int = 0

    def sql(self) -> tuple[str, list[Any]]:
        name, parameters = ("strpos(lower(name), %s) > 0", [self.text]) if self.in_name else ("false", [])
        if not self.titled:
            return f"AND ({name})", parameters
        tested = _IN_SET.format(num="num")
        return (
            f"AND ({name} OR ({tested} AND length(title) <= 200 AND strpos(sort_name, %s) > 0))",
            [*parameters, *_Set(self.titled).parameters, self.text],
        )


@dataclass(frozen=True)
class Page:
    """`sql` gives (place, num, value, label) of up to `size` + 1 entities in their order, or backwards against it."""

    sql: str
    parameters: list[Any]
    size: int
    is_backwards: bool = False

    def cut(self, rows: Sequence[Any]) -> tuple[list[Any], bool]:
        """The rows to show, in their order, and whether there are more in the direction of the page."""
        shown = list(rows[: self.size])
        return shown[::-1] if self.is_backwards else shown, len(rows) > self.size


@dataclass(frozen=True)
class Lacking:
    """What an order by a key must know beside the found set: who has the key, and the values if there are several."""

    having: int
    several: Values | None = None


def page(
    found: FoundSet,
    order: Order,
    *,
    size: int,
    place: Place | None = None,
    is_backwards: bool = False,
    offset: int = 0,
    known: Lacking | None = None,
    check: Check | None = None,
) -> Page:
    """One page. `known` is needed for an order by a key: see `Lacking`. With a `check` the rows also tell the `total`;
    then the set is at most MOST_CHECKED, and the order one by a column."""
    column = _column(order, is_small=found.total <= SMALL or check is not None)
    if column is None:
        assert known is not None
        return _by_key(found, order, known, size, place, is_backwards, offset)
    walk = _Walk(found, column, order.is_descending != is_backwards, place)
    sql, parameters = walk.small(check) if check or found.total <= SMALL else walk.large()
    sql = f"SELECT row_number() OVER () AS place, w.* FROM ({sql} OFFSET %s LIMIT %s) w"
    return Page(sql, [*parameters, offset, size + 1], size, is_backwards)


def _column(order: Order, *, is_small: bool) -> tuple[str, str] | None:
    """The expressions for value and label that an order by a column compares."""
    if order.by != "key":
        return ("sort_name" if order.by == "name" else "ref"), "''"
    if order.key == "metadata.name" and is_small:
        return 'lower(name) COLLATE "C"', "CASE WHEN name = lower(name) THEN '' ELSE name END COLLATE \"C\""
    return None


def listed(numbers: Sequence[int], *, size: int | None = None) -> Page:
    """A page of these entities in this order."""
    sql, parameters = _given((number, None, "") for number in numbers)
    return Page(sql, parameters, len(numbers) if size is None else size)


def _given(rows: Iterable[tuple[int, str | None, str]]) -> tuple[str, list[Any]]:
    known = list(rows)
    sql = (
        "SELECT place, num, value, label FROM unnest(%s::int[], %s::text[], %s::text[])"
        " WITH ORDINALITY AS w (num, value, label, place)"
    )
    return sql, [[row[0] for row in known], [row[1] for row in known], [row[2] for row in known]]


# What a walk tests each number with; a number beyond the set's last byte is not in it.
_IN_SET = "CASE WHEN {num} < %s THEN get_bit(%s::bytea, {num}) ELSE 0 END = 1"


class _Set:
    def __init__(self, bits: int) -> None:
        packed = sets.to_bytes(bits)
        self.parameters: list[Any] = [len(packed) * 8, packed]


class _Walk:
    """Along an index of entities, or through a set that is small."""

    def __init__(self, found: FoundSet, column: tuple[str, str], is_down: bool, place: Place | None) -> None:
        self.found, self.place = found, place
        self.column, self.label = column
        self.way, self.than = ("DESC", "<") if is_down else ("ASC", ">")

    def small(self, check: Check | None) -> tuple[str, list[Any]]:
        checked, tested = check.sql() if check else ("", [])
        behind = "" if self.place is None else f"WHERE (value, label, num) {self.than} (%s, %s, %s)"
        total = ", (SELECT count(*) FROM matched) AS total" if check else ""
        sql = (
            f"WITH matched AS (SELECT {self.column} AS value, {self.label} AS label, num FROM catalog_entity"
            f" WHERE organisation_id = %s AND num = ANY(%s::int[]) {checked})"
            f" SELECT num, value, label{total} FROM matched {behind}"
            f" ORDER BY value {self.way}, label {self.way}, num {self.way}"
        )
        place = [] if self.place is None else list(self.place)
        return sql, [self.found.organisation_id, self.found.numbers(), *tested, *place]

    def large(self) -> tuple[str, list[Any]]:
        behind, parameters = self._behind()
        there = "AND removed_at IS NULL" if self.column == "sort_name" else ""
        walk = (
            f"SELECT num, {self.column} AS value, '' AS label FROM catalog_entity"
            f" WHERE organisation_id = %s {there} {behind}"
            f" ORDER BY {self.column} {self.way}, num {self.way}"
        )
        if there and self.found.bits == self.found.live:
            return walk, [self.found.organisation_id, *parameters]
        # OFFSET 0: the planner thinks that hardly any number is in the set, and would sort everything instead.
        inside = _IN_SET.format(num="w.num")
        tested = _Set(self.found.bits).parameters
        return f"SELECT w.* FROM ({walk} OFFSET 0) w WHERE {inside}", [
            self.found.organisation_id,
            *parameters,
            *tested,
        ]

    def _behind(self) -> tuple[str, list[Any]]:
        if self.place is None:
            return "", []
        value, _, number = self.place
        sql = f"AND {self.column} {self.than}= %s AND ({self.column}, num) {self.than} (%s, %s)"
        return sql, [value or "", value or "", number]


# --- by a key ---


def _by_key(
    found: FoundSet, order: Order, known: Lacking, size: int, place: Place | None, is_backwards: bool, offset: int
) -> Page:
    having, rest = found.bits & known.having, found.bits & ~known.having
    if known.several and known.several.rows:
        runs = [*_runs(having, known.several.rows, is_descending=order.is_descending), *_rest(rest)]
        return Page(*_given(_window(runs, order, place, is_backwards, offset, size + 1)), size, is_backwards)
    walk = _KeyWalk(FoundSet(found.organisation_id, having, found.live), order, is_backwards, size + 1)
    lacks = place is not None and place[0] is None
    if is_backwards:
        number = place[2] if lacks and place else None
        tail = list(islice(sets.numbers_down(rest, number), size + 1)) if lacks or place is None else []
        return Page(*_joined(_given((each, None, "") for each in tail), walk.sql(None if lacks else place), size + 1),
                    size, True)  # fmt: skip
    if lacks and place:
        return Page(*_given((each, None, "") for each in islice(sets.numbers_of(rest, place[2] + 1), size + 1)), size)
    count = having.bit_count()
    start = max(0, offset - count) if place is None else 0
    tail = list(islice(sets.numbers_of(rest), start, start + size + 1))
    if offset >= count and place is None:
        return Page(*_given((each, None, "") for each in tail), size)
    return Page(*_joined(walk.sql(place, offset), _given((each, None, "") for each in tail), size + 1), size)


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
        self.steps = f"{sets.CHUNK - 1}, 0, -1" if is_down else f"0, {sets.CHUNK - 1}"

    def sql(self, place: Place | None, offset: int = 0) -> tuple[str, list[Any]]:
        """Rows of (num, value, label). A nested loop keeps the order of the walk: the sets of a value are read when
        their turn comes, and no further than the page."""
        organisation_id, tested = self.found.organisation_id, _Set(self.found.bits).parameters
        most = self.most + offset
        facts = (
            "SELECT value, label, one, members, blocks FROM catalog_fact WHERE organisation_id = %s"
            " AND key_id = (SELECT id FROM catalog_factkey WHERE organisation_id = %s AND key = %s)"
            f" {'' if place is None else f'AND value {self.than}= %s AND (value, label) {self.than}= (%s, %s)'}"
            f" AND (one IS NULL OR {_IN_SET.format(num='one')})"
            f" ORDER BY value {self.way}, label {self.way} OFFSET 0"
        )
        block = (
            "SELECT chunk * 8192 AS base, bits FROM catalog_factblock WHERE organisation_id = %s"
            f" AND blocks = f.blocks ORDER BY chunk {self.way} OFFSET 0"
        )
        begin = "" if place is None else f"AND ((f.value, f.label) {self.than} (%s, %s) OR {{num}} {self.than} %s)"
        sql = (
            f"SELECT m.num, f.value, f.label FROM ({facts}) f CROSS JOIN LATERAL ("
            f"SELECT f.one AS num WHERE f.one IS NOT NULL {begin.format(num='f.one')}"
            " UNION ALL"
            f" (SELECT u.num FROM unnest(f.members) WITH ORDINALITY AS u (num, at)"
            f" WHERE {_IN_SET.format(num='u.num')} {begin.format(num='u.num')} ORDER BY u.at {self.way})"
            " UNION ALL"
            f" (SELECT b.base + i FROM ({block}) b CROSS JOIN LATERAL generate_series({self.steps}) AS i"
            f" WHERE get_bit(b.bits, i) = 1 AND {_IN_SET.format(num='(b.base + i)')} {begin.format(num='(b.base + i)')}"
            " LIMIT %s)"
            ") m OFFSET %s LIMIT %s"
        )
        at = [] if place is None else [place[0], place[1], place[2]]
        start = [] if place is None else [place[0], place[0], place[1]]
        parameters = [
            *[organisation_id, organisation_id, self.key, *start, *tested],
            *at,
            *[*tested, *at],
            *[organisation_id, *tested, *at, most],
            *[offset, self.most],
        ]
        return sql, parameters


def by_several(found: FoundSet, orders: Sequence[tuple[Order, Values]], *, size: int, offset: int) -> Page:
    """A page in several orders by keys: where the first has equals, the next one decides. All values must be known."""
    runs = _parted([(None, "", found.bits)], orders)
    return Page(*_given(_window(runs, Order("key"), None, False, offset, size + 1)), size)


def _parted(runs: list[Run], orders: Sequence[tuple[Order, Values]]) -> list[Run]:
    for order, values in orders:
        finer = list[Run]()
        for run in runs:
            if run[2].bit_count() < 2:
                finer.append(run)
                continue
            # A value in several spellings is one: the next order decides among all who have it.
            parts = dict[str | None, int]()
            left = run[2]
            for value, _, bits in _runs(run[2], values.rows, is_descending=order.is_descending):
                parts[value] = parts.get(value, 0) | bits
                left &= ~bits
            finer += [(None, "", bits) for bits in parts.values()] + _rest(left)
        runs = finer
    return runs


# A stretch of the order: a value and who has it.
Run = tuple[str | None, str, int]


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
