"""The one task of the room: a message is a nudge that may be lost, late or doubled."""

import logging

from celery import shared_task
from django.conf import settings
from kombu.exceptions import OperationalError as BrokerAway

from portal.accounts.tenancy import tenant
from portal.jobs.models import Job
from portal.jobs.work import work

log = logging.getLogger(__name__)


# A job has no time limit that it cannot meet: it goes on from what it kept. This one ends a runner that hangs for ever.
@shared_task(name="jobs.work", time_limit=settings.JOB_HANGS_SECONDS, soft_time_limit=settings.JOB_HANGS_SECONDS)
def work_on(organisation_id: int, job_id: int) -> None:
    """Do one job; harmless when delivered twice."""
    ended = work(organisation_id, job_id)
    if ended is not None:
        nudge_next(*ended)


def nudge(organisation_id: int, job_id: int) -> bool:
    """Ask a worker to look at the job. False when the broker is away: the sweeper asks again."""
    try:
        work_on.apply_async((organisation_id, job_id), retry=False)
    except BrokerAway as error:
        log.warning("job %s waits for the sweep: %s", job_id, error)
        return False
    return True


def nudge_next(organisation_id: int, person: int) -> None:
    """A job of this person has ended: the oldest that waits in each lane may begin."""
    with tenant(organisation_id):
        waiting = Job.objects.for_tenant(organisation_id).filter(state="queued", actor=person or None)
        oldest: dict[str, int] = {}
        for lane, pk in waiting.order_by("created_at", "pk").values_list("lane", "pk")[:100]:
            oldest.setdefault(lane, pk)
    for pk in oldest.values():
        nudge(organisation_id, pk)
