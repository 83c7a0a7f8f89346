"""Whom to ask: the people of an organisation who can help with a refusal, by name."""

from dataclasses import dataclass

from portal.accounts.models import Membership, Organisation, Team, TeamMembership, User
from portal.accounts.permissions import ROLES, rank
from portal.kit.errors import Refusal

MOST = 3


@dataclass(frozen=True)
class Helper:
    """Somebody who can help, and why they can: "leads Payments", "manager"."""

    name: str
    email: str
    why: str


def who_can_help(organisation: Organisation, person: User, refusal: Refusal) -> list[Helper]:
    """Nearest first: the owning team, then people whose role suffices, lowest role first; never the person themselves.

    Reads what the gate wrote into the refusal (`ask`: role and owner); without it, whoever administers. Runs inside the
    tenant's transaction.
    """
    ask = refusal.detail.get("ask") or {}
    found = _of_team(organisation, person, str(ask.get("owner") or "")) + _of_role(
        organisation, person, str(ask.get("role") or "admin")
    )
    named: dict[str, Helper] = {}
    for helper in found:
        named.setdefault(helper.email, helper)
    return list(named.values())[:MOST]


def _of_team(organisation: Organisation, person: User, ref: str) -> list[Helper]:
    rows = Team.objects.for_tenant(organisation).filter(ref=ref.lower(), waits_since=None)
    team = rows.first() if ref else None
    if team is None:
        return []
    places = TeamMembership.objects.for_tenant(organisation).filter(team=team).exclude(user=person)
    people = places.select_related("user").order_by("-is_lead", "user__name", "user__email")[:MOST]
    return [_helper(row.user, f"{'leads' if row.is_lead else 'is in'} {team}") for row in people]


def _of_role(organisation: Organisation, person: User, role: str) -> list[Helper]:
    enough = [name for name in ROLES if rank(name) >= rank(role)]
    members = Membership.objects.for_tenant(organisation).filter(role__in=enough).exclude(user=person)
    rows = sorted(members.select_related("user")[:50], key=lambda row: (rank(row.role), str(row.user)))
    return [_helper(row.user, row.role) for row in rows[:MOST]]


def _helper(user: User, why: str) -> Helper:
    return Helper(str(user), user.email, why)
