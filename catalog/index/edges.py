"""Relations as one end says them, and what they make of both ends.

An edge is said by one entity about another reference, which need not exist: its row stands under the one who says it.
The other direction is there because this one is; either end may say it, and it is gone when neither does.
"""

# ruff: noqa: S608  # the pieces of SQL that are put together here are all our own constants
from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from catalog.descriptors.kinds import REVERSE
from catalog.index.bulk import run

# The place of a type in this list stands in the table: types are only ever added, at the end.
TYPES = (
    "ownedBy", "ownerOf", "partOf", "hasPart", "providesApi", "apiProvidedBy", "consumesApi", "apiConsumedBy",
    "dependsOn", "dependencyOf", "parentOf", "childOf", "memberOf", "hasMember",
)  # fmt: skip
NUMBERS: Mapping[str, int] = {name: number for number, name in enumerate(TYPES)}

# (type, the other end), as said by somebody
Said = tuple[str, str]

# One look-up in one index for each row of `w`, or of `e`. OFFSET 0: the planner may not make one join of them, which it
# does badly while it knows nothing of an organisation yet: it takes the condition on the organisation alone for a
# precise one. That it cannot take the wrong index for the right one here is why both indexes of edges begin with what
# is looked up. Entities have many indexes that begin with the organisation: they are asked for once, all together.
_ENTITIES = (
    "(SELECT num, ref FROM catalog_entity WHERE organisation_id = %s AND ref = ANY(%s::text[]) AND removed_at IS NULL"
    " OFFSET 0) e"
)
_SAYS = "CROSS JOIN LATERAL (SELECT * FROM catalog_edge WHERE organisation_id = %s AND num = {num}{typed} OFFSET 0) x"
_OF = "CROSS JOIN LATERAL (SELECT * FROM catalog_edge WHERE organisation_id = %s AND target = w.ref{typed} OFFSET 0) x"
_TYPED = " AND type = ANY(%s::int[])"
_SAYS_OF_TYPE = _SAYS.format(num="e.num", typed=_TYPED)
# What others say of references, of some types, and who they are: all of them asked for at once, as above.
_SAID_OF = (
    "WITH said AS MATERIALIZED ("
    f" SELECT w.ref, x.type, x.num FROM unnest(%s::text[]) AS w (ref) {_OF.format(typed=_TYPED)})"
)
_BY_WHOM = (
    "SELECT s.ref, true, s.type, o.ref{more} FROM said s JOIN (SELECT num, ref FROM catalog_entity"
    " WHERE organisation_id = %s AND num = ANY(ARRAY(SELECT num FROM said)) OFFSET 0) o ON o.num = s.num"
)
_THIS = (
    "CROSS JOIN LATERAL (SELECT ctid AS at FROM catalog_edge WHERE organisation_id = %s AND num = {num}"
    " AND type = w.type AND target = w.target OFFSET 0) x"
)


def said_by(organisation_id: int, numbers: Collection[int]) -> dict[int, set[Said]]:
    """What each of these entities says: one statement."""
    found: dict[int, set[Said]] = {number: set() for number in numbers}
    if found:
        rows = run(
            f"SELECT w.num, x.type, x.target FROM unnest(%s::int[]) AS w (num) {_SAYS.format(num='w.num', typed='')}",
            list(found),
            organisation_id,
        )
        for number, kind, target in rows:
            found[number].add((TYPES[kind], target))
    return found


def of_entities(organisation_id: int, places: Mapping[int, str]) -> dict[int, set[Said]]:
    """All relations of entities, given as number -> reference, whoever says them: two statements."""
    found: dict[int, set[Said]] = {number: set() for number in places}
    if not found:
        return found
    rows = run(
        f"SELECT w.num, NULL, x.type, x.target FROM unnest(%s::int[]) AS w (num) {_SAYS.format(num='w.num', typed='')}"
        " UNION ALL"
        f" SELECT w.num, x.num, x.type, NULL FROM unnest(%s::int[], %s::text[]) AS w (num, ref) {_OF.format(typed='')}",
        list(places),
        organisation_id,
        list(places),
        list(places.values()),
        organisation_id,
    )
    refs = _refs(organisation_id, {by for _, by, *_ in rows if by is not None}, places)
    for number, by, kind, target in rows:
        found[number].add((TYPES[kind], target) if by is None else (REVERSE[TYPES[kind]], refs[by]))
    return found


def said_about(organisation_id: int, places: Mapping[str, int]) -> dict[int, set[Said]]:
    """What others say of entities, given as reference -> number, told from their end: of those of whom anything is
    said. Two statements."""
    rows = run(
        f"SELECT w.num, x.num, x.type FROM unnest(%s::text[], %s::int[]) AS w (ref, num) {_OF.format(typed='')}",
        list(places),
        list(places.values()),
        organisation_id,
    )
    refs = _refs(organisation_id, {by for _, by, _ in rows}, {number: ref for ref, number in places.items()})
    found = defaultdict[int, set[Said]](set)
    for number, by, kind in rows:
        found[number].add((REVERSE[TYPES[kind]], refs[by]))
    return found


def _refs(organisation_id: int, numbers: set[int], known: Mapping[int, str]) -> dict[int, str]:
    """What the entities with these numbers are called; at most one statement."""
    unknown = numbers - known.keys()
    if not unknown:
        return dict(known)
    rows = run(
        "SELECT num, ref FROM catalog_entity WHERE organisation_id = %s AND num = ANY(%s::int[])",
        organisation_id,
        list(unknown),
    )
    return {**known, **dict(rows)}


def from_refs(organisation_id: int, refs: Collection[str], types: Collection[str] = TYPES) -> set[tuple[str, str, str]]:
    """(reference, type, other end) of the relations of these references, of these types, whoever says them: one
    statement. A reference that nobody describes has those that others say of it."""
    return {edge[:3] for edge in with_authors(organisation_id, refs, types)}


def with_authors(
    organisation_id: int, refs: Collection[str], types: Collection[str] = TYPES
) -> set[tuple[str, str, str, int]]:
    """The same with the number of the entity that says it, one of the two ends; twice when both do."""
    if not refs:
        return set()
    wanted = sorted(set(refs))
    rows = run(
        f"{_SAID_OF} SELECT e.ref, false, x.type, x.target, x.num FROM {_ENTITIES} {_SAYS_OF_TYPE}"
        f" UNION ALL {_BY_WHOM.format(more=', s.num')}",
        *_asked(organisation_id, wanted, types),
    )
    return {
        (ref, REVERSE[TYPES[kind]] if is_mirrored else TYPES[kind], other, author)
        for ref, is_mirrored, kind, other, author in rows
    }


def _asked(organisation_id: int, refs: list[str], types: Collection[str]) -> list[Any]:
    """The parameters of _SAID_OF, _ENTITIES with what they say, and _BY_WHOM, in this order."""
    mirrored, own = [NUMBERS[REVERSE[kind]] for kind in types], [NUMBERS[kind] for kind in types]
    return [refs, organisation_id, mirrored, organisation_id, refs, organisation_id, own, organisation_id]


def around(
    organisation_id: int, refs: Collection[str], types: Collection[str], *, most: int
) -> list[tuple[str, str, str]]:
    """(reference, type, other end) of their relations of these types, whoever says them: one statement."""
    wanted = sorted(set(refs))
    rows = run(
        f"{_SAID_OF} SELECT e.ref, false, x.type, x.target FROM {_ENTITIES} {_SAYS_OF_TYPE}"
        f" UNION ALL {_BY_WHOM.format(more='')} LIMIT %s",
        *_asked(organisation_id, wanted, types),
        most,
    )
    return sorted(
        {(ref, REVERSE[TYPES[kind]] if is_mirrored else TYPES[kind], other) for ref, is_mirrored, kind, other in rows}
    )


def who_says(organisation_id: int, edges: Collection[tuple[int, str, str]]) -> set[tuple[int, str, str]]:
    """Those of these edges (number, type, other end) that the entity with the number says: one statement."""
    if not edges:
        return set()
    wanted = list(edges)
    rows = run(
        "SELECT w.place FROM unnest(%s::int[], %s::int[], %s::text[]) WITH ORDINALITY AS w (num, type, target, place)"
        f" {_THIS.format(num='w.num')}",
        *_columns((number, (kind, target)) for number, kind, target in wanted),
        organisation_id,
    )
    return {wanted[place - 1] for (place,) in rows}


def write(organisation_id: int, gone: Iterable[tuple[int, Said]], fresh: Iterable[tuple[int, Said]]) -> None:
    """Takes edges away and adds others, each under the number of who says it."""
    if over := list(gone):
        run(
            "DELETE FROM catalog_edge d USING (SELECT x.at FROM unnest(%s::int[], %s::int[], %s::text[])"
            f" AS w (num, type, target) {_THIS.format(num='w.num')}) x WHERE d.organisation_id = %s AND d.ctid = x.at",
            *_columns(over),
            organisation_id,
            organisation_id,
        )
    if new := list(fresh):
        run(
            "INSERT INTO catalog_edge (organisation_id, num, type, target)"
            " SELECT %s, num, type, target FROM unnest(%s::int[], %s::int[], %s::text[]) AS w (num, type, target)",
            organisation_id,
            *_columns(new),
        )


def _columns(edges: Iterable[tuple[int, Said]]) -> list[list[Any]]:
    flat = [(number, NUMBERS[kind], target) for number, (kind, target) in edges]
    return [[each[place] for each in flat] for place in range(3)]


def how_many(organisation_id: int, wanted: Collection[tuple[int, str, str]]) -> dict[tuple[int, str], int]:
    """For each (number, reference, type) 0, 1, or 2 for more: its relations of the type. Two statements."""
    if not wanted:
        return {}
    asked = list(wanted)
    rows = run(
        "SELECT w.place, NULL, x.target FROM unnest(%s::int[], %s::int[]) WITH ORDINALITY AS w (num, type, place)"
        " CROSS JOIN LATERAL (SELECT target FROM catalog_edge WHERE organisation_id = %s AND num = w.num"
        "  AND type = w.type LIMIT 2) x"
        " UNION ALL"
        " SELECT w.place, x.num, NULL FROM unnest(%s::text[], %s::int[]) WITH ORDINALITY AS w (ref, type, place)"
        " CROSS JOIN LATERAL (SELECT num FROM catalog_edge WHERE organisation_id = %s AND target = w.ref"
        "  AND type = w.type LIMIT 2) x",
        [number for number, *_ in asked],
        [NUMBERS[kind] for *_, kind in asked],
        organisation_id,
        [ref for _, ref, _ in asked],
        [NUMBERS[REVERSE[kind]] for *_, kind in asked],
        organisation_id,
    )
    refs = _refs(
        organisation_id, {by for _, by, _ in rows if by is not None}, {number: ref for number, ref, _ in asked}
    )
    others = defaultdict[int, set[str]](set)
    for place, by, target in rows:
        others[place].add(target if by is None else refs[by])
    return {(number, kind): min(len(others[place]), 2) for place, (number, _, kind) in enumerate(asked, 1)}
