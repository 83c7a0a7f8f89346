"""Keeps one process alive: `python -m portal.keep --wait FILE --parent PID [--hide NAME]… -- command…`.

Under `make up` every process has a keeper: it waits until the environment file says that the stage is set, starts the
command with that environment, starts it again (with growing pauses) when it dies, and ends it when told to or when the
supervisor itself is gone, so that nothing is left behind.
"""

import argparse
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType

LONGEST_PAUSE = 10.0
STEADY = 20.0  # a process that lived this long starts again without delay


PR_SET_PDEATHSIG = 1  # prctl(2)


def end_with_parent() -> None:
    """Runs in the child before exec: asks the kernel for a SIGTERM when the keeper dies."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Keeper:
    """One command, kept."""

    def __init__(self, command: list[str], *, wait_for: Path | None, hide: list[str], parent: int) -> None:
        self.command = command
        self.wait_for = wait_for
        self.hide = hide
        self.parent = os.pidfd_open(parent)
        self.child: subprocess.Popen[bytes] | None = None
        self.stopping = threading.Event()

    def stop(self, number: int = 0, frame: FrameType | None = None) -> None:
        self.stopping.set()
        if self.child is not None and self.child.poll() is None:
            self.child.terminate()

    def orphaned(self, seconds: float) -> bool:
        """Waits up to `seconds`; True as soon as the supervisor is gone."""
        return bool(select.select([self.parent], [], [], seconds)[0])

    def rest(self, seconds: float) -> bool:
        """Pauses; True when told to stop, or orphaned, meanwhile."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.stopping.is_set():
            if self.orphaned(0.25):
                return True
        return self.stopping.is_set()

    def environment(self) -> dict[str, str] | None:
        """The stage's environment, once it is set; None when told to stop before that."""
        values: dict[str, str] = {}
        while self.wait_for is not None and not self.stopping.is_set():
            if self.wait_for.exists():
                values = json.loads(self.wait_for.read_text())
                break
            if self.orphaned(0.1):
                return None
        merged = {**os.environ, **values}
        return {name: value for name, value in merged.items() if name not in self.hide}

    def run(self) -> int:
        pause = 0.5
        environment = self.environment()
        while environment is not None and not self.stopping.is_set():
            started = time.monotonic()
            # A session of its own, so that it hears one signal, from us, and the kernel's should we be killed.
            self.child = subprocess.Popen(
                self.command, env=environment, start_new_session=True, preexec_fn=end_with_parent
            )
            while self.child.poll() is None:
                if self.orphaned(0.25):
                    self.stop()
                    self.child.wait()
            if self.stopping.is_set():
                break
            pause = 0.5 if time.monotonic() - started > STEADY else min(pause * 2, LONGEST_PAUSE)
            print(f"ended with {self.child.returncode}; again in {pause:g} s", flush=True)  # noqa: T201
            if self.rest(pause):
                break
        return 0


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wait", type=Path)
    parser.add_argument("--hide", action="append", default=[])
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(argv)
    keeper = Keeper(options.command, wait_for=options.wait, hide=options.hide, parent=options.parent)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, keeper.stop)
    return keeper.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
