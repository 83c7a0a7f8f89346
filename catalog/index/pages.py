"""What a page of entities is: an order, a place in it, and the piece of SQL that gives its numbers."""

# ruff: noqa: S608  # the pieces of SQL that are put together here are all our own constants
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from catalog.index import sets

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


def given(rows: Iterable[tuple[int, str | None, str]]) -> tuple[str, list[Any]]:
    """SQL that gives these rows of (number, value, label)."""
    known = list(rows)
    sql = (
        "SELECT place, num, value, label FROM unnest(%s::int[], %s::text[], %s::text[])"
        " WITH ORDINALITY AS w (num, value, label, place)"
    )
    return sql, [[row[0] for row in known], [row[1] for row in known], [row[2] for row in known]]


def listed(numbers: Sequence[int], *, size: int | None = None) -> Page:
    """A page of these entities in this order."""
    sql, parameters = given((number, None, "") for number in numbers)
    return Page(sql, parameters, len(numbers) if size is None else size)


# What a walk tests each number with; a number beyond the set's last byte is not in it.
IN_SET = "CASE WHEN {num} < %s THEN get_bit(%s::bytea, {num}) ELSE 0 END = 1"


def tested(bits: int) -> list[Any]:
    """The parameters of IN_SET."""
    packed = sets.to_bytes(bits)
    return [len(packed) * 8, packed]


def whichever(walk: tuple[str, list[Any]], sorting: tuple[str, list[Any]]) -> tuple[str, list[Any]]:
    """The rows of a walk; where it ended too soon, which a row with the number -1 tells, those that were sorted, which
    is not done otherwise."""
    ended = "EXISTS (SELECT 1 FROM walked WHERE num < 0)"
    sql = (
        f"WITH walked AS MATERIALIZED ({walk[0]}) SELECT num, value, label FROM walked WHERE NOT {ended}"
        f" UNION ALL SELECT num, value, label FROM ({sorting[0]}) sorted WHERE {ended}"
    )
    return sql, [*walk[1], *sorting[1]]


# A set thinner than this part is walked for no longer than it is likely to take, times SURELY.
THIN, SURELY = 10, 3
# Looking one number up costs as much as passing so many entries of an index; reading its document, so many.
PASSED, READ = 10, 80
# So few are looked up, or read, whatever it costs.
FEW, FEW_READ = 64, 40


def is_few(count: int, among: int, wanted: int, *, is_read: bool = False) -> bool:
    """Whether `count` entities of `among` are sooner looked up (or their documents read) and sorted than met on a walk
    that wants so many."""
    cost, least = (READ, FEW_READ) if is_read else (PASSED, FEW)
    return count <= least or count * count * cost <= wanted * among
