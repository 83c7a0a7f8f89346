"""Keeps processes running: starts them, starts them again when they die, and stops them in order.

It waits for events alone (a process that ends, a signal, a restart that is due) and needs nothing but the kernel's
pidfds. What runs is written to a ledger, so that a supervisor that takes over from a killed one finds and keeps what
that one has left running.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
STEADY = 20.0  # a process that lived this long starts again without delay


@dataclass(frozen=True)
class KeptProcess:
    """One process to keep: how to start it, and how to stop it."""

    name: str
    start: Callable[[], int]  # returns the pid; leads a session of its own
    stop_signal: int = signal.SIGTERM
    patience: float = 12.0  # seconds between being asked to stop and being killed
    # Its own children end with it: a pool's processes have nobody left to report to.
    takes_children_along: bool = True


@dataclass
class _Running:
    kept: KeptProcess
    pid: int
    pidfd: int
    born: float = field(default_factory=time.monotonic)


def spawn(argv: Sequence[str], **how: Any) -> int:
    """The pid of a new process, which reads nothing from the terminal; `how` is as for subprocess.Popen.

    Whoever keeps it waits for it by its pid.
    """
    popen = subprocess.Popen(argv, **{"stdin": subprocess.DEVNULL, **how})
    # The object would complain that nobody waits for it, and take the status away from who does.
    popen.returncode = 0
    return popen.pid


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def identity(pid: int) -> tuple[int, int] | None:
    """What tells a process from a later one with its pid: (pid, start in ticks since boot); None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else (pid, int(fields[19]))


class Ledger:
    """What runs, in a file for this user only: process names with their identities, and the facts of the start."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def read(self) -> dict[str, Any]:
        """The last state written; empty when there is none."""
        try:
            return dict(json.loads(self.file.read_text()))
        except FileNotFoundError:
            return {}

    def write(self, state: dict[str, Any]) -> None:
        """Replaces the state, atomically."""
        draft = self.file.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            json.dump(state, out)
        draft.rename(self.file)

    def clear(self) -> None:
        """Nothing runs any more."""
        self.file.unlink(missing_ok=True)


class Supervisor:
    """Keeps what it is given, until told to stop."""

    def __init__(self, ledger: Ledger, facts: dict[str, Any], *, say: Callable[[str], None]) -> None:
        """`facts` are written to the ledger beside the processes; `say` prints a line for people."""
        self.ledger = ledger
        self.facts = facts
        self.say = say
        self.stopping = False
        # What the ledger shows and nobody has asked to keep yet: it stays in the ledger until then.
        self._found: dict[str, list[int]] = dict(ledger.read().get("processes", {}))
        self._running: dict[str, _Running] = {}
        self._due: dict[str, tuple[float, KeptProcess]] = {}
        self._pauses: dict[str, float] = {}
        self._poll = select.poll()
        self._bell, self._rope = socket.socketpair()
        for end in (self._bell, self._rope):
            end.setblocking(False)
        self._poll.register(self._bell, select.POLLIN)
        signal.set_wakeup_fd(self._rope.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.stop)

    def stop(self, number: int = 0, frame: FrameType | None = None) -> None:
        """Ends the keeping at the next turn."""
        self.stopping = True

    def leave(self) -> None:
        """For a forked child: gives up everything that is the supervisor's."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        self._bell.close()
        self._rope.close()
        for running in self._running.values():
            os.close(running.pidfd)

    # --- what runs ----------------------------------------------------------------------------------------------------

    def keep(self, kept: KeptProcess, pid: int | None = None) -> None:
        """Keeps the process from now on; starts it, unless it runs already as `pid` or by the ledger."""
        known = self._found.pop(kept.name, None)
        if known is not None and identity(known[0]) == tuple(known):
            self._watch(kept, known[0])
        elif pid is not None:
            self._watch(kept, pid)
        else:
            self._start(kept)

    def release(self, name: str) -> None:
        """Keeps the process no longer, and lets it be."""
        self._due.pop(name, None)
        if name in self._running:
            self._forget(self._running[name], alone=True)

    def is_running(self, name: str) -> bool:
        return name in self._running

    def _start(self, kept: KeptProcess) -> None:
        self._watch(kept, kept.start())

    def _watch(self, kept: KeptProcess, pid: int) -> None:
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            self._again(kept, 0.0, "it ended at once")
            return
        self._running[kept.name] = _Running(kept, pid, pidfd)
        self._poll.register(pidfd, select.POLLIN)
        self._write()

    def _write(self) -> None:
        processes = {name: identity(one.pid) for name, one in self._running.items()}
        running = {name: found for name, found in processes.items() if found}
        self.ledger.write({**self.facts, "processes": {**self._found, **running}})

    def _again(self, kept: KeptProcess, lived: float, how: str) -> None:
        pause = FIRST_PAUSE if lived > STEADY else min(self._pauses.get(kept.name, FIRST_PAUSE / 2) * 2, LONGEST_PAUSE)
        self._pauses[kept.name] = pause
        self._due[kept.name] = (time.monotonic() + pause, kept)
        self.say(f"{kept.name}: {how}; starting it again")

    def _ended(self, running: _Running) -> None:
        self._forget(running)
        if not self.stopping:
            self._again(running.kept, time.monotonic() - running.born, _how(running.pid))
            self._write()

    def _forget(self, running: _Running, *, alone: bool = False) -> None:
        self._poll.unregister(running.pidfd)
        os.close(running.pidfd)
        del self._running[running.kept.name]
        if running.kept.takes_children_along and not alone:
            # It led a group of its own: its pid can be nobody else's group while a member lives.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(running.pid, signal.SIGKILL)

    # --- time ---------------------------------------------------------------------------------------------------------

    def turn(self, longest: float | None = None) -> None:
        """Waits for the next event, at most `longest` seconds, and deals with it."""
        now = time.monotonic()
        waits = [max(0.0, when - now) for when, _ in self._due.values()]
        if longest is not None:
            waits.append(longest)
        events = self._poll.poll(min(waits) * 1000 + 1 if waits else None)
        with contextlib.suppress(BlockingIOError):
            while self._bell.recv(64):
                pass
        by_fd = {one.pidfd: one for one in self._running.values()}
        for descriptor, _ in events:
            if descriptor in by_fd:
                self._ended(by_fd[descriptor])
        for name, (when, kept) in list(self._due.items()):
            if when <= time.monotonic() and not self.stopping:
                del self._due[name]
                self._start(kept)

    def wait(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Keeps until the condition holds (True), the time is over or a stop was asked for (False)."""
        end = time.monotonic() + seconds
        while not self.stopping:
            if holds():
                return True
            if time.monotonic() > end:
                return False
            self.turn(0.03)
        return False

    def finish(self, *tiers: tuple[str, ...]) -> None:
        """Stops everything, tier after tier; within one all at once. What is not named goes first."""
        self.stopping = True
        self._due.clear()
        named = {name for tier in tiers for name in tier}
        for tier in (tuple(name for name in self._running if name not in named), *tiers):
            self._finish(tier)
        self.ledger.clear()

    def _finish(self, names: tuple[str, ...]) -> None:
        asked = time.monotonic()
        for name in names:
            if name in self._running:
                self._signal(self._running[name], self._running[name].kept.stop_signal)
        while left := [self._running[name] for name in names if name in self._running]:
            for one in left:
                if time.monotonic() - asked > one.kept.patience:
                    self._signal(one, signal.SIGKILL)
            self.turn(0.2)

    def _signal(self, running: _Running, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(running.pidfd, number)


def _how(pid: int) -> str:
    """How a process ended, in words; one that was another's child cannot be asked."""
    try:
        _, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return "ended"
    code = os.waitstatus_to_exitcode(status)
    return f"ended with {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
