"""What pickers offer and what is taken already, asked of the organisation's own rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from catalog.models import Entity
from portal.accounts.access import Access
from portal.accounts.models import Organisation, Team
from portal.clusters.models import Cluster
from portal.githosts.models import Repository

LIMIT = 500


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that can be chosen: what is sent, and what is read."""

    value: str
    label: str


def entities(organisation: Organisation) -> QuerySet[Entity]:
    """The catalog's entities that are there."""
    rows: QuerySet[Entity] = Entity.objects.for_tenant(organisation).filter(removed_at=None)
    return rows


def entity_options(organisation: Organisation, filters: Iterable[Mapping[str, Any]]) -> list[Option]:
    """Entities that match any of the `catalogFilter` objects, by title."""
    wanted = [dict(one) for one in filters]
    rows = entities(organisation).order_by("sort_name", "id").only("ref", "title", "name", "kind", "document")
    kinds = {str(kind).capitalize() for one in wanted for kind in _listed(one.get("kind")) if isinstance(kind, str)}
    if kinds and all("kind" in one for one in wanted):
        rows = rows.filter(kind__in={*kinds, *(kind.upper() for kind in kinds)})
    found = [row for row in rows[: LIMIT * 4] if not wanted or any(_matches(row.document, one) for one in wanted)]
    return [Option(row.ref, _label(row)) for row in found[:LIMIT]]


def _label(row: Entity) -> str:
    return f"{row.title} ({row.ref})" if row.title and row.title != row.name else row.ref


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _matches(document: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(_has(document, key, value) for key, value in wanted.items())


def _has(document: Mapping[str, Any], key: str, wanted: Any) -> bool:
    value: Any = document
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(wanted, Mapping):
        return (value is not None) == bool(wanted.get("exists"))
    values = {str(item).lower() for item in _listed(value)}
    return any(str(item).lower() in values for item in _listed(wanted))


def owner_options(access: Access) -> list[Option]:
    """Teams that can answer for something: the person's own first."""
    titles = {row.ref: row.title or row.name for row in entities(access.organisation).filter(kind="Group")[:LIMIT]}
    titles |= {team.ref: team.name for team in Team.objects.for_tenant(access.organisation)[:LIMIT] if team.ref}
    refs = sorted(titles, key=lambda ref: (ref not in access.team_refs, titles[ref].lower()))
    return [Option(ref, titles[ref]) for ref in refs]


def own_groups(access: Access) -> list[Option]:
    """The groups that the person is in."""
    return [option for option in owner_options(access) if option.value in access.team_refs]


def cluster_options(organisation: Organisation) -> list[Option]:
    """The connected clusters, with what is wrong with the ones that do not answer."""
    rows = Cluster.objects.for_tenant(organisation).order_by("name")[:LIMIT]
    return [Option(row.slug, row.name) for row in rows]


def tag_options(organisation: Organisation) -> list[Option]:
    """Tags in use, by name."""
    tags: set[str] = set()
    for row in entities(organisation).values_list("tags", flat=True)[: LIMIT * 4]:
        tags.update(row)
    return [Option(tag, tag) for tag in sorted(tags)[:LIMIT]]


def entity_of_name(organisation: Organisation, ref: str) -> Entity | None:
    return entities(organisation).filter(ref=ref.lower()).first()


def has_repository(organisation: Organisation, name: str) -> bool:
    return bool(Repository.objects.for_tenant(organisation).filter(name=name).exists())


def cluster_named(organisation: Organisation, slug: str) -> Cluster | None:
    row: Cluster | None = Cluster.objects.for_tenant(organisation).filter(slug=slug).first()
    return row
