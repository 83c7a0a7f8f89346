"""Database connections that outlive a request: one for each thread, looked at before it is used again.

A round trip to ask whether the server is still there would cost every request a statement. A server that went away has
closed its end, and that is seen on the socket without asking.
"""

import asyncio
import select
import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import connections

from portal.kit.threads import WarmThreads

# A peer that vanished without closing anything (a pulled cable, a lost route) is found by asking after such a pause.
ASK_AFTER = 60.0
_asked = "_slipway_asked_at"
_T = TypeVar("_T")
# What the event loop has to ask the database for its streams is asked here, by few threads that keep their connections.
_threads = WarmThreads(4, "stream")


async def in_thread(work: Callable[..., _T], *arguments: Any) -> _T:
    """The result of a piece of work that may use the database, done in one of a few fixed threads."""
    return await asyncio.get_running_loop().run_in_executor(_threads, work, *arguments)


def tend() -> None:
    """Gives up those of this thread's connections that are dead; the next query opens new ones.

    Call it where a thread begins a piece of work, outside any transaction.
    """
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None and not connection.in_atomic_block and not is_alive(connection):
            connection.close()


def is_alive(connection: Any) -> bool:
    """Whether a connection outside any transaction can be used; asks the server only when there is reason to."""
    raw = connection.connection
    if raw.closed or connection.errors_occurred:
        return False
    now = time.monotonic()
    # Nothing is expected between two transactions: what can be read is the server's farewell.
    is_silent = not select.select([raw.pgconn.socket], [], [], 0)[0]
    if is_silent and now - getattr(raw, _asked, now) < ASK_AFTER:
        setattr(raw, _asked, now)
        return True
    setattr(raw, _asked, now)
    return bool(connection.is_usable())
