"""Wakes runs as the workloads that they wait for change: keys are collected as they are called out, and looked up."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from django.db import connections
from django.db.utils import InterfaceError, OperationalError

from portal.kit.dbthread import DatabaseThread
from portal.provisioning.sweeping import wake_runs

# Changes of a workload come in bursts; one look at the table serves all that came within this time.
GATHER = 0.05
AWAY_PAUSE = 2.0


class Waker:
    """Collects the keys that the watchers call out and wakes the runs that wait for them."""

    def __init__(self) -> None:
        self._called: dict[int, set[str]] = defaultdict(set)
        self._news: asyncio.Event | None = None

    def call(self, organisation_id: int, key: str) -> None:
        """A workload changed. Cheap, never blocks, for the event loop's own thread."""
        self._called[organisation_id].add(key)
        if self._news:
            self._news.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Wakes runs until told to stop; keys that could not be looked up stay for the next turn."""
        self._news = asyncio.Event()
        thread = DatabaseThread("waking")
        ending = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                news = asyncio.create_task(self._news.wait())
                await asyncio.wait({news, ending}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
                self._news.clear()
                called, self._called = self._called, defaultdict(set)
                left = await thread(_wake, called)
                for organisation_id, keys in left.items():
                    self._called[organisation_id] |= keys
                if left:
                    self._news.set()
                    await asyncio.wait({ending}, timeout=AWAY_PAUSE)
                await asyncio.wait({ending}, timeout=GATHER)
        finally:
            ending.cancel()
            await thread.close()
            self._news = None


def _wake(called: dict[int, set[str]]) -> dict[int, set[str]]:
    """Wakes whoever waits for what was called; answers what is left while the database is away."""
    left = dict(called)
    for organisation_id, keys in called.items():
        try:
            wake_runs(organisation_id, keys)
        except (OperationalError, InterfaceError):
            connections.close_all()
            return left
        del left[organisation_id]
    return {}


WAKER = Waker()
call, run = WAKER.call, WAKER.run
