"""Pages of what was found: by name, by reference or by any key, forwards and backwards from a place.

A page is a piece of SQL whose rows are numbers in their order: whoever shows entities joins what it shows. Large sets
are walked along an index, each number tested against the set; small ones are sorted. Which costs less is reckoned. A
walk for a thin set stops where its members do not lie as reckoned; then the set is sorted: two statements more.
"""

# ruff: noqa: S608  # the pieces of SQL that are put together here are all our own constants
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection

from catalog.asking.filters import Exists
from catalog.index import keyed, sets
from catalog.index.pages import IN_SET, Order, Page, Place, given, is_few, listed, tested
from catalog.index.reading import FoundSet, IndexQuestion, Values, WantedSet

__all__ = ["Needed", "Order", "Page", "Place", "is_few", "listed", "needed", "page"]

# A set thinner than this part is walked for no longer than it is likely to take, times SURELY.
THIN, SURELY = 10, 3
# More kinds than these are not told apart.
MOST_KINDS = 40


@dataclass(frozen=True)
class Needed:
    """What an order must know beside the found set, asked with the filter: who has the key and its values, if those are
    few; for an order by references the kinds, with which references begin."""

    having: WantedSet | None = None
    values: Values | None = None
    kinds: Values | None = None


def needed(question: IndexQuestion, order: Order) -> Needed:
    """Asks for it; to be read once the question was asked."""
    if order.by == "key":
        return Needed(question.filter(Exists(order.key)), question.values(order.key, few=keyed.MOST_RUNS))
    return Needed(kinds=question.values("kind", few=MOST_KINDS)) if order.by == "ref" else Needed()


def page(
    found: FoundSet,
    order: Order,
    *,
    size: int,
    place: Place | None = None,
    is_backwards: bool = False,
    offset: int = 0,
    known: Needed | None = None,
) -> Page:
    """One page. `known` comes from `needed`, and an order by a key cannot do without."""
    wanted = size + 1 + offset
    is_sorted = is_few(found.total, found.there, wanted)
    column = _column(order, is_small=is_sorted)
    if column is None:
        assert known is not None
        assert known.having is not None
        assert known.values is not None
        having = found.bits & known.having.bits
        return keyed.page(found, order, having, known.values, size, place, is_backwards, offset)
    walk = _Walk(found, column, is_down=order.is_descending != is_backwards)
    if is_sorted:
        return _page([walk.sorted(found.bits, place)], offset, size, is_backwards)
    stretches, offset = _stretches(walk, known, place, wanted, offset)
    if len(stretches) == 1 and (rows := _walked(walk, stretches[0], wanted, offset)) is not None:
        return Page(*given(rows[offset : offset + size + 1]), size, is_backwards)
    return _page([walk.sql(stretch, wanted) for stretch in stretches], offset, size, is_backwards)


def _page(parts: list[tuple[str, list[Any]]], offset: int, size: int, is_backwards: bool) -> Page:
    """The parts one after the other."""
    whole = " UNION ALL ".join(f"({sql})" for sql, _ in parts)
    sql = f"SELECT row_number() OVER () AS place, w.* FROM ({whole} OFFSET %s LIMIT %s) w"
    return Page(sql, [*(each for _, mine in parts for each in mine), offset, size + 1], size, is_backwards)


def _column(order: Order, *, is_small: bool) -> tuple[str, str] | None:
    """The expressions for value and label that an order by a column compares."""
    if order.by != "key":
        return ("sort_name" if order.by == "name" else "ref"), "''"
    if order.key == "metadata.name" and is_small:
        return 'lower(name) COLLATE "C"', "CASE WHEN name = lower(name) THEN '' ELSE name END COLLATE \"C\""
    return None


@dataclass(frozen=True)
class _Stretch:
    """A part of the order, from `low` to before `high` ("" and "": all of it), and who of the found set is there;
    `among`: how many entities are there at all."""

    bits: int
    among: int
    place: Place | None = None
    low: str = ""
    high: str = ""


def _stretches(
    walk: _Walk, known: Needed | None, place: Place | None, wanted: int, offset: int
) -> tuple[list[_Stretch], int]:
    """The stretches that hold the page, and what of the offset is left in the first. References begin with the kind:
    kinds without any of the set are not walked through."""
    found = walk.found
    if walk.column != "ref" or known is None or known.kinds is None or not known.kinds.rows:
        return [_Stretch(found.bits, found.there, place)], offset
    kinds: dict[str, int] = {}
    for row in known.kinds.rows:
        kinds[row.value] = kinds.get(row.value, 0) | row.set_of()
    stretches, sure = list[_Stretch](), 0
    for kind in sorted(kinds, key=lambda kind: f"{kind}:", reverse=walk.is_down):
        low, high, here = f"{kind}:", f"{kind};", kinds[kind] & found.bits
        at = place[0] or "" if place else ""
        if not here or (place and (low > at if walk.is_down else high <= at)):
            continue
        count = here.bit_count()
        if not place and not stretches and offset >= count:
            offset -= count
            continue
        is_inside = low <= at < high
        stretches.append(_Stretch(here, kinds[kind].bit_count(), place if is_inside else None, low, high))
        sure += 0 if is_inside else count
        if sure >= wanted:
            break
    return stretches or [_Stretch(0, 0)], offset


def _walked(walk: _Walk, stretch: _Stretch, wanted: int, offset: int) -> list[tuple[int, str | None, str]] | None:
    """The page's rows of a thin set: walked for, sorted where that does not find them soon; None for no thin set."""
    count = stretch.bits.bit_count()
    if count * THIN > stretch.among:
        return None
    most = SURELY * wanted * stretch.among // max(count, 1)
    if not is_few(count, stretch.among, wanted):
        sql, parameters = walk.begun(stretch, most, wanted)
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            rows = [(number, value, label) for number, value, label in cursor.fetchall()]
        if not rows or rows[-1][0] >= 0:
            return rows
    sql, parameters = walk.sorted(stretch.bits, stretch.place)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT num, value, label FROM ({sql} LIMIT %s) w", [*parameters, wanted])
        return [(number, value, label) for number, value, label in cursor.fetchall()]


class _Walk:
    """Along an index of entities, or through a set that is small."""

    def __init__(self, found: FoundSet, column: tuple[str, str], *, is_down: bool) -> None:
        self.found, self.is_down = found, is_down
        self.column, self.label = column
        self.way, self.than = ("DESC", "<") if is_down else ("ASC", ">")

    def sorted(self, bits: int, place: Place | None) -> tuple[str, list[Any]]:
        """Each looked up, then sorted."""
        behind = "" if place is None else f"WHERE (value, label, num) {self.than} (%s, %s, %s)"
        sql = (
            f"WITH matched AS (SELECT {self.column} AS value, {self.label} AS label, num FROM catalog_entity"
            f" WHERE organisation_id = %s AND num = ANY(%s::int[]))"
            f" SELECT num, value, label FROM matched {behind}"
            f" ORDER BY value {self.way}, label {self.way}, num {self.way}"
        )
        numbers = sets.written(sets.numbers_of(bits))
        return sql, [self.found.organisation_id, numbers, *(place or ())]

    def sql(self, stretch: _Stretch, wanted: int) -> tuple[str, list[Any]]:
        """A stretch, whichever way costs less."""
        if is_few(stretch.bits.bit_count(), stretch.among, wanted):
            return self.sorted(stretch.bits, stretch.place)
        walk, parameters = self._entries(stretch)
        if self.column == "sort_name" and stretch.bits == self.found.live:
            return walk, parameters
        # OFFSET 0: the planner thinks that hardly any number is in the set, and would sort everything instead.
        inside = IN_SET.format(num="w.num")
        return f"SELECT w.* FROM ({walk} OFFSET 0) w WHERE {inside}", [*parameters, *tested(stretch.bits)]

    def begun(self, stretch: _Stretch, most: int, wanted: int) -> tuple[str, list[Any]]:
        """A walk that ends after so many entries: where that was not the end, with a row that has the number -1."""
        walk, parameters = self._entries(stretch)
        inside = IN_SET.format(num="w.num")
        sql = (
            f"(SELECT w.num, w.value, w.label FROM ({walk} LIMIT %s) w WHERE {inside})"
            f" UNION ALL (SELECT -1, '', '' FROM ({walk} OFFSET %s LIMIT 1) w) LIMIT %s"
        )
        return sql, [*parameters, most, *tested(stretch.bits), *parameters, most, wanted]

    def _entries(self, stretch: _Stretch) -> tuple[str, list[Any]]:
        """Entries of the index of the order."""
        there = "AND removed_at IS NULL" if self.column == "sort_name" else ""
        sql, parameters = "", list[Any]()
        if stretch.high:
            sql, parameters = f"AND {self.column} >= %s AND {self.column} < %s", [stretch.low, stretch.high]
        if stretch.place is not None:
            value, _, number = stretch.place
            sql += f" AND {self.column} {self.than}= %s AND ({self.column}, num) {self.than} (%s, %s)"
            parameters += [value or "", value or "", number]
        walk = (
            f"SELECT num, {self.column} AS value, '' AS label FROM catalog_entity"
            f" WHERE organisation_id = %s {there} {sql}"
            f" ORDER BY {self.column} {self.way}, num {self.way}"
        )
        return walk, [self.found.organisation_id, *parameters]
