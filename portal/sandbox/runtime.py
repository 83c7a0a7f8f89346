"""The work queue behind the controllers: changes make keys, keys are worked off one by one, nothing polls."""

import asyncio
import logging
from collections import deque
from collections.abc import Hashable, Iterable
from typing import Protocol

from portal.sandbox.errors import ApiError
from portal.sandbox.store import Change

log = logging.getLogger("slipway.sandbox")
_SLICE = 0.008
_LONGEST_BACKOFF = 30.0


class Controller(Protocol):
    """Turns changes into keys and brings one key's objects to what they should be."""

    def keys(self, change: Change) -> Iterable[Hashable]: ...

    def sync(self, key: Hashable) -> None: ...


Item = tuple[Controller, Hashable]


class Runtime:
    """One queue for all controllers; a key that waits already is not queued twice."""

    def __init__(self) -> None:
        self.controllers: list[Controller] = []
        self._queue: deque[Item] = deque()
        self._queued: set[Item] = set()
        self._timers: dict[Item, asyncio.TimerHandle] = {}
        self._failures: dict[Item, int] = {}
        self._awake = asyncio.Event()

    def observe(self, change: Change) -> None:
        for controller in self.controllers:
            for key in controller.keys(change):
                self.add(controller, key)

    def add(self, controller: Controller, key: Hashable) -> None:
        item = (controller, key)
        if item not in self._queued:
            self._queued.add(item)
            self._queue.append(item)
            self._awake.set()

    def later(self, seconds: float, controller: Controller, key: Hashable) -> None:
        """Queue a key after a while; a second call replaces the first."""
        item = (controller, key)
        if item in self._timers:
            self._timers.pop(item).cancel()
        self._timers[item] = asyncio.get_running_loop().call_later(max(seconds, 0), self._due, item)

    def retry(self, controller: Controller, key: Hashable) -> None:
        """Queue a key again after an exponential back-off."""
        item = (controller, key)
        count = self._failures[item] = self._failures.get(item, 0) + 1
        self.later(min(0.5 * 2**count, _LONGEST_BACKOFF), controller, key)

    def forget(self, controller: Controller, key: Hashable) -> None:
        """The key went well: the next failure begins the back-off anew."""
        self._failures.pop((controller, key), None)

    def _due(self, item: Item) -> None:
        self._timers.pop(item, None)
        self.add(*item)

    async def run(self) -> None:
        """Work for ever, leaving the event loop free every few milliseconds."""
        loop = asyncio.get_running_loop()
        while True:
            until = loop.time() + _SLICE
            while self._queue and loop.time() < until:
                self._work()
            if self._queue:
                await asyncio.sleep(0)
                continue
            self._awake.clear()
            await self._awake.wait()

    def _work(self) -> None:
        controller, key = item = self._queue.popleft()
        self._queued.discard(item)
        try:
            controller.sync(key)
        except ApiError as error:
            log.info("%s %s: %s", type(controller).__name__, key, error.message)
            self.retry(controller, key)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            # The outermost loop: one strange object must not stop the cluster.
            log.exception("%s could not handle %s", type(controller).__name__, key)

    def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
