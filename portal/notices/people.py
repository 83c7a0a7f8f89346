"""Who is who, for the audiences of kinds: people of teams, people with a role, those who follow a team.

Each answers person's id -> the reason, ready for an Audience, with one statement. To be called inside the tenant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from portal.accounts.models import Membership, Organisation, Team, TeamMembership
from portal.accounts.permissions import PERMISSIONS, ROLES, rank
from portal.notices.models import FollowedTeam

Reasons = dict[int, str]


def of_teams(organisation: Organisation, refs: Collection[str], *, leads_only: bool = False) -> Reasons:
    """The people of these teams (references such as group:default/payments): "You are in Payments."."""
    rows = TeamMembership.objects.for_tenant(organisation).filter(team__ref__in=refs, team__waits_since=None)
    if leads_only:
        rows = rows.filter(is_lead=True)
    found = rows.order_by("is_lead", "pk").values_list("user_id", "is_lead", "team__name")
    # The last word for each is that of a team that they lead, if there is one.
    return {user: f"You {'lead' if is_lead else 'are in'} {name}." for user, is_lead, name in found}


def who_may(organisation: Organisation, permission: str) -> Reasons:
    """Those whose role alone has the right: "You are a manager."."""
    enough = [role for role in ROLES if rank(role) >= rank(PERMISSIONS[permission].role)]
    rows = Membership.objects.for_tenant(organisation).filter(role__in=enough)
    return {
        user: f"You are {'an' if role == 'admin' else 'a'} {role}."
        for user, role in rows.values_list("user_id", "role")
    }


def following_teams(organisation: Organisation, refs: Collection[str]) -> Reasons:
    """Those who follow one of these teams: "You follow Payments."."""
    rows = FollowedTeam.objects.for_tenant(organisation).filter(team__ref__in=refs)
    return {user: f"You follow {name}." for user, name in rows.values_list("membership__user_id", "team__name")}


def by_address(organisation: Organisation, addresses: Iterable[str]) -> Mapping[str, int]:
    """Lower-case mail address -> the id of the member who has it."""
    wanted = {address.lower() for address in addresses if address}
    if not wanted:
        return {}
    rows = Membership.objects.for_tenant(organisation).filter(user__is_active=True, user__email__in=wanted)
    return {email.lower(): user for user, email in rows.values_list("user_id", "user__email")}


def together(*reasons: Mapping[int, str]) -> Reasons:
    """All of them; who is in several is told the reason of the first."""
    found: Reasons = {}
    for each in reversed(reasons):
        found |= each
    return found


def known_teams(organisation: Organisation, refs: Collection[str]) -> dict[str, Team]:
    """The teams of these references."""
    return {team.ref: team for team in Team.objects.for_tenant(organisation).filter(ref__in=refs)}


def follows_team(member: Membership, team: Team) -> bool:
    """Whether the member follows the team."""
    rows = FollowedTeam.objects.for_tenant(member.organisation_id)
    return rows.filter(membership=member, team=team).exists()
