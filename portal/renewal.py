"""The worker's processes make room for one fresh one once there has been nothing to do for a while; when there is more
to do than that one can, the others are started.

A process that works writes to what it shares with the process it was forked from, and keeps what its libraries keep;
30 MB and more in either of them, for good. A fresh one costs 12 MB and some milliseconds, and the first is there before
anybody asks.
"""

from __future__ import annotations

from typing import Any

from celery import bootsteps
from celery.concurrency import prefork
from celery.worker import state

# Seconds; the worker is quiet when it had nothing to do from one look to the next.
LOOK_EVERY = 20.0
# So many processes stay where there is nothing to do.
FEWEST = 1


class Renewal(bootsteps.StartStopStep):
    """A step of the worker, in its own event loop: no task can begin while it looks."""

    requires = ("celery.worker.components:Timer", "celery.worker.components:Pool")

    def __init__(self, parent: Any, **options: Any) -> None:
        self._seen = self._renewed_at = 0  # counts of tasks
        self._looking: Any = None
        self._pool: Any = None
        self._most = 0
        super().__init__(parent, **options)

    def include_if(self, parent: Any) -> bool:
        """Only where there are processes: a worker that does everything itself has none to renew."""
        return issubclass(parent.pool_cls, prefork.TaskPool)

    def start(self, parent: Any) -> None:
        """Begins to look now and then, and at each task that comes."""
        self._pool, self._most = parent.pool, parent.concurrency
        parent.consumer.on_task_message.add(self.meet)
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
        if is_quiet and (begun != self._renewed_at or pool.num_processes > FEWEST):
            self._renewed_at = begun
            renew(pool, FEWEST)

    def meet(self, request: Any) -> None:
        """Starts another process when more is waiting or under way than there are."""
        if self._pool.num_processes < min(len(state.reserved_requests), self._most):
            self._pool.grow(1)
            self._pool.maintain_pool()


def renew(pool: Any, count: int) -> None:
    """So many new processes, and then away with those that were there before."""
    old = pool.num_processes
    pool.grow(count)
    pool.maintain_pool()
    pool.shrink(old)
