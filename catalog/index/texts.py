"""The last look at names and titles, which sets alone cannot take: whether a text stands in them."""

# ruff: noqa: S608  # the pieces of SQL that are put together here are all our own constants
from __future__ import annotations

from typing import Any

from django.db import connection

from catalog.index import sets
from catalog.index.pages import IN_SET, tested
from catalog.index.reading import FoundSet

# So many are looked at one by one; of more, where they are a small part of all: then looking at all costs more.
MOST_CHECKED, PART_CHECKED = 5000, 6
# What is cut off of longer titles in `sort_name`.
LONGEST = 200

# The title of who has one begins as the name that they are sorted by, and both that and the reference, which ends with
# the name, stand in the index. A title that is too long to be a fact is not found by text.
_NAME = "split_part(ref, '/', 2) COLLATE \"C\""
_TITLE = (
    f"({IN_SET.format(num='num')} AND strpos(sort_name, %s) > 0 AND (length(sort_name) < %s OR EXISTS (SELECT 1"
    " FROM catalog_entity t WHERE t.organisation_id = %s AND t.num = e.num AND length(t.title) <= %s)))"
)


def having(found: FoundSet, text: str, *, in_name: bool, titled: int = 0) -> FoundSet:
    """Those of the found set in whose name, or in whose title, the text stands: one statement.

    titled: those who have a title, where the title counts
    """
    places, parameters = list[str](), list[Any]()
    if in_name:
        places.append(f"strpos({_NAME}, %s) > 0")
        parameters.append(text)
    if titled:
        places.append(_TITLE)
        parameters += [*tested(titled), text, LONGEST, found.organisation_id, LONGEST]
    if not places or not found.bits:
        return found.within(0)
    # Of many all names are looked at, in the index alone: that costs less than to look so many up.
    who, numbers = "", list[Any]()
    if found.total <= max(MOST_CHECKED, found.there // PART_CHECKED):
        who, numbers = "AND num = ANY(%s::int[])", [sets.written(found.numbers())]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT array_agg(num), min({_NAME}), max({_NAME}) FROM catalog_entity e"
            f" WHERE organisation_id = %s {who} AND ({' OR '.join(places)})",
            [found.organisation_id, *numbers, *parameters],
        )
        known, least, greatest = cursor.fetchone()
    # Names that have a text in common often lie together: a walk need not begin before them.
    between = None if known is None else (least, greatest)
    return FoundSet(found.organisation_id, sets.of_numbers(known or ()) & found.bits, found.live, between)
