"""Threads that have database connections of their own, for synchronous work beside an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import connections
from django.db.utils import InterfaceError, OperationalError

from portal.kit.threads import WarmThreads

_T = TypeVar("_T")
# Seconds. A connection is a process of the server and some megabytes: what has no use for it gives it back.
IDLE = 10.0


class DatabaseAway(Exception):
    """PostgreSQL does not answer."""


def _run(work: Callable[..., _T], arguments: tuple[Any, ...]) -> _T:
    try:
        return work(*arguments)
    except (OperationalError, InterfaceError) as error:
        connections.close_all()
        raise DatabaseAway(str(error).strip().partition("\n")[0]) from error


class DatabaseThreads:
    """As many threads as there is work at one time, and connections likewise: short pieces of work share one.

    What takes long has a thread to itself meanwhile, and keeps nobody waiting while there are fewer than `most`.
    """

    def __init__(self, name: str, most: int) -> None:
        self._pool = WarmThreads(most, name, idle=IDLE)

    async def __call__(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """Runs the function in one of them. Raises DatabaseAway."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, _run, work, arguments)

    async def close(self) -> None:
        """Gives the connections back, once all work is done."""
        await asyncio.to_thread(self._pool.rest)


class DatabaseThread:
    """Django's synchronous database in one thread, one piece of work after another.

    Its connection is kept while there is work, and given back after IDLE seconds without any.
    """

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._giving_back: asyncio.TimerHandle | None = None

    async def __call__(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """Runs the function there. Raises DatabaseAway."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, _run, work, arguments)
        finally:
            self._keep_for(IDLE)

    def _keep_for(self, seconds: float) -> None:
        """Gives the connection back that long after the last work; what is asked for meanwhile waits its turn."""
        if self._giving_back is not None:
            self._giving_back.cancel()
        loop = asyncio.get_running_loop()
        self._giving_back = loop.call_later(seconds, self._pool.submit, connections.close_all)

    async def close(self) -> None:
        """Gives the connection back and ends the thread, which finishes what it is at."""
        if self._giving_back is not None:
            self._giving_back.cancel()
        await asyncio.get_running_loop().run_in_executor(self._pool, connections.close_all)
        self._pool.shutdown()
