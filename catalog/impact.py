"""What is affected when something stops, as far as descriptors say: who depends on it, and on those, step by step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from catalog.descriptors.kinds import API_CONSUMED_BY, DEPENDENCY_OF, HAS_PART, PROVIDES_API
from catalog.index.edges import around
from portal.accounts.models import Organisation
from portal.kit.refs import kind_of

DEEPEST = 5
MOST = 300
MOST_EDGES = 3_000

# (references, types of relations) -> (from, type, to): one statement.
Edges = Callable[[Collection[str], Collection[str]], Iterable[tuple[str, str, str]]]


@dataclass(frozen=True)
class Affected:
    """`direct`: what needs the thing itself, or an API that it provides; `further`: what needs those; `is_cut`: there
    is more than was followed."""

    direct: tuple[str, ...] = ()
    further: tuple[str, ...] = ()
    is_cut: bool = False


def affected(ref: str, edges: Edges) -> Affected:
    """Follows what needs what, nearest first. An API is no step: who consumes it needs who provides it."""
    start = {ref, *(target for _, _, target in edges({ref}, {HAS_PART}))} if kind_of(ref) == "system" else {ref}
    seen, frontier = set(start), start
    levels: list[list[str]] = []
    while frontier and len(levels) < DEEPEST and len(seen) < MOST:
        reached = _needing(frontier, seen, edges)
        levels.append(reached)
        seen |= set(reached)
        frontier = set(reached)
    rest = [one for level in levels[1:] for one in level]
    return Affected(tuple(levels[0]) if levels else (), tuple(rest), bool(frontier))


def _needing(refs: Collection[str], seen: Collection[str], edges: Edges) -> list[str]:
    """What needs any of these and was not met yet, through their APIs as well."""
    found: dict[str, None] = {}
    apis: dict[str, None] = {one: None for one in refs if kind_of(one) == "api"}
    for _, kind, target in edges(refs, {DEPENDENCY_OF, PROVIDES_API, API_CONSUMED_BY}):
        if target not in seen:
            (apis if kind == PROVIDES_API else found)[target] = None
    new = {api for api in apis if api not in seen}
    if new:
        found |= dict.fromkeys(new)
        for _, _, target in edges(new, {API_CONSUMED_BY, DEPENDENCY_OF}):
            if target not in seen:
                found[target] = None
    return list(found)[: MOST - len(seen)]


def edges_in(organisation: Organisation) -> Edges:
    """The relations of an organisation."""

    def read(refs: Collection[str], types: Collection[str]) -> list[tuple[str, str, str]]:
        return around(organisation.pk, refs, types, most=MOST_EDGES)

    return read
