"""The relations an entity's own fields make, in both directions; the other entity need not exist."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from catalog.descriptors.kinds import KINDS, REVERSE, fields_of
from portal.kit.refs import BadRef, kind_of, normal, ref_of

Edge = tuple[str, str, str]


def of(document: Mapping[str, Any]) -> list[Edge]:
    """(source ref, type, target ref) triples, distinct, ordered; references that cannot be read make none."""
    me = str(ref_of(document))
    edges: set[Edge] = set()
    for _, kind, other in named_by(document):
        edges.add((me, kind, other))
        edges.add((other, REVERSE[kind], me))
    return sorted(edges)


def named_by(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """What its fields name, as (field, type, target ref): the field as a path such as ("spec", "dependsOn", 0)."""
    me = ref_of(document)
    spec = document.get("spec")
    if not isinstance(spec, dict) or me.kind not in KINDS:
        return
    for field in fields_of(me.kind, spec):
        if not field.relation or field.name not in spec:
            continue
        value = spec[field.name]
        at: tuple[str | int, ...] = ("spec", field.name)
        said = (
            [((*at, number), each) for number, each in enumerate(value)] if isinstance(value, list) else [(at, value)]
        )
        for place, short in said:
            try:
                yield place, field.relation, normal(short, kind=field.target, namespace=me.namespace)
            except BadRef:
                continue


def outgoing(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(type, target ref) of the edges that start at this entity."""
    me = str(ref_of(document))
    return [(kind, target) for source, kind, target in of(document) if source == me]


def owner_of(document: Mapping[str, Any]) -> str:
    """The owner's complete reference, or an empty text."""
    return owner_among(outgoing(document))


def owner_among(edges: Iterable[tuple[str, str]]) -> str:
    """The owner that these outgoing edges name, or an empty text."""
    return next((target for kind, target in edges if kind == "ownedBy"), "")


def system_among(edges: Iterable[tuple[str, str]]) -> str:
    """The system or domain that these outgoing edges make it part of, or an empty text."""
    wanted = ("system", "domain")
    return next((target for kind, target in edges if kind == "partOf" and kind_of(target) in wanted), "")
