"""The live process around the clusters: sweeps what is due, wakes runs as workloads change, survives outages."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseAway
from django.db import connections

from portal.provisioning.sweeping import sweep_runs, wake_runs

log = logging.getLogger(__name__)

# Changes of a workload come in bursts; one look at the table serves all that came within this time.
GATHER = 0.05
LONGEST_PAUSE = 30.0


class Steady:
    """Runs a synchronous job in one thread of its own; while the database is away it waits longer and longer.

    One line is logged when the trouble begins and one when it ends.
    """

    def __init__(self, name: str, every: float) -> None:
        self.name = name
        self.every = every
        self._pause = every
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, job: Callable[..., Any], *args: Any) -> bool:
        """Whether the job was done; False when the database could not be reached."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, job, *args)
        except DatabaseAway as error:
            await asyncio.get_running_loop().run_in_executor(self._thread, connections.close_all)
            if self._pause == self.every:
                log.warning("%s: the database is away: %s", self.name, str(error).strip().splitlines()[0])
            self._pause = min(max(self._pause, 1.0) * 2, LONGEST_PAUSE)
            return False
        if self._pause != self.every:
            log.warning("%s: the database is back", self.name)
        self._pause = self.every
        return True

    async def rest(self, stop: asyncio.Event) -> None:
        """Wait for the next turn, or for the end."""
        try:
            async with asyncio.timeout(self._pause):
                await stop.wait()
        except TimeoutError:
            return

    async def close(self) -> None:
        """Give the connection back and end the thread."""
        await asyncio.get_running_loop().run_in_executor(self._thread, connections.close_all)
        self._thread.shutdown()


class Waker:
    """Collects the keys that the watchers call out and wakes the runs that wait for them."""

    def __init__(self) -> None:
        self._called: dict[int, set[str]] = defaultdict(set)
        self._news = asyncio.Event()

    def call(self, organisation_id: int, key: str) -> None:
        """A workload changed. Cheap, never blocks, for the event loop's own thread."""
        self._called[organisation_id].add(key)
        self._news.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Wake runs until told to stop; keys that could not be looked up stay for the next turn."""
        steady = Steady("waking", GATHER)
        ending = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                news = asyncio.create_task(self._news.wait())
                await asyncio.wait({news, ending}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
                await self._wake(steady)
                await steady.rest(stop)
        finally:
            ending.cancel()
            await steady.close()

    async def _wake(self, steady: Steady) -> None:
        self._news.clear()
        for organisation_id in list(self._called):
            keys = frozenset(self._called[organisation_id])
            if not await steady.run(wake_runs, organisation_id, keys):
                self._news.set()
                return
            self._called[organisation_id] -= keys
            if not self._called[organisation_id]:
                del self._called[organisation_id]


async def sweeping(stop: asyncio.Event, jobs: tuple[Callable[[], Any], ...] = (sweep_runs,)) -> None:
    """Every few seconds, look for what is due."""
    steady = Steady("sweeping", float(settings.SWEEP_SECONDS))
    try:
        while not stop.is_set():
            for job in jobs:
                if not await steady.run(job):
                    break
            await steady.rest(stop)
    finally:
        await steady.close()


async def keep_watch(
    stop: asyncio.Event,
    watch: Callable[[asyncio.Event, Callable[[int, str], None]], Coroutine[Any, Any, None]],
    jobs: tuple[Callable[[], Any], ...],
) -> None:
    """Everything the live process does, until `stop`: `watch` follows the clusters, `jobs` are swept."""
    waker = Waker()
    async with asyncio.TaskGroup() as group:
        group.create_task(watch(stop, waker.call))
        group.create_task(waker.run(stop))
        group.create_task(sweeping(stop, jobs))
