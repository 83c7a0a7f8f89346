"""How one duty is done: its lease, its turns, its failures. What happens to one duty never happens to another."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from portal.kit.dbthread import DatabaseAway, DatabaseThread, DatabaseThreads
from portal.kit.duties import Duty
from portal.live import leases
from portal.live.holding import HeldDuties
from portal.live.leases import Place

log = logging.getLogger(__name__)

# Seconds that a killed process's duties wait for another, at most; longer ones take three turns.
LEASE = float(settings.DUTY_LEASE_SECONDS)
PAUSE_FIRST, PAUSE_MOST = 1.0, 30.0
AWAY_MOST = 5.0  # while the database is away it is asked more often: it is missed by everybody
LINE_EVERY = 30.0


@dataclass
class Doing:
    """One duty in one live process, until `stop`."""

    duty: Duty
    owner: str
    stop: asyncio.Event
    held: HeldDuties  # the leases of all duties of the process
    threads: DatabaseThreads  # the turns of all duties, each in one that has nothing else to do
    _pause: float = 0.0
    _lined: tuple[str, bool, float] = ("", False, float("-inf"))

    @property
    def place(self) -> Place:
        """Which row is its own: a duty that every process does has one for each."""
        return self.duty.name, self.owner if self.duty.watch else ""

    @property
    def lease(self) -> float:
        """For how many seconds it is held at a time."""
        return max(LEASE, 3 * self.duty.every)

    @property
    def clerk(self) -> DatabaseThread:
        """Who writes leases and lines, of all duties: their own threads may be busy for long."""
        return self.held.clerk

    async def run(self) -> None:
        """Does the duty until `stop`; every failure is told, and it is begun again after a pause."""
        try:
            while not self.stop.is_set():
                try:
                    await (self._watch() if self.duty.watch else self._turn())
                    self._pause = 0.0
                except DatabaseAway as error:
                    self._failed("the database is away: %s", error, most=AWAY_MOST)
                except Exception as error:  # noqa: BLE001 - the outermost loop: one duty's bug must not end the others
                    words = f"{type(error).__name__}: {error}"
                    self._failed("failed: %s", words, most=PAUSE_MOST, exc_info=error)
                    await self._line(words, is_failing=True)
                await self._rest(self._pause or self.duty.every)
        finally:
            await self._close()

    def _failed(self, message: str, words: object, *, most: float, exc_info: Exception | None = None) -> None:
        """One line when trouble begins, not one for each attempt. Another process may try meanwhile: the lease is left
        to end by itself.
        """
        self.held.leave(self.place)
        if not self._pause:
            log.warning("%s: " + message, self.duty.name, words, exc_info=exc_info)
        self._pause = min(max(self._pause * 2, PAUSE_FIRST), most)

    async def _turn(self) -> None:
        """One turn, if this process is the one that takes it."""
        turn: Callable[[], Any] = import_string(self.duty.turn)
        if not await self.held.take(self.place, self.lease):
            return
        done = await self.threads(turn)
        if self._pause:
            log.warning("%s: goes on", self.duty.name)
        await self._line(f"{done}" if done else "", is_failing=False)

    async def _watch(self) -> None:
        """Watches until `stop`. One that ends by itself before that has failed."""
        watch: Callable[[asyncio.Event], Coroutine[Any, Any, None]] = import_string(self.duty.watch)
        telling = asyncio.create_task(self._tell_well())
        try:
            await watch(self.stop)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        if not self.stop.is_set():
            raise RuntimeError("it ended by itself")

    async def _tell_well(self) -> None:
        """Says now and then that a watch goes on: it has no turns that end."""
        await asyncio.sleep(PAUSE_FIRST)  # one that fails at once is not said to be working in between
        while True:
            await self._line("", is_failing=False)
            await asyncio.sleep(self.lease / 3)

    async def _line(self, text: str, *, is_failing: bool) -> None:
        """Writes the health line when it says something else, and now and then so that it is seen to be new."""
        said, was_failing, at = self._lined
        now = time.monotonic()
        if (text, is_failing) == (said, was_failing) and now - at < LINE_EVERY:
            return
        with contextlib.suppress(DatabaseAway):
            if self.duty.watch:
                # a watch goes on without the database, and shares its work by leases of its own: this row only says so
                await self.held.take(self.place, self.lease)
            write = lambda: leases.note(  # noqa: E731 - keyword arguments do not travel to a thread
                self.place, self.owner, text=text, is_failing=is_failing, is_done=not is_failing
            )
            await self.clerk(write)
            self._lined = (text, is_failing, now)

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stop.wait()

    async def _close(self) -> None:
        with contextlib.suppress(DatabaseAway):
            self.held.leave(self.place)
            await self.clerk(leases.release, self.place, self.owner)


async def do_all(duties: list[Duty], owner: str, stop: asyncio.Event) -> None:
    """Does every duty until `stop`. Returns when all have ended."""
    clerk, threads = DatabaseThread("leases"), DatabaseThreads("duty", len(duties))
    held = HeldDuties(owner, clerk, LEASE)
    keeping = asyncio.create_task(held.keep(), name="leases")
    try:
        async with asyncio.TaskGroup() as group:
            for duty in duties:
                group.create_task(Doing(duty, owner, stop, held, threads).run(), name=duty.name)
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await clerk.close()
        await threads.close()
