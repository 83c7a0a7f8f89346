"""The thread beside a working step: says that the worker lives, carries log lines out, and hears a wish to stop."""

import logging
import threading
import time
from types import TracebackType
from typing import Self

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections

from portal.accounts.tenancy import tenant
from portal.kit.away import is_database_away
from portal.provisioning.engine.lease import Cancelled, LeaseLost, RunLease
from portal.provisioning.models import Run

log = logging.getLogger(__name__)

# Log lines are at most this old when they are committed; a wish to cancel is heard within the second.
TICK = 0.1
LISTEN = 1.0


class StepKeeper:
    """Context manager around a step's action; `check()` is for the action, between two calls to the outside.

    A deaf one does not hear a wish to stop: its step is one that runs always.
    """

    def __init__(self, lease: RunLease, *, is_deaf: bool = False) -> None:
        self.lease = lease
        self.is_deaf = is_deaf
        self.is_lost = False
        self.is_cancelled = False
        self._stop = threading.Event()
        self._renewed = self._listened = time.monotonic()
        self._thread = threading.Thread(target=self._keep, name=f"keeper-{lease.run_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def check(self) -> None:
        """Raises LeaseLost or Cancelled as soon as either is known."""
        # The lease may have run out while nobody could reach the database: then nobody may act on it either.
        if self.is_lost or time.monotonic() - self._renewed > settings.RUN_LEASE_SECONDS:
            raise LeaseLost(f"run {self.lease.run_id}")
        if self.is_cancelled and not self.is_deaf:
            raise Cancelled

    def _keep(self) -> None:
        try:
            while not self._stop.wait(TICK) and not self.is_lost:
                try:
                    self._tick()
                except LeaseLost:
                    self.is_lost = True
                except DatabaseError as error:
                    if not is_database_away(error):
                        log.exception("run %s: its lease cannot be renewed", self.lease.run_id)
                        self._stop.wait(LISTEN)
                    connections.close_all()
        finally:
            connections.close_all()

    def _tick(self) -> None:
        now = time.monotonic()
        if self.lease.logbook.has_news or now - self._renewed >= settings.RUN_HEARTBEAT_SECONDS:
            with self.lease.fenced() as run:
                self.is_cancelled = run.cancel_requested_at is not None
            self._renewed = self._listened = now
        elif now - self._listened >= LISTEN:
            with tenant(self.lease.organisation_id):
                mine = Run.objects.for_tenant(self.lease.organisation_id).filter(
                    pk=self.lease.run_id, epoch=self.lease.epoch
                )
                self.is_cancelled = mine.filter(cancel_requested_at__isnull=False).exists()
            self._listened = now
