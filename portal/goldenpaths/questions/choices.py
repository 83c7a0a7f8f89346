"""What pickers offer and what is taken already, asked of the organisation's own rows.

A picker's `catalogFilter` is the catalog's own filter language, worked out by the database: what is offered, what is
found while somebody types, and what the server accepts are one question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.asking import facts
from catalog.asking.filters import All, BadFilter, In, matches, parse_catalog_filter
from catalog.asking.query import entities_of
from catalog.index.finding import NOTHING
from catalog.index.reading import Condition, Contains, IndexQuestion, all_of, any_of, find
from catalog.index.rows import first
from catalog.models import Entity
from portal.accounts.access import Access
from portal.accounts.models import Organisation, Team
from portal.clusters.models import Cluster
from portal.githosts.models import Repository
from portal.goldenpaths.questions.schemas import Schema
from portal.kit.refs import DEFAULT_NAMESPACE, completed, parse_ref

# A list is shown whole up to here; a longer one is searched while somebody types.
SHOWN = 40
LIMIT = 500
PEOPLE = ({"kind": ["Group", "User"]},)


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that can be chosen: what is sent, and what is read."""

    value: str
    label: str


def filters_of(child: Schema) -> Sequence[Mapping[str, Any]]:
    """A picker's `catalogFilter` (or its older `allowedKinds`) as a list of filters; none means everything."""
    options = child.get("ui:options") or {}
    filters = options.get("catalogFilter")
    if isinstance(filters, Mapping):
        return [filters]
    if isinstance(filters, list):
        return [one for one in filters if isinstance(one, Mapping)]
    kinds = options.get("allowedKinds") or []
    if kinds:
        return [{"kind": list(kinds)}]
    if child.get("ui:field") == "OwnerPicker":
        return PEOPLE
    return [{"kind": "Group"}] if child.get("ui:field") == "MyGroupsPicker" else []


def offered(child: Schema, access: Access) -> Condition:
    """Which entities a picker offers."""
    try:
        wanted: list[Condition] = [parse_catalog_filter(filters_of(child))]
    except BadFilter:
        return NOTHING  # publishing refuses such a filter; an older version has no options
    if child.get("ui:field") == "OwnedEntityPicker":
        wanted.append(In("relations.ownedby", tuple(sorted(access.team_refs))))
    if child.get("ui:field") == "MyGroupsPicker":
        wanted.append(any_of([_is(ref) for ref in sorted(access.team_refs)]))
    return all_of(wanted)


def _is(ref: str) -> Condition:
    """The entity of a complete reference."""
    known = parse_ref(ref)
    return All(
        (
            In("kind", (known.kind,)),
            In("metadata.namespace", (known.namespace,)),
            In("metadata.name", (known.name,)),
        )
    )


def _holds(text: str) -> Condition:
    """What is called so, or has it in its name; of a reference the kind counts as well."""
    said = text.lower()[:100]
    name = said.rpartition("/")[2].rpartition(":")[2]
    called = [Contains(key, name) for key in ("metadata.name", "metadata.title", "spec.profile.displayname")]
    kind, colon, _ = said.partition(":")
    return all_of([any_of(called), In("kind", (kind,))]) if colon else any_of(called)


def options(child: Schema, access: Access, *, text: str = "", limit: int = SHOWN) -> list[Option]:
    """What a picker offers, by title; with `text`, what begins with or holds it."""
    wanted = offered(child, access)
    rows, _ = first(access.organisation, all_of([wanted, _holds(text)]) if text else wanted, limit)
    found = [Option(row.ref, row.title or row.ref) for row in rows]
    if child.get("ui:field") not in ("OwnerPicker", "MyGroupsPicker"):
        return _told_apart(found)
    known = {option.value for option in found}
    teams = [option for option in _teams(child, access, text) if option.value not in known]
    both = _told_apart([*teams, *found])
    return sorted(both, key=lambda one: (one.value not in access.team_refs, one.label.lower()))[:limit]


def _told_apart(found: list[Option]) -> list[Option]:
    """Things are called by their titles; those that share one, by their references as well."""
    times = Counter(option.label.lower() for option in found)
    return [
        Option(option.value, f"{option.label} ({option.value})") if times[option.label.lower()] > 1 else option
        for option in found
    ]


def _teams(child: Schema, access: Access, text: str = "") -> list[Option]:
    """Teams of the portal that no descriptor describes: the filter is asked of the group that each of them is."""
    try:
        wanted = parse_catalog_filter(filters_of(child))
    except BadFilter:
        return []
    rows = Team.objects.for_tenant(access.organisation).exclude(ref="").order_by("name")[:LIMIT]
    found = [
        Option(team.ref, team.name)
        for team in rows
        if text.lower() in f"{team.name} {team.ref}".lower() and matches(wanted, facts.of(_group_of(team)).facts)
    ]
    if child.get("ui:field") == "MyGroupsPicker":
        return [option for option in found if option.value in access.team_refs]
    return found


def _group_of(team: Team) -> dict[str, Any]:
    ref = parse_ref(team.ref)
    metadata = {"name": ref.name, "namespace": ref.namespace, "title": team.name}
    return {"kind": "Group", "metadata": metadata, "spec": {"type": "team"}}


def is_offered(child: Schema, access: Access, value: str) -> bool:
    """Whether the picker offers what was sent."""
    ref = full_ref(child, value)
    if ref and find(access.organisation, all_of([offered(child, access), _is(ref)])).total:
        return True
    kind = child.get("ui:field")
    return kind in ("OwnerPicker", "MyGroupsPicker") and any(one.value == ref for one in _teams(child, access))


def full_ref(child: Schema, value: str) -> str:
    """A reference in full: `defaultKind` and `defaultNamespace` complete a bare name; "" for what is none."""
    settings = child.get("ui:options") or {}
    kind = "group" if child.get("ui:field") in ("OwnerPicker", "MyGroupsPicker") else "component"
    return completed(
        value,
        kind=str(settings.get("defaultKind") or kind),
        namespace=str(settings.get("defaultNamespace") or DEFAULT_NAMESPACE),
    )


def cluster_options(organisation: Organisation) -> list[Option]:
    """The connected clusters, with what is wrong with the ones that do not answer."""
    rows = Cluster.objects.for_tenant(organisation).order_by("name")[:LIMIT]
    return [Option(row.slug, row.name) for row in rows]


def tag_options(organisation: Organisation) -> list[Option]:
    """Tags in use, by name."""
    question = IndexQuestion(organisation)
    tags = question.values("metadata.tags", most=LIMIT)
    question.ask()
    return [Option(tag, tag) for tag, _ in tags.count(None)]


def entity_of_name(organisation: Organisation, ref: str) -> Entity | None:
    return entities_of(organisation).filter(ref=ref.lower()).first()


def has_repository(organisation: Organisation, name: str) -> bool:
    return bool(Repository.objects.for_tenant(organisation).filter(name=name).exists())


def cluster_named(organisation: Organisation, slug: str) -> Cluster | None:
    row: Cluster | None = Cluster.objects.for_tenant(organisation).filter(slug=slug).first()
    return row
