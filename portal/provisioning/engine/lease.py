"""Who may work on a run: a lease with an epoch, claimed by compare-and-set and proven again in every write."""

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, Q
from django.db.models.functions import Now

from portal.accounts.tenancy import tenant
from portal.kit.announcing import announce
from portal.provisioning import concerning, states
from portal.provisioning.engine.logbook import Logbook
from portal.provisioning.models import Run
from portal.provisioning.redaction import Redactor

OWNER = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
_WRITTEN = [
    "status", "epoch", "lease_owner", "lease_until", "wake_at", "woken_by", "is_woken", "output", "error_code",
    "error_text", "log_seq", "started_at", "ended_at", "secrets", "entity_refs",
]  # fmt: skip


class LeaseLost(Exception):
    """Another worker holds the run now, or it is over: whoever sees this writes nothing and goes home."""


class Cancelled(Exception):
    """A person asked the run to stop, and the next effect has not begun."""


@dataclass
class RunLease:
    """One worker's hold on one run."""

    organisation_id: int
    run_id: int
    epoch: int
    key: str
    logbook: Logbook = field(default_factory=lambda: Logbook(Redactor()))

    @contextmanager
    def fenced(self) -> Iterator[Run]:
        """One transaction on the locked run; extends the lease, stores log lines, and saves the row at the end.

        Raises LeaseLost when the epoch has moved on.
        """
        with self.logbook.lock:
            with tenant(self.organisation_id):
                run = _locked(self.organisation_id, Q(pk=self.run_id, epoch=self.epoch, lease_until__isnull=False))
                if run is None:
                    raise LeaseLost(f"run {self.run_id}, epoch {self.epoch}")
                hold(run)
                before = run.status
                yield run
                stored = self.logbook.store(run)
                run.save(update_fields=_WRITTEN)
                if run.status != before and run.state.is_final:
                    concerning.tell_end(run)
                transaction.on_commit(lambda: call_out(self.organisation_id, self.run_id))
            self.logbook.forget(stored)


def _locked(organisation_id: int, condition: Q) -> Run | None:
    """The run under lock, with the database's own time as `now`: leases are judged by one clock."""
    clock = ExpressionWrapper(Now(), output_field=DateTimeField())
    rows = Run.objects.for_tenant(organisation_id).select_for_update()
    row = rows.annotate(locked_at=clock).filter(condition).first()
    if row is None:
        return None
    row.now = row.locked_at
    return row


def hold(run: Run) -> None:
    """Write down that its worker is alive now; the sweeper looks again when the lease ends."""
    run.lease_until = run.wake_at = run.now + timedelta(seconds=settings.RUN_LEASE_SECONDS)


def claim(organisation_id: int, run_id: int) -> tuple[RunLease, Run] | None:
    """Take the run if it is unfinished and nobody alive holds it; None for a message too many or too late."""
    with tenant(organisation_id):
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
        run = _locked(organisation_id, Q(pk=run_id, status__in=states.ACTIVE_RUN) & free)
        if run is None:
            return None
        run.epoch += 1
        run.lease_owner = OWNER
        run.is_woken = False
        run.started_at = run.started_at or run.now
        run.move(states.claimed(run.status))
        hold(run)
        run.save(update_fields=_WRITTEN)
    return RunLease(organisation_id, run_id, run.epoch, run.idempotency_key), run


def let_go(lease: RunLease, pause: timedelta) -> None:
    """Give up a lease without an outcome: the sweeper nudges the run after `pause`."""
    with tenant(lease.organisation_id):
        Run.objects.for_tenant(lease.organisation_id).filter(pk=lease.run_id, epoch=lease.epoch).exclude(
            lease_until=None
        ).update(lease_owner="", lease_until=None, wake_at=Now() + pause)


def call_out(organisation_id: int, run_id: int) -> None:
    """Tell every page that shows this run, or runs at all."""
    for topic in (f"run:{run_id}", f"run-log:{run_id}", f"run-buttons:{run_id}", f"run-row:{run_id}", "runs:all"):
        announce(organisation_id, topic)
