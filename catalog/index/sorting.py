"""The members of a set looked up and sorted: what a page costs least with where the set is small, or lies together."""

# ruff: noqa: S608  # the pieces of SQL that are put together here are all our own constants
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from catalog.index import sets
from catalog.index.pages import Place

Column = Literal["sort_name", "ref", "name"]

# A reference ends with the name, in lower case, and stands in the index of numbers; the name itself does not.
_NAME = "split_part(ref, '/', 2) COLLATE \"C\""
_SPELT = "CASE WHEN e.name = m.value THEN '' ELSE e.name END COLLATE \"C\""


@dataclass(frozen=True)
class Sorting:
    """Gives SQL for rows of (num, value, label)."""

    organisation_id: int
    column: Column
    is_down: bool

    def sql(self, bits: int, place: Place | None, most: int) -> tuple[str, list[Any]]:
        """The first so many of the set behind the place, in their order."""
        way, than = ("DESC", "<") if self.is_down else ("ASC", ">")
        value = _NAME if self.column == "name" else self.column
        sql = (
            f"WITH matched AS MATERIALIZED (SELECT {value} AS value, num FROM catalog_entity"
            f" WHERE organisation_id = %s AND num = ANY(%s::int[])) "
        )
        parameters = [self.organisation_id, sets.written(sets.numbers_of(bits))]
        if self.column != "name":
            behind = "" if place is None else f"WHERE (value, num) {than} (%s, %s)"
            sql += f"SELECT num, value, '' AS label FROM matched {behind} ORDER BY value {way}, num {way} LIMIT %s"
            return sql, [*parameters, *([] if place is None else [place[0] or "", place[2]]), most]
        # How a name is spelt stands in the row alone: it is looked up of those that the page may show.
        if place is None:
            near, here = "", []
        else:
            near, here = f"WHERE value {than} %s", [place[0]]
        sql += (
            f", near AS MATERIALIZED ((SELECT num, value FROM matched {near}"
            f" ORDER BY value {way} FETCH FIRST (%s) ROWS WITH TIES)"
        )
        parameters += [*here, most]
        if place is not None:
            sql += " UNION ALL SELECT num, value FROM matched WHERE value = %s"
            parameters.append(place[0])
        behind = "" if place is None else f"WHERE (value, label, num) {than} (%s, %s, %s)"
        sql += (
            f") SELECT num, value, label FROM (SELECT m.num, m.value, {_SPELT} AS label FROM near m"
            " JOIN catalog_entity e ON e.organisation_id = %s AND e.num = m.num) w"
            f" {behind} ORDER BY value {way}, label {way}, num {way} LIMIT %s"
        )
        return sql, [*parameters, self.organisation_id, *(place or ()), most]
