"""A thread that has a database connection of its own, for synchronous work beside an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import connections
from django.db.utils import InterfaceError, OperationalError

_T = TypeVar("_T")


class DatabaseAway(Exception):
    """PostgreSQL does not answer."""


class DatabaseThread:
    """Django's synchronous database in one thread, one piece of work after another."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def __call__(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """Runs the function there. Raises DatabaseAway."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._run, work, arguments)

    @staticmethod
    def _run(work: Callable[..., _T], arguments: tuple[Any, ...]) -> _T:
        try:
            return work(*arguments)
        except (OperationalError, InterfaceError) as error:
            connections.close_all()
            raise DatabaseAway(str(error).strip().partition("\n")[0]) from error

    async def close(self) -> None:
        """Gives the connection back and ends the thread, which finishes what it is at."""
        await asyncio.get_running_loop().run_in_executor(self._pool, connections.close_all)
        self._pool.shutdown()
