"""The rows of a page of a list: in the order of the index, or segment by segment and by name within each."""

# ruff: noqa: S608  # the pieces of SQL that are put together here are all our own constants
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from catalog.index import sets
from catalog.index.ordering import Order, Page, is_few, page
from catalog.index.reading import FoundSet
from catalog.models import Entity

# An Entity; beside it stand `is_starred`, `order_value` and `order_label` (its place), and `tier` where that is shown.
Row = Any
LISTED = (
    "id", "num", "uid", "organisation_id", "kind", "namespace", "name", "ref", "title", "description", "type",
    "lifecycle", "owner_ref", "owner_how", "system_ref", "tags", "sort_name",
)  # fmt: skip

# The value, the name and the number of a row: where a page begins or ends.
Place = tuple[str | None, str, int]


@dataclass(frozen=True)
class Segment:
    """A stretch of the order: a value, None for none, and the set of who has it."""

    value: str | None
    bits: int


@dataclass(frozen=True)
class Rows:
    """Reads rows for one person: their star stands beside each."""

    organisation_id: int
    user_id: int

    def read(self, sql: str, parameters: Sequence[Any]) -> list[Row]:
        """`sql` gives (place, num, value, label). One statement."""
        names = ", ".join(f"e.{name}" for name in LISTED)
        whole = (
            f"WITH p AS MATERIALIZED ({sql}) SELECT {names}, p.value AS order_value, p.label AS order_label,"
            " EXISTS (SELECT 1 FROM lists_star s WHERE s.organisation_id = %s AND s.user_id = %s"
            "  AND s.entity_uid = e.uid) AS is_starred"
            " FROM p JOIN catalog_entity e ON e.organisation_id = %s AND e.num = p.num ORDER BY p.place"
        )
        here = [self.organisation_id, self.user_id]
        return list(Entity.objects.raw(whole, [*parameters, *here, self.organisation_id]))


def of_page(rows: Rows, chosen: Page) -> tuple[list[Row], bool]:
    """The rows of a page of the index, and whether there are more that way."""
    return chosen.cut(rows.read(chosen.sql, chosen.parameters))


def in_segments(
    rows: Rows, found: FoundSet, segments: Sequence[Segment], size: int, place: Place | None, *, is_back: bool
) -> tuple[list[Row], bool]:
    """A page that begins behind, or ends before, a place; by name within each segment.

    Small segments are read together, a large one is walked along the index: as a rule one statement.
    """
    walk = _Walk(rows, found, size + 1, is_back=is_back)
    for segment, at in _turns(segments, place, is_back=is_back):
        if not walk.take(segment, at):
            break
    shown = walk.flush()
    is_more, shown = len(shown) > size, shown[:size]
    return (shown[::-1] if is_back else shown), is_more


def _turns(
    segments: Sequence[Segment], place: Place | None, *, is_back: bool
) -> list[tuple[Segment, tuple[str, int] | None]]:
    """The segments from the place on, or from it backwards, the first with where in it the page begins."""
    ordered = list(segments[::-1] if is_back else segments)
    if place is None:
        return [(segment, None) for segment in ordered]
    at = next((n for n, segment in enumerate(ordered) if segment.value == place[0]), None)
    if at is None:  # whoever had the value is gone: on with the next
        is_up = len(segments) < 2 or (segments[0].value or "") <= (segments[-2].value or "")
        behind = [n for n, s in enumerate(ordered) if _is_beyond(s.value, place[0], is_up=is_up != is_back)]
        return [(segment, None) for segment in (ordered[behind[0] :] if behind else [])]
    return [(segment, place[1:] if n == 0 else None) for n, segment in enumerate(ordered[at:])]


def _is_beyond(value: str | None, other: str | None, *, is_up: bool) -> bool:
    if value is None or other is None:
        return value is None
    return value > other if is_up else value < other


class _Walk:
    """Collects rows until there are enough."""

    def __init__(self, rows: Rows, found: FoundSet, enough: int, *, is_back: bool) -> None:
        self.rows, self.found, self.enough, self.is_back = rows, found, enough, is_back
        self.read = list[Row]()
        self.waiting = list[tuple[Segment, tuple[str, int] | None]]()
        self.sure = 0  # so many of those that wait are certainly shown

    def take(self, segment: Segment, at: tuple[str, int] | None) -> bool:
        """Takes a segment in; False when there is enough."""
        count = segment.bits.bit_count()
        if is_few(count, self.found.there, self.enough):
            self.waiting.append((segment, at))
            self.sure += count if at is None else 0
        else:
            self.flush()
            self._large(segment, at)
        return len(self.read) + self.sure < self.enough

    def _large(self, segment: Segment, at: tuple[str, int] | None) -> None:
        left = self.enough - len(self.read)
        if left <= 0:
            return
        place = (at[0], "", at[1]) if at else None
        chosen = page(self.found.within(segment.bits), Order("name"), size=left - 1, place=place,
                      is_backwards=self.is_back)  # fmt: skip
        more = self.rows.read(chosen.sql, chosen.parameters)
        for row in more:
            row.order_value = segment.value
        self.read += more

    def flush(self) -> list[Row]:
        """Reads what waits, in one statement; returns everything read."""
        waiting, self.waiting, self.sure = self.waiting, [], 0
        left = self.enough - len(self.read)
        if not waiting or left <= 0:
            return self.read
        numbers = list[int]()
        places = list[int]()
        begin: tuple[int, str, int] | None = None
        for n, (segment, at) in enumerate(waiting):
            members = list(sets.numbers_of(segment.bits))
            numbers += members
            places += [n] * len(members)
            if at is not None:
                begin = (n, *at)
        way, than = ("DESC", "<") if self.is_back else ("ASC", ">")
        behind = f"WHERE w.n <> %s OR (e.sort_name, e.num) {than} (%s, %s)" if begin else ""
        sql = (
            f"SELECT row_number() OVER (ORDER BY w.n, e.sort_name {way}, e.num {way}) AS place, e.num,"
            " w.n::text AS value, '' AS label FROM unnest(%s::int[], %s::int[]) AS w (num, n)"
            f" JOIN catalog_entity e ON e.organisation_id = %s AND e.num = w.num {behind} ORDER BY 1 LIMIT %s"
        )
        more = self.rows.read(
            sql, [sets.written(numbers), sets.written(places), self.found.organisation_id, *(begin or ()), left]
        )
        for row in more:
            row.order_value = waiting[int(row.order_value or 0)][0].value
        self.read += more
        return self.read
