"""Owning through a sub-team: `owner` in a filter means a team with all teams below it, `owner.direct` it alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from catalog.asking.filters import All, Either, Exists, In, Node, Not, Prefix
from catalog.descriptors.kinds import owner_ref
from portal.accounts import paths
from portal.accounts.models import Organisation

OWNER, DIRECT = "owner", "owner.direct"
OWNED_BY = "relations.ownedby"


def owned_within(organisation: Organisation | int, ref: str, *, direct: bool = False) -> In:
    """What a team or person owns; with what all teams below it own, unless `direct`. At most one statement."""
    return In(OWNED_BY, (ref,) if direct else paths.with_below(organisation, ref))


def widened(organisation: Organisation | int, node: Node) -> Node:
    """A filter as the index knows it, with owners as the words above mean them. At most one statement."""
    said = {owner_ref(value) or value for part in _leaves(node) for value in part.values if part.key == OWNER}
    below = paths.below(organisation, said)
    return _widened(node, {ref: below.get(ref) or [ref] for ref in said})


def _leaves(node: Node) -> Iterable[In]:
    if isinstance(node, All | Either):
        for part in node.parts:
            yield from _leaves(part)
    elif isinstance(node, Not):
        yield from _leaves(node.part)
    elif isinstance(node, In):
        yield node


def _widened(node: Node, below: Mapping[str, list[str]]) -> Node:
    if isinstance(node, All | Either):
        return type(node)(tuple(_widened(part, below) for part in node.parts))
    if isinstance(node, Not):
        return Not(_widened(node.part, below))
    if node.key not in (OWNER, DIRECT):
        return node
    if isinstance(node, Exists):
        return Exists(OWNED_BY)
    if isinstance(node, Prefix):
        return Prefix(OWNED_BY, node.text)
    refs = [owner_ref(value) or value for value in node.values]
    if node.key == OWNER:
        refs = [inner for ref in refs for inner in below[ref]]
    return In(OWNED_BY, tuple(dict.fromkeys(refs)))
