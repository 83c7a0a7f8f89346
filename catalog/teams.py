"""Keeps the organisation's teams in step with the Group descriptors; who belongs to a team is decided in the portal."""

import re

from catalog.asking.query import entities_of
from catalog.descriptors.kinds import CHILD_OF
from catalog.models import Entity, Relation, Source
from portal.accounts.models import Organisation, Team
from portal.kit.refs import DEFAULT_NAMESPACE


def after_ingest(organisation: Organisation, source: Source, entities: list[Entity]) -> None:
    """The hook: only a change of a Group matters."""
    if any(entity.kind == "Group" for entity in entities):
        sync_teams(organisation)


def sync_teams(organisation: Organisation) -> None:
    """A team for every Group: name, parent and description follow the descriptor. Teams are never deleted here."""
    groups = list(
        entities_of(organisation).filter(kind="Group").only("ref", "name", "namespace", "title", "description")
    )
    teams: dict[str, Team] = {team.ref: team for team in Team.objects.for_tenant(organisation)}
    taken = {team.slug for team in teams.values()}
    for group in groups:
        team = teams.get(group.ref) or Team(organisation=organisation, ref=group.ref)
        wanted = (group.display_name[:120], group.description.strip()[:300])
        if team.pk and (team.name, team.description) == wanted:
            continue
        team.name, team.description = wanted
        if not team.pk:
            team.slug = _slug(group, taken)
            taken.add(team.slug)
        team.save()
        teams[group.ref] = team
    _sync_parents(organisation, teams, {group.ref for group in groups})


def _slug(group: Entity, taken: set[str]) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", group.name.lower()).strip("-")
    base = plain if group.namespace == DEFAULT_NAMESPACE else f"{group.namespace}-{plain}"
    base = base[:56].strip("-")
    return next(slug for slug in (base, *(f"{base}-{n}" for n in range(2, 10_000))) if slug not in taken)


def _sync_parents(organisation: Organisation, teams: dict[str, Team], described: set[str]) -> None:
    edges = Relation.objects.for_tenant(organisation).filter(type=CHILD_OF, source_ref__in=described)
    parents = dict(edges.order_by("-target_ref").values_list("source_ref", "target_ref"))
    for ref in described:
        parent = teams.get(parents.get(ref, ""))
        team = teams[ref]
        if team.parent_id != (parent.pk if parent else None) and parent is not team:
            team.parent = parent
            team.save(update_fields=["parent"])
