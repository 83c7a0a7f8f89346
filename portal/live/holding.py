"""The leases of all duties that one live process does: taken one by one, kept by one statement for all."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

from portal.kit.dbthread import DatabaseAway, DatabaseThread
from portal.live import leases
from portal.live.leases import Place


@dataclass
class HeldDuties:
    """What this process holds. A third of a lease after it was taken it is taken anew, as long as `keep` runs."""

    owner: str
    clerk: DatabaseThread
    shortest: float  # seconds of the shortest lease
    _held: dict[Place, tuple[float, float]] = field(default_factory=dict)  # its seconds, and when it was taken last

    async def take(self, place: Place, seconds: float) -> bool:
        """Whether the duty is ours for a while yet: asked of the database only where it is not known. Raises
        DatabaseAway.
        """
        known = self._held.get(place)
        now = time.monotonic()
        if known is not None and now - known[1] < 2 * seconds / 3:
            return True
        if not await self.clerk(leases.hold, place, self.owner, seconds):
            self.leave(place)
            return False
        self._held[place] = (seconds, now)
        return True

    def leave(self, place: Place) -> None:
        """Keeps the lease no longer. It ends by itself, unless it is taken again before."""
        self._held.pop(place, None)

    async def keep(self) -> None:
        """Renews what is held, for ever."""
        every = self.shortest / 3
        while True:
            await asyncio.sleep(every)
            now = time.monotonic()
            due = {place: seconds for place, (seconds, at) in self._held.items() if now - at >= (seconds - every) / 3}
            if not due:
                continue
            with contextlib.suppress(DatabaseAway):
                ours = await self.clerk(leases.renew, self.owner, due)
                for place, seconds in due.items():
                    if place not in ours:
                        self.leave(place)
                    elif place in self._held:
                        self._held[place] = (seconds, now)
