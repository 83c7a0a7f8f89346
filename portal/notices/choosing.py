"""What people chose, and what holds for who chose nothing: their own word, else their teams', else the organisation's,
else the kind's. Of each, the word about the kind before the word about every kind. Of several teams the foremost wish
counts: who must know for one team is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from django.db.models import Q

from portal.accounts.models import Membership, Organisation, TeamMembership
from portal.accounts.zone import zone_named
from portal.notices.models import Preference, Rhythm
from portal.notices.registry import KINDS, MODES, OFF
from portal.notices.rhythm import PersonalRhythm

ORDER = {mode: place for place, mode in enumerate(MODES)}
# (kind, channel) -> mode
Wishes = dict[tuple[str, str], str]


@dataclass(frozen=True)
class Chosen:
    """A mode, and who said it: `you`, a team's name, `organisation`, or "" for the kind itself."""

    mode: str
    by: str = ""


def _said(wishes: Mapping[tuple[str, str], str], kind: str, channel: str) -> str | None:
    return wishes.get((kind, channel)) or wishes.get(("", channel))


@dataclass
class Choices:
    """What holds for some members: read with at most three statements, however many they are."""

    own: dict[int, Wishes] = field(default_factory=lambda: defaultdict(dict))
    of_teams: dict[int, Wishes] = field(default_factory=lambda: defaultdict(dict))
    of_all: Wishes = field(default_factory=dict)
    teams: dict[int, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, organisation: Organisation, memberships: Collection[int], users: Collection[int] = ()) -> Choices:
        """Must run inside the tenant. `users` are the same people by their own ids; without them teams say nothing."""
        found = cls()
        rows = Preference.objects.for_tenant(organisation)
        for row in rows.filter(Q(membership=None) | Q(membership__in=memberships)):
            if row.membership_id:
                wishes = found.own[row.membership_id]
            elif row.team_id:
                wishes = found.of_teams[row.team_id]
            else:
                wishes = found.of_all
            wishes[row.kind, row.channel] = row.mode
        if found.of_teams and users:
            places = TeamMembership.objects.for_tenant(organisation).filter(team__in=found.of_teams, user__in=users)
            for user, team, name in places.values_list("user_id", "team_id", "team__name"):
                found.teams[user].append((team, name))
        return found

    def mode(self, membership: int, user: int, kind: str, channel: str) -> Chosen:
        """How a kind reaches a member over a channel."""
        if said := _said(self.own.get(membership, {}), kind, channel):
            return Chosen(said, "you")
        teams = [(said, name) for team, name in self.teams.get(user, ()) if (said := self._team(team, kind, channel))]
        if teams:
            said, name = min(teams, key=lambda each: ORDER[each[0]])
            return Chosen(said, name)
        return self.for_all(kind, channel)

    def for_all(self, kind: str, channel: str) -> Chosen:
        """How it reaches whoever neither chose nor has a team that did."""
        if said := _said(self.of_all, kind, channel):
            return Chosen(said, "organisation")
        return Chosen(KINDS[kind].default(channel) if kind in KINDS else OFF)

    def for_team(self, team: int, kind: str, channel: str) -> Chosen:
        """How it reaches a team's people, or its address."""
        said = self._team(team, kind, channel)
        return Chosen(said, "team") if said else self.for_all(kind, channel)

    def _team(self, team: int, kind: str, channel: str) -> str | None:
        return _said(self.of_teams.get(team, {}), kind, channel)


def rhythms_of(organisation: Organisation, members: Collection[Membership]) -> dict[int, PersonalRhythm]:
    """By membership. The members must come with their users. One statement."""
    rows = {row.membership_id: row for row in Rhythm.objects.for_tenant(organisation).filter(membership__in=members)}
    return {member.pk: rhythm_of(rows.get(member.pk), member.user.timezone) for member in members}


def rhythm_of(row: Rhythm | None, zone: str) -> PersonalRhythm:
    """The hours that a row and a person's zone say; of who chose none, what a new row says."""
    row = row or Rhythm()
    quiet = None
    if row.quiet_from is not None and row.quiet_until is not None and row.quiet_from != row.quiet_until:
        quiet = (row.quiet_from, row.quiet_until)
    return PersonalRhythm(zone_named(zone) or ZoneInfo("UTC"), row.hour, quiet, row.quiet_weekend)
