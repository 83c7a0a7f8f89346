"""Who parses files: this process while they are few, and children of its own, a thread each, when they are many.

A child costs a tenth of a second and as many mebibytes as a small program; it pays from some hundred documents on. One
that dies of a file, or takes too long for it, costs that file alone: the next one gets a new child.
"""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from django.conf import settings

from catalog.descriptors.findings import Finding
from catalog.descriptors.placeholders import CannotRead
from catalog.intake.child import NO_MEMORY, receive, send
from catalog.intake.onefile import parsed
from catalog.intake.reading import plain_of

CHILD = Path(__file__).with_name("child.py")
# So many characters are parsed here before children are asked.
FEW = 256 * 1024
# A child ends itself when its time is over; so much later, in seconds, it is ended.
GRACE = 5.0

Include = Callable[[str], str]


class Child:
    """One child and the way to it; for one thread at a time."""

    def __init__(self) -> None:
        # The child of a process with threads does nothing between fork and exec but exec.
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-I",
                str(CHILD),
                str(settings.READING_MEBIBYTES * 1024 * 1024),
                str(settings.READING_SECONDS),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._to, self._from = self.process.stdin.fileno(), self.process.stdout.fileno()
        self.since = 0.0  # when it was given what it is at, by the monotonic clock; 0 while it waits

    def parse(self, text: str, path: str, include: Include) -> dict[str, Any] | None:
        """What `onefile.parsed` says; None when the child ended instead."""
        with contextlib.suppress(OSError):
            self.since = time.monotonic()
            send(self._to, {"text": text, "path": path})
            while (said := receive(self._from)) is not None:
                self.since = 0.0
                if "include" not in said:
                    return dict(said)
                try:
                    answer = {"text": include(said["include"])}
                except CannotRead as error:
                    answer = {"error": str(error)}
                self.since = time.monotonic()
                send(self._to, answer)
        return None

    def end(self) -> int:
        """End it, whatever it does, and bury it. Returns how it ended, as subprocess says it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(0.5)
        self.process.kill()
        return self.process.wait()


class Readers:
    """Parses files; a context, at whose end every child is gone. `parsed` counts the files, for whoever wonders."""

    def __init__(self) -> None:
        self.parsed = 0
        self._size = 0
        self._threads: ThreadPoolExecutor | None = None
        self._mine = threading.local()
        self._children: set[Child] = set()
        self._lock = threading.Lock()
        self._is_over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._is_over = True
            children = list(self._children)
        for child in children:
            child.process.kill()  # a thread that waits for its answer hears the end
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
        for child in children:
            child.end()

    def begin(self, text: str, path: str, include: Include) -> Future[dict[str, Any]]:
        """What `onefile.parsed` will say. `include` may be called in another thread."""
        self.parsed += 1
        self._size += len(text)
        if self._size > FEW and self._threads is None and settings.READING_PROCESSES > 0:
            self._threads = ThreadPoolExecutor(settings.READING_PROCESSES, thread_name_prefix="reading")
        if self._threads is not None:
            return self._threads.submit(self._by_child, text, path, include)
        done: Future[dict[str, Any]] = Future()
        done.set_result(parsed(text, path, include))
        return done

    def wait(self, said: Future[dict[str, Any]]) -> dict[str, Any]:
        """What `onefile.parsed` said. A child that does not even end itself in its time is ended."""
        while True:
            try:
                return said.result(timeout=1.0)
            except TimeoutError:
                self._end_stuck()

    def _end_stuck(self) -> None:
        latest = time.monotonic() - settings.READING_SECONDS - GRACE
        with self._lock:
            for child in self._children:
                if 0 < child.since < latest:
                    child.process.kill()

    def _by_child(self, text: str, path: str, include: Include) -> dict[str, Any]:
        child = getattr(self._mine, "child", None) or self._born()
        said = child.parse(text, path, include)
        if said is None:
            self._mine.child = None
            with self._lock:
                self._children.discard(child)
            return _died(path, child.end())
        return dict(said)

    def _born(self) -> Child:
        with self._lock:
            if self._is_over:
                raise RuntimeError("The reading is over.")
            child = Child()
            self._children.add(child)
        self._mine.child = child
        return child


def _died(path: str, code: int) -> dict[str, Any]:
    """What is said of a file that ended its child: nothing may be concluded from what is absent."""
    if code == NO_MEMORY:
        sentence = f"Reading this file takes more than {settings.READING_MEBIBYTES} MiB of memory. Split it."
    else:
        sentence = f"This file could not be read within {settings.READING_SECONDS} seconds. Split it."
    return {
        "entities": [],
        "lines": [],
        "problems": [plain_of(Finding(path, 1, "too-large", sentence))],
        "broken": [],
        "is_whole": False,
    }
