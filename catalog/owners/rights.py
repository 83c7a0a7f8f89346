"""Who may state who answers for what: leads of the owner's team and of those above it, and managers."""

from __future__ import annotations

from catalog.models import Entity, Role
from portal.accounts.access import Access, whose_right
from portal.accounts.permissions import Verdict
from portal.accounts.teams import leads_over
from portal.kit.errors import Forbidden

STATE = "ownership.state"
ONLY_BY_OFFER = "You lead the team that owns it, and not the one that would: offer it to them (Hand over)."


def may_state(access: Access, entity: Entity, role: str, holder: str | None = None) -> Verdict:
    """May they say who holds this role? For an owner `holder` is who would be named: a lead hands over between teams
    that they lead, and to others only by offering it; taking a thing over is the manager's word too."""
    by_role = access.verdict(STATE, is_owner=False)
    if by_role:
        return by_role
    leads = bool(entity.owner_ref) and leads_over(access, entity.owner_ref)
    verdict = access.verdict(STATE, is_owner=leads)
    if not verdict or role != Role.OWNER.value or holder is None:
        return verdict
    if holder and leads_over(access, holder):
        return verdict
    return Verdict(False, ONLY_BY_OFFER)


def require_state(access: Access, entity: Entity, role: str, holder: str | None = None) -> None:
    """Raises Forbidden with the sentence unless they may."""
    verdict = may_state(access, entity, role, holder)
    if not verdict:
        raise Forbidden(verdict.sentence, detail=whose_right(STATE, entity.owner_ref or None))
