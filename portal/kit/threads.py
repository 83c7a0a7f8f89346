"""Threads that answer requests: the one that was busy last is asked first.

A pool that hands work to whoever has waited longest keeps all its threads lukewarm: each with a connection, which is a
process of the database, and each with statements of its own to prepare. One person's clicks need one thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from django.db import connections

from portal.kit.memory import give_back

_T = TypeVar("_T")
_Work = tuple["Future[Any]", Callable[[], Any]]
# Seconds after which a thread that was needed beside others gives its connection back.
IDLE = 30.0


class WarmThreads(Executor):
    """At most so many threads, started as they are needed. They live as long as the process."""

    def __init__(self, most: int, name: str, *, idle: float | None = None) -> None:
        """`idle`: seconds after which one that was needed beside others gives its connection back (IDLE)."""
        self._idle_after = IDLE if idle is None else idle
        self._most = most
        self._name = name
        self._lock = threading.Lock()
        self._started = 0
        self._idle: list[SimpleQueue[_Work]] = []  # the last was busy last
        self._waiting: deque[_Work] = deque()

    def submit(self, work: Callable[..., _T], /, *arguments: Any, **named: Any) -> Future[_T]:
        """The result to come of a piece of work, done in one of the threads."""
        future: Future[_T] = Future()
        todo: _Work = (future, lambda: work(*arguments, **named))
        with self._lock:
            if self._idle:
                self._idle.pop().put(todo)
            elif self._started < self._most:
                self._started += 1
                name = f"{self._name}-{self._started}"
                threading.Thread(target=self._live, args=(todo,), name=name, daemon=True).start()
            else:
                self._waiting.append(todo)
        return future

    def rest(self) -> None:
        """Has every thread that has nothing to do give its connection back, and waits until they have."""
        given: list[Future[None]] = []
        with self._lock:
            for box in self._idle:
                given.append(Future())
                box.put((given[-1], connections.close_all))
            self._idle.clear()
        wait(given)

    def _live(self, first: _Work) -> None:
        box: SimpleQueue[_Work] = SimpleQueue()
        todo: _Work | None = first
        while True:
            tell = _do(*(todo or self._await(box)))
            # Who hears the result may ask again at once, and shall find this thread ready.
            todo = self._next(box)
            tell()
            del tell

    def _next(self, box: SimpleQueue[_Work]) -> _Work | None:
        """What waits; None when nothing does: what comes next will lie in the box."""
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._idle.append(box)
        return None

    def _await(self, box: SimpleQueue[_Work]) -> _Work:
        is_rested = False
        while True:
            try:
                return box.get(timeout=self._idle_after)
            except Empty:
                pass
            if not is_rested:
                give_back()
                is_rested = True
            with self._lock:
                is_next = self._idle[-1:] == [box]
            if not is_next:
                connections.close_all()
                return box.get()


def _do(future: Future[Any], work: Callable[[], Any]) -> Callable[[], None]:
    """Does it; answers how to tell whoever waits for it."""
    if not future.set_running_or_notify_cancel():
        return lambda: None
    try:
        return partial(future.set_result, work())
    except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the result
        tell = partial(future.set_exception, error)
        # The error's traceback leads to this frame, and from here back to the error.
        del future
        return tell
