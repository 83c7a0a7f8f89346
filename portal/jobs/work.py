"""A worker does one job: claims it, runs its kind's runner beside a thread that keeps the lease, writes the end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from django.conf import settings
from django.db import Error as DatabaseAway
from django.db import connections

from portal.accounts.actor import Actor
from portal.accounts.models import Organisation
from portal.jobs import lease as leases
from portal.jobs.lease import BROKEN, JobLease, JobLost
from portal.jobs.models import Job
from portal.jobs.registry import KINDS, JobDone
from portal.kit.away import is_database_away
from portal.kit.errors import Refusal

log = logging.getLogger(__name__)

# How far a job is, is written at most this often.
TELL_EVERY = 0.25


@dataclass
class Work:
    """What a runner is given: the job as it was claimed, and the ways to say how far it is."""

    job: Job
    lease: JobLease
    keeper: JobKeeper
    _told: float = 0.0

    @property
    def organisation(self) -> Organisation:
        return self.job.organisation

    @property
    def actor(self) -> Actor:
        """Who asked for it: what the runner does, it does as them."""
        return self.job.asker

    @property
    def arguments(self) -> Mapping[str, Any]:
        arguments: Mapping[str, Any] = self.job.arguments
        return arguments

    @property
    def payload(self) -> bytes:
        """The bytes that came with the job; b"" for none."""
        return bytes(self.job.payload or b"")

    @property
    def notes(self) -> Mapping[str, Any]:
        """What an earlier attempt did already."""
        notes: Mapping[str, Any] = self.job.notes
        return notes

    def tell(self, text: str, done: int = 0, total: int = 0) -> None:
        """Say how far it is. Call it outside transactions; raises JobLost when the job is somebody else's or over."""
        self.check()
        moment = time.monotonic()
        if moment - self._told >= TELL_EVERY or (total and done >= total):
            self._told = moment
            leases.progress(self.lease, text, done, total)

    def note(self, **facts: Any) -> None:
        """Keep what was done, inside the tenant transaction in which it was done. Raises JobLost."""
        leases.note(self.lease, facts)
        self.job.notes = {**self.job.notes, **facts}

    def check(self) -> None:
        """Raises JobLost as soon as it is known; for between two calls to the outside."""
        self.keeper.check()


class JobKeeper:
    """The thread beside a runner: says that the worker lives, and hears that the job is not ours any more."""

    def __init__(self, lease: JobLease) -> None:
        self.lease = lease
        self.is_lost = False
        self._stop = threading.Event()
        self._renewed = time.monotonic()
        self._thread = threading.Thread(target=self._keep, name=f"job-{lease.job_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def check(self) -> None:
        """Raises JobLost."""
        if self.is_lost or time.monotonic() - self._renewed > settings.JOB_LEASE_SECONDS:
            raise JobLost(f"job {self.lease.job_id}")

    def _keep(self) -> None:
        try:
            while not self._stop.wait(settings.JOB_LEASE_SECONDS / 3) and not self.is_lost:
                try:
                    leases.renew(self.lease)
                    self._renewed = time.monotonic()
                except JobLost:
                    self.is_lost = True
                except DatabaseAway as error:
                    if not is_database_away(error):
                        raise
                    connections.close_all()
        finally:
            connections.close_all()


def work(organisation_id: int, job_id: int) -> tuple[int, int] | None:
    """Do the job if it is free. Returns (organisation id, person id or 0) when one ended, so that the next may begin.

    Never raises for what the runner does wrong: that is the job's end, and a traceback in the log.
    """
    claimed = leases.claim(organisation_id, job_id)
    if claimed is None:
        return None
    lease, job = claimed
    try:
        _run(lease, job)
    except JobLost as error:
        log.info("%s: it is not ours any more", error)
    except DatabaseAway as error:
        if not is_database_away(error):
            raise
        # Nothing can be written: the lease runs out, and another worker goes on from what was kept.
        log.warning("job %s waits: the database is away: %s", job_id, error)
        connections.close_all()
        return None
    return organisation_id, job.actor_id or 0


def _run(lease: JobLease, job: Job) -> None:
    kind = KINDS[job.kind]
    with JobKeeper(lease) as keeper:
        try:
            done: JobDone = kind.run(Work(job, lease, keeper))
        except Refusal as refusal:
            leases.end_badly(lease, "refused", refusal)
        except JobLost:
            raise
        except Exception as error:
            if is_database_away(error):
                raise
            log.exception("job %s (%s) broke", job.uid, job.kind)
            leases.end_badly(lease, "failed", BROKEN)
        else:
            leases.end_well(lease, done)
