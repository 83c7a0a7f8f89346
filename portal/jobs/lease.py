"""Who may work on a job: a lease with an epoch, claimed by compare-and-set and proven again in every write."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import DateTimeField, ExpressionWrapper, Q
from django.db.models.functions import Now

from portal.accounts.tenancy import tenant
from portal.jobs import states
from portal.jobs.models import Job
from portal.jobs.registry import KINDS, JobDone, JobKind
from portal.kit.announcing import announce
from portal.kit.answers import leave_answer
from portal.kit.errors import Refusal

OWNER = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
# First key of the advisory lock under which a person's jobs are counted.
COUNTING = 20_262
# A job that could not begin because others of its person are at work is looked at again after this, or when one ends.
LATER = timedelta(seconds=15)
BROKEN = Refusal(
    "Something went wrong in the portal itself. The operator finds it in the worker's log.", status=500, code="broken"
)


class JobLost(Exception):
    """Another worker holds the job now, or it is over: whoever sees this writes nothing and goes home."""


@dataclass(frozen=True)
class JobLease:
    """One worker's hold on one job."""

    organisation_id: int
    job_id: int
    epoch: int

    @contextmanager
    def fenced(self) -> Iterator[Job]:
        """One tenant transaction on the locked job; raises JobLost when the epoch has moved on."""
        with tenant(self.organisation_id):
            job = _locked(self.organisation_id, Q(pk=self.job_id, epoch=self.epoch, state="running"))
            if job is None:
                raise JobLost(f"job {self.job_id}, epoch {self.epoch}")
            yield job


def count_alone(person: int | None) -> None:
    """Until the transaction ends, nobody else counts this person's jobs."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [COUNTING, person or 0])


def claim(organisation_id: int, job_id: int) -> tuple[JobLease, Job] | None:
    """Take the job if nobody alive holds it and its person has not enough at work; None for a message too many."""
    with tenant(organisation_id):
        row = Job.objects.for_tenant(organisation_id).only("actor_id").filter(pk=job_id).first()
        if row is None:
            return None
        count_alone(row.actor_id)
        free = Q(state="queued") | Q(state="running", lease_until__lt=Now())
        job = _locked(organisation_id, Q(pk=job_id) & free)
        if job is None:
            return None
        kind = KINDS.get(job.kind)
        if kind is None:  # a newer portal asked for it: its workers take it
            return None
        if job.epoch >= kind.attempts:
            refusal = Refusal(
                f"The work was begun {job.epoch} times and its worker ended each time. It is given up.", status=500
            )
            _end(job, "failed", refusal=refusal)
            return None
        if _at_work(job) >= kind.at_once:
            job.wake_at = job.now + LATER
            job.save(update_fields=["wake_at"])
            return None
        job.epoch += 1
        job.lease_owner = OWNER
        job.started_at = job.started_at or job.now
        _move(job, "running")
        _hold(job)
        job.save(update_fields=["state", "epoch", "lease_owner", "lease_until", "wake_at", "started_at"])
        tell(job)
        job.refresh_from_db(fields=["payload"])  # left out elsewhere; the runner may want it outside the tenant
    return JobLease(organisation_id, job_id, job.epoch), job


def _at_work(job: Job) -> int:
    others = Job.objects.for_tenant(job.organisation_id).filter(
        state="running", actor=job.actor_id, lane=job.lane, lease_until__gte=job.now
    )
    return int(others.exclude(pk=job.pk).count())


def _locked(organisation_id: int, condition: Q) -> Job | None:
    """The job under lock, with the database's own time as `now`: leases are judged by one clock."""
    clock = ExpressionWrapper(Now(), output_field=DateTimeField())
    rows = Job.objects.for_tenant(organisation_id).defer("payload").select_for_update()
    job: Job | None = rows.annotate(locked_at=clock).filter(condition).first()
    if job is not None:
        moment: datetime = job.locked_at  # type: ignore[attr-defined]  # annotated above
        job.now = moment
    return job


def _move(job: Job, state: str) -> None:
    if state not in states.JOB_MOVES[job.state]:
        raise AssertionError(f"a job cannot go from {job.state} to {state}")
    job.state = state


def _hold(job: Job) -> None:
    """Its worker is alive now; the sweeper looks again when the lease ends."""
    job.lease_until = job.wake_at = job.now + timedelta(seconds=settings.JOB_LEASE_SECONDS)


def renew(lease: JobLease) -> None:
    """Write down that the worker lives."""
    with lease.fenced() as job:
        _hold(job)
        job.save(update_fields=["lease_until", "wake_at"])


def progress(lease: JobLease, text: str, done: int, total: int) -> None:
    """Write down how far it is, and that the worker lives."""
    with lease.fenced() as job:
        _hold(job)
        job.progress_text, job.progress_done, job.progress_total = text[:300], done, total
        job.save(update_fields=["lease_until", "wake_at", "progress_text", "progress_done", "progress_total"])
        tell(job)


def note(lease: JobLease, facts: Mapping[str, Any]) -> None:
    """Keep what the runner did, in the transaction in which it did it. Must run inside the tenant's transaction."""
    job = _locked(lease.organisation_id, Q(pk=lease.job_id, epoch=lease.epoch, state="running"))
    if job is None:
        raise JobLost(f"job {lease.job_id}, epoch {lease.epoch}")
    job.notes = {**job.notes, **facts}
    job.save(update_fields=["notes"])


def end_well(lease: JobLease, done: JobDone) -> None:
    """The work is done."""
    with lease.fenced() as job:
        job.result, job.result_text, job.goes_to = dict(done.result), done.text[:1000], done.goes_to[:500]
        job.is_doubtful = done.is_doubtful
        _end(job, "succeeded")


def end_badly(lease: JobLease, state: str, refusal: Refusal) -> None:
    """The work ended without success, for the reason that the refusal says."""
    with lease.fenced() as job:
        _end(job, state, refusal=refusal)


def let_go(lease: JobLease) -> None:
    """Give the job back unfinished; it is taken up again soon."""
    with lease.fenced() as job:
        _move(job, "queued")
        job.lease_owner, job.lease_until, job.wake_at = "", None, job.now
        job.save(update_fields=["state", "lease_owner", "lease_until", "wake_at"])


def call_off(organisation_id: int, job_id: int) -> bool:
    """Cancel what is not over; a worker that is at it learns of it at its next write."""
    job = _locked(organisation_id, Q(pk=job_id, state__in=states.sources("cancelled")))
    if job is None:
        return False
    _end(job, "cancelled")
    return True


def _end(job: Job, state: str, refusal: Refusal | None = None) -> None:
    _move(job, state)
    job.lease_owner, job.lease_until, job.wake_at, job.payload = "", None, None, None
    job.ended_at = job.now
    kind: JobKind | None = KINDS.get(job.kind)
    job.keep_until = job.now + (kind.kept if kind else timedelta(days=7))
    job.refusal = as_data(refusal) if refusal else {}
    job.save(
        update_fields=[
            "state", "lease_owner", "lease_until", "wake_at", "payload", "ended_at", "keep_until", "refusal",
            "result", "result_text", "goes_to", "is_doubtful",
        ]
    )  # fmt: skip
    if refusal is not None and kind is not None and kind.ended_badly is not None:
        kind.ended_badly(job, refusal)
    tell(job)
    uid = str(job.uid)
    transaction.on_commit(lambda: leave_answer(f"job:{uid}", state.encode()))


def as_data(refusal: Refusal) -> dict[str, Any]:
    """The refusal as a row keeps it."""
    return {
        "status": refusal.status,
        "code": refusal.code,
        "text": refusal.text,
        "field": refusal.field,
        "detail": refusal.detail,
        "name": refusal.wire_name,
    }


def as_refusal(data: Mapping[str, Any]) -> Refusal:
    """The refusal that a row keeps."""
    refusal = Refusal(
        str(data["text"]), status=data["status"], code=data["code"], field=data["field"], detail=data["detail"]
    )
    refusal.wire_name = data["name"]
    return refusal


def tell(job: Job) -> None:
    """Every page that shows the job hears of it once this transaction is written."""
    organisation_id, topic = job.organisation_id, f"job:{job.uid}"
    transaction.on_commit(lambda: announce(organisation_id, topic))
