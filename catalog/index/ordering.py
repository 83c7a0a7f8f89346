"""Pages of what was found: by name, by reference or by any key, forwards and backwards from a place.

A page is a piece of SQL whose rows are numbers in their order: whoever shows entities joins what it shows. Large sets
are walked along an index, each number tested against the set; small ones are sorted. Which costs less is reckoned. A
walk for a thin set stops where its members do not lie as reckoned; then the set is sorted.
"""

# ruff: noqa: S608  # the pieces of SQL that are put together here are all our own constants
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from catalog.asking.filters import Exists
from catalog.index import keyed
from catalog.index.pages import IN_SET, SURELY, THIN, Order, Page, Place, is_few, listed, tested, whichever
from catalog.index.reading import LAST, FoundSet, IndexQuestion, Value, Values, WantedSet
from catalog.index.sorting import Sorting
from catalog.index.walking import NAME, KeyWalk

__all__ = ["Needed", "Order", "Page", "Place", "is_few", "listed", "needed", "page"]

# More kinds than these are not told apart.
MOST_KINDS = 40


@dataclass(frozen=True)
class Needed:
    """What an order must know beside the found set, asked with the filter: who has the key and its values, if those are
    few; for an order by references the kinds, with which references begin; for one by names kinds and namespaces."""

    having: WantedSet | None = None
    values: Values | None = None
    kinds: Values | None = None
    namespaces: Values | None = None


def needed(question: IndexQuestion, order: Order) -> Needed:
    """Asks for it; to be read once the question was asked."""
    if order.by == "key":
        having, values = question.filter(Exists(order.key)), question.values(order.key, few=keyed.MOST_RUNS)
        if order.key != NAME:
            return Needed(having, values)
        kinds, spaces = (question.values(key, few=MOST_KINDS) for key in ("kind", "metadata.namespace"))
        return Needed(having, values, kinds, spaces)
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
    if order.by == "key":
        assert known is not None
        assert known.having is not None
        assert known.values is not None
        if order.key == NAME and (named := _by_name(found, order, size, place, is_backwards, offset, known)):
            return named
        return keyed.page(found, order, known.having.bits, known.values, size, place, is_backwards, offset)
    wanted = size + 1 + offset
    walk = _Walk(found, "sort_name" if order.by == "name" else "ref", is_down=order.is_descending != is_backwards)
    if is_few(found.total, found.there, wanted):
        return _page([walk.sorted(found.bits, place, wanted)], offset, size, is_backwards)
    if place is None and not is_backwards and found.total < offset * 2 and offset + size < found.total:
        return _from_the_end(found, order, size, offset, known)
    stretches, offset = _stretches(walk, known, place, wanted, offset)
    return _page([walk.sql(stretch, wanted) for stretch in stretches], offset, size, is_backwards)


def _by_name(
    found: FoundSet,
    order: Order,
    size: int,
    place: Place | None,
    is_backwards: bool,
    offset: int,
    known: Needed,
) -> Page | None:
    """A small set sorted; entities of one kind in one namespace along their references, which then follow one another
    as their names do; others that are few among all along all names. None for a large set of several kinds."""
    wanted, count, is_down = size + 1 + offset, found.total, order.is_descending != is_backwards
    sorting = Sorting(found.organisation_id, "name", is_down=is_down)
    if is_few(count, found.there, wanted):
        return _page([sorting.sql(found.bits, place, wanted)], offset, size, is_backwards)
    if place is None and not is_backwards and count < offset * 2 and offset + size < count:
        return _from_the_end(found, order, size, offset, known)
    home = _home(found, known)
    if home is not None:
        start, among = home
        low, high = found.between or ("", "")
        at = (f"{start}{place[0]}", "", place[2]) if place else None
        stretch = _Stretch(found.bits, among, at, f"{start}{low}", f"{start}{high}{LAST}")
        inner = _page([_Walk(found, "ref", is_down=is_down).sql(stretch, wanted)], offset, size, is_backwards)
        sql = (
            f"WITH p AS MATERIALIZED ({inner.sql}) SELECT p.place, p.num, split_part(p.value, '/', 2) AS value,"
            " CASE WHEN e.name = split_part(p.value, '/', 2) THEN '' ELSE e.name END AS label"
            " FROM p JOIN catalog_entity e ON e.organisation_id = %s AND e.num = p.num"
        )
        return Page(sql, [*inner.parameters, found.organisation_id], size, is_backwards)
    if count * THIN > found.there:
        return None
    walk = KeyWalk(found, order, is_backwards, wanted)
    most = SURELY * wanted * found.there // max(count, 1)
    either = whichever(walk.begun(place, most), sorting.sql(found.bits, place, wanted))
    return _page([either], offset, size, is_backwards)


def _home(found: FoundSet, known: Needed) -> tuple[str, int] | None:
    """What the references of all of the found set begin with, kind and namespace, and how many begin so; None where
    there are several such."""
    if known.kinds is None or known.namespaces is None:
        return None
    kind, space = _only(found.bits, known.kinds), _only(found.bits, known.namespaces)
    if kind is None or space is None:
        return None
    return f"{kind.value}:{space.value}/", (kind.set_of() & space.set_of()).bit_count()


def _only(bits: int, values: Values) -> Value | None:
    """The one value that all of the set have."""
    for row in values.rows:
        if here := row.set_of() & bits:
            return row if here == bits else None
    return None


def _page(parts: list[tuple[str, list[Any]]], offset: int, size: int, is_backwards: bool) -> Page:
    """The parts one after the other."""
    whole = " UNION ALL ".join(f"SELECT num, value, label FROM ({sql}) part" for sql, _ in parts)
    sql = f"SELECT row_number() OVER () AS place, w.* FROM ({whole} OFFSET %s LIMIT %s) w"
    return Page(sql, [*(each for _, mine in parts for each in mine), offset, size + 1], size, is_backwards)


def _from_the_end(found: FoundSet, order: Order, size: int, offset: int, known: Needed | None) -> Page:
    """A page that the end is nearer to than the beginning, walked from there."""
    there = min(size + 1, found.total - offset)
    turned = Order(order.by, order.key, not order.is_descending)
    inner = page(found, turned, size=there - 1, offset=found.total - offset - there, known=known)
    return Page(f"SELECT -place AS place, num, value, label FROM ({inner.sql}) turned", inner.parameters, size)


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


class _Walk:
    """Along an index of entities, or through a set that is small."""

    def __init__(self, found: FoundSet, column: Literal["sort_name", "ref"], *, is_down: bool) -> None:
        self.found, self.column, self.is_down = found, column, is_down
        self.way, self.than = ("DESC", "<") if is_down else ("ASC", ">")

    def sorted(self, bits: int, place: Place | None, wanted: int) -> tuple[str, list[Any]]:
        """Each looked up, then sorted."""
        return Sorting(self.found.organisation_id, self.column, is_down=self.is_down).sql(bits, place, wanted)

    def sql(self, stretch: _Stretch, wanted: int) -> tuple[str, list[Any]]:
        """A stretch, whichever way costs less: a thin set is walked for as long as its members should take, and sorted
        where they lie elsewhere."""
        count = stretch.bits.bit_count()
        if is_few(count, stretch.among, wanted):
            return self.sorted(stretch.bits, stretch.place, wanted)
        if count * THIN <= stretch.among:
            most = SURELY * wanted * stretch.among // count
            return whichever(self.begun(stretch, most, wanted), self.sorted(stretch.bits, stretch.place, wanted))
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
