"""Product processes for tests, forked from the product imported once, as `make up` does it.

A fresh Python takes two seconds of a core to import what web, worker or live need, and tests start hundreds of them.
The stem is a process of its own, for whoever runs the tests has threads and connections: it takes wishes over a socket,
one at a time, and ends with what it has forked when the socket is closed.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# What settings make of these is read when it is needed; what others say, some modules keep from their import on.
AT_ANY_TIME = {
    "PUBLIC_URL", "GIT_ROOT", "RUN_LEASE_SECONDS", "RUN_HEARTBEAT_SECONDS", "JOB_LEASE_SECONDS", "SLIPWAY_FAILPOINT",
}  # fmt: skip
LARGEST = 1 << 16


def can_fork(argv: list[str], extra: dict[str, str]) -> bool:
    """Whether it is a module or script of Python's under settings that the stem can give it."""
    return argv[0] == sys.executable and argv[1] != "-c" and extra.keys() <= AT_ANY_TIME


class Forked:
    """A process of the stem's, with as much of Popen as tests use."""

    def __init__(self, argv: list[str], log: Path, environment: dict[str, str]) -> None:
        """`argv` as for Popen; what it writes goes to the end of `log`; it sees `environment` and nothing else."""
        said = _stem().ask({"argv": argv[1:], "log": str(log), "environment": environment})
        self.pid = int(said["pid"])
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit status, or minus the signal that ended it; None while it runs."""
        if self.returncode is None:
            self.returncode = _stem().ask({"ended": self.pid})["code"]
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The same, once it has ended; raises TimeoutExpired when it does not in so many seconds."""
        if (code := self.poll()) is not None:
            return code
        end = os.pidfd_open(self.pid)
        try:
            select.select([end], [], [], timeout)
        finally:
            os.close(end)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Sends it the signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Asks it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it."""
        self.send_signal(signal.SIGKILL)


class _Asked:
    """The stem as the process of the tests sees it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket = ours
        self.lock = threading.Lock()
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings", "PYTHONUNBUFFERED": "1"}
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "tests.stem", str(theirs.fileno())],
            cwd=ROOT, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
        )  # fmt: skip
        theirs.close()

    def ask(self, wish: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            self.socket.sendall(json.dumps(wish).encode())
            said = self.socket.recv(LARGEST)
        assert said, "the stem has ended: what it wrote stands above"
        found: dict[str, Any] = json.loads(said)
        return found


@cache
def _stem() -> _Asked:
    return _Asked()


# --- from here on: the stem itself ---


def main(descriptor: int) -> None:
    """Takes wishes until nobody is left to have any."""
    # Ctrl-C is for the tests, which end what they started.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from portal.stem import Stem, seal

    wishes = socket.socket(fileno=descriptor)
    stem = Stem(seal({}), wishes.close)
    for _ in stem.grow():
        pass
    stem.ripen()
    running: set[int] = set()
    while said := wishes.recv(LARGEST):
        wish = json.loads(said)
        if "argv" in wish:
            pid = stem.fork("test", lambda wish=wish: become(**wish))
            running.add(pid)
            answer: dict[str, Any] = {"pid": pid}
        else:
            answer = {"code": ended(wish["ended"])}
            if answer["code"] is not None:
                running.remove(wish["ended"])
        wishes.sendall(json.dumps(answer).encode())
    for pid in running:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def ended(pid: int) -> int | None:
    """Its exit status, once; None while it runs."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def become(argv: list[str], log: str, environment: dict[str, str]) -> None:
    """Runs `python argv…` in this process, which was just forked, under these settings."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    file = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    from django.conf import settings

    from portal.celery import app
    from portal.stem import WORKING_SET

    fresh = importlib.reload(importlib.import_module("portal.settings"))
    for name in dir(fresh):
        if name.isupper():
            setattr(settings, name, getattr(fresh, name))
    # As the product's own stem has it for workers.
    app.conf.worker_max_memory_per_child = getrusage(RUSAGE_SELF).ru_maxrss + WORKING_SET
    os.environ["CELERY_SKIP_CHECKS"] = "yes"
    if argv[0] == "-m":
        sys.argv = argv[1:]
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = argv
        runpy.run_path(argv[0], run_name="__main__")


if __name__ == "__main__":
    main(int(sys.argv[1]))
