"""What must happen even if every message is lost: due runs are nudged, called runs are woken."""

from collections.abc import Collection
from datetime import timedelta

from django.db.models.functions import Now

from portal.accounts.tenancy import sweep, tenant
from portal.provisioning.models import Run
from portal.provisioning.states import ACTIVE_RUN
from portal.provisioning.tasks import nudge

BATCH = 200
# A nudged run that nobody picked up (the workers are busy, or the message was lost) is nudged again after this long.
AGAIN = timedelta(seconds=15)


def sweep_runs() -> int:
    """Nudge every unfinished run whose time has come: lost messages, dead workers, ended waits. Returns how many."""
    with sweep():
        due = Run.objects.filter(wake_at__lte=Now(), status__in=ACTIVE_RUN).order_by("wake_at")
        found = list(due.values_list("organisation_id", "pk")[:BATCH])
    nudged = 0
    for organisation_id, run_id in found:
        if not nudge(organisation_id, run_id):
            break
        nudged += 1
        with tenant(organisation_id):
            # If a worker was quick, the run is not due any more and stays as the worker left it.
            Run.objects.for_tenant(organisation_id).filter(pk=run_id, wake_at__lte=Now()).update(wake_at=Now() + AGAIN)
    return nudged


def wake_runs(organisation_id: int, called: Collection[str]) -> int:
    """Wake the runs that wait for one of these keys. Returns how many.

    A run that is being looked at right now is marked, so that its worker looks once more before it lets go.
    """
    with tenant(organisation_id):
        waiting = Run.objects.for_tenant(organisation_id).filter(status__in=ACTIVE_RUN, woken_by__overlap=list(called))
        run_ids = list(waiting.values_list("pk", flat=True))
        Run.objects.for_tenant(organisation_id).filter(pk__in=run_ids).update(is_woken=True)
    for run_id in run_ids:
        nudge(organisation_id, run_id)
    return len(run_ids)
