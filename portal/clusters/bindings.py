"""Which entities an object belongs to, by Backstage's annotations and Slipway's own label; cheap to ask."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from portal.clusters import labels

KUBERNETES_ID = "backstage.io/kubernetes-id"
SLIPWAY_ENTITY = labels.ENTITY
ANNOTATIONS = {
    "kubernetes_id": KUBERNETES_ID,
    "selector": "backstage.io/kubernetes-label-selector",
    "namespace": "backstage.io/kubernetes-namespace",
    "cluster_slug": "backstage.io/kubernetes-cluster",
}
TERM = re.compile(
    r"\s*(?:(?P<absent>!)\s*(?P<absent_key>[\w./-]+)"
    r"|(?P<set_key>[\w./-]+)\s+(?P<verb>in|notin)\s*\((?P<values>[^)]*)\)"
    r"|(?P<key>[\w./-]+)\s*(?:(?P<op>==|!=|=)\s*(?P<value>[\w.-]*))?)\s*(?:,|$)"
)


class BadSelector(ValueError):
    """The text is not a label selector."""


# An organisation has as many of these as it has entities, twice over, and live keeps them all: a plain tuple has a
# quarter of a set's size.
@dataclass(frozen=True, slots=True)
class Term:
    """One requirement of a selector: `in` some values, or not; `values` None asks for the key alone."""

    key: str
    values: Collection[str] | None
    is_negated: bool = False

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet it."""
        if self.values is None:
            return (self.key in labels) != self.is_negated
        if self.is_negated:
            return labels.get(self.key) not in self.values
        return labels.get(self.key) in self.values


def parse(selector: str) -> tuple[Term, ...]:
    """The terms of a label selector, all of which must hold. Raises BadSelector."""
    terms, position = [], 0
    while position < len(selector):
        match = TERM.match(selector, position)
        if not match or match.end() == position:
            raise BadSelector(selector)
        position = match.end()
        found = match.groupdict()
        if found["absent"]:
            terms.append(Term(found["absent_key"], None, is_negated=True))
        elif found["set_key"]:
            values = frozenset(value.strip() for value in found["values"].split(","))
            terms.append(Term(found["set_key"], values, is_negated=found["verb"] == "notin"))
        elif found["op"]:
            terms.append(Term(found["key"], frozenset({found["value"]}), is_negated=found["op"] == "!="))
        else:
            terms.append(Term(found["key"], None))
    if not terms:
        raise BadSelector(selector)
    return tuple(terms)


@dataclass(frozen=True, slots=True)
class Bound:
    """One entity's way to its objects."""

    entity_uid: str
    entity_ref: str
    terms: tuple[Term, ...]
    namespace: str = ""
    organisation: str = ""

    def takes(self, worn: Mapping[str, str], namespace: str) -> bool:
        """Whether an object with these labels is the entity's; what names another organisation never is."""
        if self.namespace and namespace and namespace != self.namespace:
            return False
        if self.organisation and worn.get(labels.ORGANISATION, self.organisation) != self.organisation:
            return False
        return all(term.holds(worn) for term in self.terms)


def bounds_of(
    *,
    entity_uid: str,
    entity_ref: str,
    kubernetes_id: str,
    selector: str,
    namespace: str,
    slipway_id: str,
    organisation: str = "",
) -> list[Bound]:
    """The ways of one binding row. A selector takes the place of the id, as in Backstage; a bad one finds nothing.

    organisation is the mark of whose entity it is: two organisations may have entities of one name on one cluster.
    """
    found = []
    if selector:
        with suppress(BadSelector):
            found.append(Bound(entity_uid, entity_ref, parse(selector), namespace, organisation))
    elif kubernetes_id:
        terms = (Term(KUBERNETES_ID, (kubernetes_id,)),)
        found.append(Bound(entity_uid, entity_ref, terms, namespace, organisation))
    if slipway_id:
        values = tuple(sorted({slipway_id, *labels.recognised(entity_ref)}))
        found.append(Bound(entity_uid, entity_ref, (Term(SLIPWAY_ENTITY, values),), "", organisation))
    return found


class Matcher:
    """Many bounds, looked up by one label pair of each, so that an object is compared with few of them."""

    def __init__(self, bounds: Iterable[Bound] = ()) -> None:
        self._by_pair: dict[str, dict[str, list[Bound]]] = defaultdict(dict)
        self._by_key: dict[str, list[Bound]] = defaultdict(list)
        self._anywhere: list[Bound] = []
        self.refs: dict[str, str] = {}
        for bound in bounds:
            self.refs[bound.entity_uid] = bound.entity_ref
            self._index(bound)

    def _index(self, bound: Bound) -> None:
        wanted = [term for term in bound.terms if not term.is_negated]
        exact = next((term for term in wanted if term.values), None)
        if exact and exact.values:
            for value in exact.values:
                known = self._by_pair[exact.key]
                if value in known:
                    known[value].append(bound)
                else:
                    known[value] = [bound]
        elif wanted:
            self._by_key[wanted[0].key].append(bound)
        else:
            self._anywhere.append(bound)

    def entities(self, labels: Mapping[str, str], namespace: str) -> frozenset[str]:
        """The uids of the entities that an object with these labels belongs to."""
        candidates = list(self._anywhere)
        for key, value in labels.items():
            if key in self._by_pair:
                candidates += self._by_pair[key].get(value, ())
            candidates += self._by_key.get(key, ())
        return frozenset(bound.entity_uid for bound in candidates if bound.takes(labels, namespace))
