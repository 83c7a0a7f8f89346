"""Which units are to be worked out, and when: at once the first time, then no more often than each can bear."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable

from portal.clusters.watching.memo import Unit

EVERY = 0.25
# a unit may take this share of a core at most: what is dear is looked at less often
SHARE = 0.05


class Queue:
    """Units that are dirty, each handed out once however often it was marked; the words of `order` go first to last."""

    def __init__(self, order: tuple[str, ...], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ready: dict[str, dict[Unit, None]] = {word: {} for word in order}
        self._later: list[tuple[float, Unit]] = []
        self._marked: set[Unit] = set()
        self._rests_until: dict[Unit, float] = {}

    def mark(self, unit: Unit) -> None:
        """The unit has to be worked out."""
        if unit in self._marked:
            return
        self._marked.add(unit)
        at = self._rests_until.get(unit, 0.0)
        if at <= self._clock():
            self._ready[unit[0]][unit] = None
        else:
            heapq.heappush(self._later, (at, unit))

    def take(self) -> Unit | None:
        """The next unit whose time has come; None when there is none now."""
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            unit = heapq.heappop(self._later)[1]
            if unit in self._marked:
                self._ready[unit[0]][unit] = None
        for ready in self._ready.values():
            if ready:
                unit = next(iter(ready))
                del ready[unit]
                self._marked.discard(unit)
                return unit
        return None

    def rest(self, unit: Unit, cost: float) -> None:
        """The unit was worked out in `cost` seconds: it is not handed out again before it may be."""
        self._rests_until[unit] = self._clock() + max(EVERY, cost / SHARE)

    def forget(self, unit: Unit) -> None:
        """The unit is no more."""
        self._rests_until.pop(unit, None)

    def wait(self) -> float | None:
        """In how many seconds `take` has something; None when nothing is marked."""
        if any(self._ready.values()):
            return 0.0
        return max(self._later[0][0] - self._clock(), 0.0) if self._later else None

    def hurry(self) -> None:
        """What rests need not rest any longer."""
        self._rests_until.clear()
        for _, unit in self._later:
            self._ready[unit[0]][unit] = None
        self._later.clear()

    def __len__(self) -> int:
        return len(self._marked)
