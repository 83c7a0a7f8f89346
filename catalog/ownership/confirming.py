"""Teams that wait: what files and leads say of teams gives rights once somebody who may make teams confirms it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from catalog import teams as groups
from catalog.asking.query import entities_of
from catalog.models import Entity
from portal.accounts import teams
from portal.accounts.actor import Actor
from portal.accounts.models import AuditEvent, Organisation, Team, TeamMembership, TeamOrigin
from portal.githosts.models import Repository
from portal.kit.errors import Conflict, NotFound


@dataclass(frozen=True)
class Deleted:
    """That a team of the same name was deleted: when, and by whom."""

    by: str
    at: datetime


@dataclass(frozen=True)
class Declined:
    """That exactly this was declined before: when, by whom, and why."""

    by: str
    at: datetime
    reason: str


@dataclass(frozen=True)
class WaitingTeam:
    """What one team waits for.

    is_new    the team itself waits; otherwise it stands, and its file says another place, or is another file
    place     reference of the team above that it would be part of, "" for none; `above` is that team, if it is here
    told_by   the file that says so, in words; "" for a team that a lead made
    people    who would have rights, and `owned` how many entities and repositories bear its name already
    claim     digest of what is asked, whoever is in the team: once it is declined, it is not asked again
    token     names exactly this: what was looked at is what is confirmed
    """

    team: Team
    is_new: bool
    place: str
    above: Team | None
    told_by: str
    is_other_file: bool
    people: tuple[str, ...]
    owned: int
    deleted: Deleted | None
    declined: Declined | None
    claim: str
    token: str
    group: Entity | None

    @property
    def needs(self) -> str:
        """The team above that has to be confirmed first, or is not here; "" where nothing keeps it."""
        if not self.place:
            return ""
        if self.above is None:
            return f"Its file puts it below {self.place}, which is no team here."
        return "" if self.above.stands else f"{self.above} waits itself: confirm it first, or together with this."


def waiting(organisation: Organisation, only: Team | None = None, *, with_declined: bool = False) -> list[WaitingTeam]:
    """Every team that waits for something, by name; what was declined waits no more. Some statements, however many."""
    rows = entities_of(organisation).filter(kind="Group").select_related("source", "body")
    if only is not None:
        rows = rows.filter(ref=only.ref)
    described = {group.ref: group for group in rows if not groups.is_written_here(group)}
    places = groups.said_parents(organisation, described.values())
    every = {team.ref: team for team in Team.objects.for_tenant(organisation).select_related("parent")}
    asking = [
        team
        for team in ([every[only.ref]] if only is not None and only.ref in every else every.values())
        if _is_asking(team, described.get(team.ref), places.get(team.ref, ""))
    ]
    if not asking:
        return []
    told = _Told(organisation, asking)
    found = [_asked(team, described.get(team.ref), places.get(team.ref, ""), every, told) for team in asking]
    kept = [one for one in found if with_declined or one.declined is None]
    return sorted(kept, key=lambda one: one.team.name.lower())


def _is_asking(team: Team, group: Entity | None, place: str) -> bool:
    if not team.stands or group is None:
        return not team.stands
    if team.origin not in (TeamOrigin.FILE, TeamOrigin.GONE):
        return False
    return groups.claims(team, group) or place not in ("", team.parent.ref if team.parent else "")


class _Told:
    """What is said beside each team that waits, asked at once for all of them."""

    def __init__(self, organisation: Organisation, asking: list[Team]) -> None:
        refs = [team.ref for team in asking]
        places = TeamMembership.objects.for_tenant(organisation).filter(team__ref__in=refs)
        self.people: dict[str, list[str]] = {}
        for ref, name, email in places.order_by("user__email").values_list("team__ref", "user__name", "user__email"):
            self.people.setdefault(ref, []).append(f"{name} ({email})" if name else email)
        owned = entities_of(organisation).filter(owner_ref__in=refs).values_list("owner_ref", flat=True)
        repositories = Repository.objects.for_tenant(organisation).filter(owner_ref__in=refs)
        self.owned = Counter([*owned, *repositories.values_list("owner_ref", flat=True)])
        gone = AuditEvent.objects.for_tenant(organisation).filter(verb="team.deleted", data__ref__in=refs)
        self.deleted = {
            event.data["ref"]: Deleted(event.actor_label, event.at)
            for event in gone.order_by("pk").select_related(None)
        }
        declined = {str(team.pk) for team in asking if team.declined}
        said = AuditEvent.objects.for_tenant(organisation).filter(verb="team.declined", subject_kind="team")
        self.declined = {
            (event.subject_id, event.data["claim"]): Declined(event.actor_label, event.at, event.data["reason"])
            for event in (said.filter(subject_id__in=declined).order_by("pk") if declined else ())
        }


def _asked(team: Team, group: Entity | None, place: str, every: dict[str, Team], told: _Told) -> WaitingTeam:
    if group is None:
        place = team.parent.ref if team.parent else ""
    people = tuple(told.people.get(team.ref, ()))
    is_other = group is not None and groups.claims(team, group)
    source = groups.uid_of(group) if group else ""
    claim = _digest([team.ref, str(team.stands), source, place])
    declined = told.declined.get((str(team.pk), claim)) if team.declined == claim else None
    looked_at = [team.ref, team.slug, str(team.stands), source, place, str(bool(declined)), *people]
    return WaitingTeam(
        team=team,
        is_new=not team.stands,
        place=place,
        above=every.get(place),
        told_by=f"{group.source.label if group.source else ''} {group.path}".strip() if group else "",
        is_other_file=is_other,
        people=people,
        owned=told.owned[team.ref],
        deleted=told.deleted.get(team.ref),
        declined=declined,
        claim=claim,
        token=f"{team.slug}~{_digest(looked_at)}",
        group=group,
    )


def _digest(words: list[str]) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:20]


@transaction.atomic
def confirm(*, organisation: Organisation, actor: Actor, tokens: Iterable[str]) -> list[Team]:
    """Confirm what was looked at, declined or not, teams above before those below them; all or nothing.

    For those who may make teams. Raises NotFound for a team that waits for nothing, Conflict where it is not what was
    looked at any more.
    """
    left = list(dict.fromkeys(tokens))
    done: list[Team] = []
    while left:
        now = {one.team.slug: one for one in waiting(organisation, with_declined=True)}
        chosen = [_same(now, token) for token in left]
        ready = [one for one in chosen if not one.needs] or chosen[:1]
        for one in ready:
            done.append(_confirm_one(organisation, actor, one))
            left.remove(one.token)
    return done


@transaction.atomic
def decline(*, organisation: Organisation, actor: Actor, tokens: Iterable[str], reason: str) -> list[Team]:
    """Decline what was looked at, for a reason; all or nothing. Until its file or its lead asks for something else, it
    is not asked again; whoever may confirm it still may, on its own page.

    For those who may make teams. Raises Invalid without a reason, and what `confirm` raises for what is not there.
    """
    now = {one.team.slug: one for one in waiting(organisation, with_declined=True)}
    chosen = [_same(now, token) for token in dict.fromkeys(tokens)]
    for one in chosen:
        data: dict[str, object] = {"ref": one.team.ref, "place": one.place, "told_by": one.told_by}
        teams.decline_team(
            actor=actor, organisation=organisation, team=one.team, claim=one.claim, reason=reason.strip(), data=data
        )
    return [one.team for one in chosen]


def confirm_all(*, organisation: Organisation, actor: Actor) -> int:
    """Confirm everything that waits now and can stand; returns how many teams. For commands."""
    done = 0
    while found := [one.token for one in waiting(organisation) if not one.needs]:
        done += len(confirm(organisation=organisation, actor=actor, tokens=found))
    return done


def _same(now: dict[str, WaitingTeam], token: str) -> WaitingTeam:
    found = now.get(token.partition("~")[0])
    if found is None:
        raise NotFound("This team waits for nothing: somebody confirmed it, or its file is gone.")
    if found.token != token:
        raise Conflict(f"{found.team} is no longer what you looked at: look at it again.", code="changed")
    return found


def _confirm_one(organisation: Organisation, actor: Actor, one: WaitingTeam) -> Team:
    if one.needs:
        raise Conflict(one.needs, code="waits")
    team = one.team
    if one.group is not None and team.described_by != groups.uid_of(one.group):
        groups.follow(team, one.group)
    teams.confirm_team(
        actor=actor,
        organisation=organisation,
        team=team,
        parent=one.above,
        data={"ref": team.ref, "place": one.place, "told_by": one.told_by, "people": list(one.people)},
    )
    return team
