"""A cluster's share of the event loop: when its slice is used up, everybody else goes first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

SLICE = 0.002


class Turns:
    """Shared by everything that one cluster does in the loop. In each round of the loop it may use SLICE seconds.

    A change of a quiet cluster waits for one slice of each busy one in each of the few rounds that it takes, however
    much there is to do elsewhere.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._began: float | None = None

    async def rest(self) -> None:
        """Between two pieces of work: gives the loop away when the slice of this round is used up."""
        if self._began is None:
            self._began = self._clock()
            asyncio.get_running_loop().call_soon(self._next_round)
        elif self._clock() - self._began >= SLICE:
            await asyncio.sleep(0)

    def _next_round(self) -> None:
        self._began = None
