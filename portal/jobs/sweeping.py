"""What must happen even if every message is lost: due jobs are nudged, old ones deleted. For the live process."""

from datetime import timedelta

from django.db.models import F
from django.db.models.functions import Now

from portal.accounts.tenancy import sweep, tenant
from portal.jobs.models import Job
from portal.jobs.states import ACTIVE_JOB
from portal.jobs.tasks import nudge

BATCH = 200
AGAIN = timedelta(seconds=15)


def sweep_jobs() -> int:
    """Nudges every job whose time has come: lost messages, dead workers. Returns how many."""
    with sweep():
        due = Job.objects.filter(wake_at__lte=Now(), state__in=ACTIVE_JOB).order_by("wake_at")
        found = list(due.values_list("organisation_id", "pk")[:BATCH])
    nudged = 0
    for organisation_id, pk in found:
        if not nudge(organisation_id, pk):
            break
        nudged += 1
        with tenant(organisation_id):
            # If a worker was quick, the job is not due any more and stays as the worker left it.
            Job.objects.for_tenant(organisation_id).filter(pk=pk, wake_at__lte=Now()).update(wake_at=Now() + AGAIN)
    return nudged


def forget_jobs() -> int:
    """Deletes what has been over for long enough. Returns how many."""
    with sweep():
        over = Job.objects.filter(keep_until__lte=Now()).order_by(F("keep_until"))
        found = list(over.values_list("organisation_id", "pk")[: BATCH * 5])
    by_tenant: dict[int, list[int]] = {}
    for organisation_id, pk in found:
        by_tenant.setdefault(organisation_id, []).append(pk)
    for organisation_id, pks in by_tenant.items():
        with tenant(organisation_id):
            Job.objects.for_tenant(organisation_id).filter(pk__in=pks).delete()
    return len(found)
