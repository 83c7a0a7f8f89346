"""Along the values of a key in the index, each tested against a set."""

# ruff: noqa: S608  # the pieces of SQL that are put together here are all our own constants
from __future__ import annotations

from typing import Any

from catalog.index.pages import IN_SET, Order, Place, tested
from catalog.index.reading import FoundSet

NAME = "metadata.name"
_IN_BLOCK = f"get_bit(b.bits, i) = 1 AND {IN_SET.format(num='(b.base + i)')}"


class KeyWalk:
    """Rows of (num, value, label), at every value that an entity has: where each has one, its sets stand behind one
    another, and a walk gives the order itself."""

    def __init__(self, found: FoundSet, order: Order, is_backwards: bool, most: int, *, is_all: bool = False) -> None:
        """`is_all`: the found set is everybody who has the key."""
        self.found, self.key, self.most, self.is_all = found, order.key, most, is_all
        self.is_descending = order.is_descending
        is_down = order.is_descending != is_backwards
        self.way, self.than = ("DESC", "<") if is_down else ("ASC", ">")
        # Reckoned from the block, so that it is made for blocks only: left free, the planner makes it for every value.
        last = "octet_length(b.bits) * 8 - 1"
        self.steps = f"{last}, 0, -1" if is_down else f"0, {last}"
        self.inside = tested(found.bits)

    def sql(self, place: Place | None, offset: int = 0, *, most: int | None = None) -> tuple[str, list[Any]]:
        """From the place on, or behind so many of the first. A nested loop keeps the order of the walk: the sets of a
        value are read when their turn comes, and no further than the page."""
        wanted = self.most if most is None else most
        facts, parameters = self._facts(*self._start(place))
        members, inner = self._members(place, wanted + offset)
        sql = f"SELECT m.num, f.value, f.label FROM ({facts}) f {members} OFFSET %s LIMIT %s"
        return sql, [*parameters, *inner, offset, wanted]

    def begun(self, place: Place | None, most: int) -> tuple[str, list[Any]]:
        """A walk that ends after so many values: where that was not the end, with a row that has the number -1."""
        entries, parameters = self._entries(*self._start(place))
        first = f"SELECT * FROM ({entries} LIMIT %s) r WHERE {self._tested()} OFFSET 0"
        members, inner = self._members(place, self.most)
        sql = (
            f"(SELECT m.num, f.value, f.label FROM ({first}) f {members})"
            f" UNION ALL (SELECT -1, '', '' FROM ({entries} OFFSET %s LIMIT 1) w) LIMIT %s"
        )
        return sql, [*parameters, most, *self.inside, *inner, *parameters, most, self.most]

    def settled(self, place: Place | None, offset: int) -> tuple[str, list[Any]]:
        """Each entity at the first of its values in the order, told from all values: it grows with them."""
        facts, parameters = self._facts("", [])
        members, inner = self._members(None, None)
        first = "DESC" if self.is_descending else "ASC"
        behind = "" if place is None else f"WHERE (value, label, num) {self.than} (%s, %s, %s)"
        sql = (
            "SELECT num, value, label FROM (SELECT DISTINCT ON (m.num) m.num, f.value, f.label"
            f" FROM ({facts}) f {members} ORDER BY m.num, f.value {first}, f.label {first}) w {behind}"
            f" ORDER BY value {self.way}, label {self.way}, num {self.way} OFFSET %s LIMIT %s"
        )
        return sql, [*parameters, *inner, *(place or ()), offset, self.most]

    def _start(self, place: Place | None) -> tuple[str, list[Any]]:
        within, parameters = "", list[Any]()
        if self.found.between and self.key == NAME:
            within, parameters = "AND value >= %s AND value <= %s", list(self.found.between)
        if place is None:
            return within, parameters
        start = f"{within} AND value {self.than}= %s AND (value, label) {self.than}= (%s, %s)"
        return start, [*parameters, place[0], place[0], place[1]]

    def _entries(self, start: str, parameters: list[Any], tested: str = "") -> tuple[str, list[Any]]:
        sql = (
            "SELECT value, label, n, one, members, blocks FROM catalog_fact WHERE organisation_id = %s"
            " AND key_id = (SELECT id FROM catalog_factkey WHERE organisation_id = %s AND key = %s)"
            f" {start} {tested} ORDER BY value {self.way}, label {self.way}"
        )
        return sql, [self.found.organisation_id, self.found.organisation_id, self.key, *parameters]

    def _tested(self) -> str:
        return f"(one IS NULL OR {IN_SET.format(num='one')})"

    def _facts(self, start: str, parameters: list[Any]) -> tuple[str, list[Any]]:
        if self.is_all:
            entries, parameters = self._entries(start, parameters)
            return f"{entries} OFFSET 0", parameters
        entries, parameters = self._entries(start, parameters, f"AND {self._tested()}")
        return f"{entries} OFFSET 0", [*parameters, *self.inside]

    def _members(self, place: Place | None, most: int | None) -> tuple[str, list[Any]]:
        """Who of the set has the value `f`, as `m`."""
        # A value without blocks must not look at anybody's: the planner may read the table whole for each.
        block = (
            "SELECT chunk * 8192 AS base, bits FROM catalog_factblock WHERE f.blocks IS NOT NULL"
            f" AND organisation_id = %s AND blocks = f.blocks ORDER BY chunk {self.way} OFFSET 0"
        )
        begin = "" if place is None else f"AND ((f.value, f.label) {self.than} (%s, %s) OR {{num}} {self.than} %s)"
        at = [] if place is None else [place[0], place[1], place[2]]
        bound = "" if most is None else "LIMIT %s"
        sql = (
            f"CROSS JOIN LATERAL (SELECT f.one AS num WHERE f.one IS NOT NULL {begin.format(num='f.one')}"
            " UNION ALL"
            f" (SELECT u.num FROM unnest(f.members) WITH ORDINALITY AS u (num, at)"
            f" WHERE {IN_SET.format(num='u.num')} {begin.format(num='u.num')} ORDER BY u.at {self.way})"
            " UNION ALL"
            f" (SELECT b.base + i FROM ({block}) b CROSS JOIN LATERAL generate_series({self.steps}) AS i"
            f" WHERE {_IN_BLOCK} {begin.format(num='(b.base + i)')} {bound})"
            ") m"
        )
        parameters = [*at, *self.inside, *at, self.found.organisation_id, *self.inside, *at]
        return sql, parameters if most is None else [*parameters, most]

    def equals(self, offset: int, bound: int) -> tuple[str, list[Any]]:
        """Rows of (num, how many come before the first value): of the values that the next so many behind the offset
        have, everybody; at most `bound`. One value in several spellings is one."""
        begin, start, before, past, parameters = "", "", "0", "0", list[Any]()
        if offset:
            skip, parameters = self._skip(offset)
            begin, start = f"WITH skip AS MATERIALIZED ({skip}) ", f"AND value {self.than}= (SELECT value FROM skip)"
            before, past = "(SELECT before FROM skip)", "(SELECT %s - before FROM skip)"
        facts, more = self._facts(start, [])
        members, inner = self._members(None, None)
        sql = (
            f"{begin}SELECT num, {before} AS before FROM (SELECT m.num, f.value FROM ({facts}) f {members}"
            f" ORDER BY f.value {self.way} FETCH FIRST ({past} + %s) ROWS WITH TIES) w LIMIT %s"
        )
        return sql, [*parameters, *more, *inner, *([offset] if offset else []), self.most, bound]

    def _skip(self, offset: int) -> tuple[str, list[Any]]:
        """The value at which so many are passed, and how many have a value before it: `before`. Values are counted
        without being looked into where all who have them are meant."""
        facts, parameters = self._facts("", [])
        if self.is_all:
            count, inner = "n", list[Any]()
        else:
            in_block = f"CROSS JOIN LATERAL generate_series(0, octet_length(b.bits) * 8 - 1) i WHERE {_IN_BLOCK}"
            count = (
                "CASE WHEN one IS NOT NULL THEN 1 WHEN blocks IS NULL THEN"
                f" (SELECT count(*) FROM unnest(members) u (num) WHERE {IN_SET.format(num='u.num')})"
                " ELSE (SELECT count(*) FROM (SELECT chunk * 8192 AS base, bits FROM catalog_factblock"
                f"  WHERE organisation_id = %s AND blocks = c.blocks) b {in_block}) END"
            )
            inner = [*self.inside, self.found.organisation_id, *self.inside]
        order = f"ORDER BY value {self.way}"
        sql = (
            "SELECT value, coalesce(before, 0)::bigint AS before FROM ("
            f"SELECT value, sum(here) OVER ({order}, label {self.way} ROWS UNBOUNDED PRECEDING),"
            f" sum(here) OVER ({order} GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before"
            f" FROM (SELECT value, label, {count} AS here FROM ({facts}) c OFFSET 0) counted) w WHERE sum > %s LIMIT 1"
        )
        return sql, [*inner, *parameters, offset]
