"""What goes with an entity to whoever gets it: what nobody else is named for below it, and its repository."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.descriptors.kinds import is_ownable
from catalog.index import owning
from catalog.models import Entity, How, Role, Source
from catalog.owners.telling import Handed
from portal.accounts.actor import Actor
from portal.accounts.models import Organisation, Team
from portal.githosts import actions
from portal.githosts.models import Repository
from portal.kit.refs import kind_of


@dataclass(frozen=True)
class Given:
    """An entity whose effective owner went from one team or person to another by what people stated."""

    pk: int
    ref: str
    was: str
    is_now: str


def given_of(organisation_id: int, handed: Sequence[Handed]) -> list[Given]:
    """What changed its owner by these statements, with what stands below it by fallback. What files say is left out:
    whoever may only write a file would else get rights over what lies beside it. A statement where nobody is named any
    more, and one a level of systems and domains."""
    owners = [each for each in handed if each.role == Role.OWNER.value and each.how != How.FILE.value]
    lost = [each.entity.pk for each in owners if not each.is_now]
    rows = Entity.objects.for_tenant(organisation_id).filter(pk__in=lost)
    stand_in = dict(rows.values_list("pk", "owner_ref")) if lost else {}
    found = [
        Given(one.entity.pk, one.entity.ref, one.was, one.is_now or stand_in.get(one.entity.pk, "")) for one in owners
    ]
    gave = {one.ref: one.was for one in found if kind_of(one.ref) in owning.PLACES}
    for _ in range(owning.HIGHEST):
        parts = owning.parts_without_owner(organisation_id, gave) if gave else []
        found += [Given(row.pk, row.ref, gave[row.system_ref], row.owner_ref) for row in parts]
        gave = {row.ref: gave[row.system_ref] for row in parts if kind_of(row.ref) in owning.PLACES}
    return found


def after_stated(organisation: Organisation | int, handed: Sequence[Handed]) -> None:
    """The hook of statements. A repository here goes to another team when all that it describes belongs to that one,
    and when it belonged to whoever gave it. Some statements, and some for each repository that goes."""
    organisation_id = organisation if isinstance(organisation, int) else organisation.pk
    given = given_of(organisation_id, handed)
    rows = Entity.objects.for_tenant(organisation_id).filter(
        pk__in=[each.pk for each in given], source__kind=Source.Kind.REPOSITORY
    )
    was = {each.pk: each.was for each in given}
    givers: dict[int, set[str]] = {}
    for pk, source in rows.values_list("pk", "source_id") if given else ():
        if source is not None:
            givers.setdefault(source, set()).add(was[pk])
    if givers:
        _follow(organisation_id, givers)


def _follow(organisation_id: int, givers: dict[int, set[str]]) -> None:
    """givers: by source, who gave something of it away."""
    owners: dict[int, set[str]] = {}
    described = Entity.objects.for_tenant(organisation_id).filter(source__in=givers, removed_at=None)
    for source, kind, owner in described.values_list("source_id", "kind", "owner_ref"):
        if source is not None and is_ownable(kind):
            owners.setdefault(source, set()).add(owner)
    whole = {source: next(iter(refs)) for source, refs in owners.items() if len(refs) == 1}
    sources = Source.objects.for_tenant(organisation_id).filter(pk__in=whole)
    by_name = {source.target: source.pk for source in sources}
    teams = {
        team.ref: team for team in Team.objects.for_tenant(organisation_id).filter(ref__in=set(whole.values()))
    }  # fmt: skip
    rows = Repository.objects.for_tenant(organisation_id).filter(name__in=by_name)
    for repository in rows.select_related("organisation"):
        source = by_name[repository.name]
        team = teams.get(whole[source])
        if team is not None and repository.owner_ref in givers[source]:
            actions.hand_over(
                organisation=repository.organisation, actor=Actor.slipway(), repository=repository, team=team
            )  # fmt: skip
