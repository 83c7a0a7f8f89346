"""The whole suite as `make test` runs it: groups side by side, each in a process and on engines of its own.

Tests of the whole product, and of what is outside it, mostly wait for other processes; the rest mostly computes.
Whatever no line here names belongs to the rest: nothing is left out. `python -m tests.groups -x` hands `-x` to each.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Group -> what it holds. What shares a browser, a product or a control plane stays together: the real one takes its
# share of a core for as long as it stands, so that its tests have a group that is soon over.
NAMED: dict[str, list[str]] = {
    "product": ["tests/e2e"],
    "cluster": [
        "tests/contract",
        "tests/clusters",
        "tests/sandbox",
        "tests/provisioning/test_takeover.py",
        "tests/accounts",
    ],
    "work": [f"tests/{name}" for name in ("provisioning", "githosts", "jobs", "live", "notices", "kit", "desk")],
}
REST = "rest"


def arguments_of_groups() -> dict[str, list[str]]:
    """Group -> what pytest is told to collect: a file that a group names is taken out of the folders of all others."""
    told = {}
    for name, paths in {**NAMED, REST: ["tests"]}.items():
        elsewhere = [path for other, theirs in NAMED.items() if other != name for path in theirs]
        within = tuple(f"{path}/" for path in paths)
        told[name] = [*paths, *(f"--ignore={path}" for path in elsewhere if path.startswith(within))]
    return told


class Group:
    """One pytest process; what it says appears line by line behind the group's name."""

    def __init__(self, name: str, arguments: list[str]) -> None:
        self.name = name
        self.last = ""
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.popen.stdout
        for line in self.popen.stdout:
            print(f"{self.name:>7} | {line.rstrip()}", flush=True)
            self.last = line.strip(" =\n") or self.last

    def wait(self) -> int:
        """Its exit status; a group's summary is its last line."""
        self.popen.wait()
        self.reader.join()
        return self.popen.returncode


def main(options: list[str]) -> int:
    """Runs every group; 0 when all that each of them holds passed."""
    missing = [path for paths in NAMED.values() for path in paths if not (ROOT / path).exists()]
    if missing:
        print(f"tests/groups.py names what is not there: {', '.join(missing)}")
        return 2
    # Whoever started us in the background may be deaf to Ctrl-C: the groups are not, for they are broken off with it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    groups = [Group(name, [*arguments, *options]) for name, arguments in arguments_of_groups().items()]

    def break_off(*_: object) -> None:
        """Each group ends what it started and says how far it came, as after Ctrl-C, which reaches them by itself."""
        for group in groups:
            group.popen.send_signal(signal.SIGINT)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, break_off)
    signal.signal(signal.SIGHUP, break_off)
    failed = [group for group in groups if group.wait() != 0]
    print()
    for group in groups:
        print(f"{group.name:>7} | {'FAILED' if group in failed else 'passed'}: {group.last}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
