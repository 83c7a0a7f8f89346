"""Doing a reorganisation as a whole, and undoing it as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.timezone import now

from catalog.handing.models import Reorganisation
from catalog.handing.plans.unfolding import RoleChange, Unfolded, unfold
from catalog.index.owning import SLIM
from catalog.index.writing import lock
from catalog.models import Entity, How, Statement
from catalog.owners import stating
from portal.accounts import teams
from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.models import Organisation, Team, TeamMembership
from portal.kit.errors import Conflict, Invalid

APPLIED, UNDONE = "reorganisation.applied", "reorganisation.undone"
UNDOABLE = timedelta(days=14)
State = Reorganisation.State


@transaction.atomic
def apply(*, actor: Actor, plan: Reorganisation, moment: datetime | None = None) -> Unfolded:
    """All of it or nothing, in one transaction. Rights are the caller's matter.

    Raises Invalid with the first step that makes no sense (any more), Conflict where it is applied or undone already.
    """
    organisation, moment = plan.organisation, moment or now()
    lock(organisation.pk)
    _move(
        plan, [State.DRAFT, State.DATED], State.APPLIED, applied_at=moment, applied_by_label=str(actor)[:300], reason=""
    )
    found = unfold(organisation, plan.steps)
    if found.wrong:
        number, sentence = found.wrong[0]
        raise Invalid(f"Step {number}: {sentence} Nothing was changed.", field="steps")
    before: dict[str, Any] = {"made": [], "teams": [], "joined": [], "roles": []}
    _change_teams(organisation, actor, found, before)
    _join(organisation, actor, found, before)
    changes = found.changes
    before["roles"] = [[str(each.entity.uid), each.role, each.was, each.to] for each in changes]
    _state(organisation, actor, changes, How.REORGANISATION, plan.name, moment)
    rows = Reorganisation.objects.for_tenant(organisation)
    rows.filter(pk=plan.pk).update(before=before)
    plan.before = before
    told = {"roles": len(changes), "made": before["made"], "teams": [each[0] for each in before["teams"]]}
    _record(actor, plan, APPLIED, f"Applied the reorganisation {plan.name}: {len(changes):,} changes of hands", told)
    return found


def _move(plan: Reorganisation, before: Sequence[str], after: str, **fields: Any) -> None:
    rows = Reorganisation.objects.for_tenant(plan.organisation_id).filter(pk=plan.pk, state__in=list(before))
    if not rows.update(state=after, **fields):
        raise Conflict("Somebody has applied, dated or undone it meanwhile. Look at it again.", code="changed")
    for name, value in {"state": after, **fields}.items():
        setattr(plan, name, value)


def _state(
    organisation: Organisation, actor: Actor, changes: Sequence[RoleChange], how: How, why: str, moment: datetime
) -> None:
    stating.state(
        organisation=organisation, actor=actor, changes=[(each.entity, each.role, each.to) for each in changes],
        how=how.value, why=why, at=moment,
    )  # fmt: skip


def _team(organisation: Organisation, slug: str) -> Team | None:
    found: Team | None = Team.objects.for_tenant(organisation).select_related("parent").filter(slug=slug).first()
    if slug and found is None:
        raise Conflict(f"There is no team {slug} any more. Nothing was changed.", code="gone")
    return found


def _set(organisation: Organisation, actor: Actor, team: Team, name: str, parent: str) -> None:
    teams.change_team(
        actor=actor, organisation=organisation, team=team, name=name, description=team.description,
        parent=_team(organisation, parent) if parent else None,
    )  # fmt: skip


def _change_teams(organisation: Organisation, actor: Actor, found: Unfolded, before: dict[str, Any]) -> None:
    for slug, name, parent in found.made:
        teams.create_team(
            actor=actor, organisation=organisation, name=name, slug=slug, stands=True,
            parent=_team(organisation, parent) if parent else None,
        )  # fmt: skip
        before["made"].append(slug)
    for slug, wanted in found.changed.items():
        team = _team(organisation, slug)
        if team is not None:
            was = team.parent.slug if team.parent else ""
            before["teams"].append([slug, team.name, was])
            _set(organisation, actor, team, wanted.get("name", team.name), wanted.get("parent", was))


def _join(organisation: Organisation, actor: Actor, found: Unfolded, before: dict[str, Any]) -> None:
    """The people of a team that is merged are in the other one too, as what they were."""
    for slug, into in found.merged:
        to = _team(organisation, into)
        places = TeamMembership.objects.for_tenant(organisation)
        there = set(places.filter(team=to).values_list("user_id", flat=True))
        for place in places.filter(team__slug=slug).select_related("user").order_by("pk"):
            if to is not None and place.user_id not in there:
                teams.put_in_team(
                    actor=actor, organisation=organisation, team=to, person=place.user, is_lead=place.is_lead
                )  # fmt: skip
                before["joined"].append([into, place.user_id])


def can_undo(plan: Reorganisation, moment: datetime | None = None) -> bool:
    """For fourteen days from when it was applied."""
    if plan.state != State.APPLIED or plan.applied_at is None:
        return False
    return plan.applied_at > (moment or now()) - UNDOABLE


@transaction.atomic
def undo(*, actor: Actor, plan: Reorganisation, moment: datetime | None = None) -> int:
    """Puts everything back that nobody has changed since: roles, teams' names and places, who joined, new teams that
    hold nothing. Returns how many roles. Raises Conflict where it is too late, or undone already."""
    organisation, moment = plan.organisation, moment or now()
    if not can_undo(plan, moment):
        raise Conflict("A reorganisation can be undone for fourteen days after it was applied.", code="too-late")
    lock(organisation.pk)
    _move(plan, [State.APPLIED], State.UNDONE, undone_at=moment)
    changes = _still_ours(plan)
    _state(organisation, actor, changes, How.UNDO, f"Undone: {plan.name}", moment)
    for into, user in plan.before["joined"]:
        place = TeamMembership.objects.for_tenant(organisation).filter(team__slug=into, user=user).first()
        if place is not None:
            teams.take_out_of_team(actor=actor, organisation=organisation, team=place.team, person=place.user)
    for slug, name, parent in plan.before["teams"]:
        if Team.objects.for_tenant(organisation).filter(slug=slug).exists():
            team = _team(organisation, slug)
            if team is not None:
                _set(organisation, actor, team, name, parent)
    for slug in reversed(plan.before["made"]):
        _take_away(organisation, actor, slug)
    left = len(plan.before["roles"]) - len(changes)
    said = f", {left:,} went on since" if left else ""
    _record(
        actor, plan, UNDONE, f"Undid the reorganisation {plan.name}: {len(changes):,} put back{said}", {"left": left}
    )
    return len(changes)


def _still_ours(plan: Reorganisation) -> list[RoleChange]:
    """The roles that nobody has stated anything else about since."""
    told = plan.before["roles"]
    rows = Entity.objects.for_tenant(plan.organisation_id).filter(uid__in={each[0] for each in told}, removed_at=None)
    known = {str(row.uid): row for row in rows.only(*SLIM)}
    standing = Statement.objects.for_tenant(plan.organisation_id).filter(
        entity__in=[row.pk for row in known.values()], until=None, since=plan.applied_at or now()
    )
    ours = {(row.entity_id, row.role): row.holder_ref for row in standing}
    return [
        RoleChange(known[uid], role, to, was)
        for uid, role, was, to in told
        if uid in known and ours.get((known[uid].pk, role)) == to
    ]


def _take_away(organisation: Organisation, actor: Actor, slug: str) -> None:
    """A team that the plan made goes where nothing and nobody is in it."""
    team = Team.objects.for_tenant(organisation).filter(slug=slug).first()
    if team is None:
        return
    owns = Entity.objects.for_tenant(organisation).filter(owner_ref=team.ref, removed_at=None).exists()
    places = TeamMembership.objects.for_tenant(organisation).filter(team=team).exists()
    below = Team.objects.for_tenant(organisation).filter(parent=team).exists()
    if not (owns or places or below):
        teams.delete_team(actor=actor, organisation=organisation, team=team)


def _record(actor: Actor, plan: Reorganisation, verb: str, summary: str, data: dict[str, Any]) -> None:
    record(
        organisation=plan.organisation, actor=actor, verb=verb, subject=plan, summary=summary[:500],
        data={**data, "name": plan.name, "made_by": plan.made_by_id},
    )  # fmt: skip
