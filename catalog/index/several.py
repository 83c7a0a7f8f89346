"""Pages in several orders by keys: where the first has equals, the next one decides.

Nothing but what overlaps the page is put in order. Groups of equals are parted by what is known of the keys; of those
at the ends of the page that are large, the next key's values are walked; then the few that are left are read.
"""

# ruff: noqa: S608  # the pieces of SQL that are put together here are all our own constants
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from django.db import connection

from catalog.index import keyed, said, sets
from catalog.index.pages import Order, Page, listed
from catalog.index.reading import FoundSet, Values
from catalog.index.walking import KeyWalk

# An order by a key, its values if they are few, and the set of who has the key.
Asked = tuple[Order, Values, int]
# Of a walk with all who are equal at its end no more than so many.
MOST_EQUAL = 1500
# A group of no more than so many is read whole.
LARGE = 200


@dataclass(frozen=True)
class _Group:
    """Equals so far, of whom `skipped` are before the page and `wanted` in it, and the orders that part them."""

    bits: int
    orders: tuple[Asked, ...]
    skipped: int = 0
    wanted: int = 0


def by_several(found: FoundSet, orders: Sequence[Asked], *, size: int, offset: int) -> Page:
    """A page; at most three statements beside its own."""
    numbers = _Several(found, size + 1).ordered(_Group(found.bits, tuple(orders), offset, size + 1))
    return listed(numbers, size=size)


class _Several:
    def __init__(self, found: FoundSet, wanted: int) -> None:
        self.found = found
        self.most = max(keyed.MOST_READ, 2 * wanted)

    def ordered(self, whole: _Group) -> list[int]:
        """The numbers of the page."""
        groups = list(_parted(whole))
        if not _is_done(groups) and self._is_large(groups):
            groups = self._told(groups)
        if not _is_done(groups):
            groups = self._read(groups)
        return [number for group in groups for number in _window(group)]

    def _is_large(self, groups: Sequence[_Group]) -> bool:
        left = [group for group in groups if group.orders]
        return sum(group.bits.bit_count() for group in left) > self.most or not all(
            said.is_told(order.key) for group in left for order, _, _ in group.orders
        )

    def _told(self, groups: Sequence[_Group]) -> list[_Group]:
        """The groups parted by all values of the keys that are left: one statement."""
        walked = self._walked(groups)
        if walked is not None:
            return walked
        orders = list({asked[0]: asked for group in groups for asked in group.orders}.values())
        runs = keyed.all_runs(self.found.organisation_id, [(order, having) for order, _, having in orders])
        known = {order: each for (order, _, _), each in zip(orders, runs, strict=True)}
        return [part for group in groups for part in _parted(group, known)]

    def _walked(self, groups: Sequence[_Group]) -> list[_Group] | None:
        """Large groups cut down to the values of their next key that overlap the page: one statement for all. None
        where such a key does not give its order on a walk, or too many are equal there."""
        left = [group for group in groups if group.orders]
        large = [group for group in left if group.bits.bit_count() > LARGE]
        if not large or any(group.orders[0][1].is_many or group.orders[0][1].has_items for group in large):
            return None
        if not all(said.is_told(order.key) for group in left for order, _, _ in group.orders):
            return None
        pieces, parameters = list[str](), list[Any]()
        for n, group in enumerate(large):
            order, _, having = group.orders[0]
            walk = KeyWalk(self.found.within(group.bits), order, False, group.wanted, is_all=group.bits == having)
            sql, mine = walk.equals(group.skipped, MOST_EQUAL)
            pieces.append(f"(SELECT {n}, w.* FROM ({sql}) w)")
            parameters += mine
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(pieces), parameters)
            rows = cursor.fetchall()
        cut = dict[int, tuple[int, int]]()
        for n, number, before in rows:
            bits, _ = cut.get(n, (0, 0))
            cut[n] = (bits | 1 << number, int(before))
        if any(bits.bit_count() >= MOST_EQUAL for bits, _ in cut.values()):
            return None
        places = {id(group): n for n, group in enumerate(large)}
        return [
            replace(group, bits=cut[places[id(group)]][0], skipped=group.skipped - cut[places[id(group)]][1])
            if id(group) in places and places[id(group)] in cut
            else group
            for group in groups
        ]

    def _read(self, groups: Sequence[_Group]) -> list[_Group]:
        """What is left put in order by what the entities themselves say: one statement."""
        every, keys = 0, dict[str, None]()
        for group in groups:
            if group.orders:
                every |= group.bits
                keys.update(dict.fromkeys(order.key for order, _, _ in group.orders))
        names = list(keys)
        known = {
            number: dict(zip(names, each, strict=True))
            for number, each in said.read(self.found.organisation_id, every, names)
        }
        found = list[_Group]()
        for group in groups:
            if not group.orders:
                found.append(group)
                continue
            numbers = [number for number in sets.numbers_of(group.bits) if number in known]
            for order, _, _ in reversed(group.orders):
                numbers = _sorted(numbers, known, order)
            shown = numbers[group.skipped : group.skipped + group.wanted]
            found += [_Group(1 << number, (), 0, 1) for number in shown]
        return found


def _sorted(numbers: list[int], known: Mapping[int, Mapping[str, list[said.Told]]], order: Order) -> list[int]:
    """By the value alone: one in several spellings is one. Who has none comes last in either direction; equals stay as
    they are."""
    having = [number for number in numbers if known[number][order.key]]
    lacking = [number for number in numbers if not known[number][order.key]]
    having.sort(key=lambda number: keyed.stands_at(known[number][order.key], order)[0], reverse=order.is_descending)
    return having + lacking


def _is_done(groups: Sequence[_Group]) -> bool:
    return not any(group.orders for group in groups)


def _window(group: _Group) -> Iterator[int]:
    return islice(sets.numbers_of(group.bits), group.skipped, group.skipped + group.wanted)


def _parted(group: _Group, told: dict[Order, list[keyed.Run]] | None = None) -> Iterator[_Group]:
    """The group as far as sets part it, those parts alone that overlap the page."""
    if not group.wanted:
        return
    if group.bits.bit_count() < 2 or not group.orders or (group.skipped == 0 and group.bits.bit_count() == 0):
        yield replace(group, orders=())
        return
    (order, values, having), *more = group.orders
    if values.rows or not having & group.bits:
        runs = keyed.runs_of(group.bits & having, values.rows, order)
    elif told is not None and order in told:
        runs = [(value, label, bits & group.bits) for value, label, bits in told[order]]
    elif group.bits & having != group.bits:
        runs = []
    else:
        yield group
        return
    parts = dict[str | None, int]()
    for value, _, bits in runs:
        parts[value] = parts.get(value, 0) | bits
    skipped, wanted = group.skipped, group.wanted
    seen = 0
    for bits in parts.values():
        seen |= bits
    pieces = [(bits, tuple(more)) for bits in parts.values()]
    if not pieces and having & group.bits:
        # Who has the key is told from who lacks it; how those who have it follow one another is not known yet.
        pieces = [(group.bits & having, group.orders)]
        seen = group.bits & having
    for bits, orders in [*pieces, (group.bits & ~seen, tuple(more))]:
        count = bits.bit_count()
        if skipped >= count:
            skipped -= count
            continue
        mine = min(wanted, count - skipped)
        yield from _parted(_Group(bits, orders, skipped, mine), told)
        wanted -= mine
        skipped = 0
        if not wanted:
            return
