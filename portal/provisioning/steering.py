"""Who may steer a run: whoever launched it, the team that will own what it makes, managers."""

from portal.accounts.access import Access
from portal.accounts.permissions import Verdict
from portal.kit.errors import NotFound
from portal.provisioning.models import Run


def may_control(access: Access, run: Run) -> Verdict:
    """The verdict on cancel, retry and undo."""
    return access.can("runs.control", owner_ref=run.owner_ref or None, is_requester=run.requester_id == access.user.pk)


def require_control(access: Access, run: Run) -> None:
    """Raises Forbidden with the verdict's sentence."""
    access.require("runs.control", owner_ref=run.owner_ref or None, is_requester=run.requester_id == access.user.pk)


def run_for(access: Access, run_id: int) -> Run:
    """The organisation's run of that number; NotFound for a neighbour's."""
    rows = Run.objects.for_tenant(access.organisation).select_related("requester", "version__path")
    run: Run | None = rows.filter(pk=run_id).first() if run_id < 2**63 else None
    if run is None:
        raise NotFound("There is no such run here.")
    return run
