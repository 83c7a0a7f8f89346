"""Relations as one end says them, and what they make of both ends.

An edge is said by one entity about another reference, which need not exist: its row stands under the one who says it.
The other direction is there because this one is; either end may say it, and it is gone when neither does.
"""

from __future__ import annotations

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


def said_by(organisation_id: int, numbers: Collection[int]) -> dict[int, set[Said]]:
    """What each of these entities says: one statement."""
    found: dict[int, set[Said]] = {number: set() for number in numbers}
    if found:
        rows = run(
            "SELECT num, type, target FROM catalog_edge WHERE organisation_id = %s AND num = ANY(%s::int[])",
            organisation_id,
            list(found),
        )
        for number, kind, target in rows:
            found[number].add((TYPES[kind], target))
    return found


def of_entities(organisation_id: int, places: Mapping[int, str]) -> dict[int, set[Said]]:
    """All relations of entities, given as number -> reference, whoever says them: one statement."""
    found: dict[int, set[Said]] = {number: set() for number in places}
    if not found:
        return found
    rows = run(
        "SELECT w.num, false, x.type, x.target FROM unnest(%s::int[]) AS w (num)"
        " JOIN catalog_edge x ON x.organisation_id = %s AND x.num = w.num"
        " UNION ALL"
        " SELECT w.num, true, x.type, e.ref FROM unnest(%s::int[], %s::text[]) AS w (num, ref)"
        " JOIN catalog_edge x ON x.organisation_id = %s AND x.target = w.ref"
        " JOIN catalog_entity e ON e.organisation_id = %s AND e.num = x.num",
        list(places),
        organisation_id,
        list(places),
        list(places.values()),
        organisation_id,
        organisation_id,
    )
    for number, is_mirrored, kind, other in rows:
        found[number].add((REVERSE[TYPES[kind]] if is_mirrored else TYPES[kind], other))
    return found


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
    rows = run(
        "SELECT e.ref, false, x.type, x.target, x.num FROM catalog_entity e"
        " JOIN catalog_edge x ON x.organisation_id = %s AND x.num = e.num AND x.type = ANY(%s::int[])"
        " WHERE e.organisation_id = %s AND e.ref = ANY(%s::text[])"
        " UNION ALL"
        " SELECT x.target, true, x.type, e.ref, x.num FROM catalog_edge x"
        " JOIN catalog_entity e ON e.organisation_id = %s AND e.num = x.num"
        " WHERE x.organisation_id = %s AND x.target = ANY(%s::text[]) AND x.type = ANY(%s::int[])",
        organisation_id,
        [NUMBERS[kind] for kind in types],
        organisation_id,
        list(refs),
        organisation_id,
        organisation_id,
        list(refs),
        [NUMBERS[REVERSE[kind]] for kind in types],
    )
    return {
        (ref, REVERSE[TYPES[kind]] if is_mirrored else TYPES[kind], other, author)
        for ref, is_mirrored, kind, other, author in rows
    }


def around(
    organisation_id: int, refs: Collection[str], types: Collection[str], *, most: int
) -> list[tuple[str, str, str]]:
    """(reference, type, other end) of their relations of these types, whoever says them: one statement."""
    wanted = [NUMBERS[kind] for kind in types]
    mirrored = [NUMBERS[REVERSE[kind]] for kind in types]
    rows = run(
        "SELECT e.ref, false, x.type, x.target FROM catalog_entity e"
        " JOIN catalog_edge x ON x.organisation_id = %s AND x.num = e.num AND x.type = ANY(%s::int[])"
        " WHERE e.organisation_id = %s AND e.ref = ANY(%s::text[]) AND e.removed_at IS NULL"
        " UNION ALL"
        " SELECT x.target, true, x.type, e.ref FROM catalog_edge x"
        " JOIN catalog_entity e ON e.organisation_id = %s AND e.num = x.num"
        " WHERE x.organisation_id = %s AND x.target = ANY(%s::text[]) AND x.type = ANY(%s::int[]) LIMIT %s",
        organisation_id,
        wanted,
        organisation_id,
        list(refs),
        organisation_id,
        organisation_id,
        list(refs),
        mirrored,
        most,
    )
    return sorted(
        {(ref, REVERSE[TYPES[kind]] if is_mirrored else TYPES[kind], other) for ref, is_mirrored, kind, other in rows}
    )


def who_says(organisation_id: int, edges: Collection[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Those of these edges (reference, type, other end) that the entity of the first reference says: one statement."""
    if not edges:
        return set()
    wanted = list(edges)
    rows = run(
        "SELECT w.place FROM unnest(%s::text[], %s::int[], %s::text[]) WITH ORDINALITY AS w (ref, type, target, place)"
        " JOIN catalog_entity e ON e.organisation_id = %s AND e.ref = w.ref"
        " JOIN catalog_edge x ON x.organisation_id = %s AND x.num = e.num AND x.type = w.type AND x.target = w.target",
        [ref for ref, *_ in wanted],
        [NUMBERS[kind] for _, kind, _ in wanted],
        [target for *_, target in wanted],
        organisation_id,
        organisation_id,
    )
    return {wanted[place - 1] for (place,) in rows}


def write(organisation_id: int, gone: Iterable[tuple[int, Said]], fresh: Iterable[tuple[int, Said]]) -> None:
    """Takes edges away and adds others, each under the number of who says it."""
    if over := list(gone):
        run(
            "DELETE FROM catalog_edge x USING unnest(%s::int[], %s::int[], %s::text[]) AS w (num, type, target)"
            " WHERE x.organisation_id = %s AND x.num = w.num AND x.type = w.type AND x.target = w.target",
            *_columns(over),
            organisation_id,
        )
    if new := list(fresh):
        run(
            "INSERT INTO catalog_edge (organisation_id, num, type, target)"
            " SELECT %s, num, type, target FROM unnest(%s::int[], %s::int[], %s::text[]) AS w (num, type, target)",
            organisation_id,
            *_columns(new),
        )


def _columns(edges: list[tuple[int, Said]]) -> list[list[Any]]:
    return [
        [number for number, _ in edges],
        [NUMBERS[kind] for _, (kind, _) in edges],
        [target for _, (_, target) in edges],
    ]


def how_many(organisation_id: int, wanted: Collection[tuple[int, str, str]]) -> dict[tuple[int, str], int]:
    """For each (number, reference, type) 0, 1, or 2 for more: relations of the type, whoever says them."""
    if not wanted:
        return {}
    asked = list(wanted)
    rows = run(
        "SELECT w.place, (SELECT count(*) FROM ("
        "  (SELECT x.target FROM catalog_edge x"
        "   WHERE x.organisation_id = %s AND x.num = w.num AND x.type = w.type LIMIT 2)"
        "  UNION"
        "  (SELECT e.ref FROM catalog_edge x JOIN catalog_entity e ON e.organisation_id = %s AND e.num = x.num"
        "   WHERE x.organisation_id = %s AND x.target = w.ref AND x.type = w.mirror LIMIT 2)) AS related)"
        " FROM unnest(%s::int[], %s::text[], %s::int[], %s::int[])"
        " WITH ORDINALITY AS w (num, ref, type, mirror, place)",
        organisation_id,
        organisation_id,
        organisation_id,
        [number for number, *_ in asked],
        [ref for _, ref, _ in asked],
        [NUMBERS[kind] for *_, kind in asked],
        [NUMBERS[REVERSE[kind]] for *_, kind in asked],
    )
    return {(asked[place - 1][0], asked[place - 1][2]): min(count, 2) for place, count in rows}
