"""The worker's processes make room for fresh ones once there has been work and then none for a while.

A process that works writes to what it shares with the process it was forked from, and keeps what its libraries keep;
30 MB and more in either of them, for good. A fresh one costs some milliseconds while nobody waits for it.
"""

from __future__ import annotations

from typing import Any

from celery import bootsteps
from celery.concurrency import prefork
from celery.worker import state

# Seconds; the worker is quiet when it had nothing to do from one look to the next.
LOOK_EVERY = 20.0


class Renewal(bootsteps.StartStopStep):
    """A step of the worker, in its own event loop: no task can begin while it looks."""

    requires = ("celery.worker.components:Timer", "celery.worker.components:Pool")

    def __init__(self, parent: Any, **options: Any) -> None:
        self._seen = self._renewed_at = 0  # counts of tasks
        self._looking: Any = None
        super().__init__(parent, **options)

    def include_if(self, parent: Any) -> bool:
        """Only where there are processes: a worker that does everything itself has none to renew."""
        return issubclass(parent.pool_cls, prefork.TaskPool)

    def start(self, parent: Any) -> None:
        """Begins to look now and then."""
        self._looking = parent.timer.call_repeatedly(LOOK_EVERY, self.look, (parent.pool,))

    def stop(self, parent: Any) -> None:
        """Looks no more."""
        if self._looking is not None:
            self._looking.cancel()

    def look(self, pool: Any) -> None:
        """Renews the processes when there is reason to, and nothing to do."""
        begun = state.all_total_count[0]
        is_quiet = begun == self._seen and not state.reserved_requests
        self._seen = begun
        if is_quiet and begun != self._renewed_at:
            self._renewed_at = begun
            renew(pool)


def renew(pool: Any) -> None:
    """As many new processes as there are, and then away with those that were there before."""
    old = pool.num_processes
    pool.grow(old)
    pool.maintain_pool()
    pool.shrink(old)
