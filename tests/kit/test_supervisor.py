"""The supervisor starts again what dies, stops in order, and takes over what a killed one has left running."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.supervisor import Ledger, identity

ROOT = Path(__file__).resolve().parents[2]
# A supervisor of its own process: it owns signals, which belong to the main thread of the test run otherwise.
PROGRAM = """
import subprocess, sys
from pathlib import Path
from portal.supervisor import KeptProcess, Ledger, Supervisor

folder, names = Path(sys.argv[1]), sys.argv[2:]

def starter(name):
    child = f'''
import os, signal, subprocess, sys, time
open({str(folder / name)!r}, "a").write(str(os.getpid()) + chr(10))
def end(*_):
    open({str(folder / "ends")!r}, "a").write({name!r} + chr(10))
    sys.exit(0)
if {name!r} != "stubborn":
    signal.signal(signal.SIGTERM, end)
else:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if {name!r} == "parent":
    grown = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    open({str(folder / "grown")!r}, "a").write(str(grown.pid) + chr(10))
time.sleep(60)
'''
    def start():
        return subprocess.Popen([sys.executable, "-c", child], start_new_session=True).pid
    return KeptProcess(name, start, patience=1.0)

supervisor = Supervisor(Ledger(folder / "ledger.json"), {}, say=lambda text: print(text, flush=True))
for name in names:
    supervisor.keep(starter(name))
while not supervisor.stopping:
    supervisor.turn()
supervisor.finish(("first",), ("second",))
"""


def until(holds: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    return identity(pid) is not None


def pids(folder: Path, name: str) -> list[int]:
    """Every pid that the process of this name has had."""
    file = folder / name
    return [int(line) for line in file.read_text().split()] if file.exists() else []


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start(*names: str) -> subprocess.Popen[str]:
        popen = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path), *names], cwd=ROOT, text=True)
        started.append(popen)
        for name in names:
            until(lambda name=name: pids(tmp_path, name))
        return popen

    yield start
    for popen in started:
        popen.terminate()
        popen.wait(15)


def test_what_is_killed_starts_again_and_nothing_else_does(supervise: Start, tmp_path: Path) -> None:
    supervise("one", "two")
    for count in (2, 3):
        os.kill(pids(tmp_path, "one")[-1], signal.SIGKILL)
        until(lambda count=count: len(pids(tmp_path, "one")) == count)
    assert len(pids(tmp_path, "two")) == 1
    until(lambda: Ledger(tmp_path / "ledger.json").read()["processes"]["one"][0] == pids(tmp_path, "one")[-1])


def test_the_children_of_what_was_killed_end_with_it(supervise: Start, tmp_path: Path) -> None:
    supervise("parent")
    until(lambda: pids(tmp_path, "grown"))
    orphan = pids(tmp_path, "grown")[0]
    os.kill(pids(tmp_path, "parent")[0], signal.SIGKILL)
    until(lambda: not alive(orphan))


def test_it_stops_tier_after_tier_and_kills_what_does_not_listen(supervise: Start, tmp_path: Path) -> None:
    popen = supervise("second", "first", "stubborn")
    popen.terminate()
    assert popen.wait(10) == 0
    assert (tmp_path / "ends").read_text().split() == ["first", "second"]
    assert not any(alive(pids(tmp_path, name)[0]) for name in ("first", "second", "stubborn"))
    assert not (tmp_path / "ledger.json").exists()


def test_a_killed_supervisor_takes_nothing_along_and_the_next_one_keeps_it(supervise: Start, tmp_path: Path) -> None:
    first = supervise("one", "two")
    first.kill()
    first.wait()
    before = pids(tmp_path, "one")[0], pids(tmp_path, "two")[0]
    assert all(alive(pid) for pid in before)
    second = supervise("one", "two")
    os.kill(before[0], signal.SIGKILL)
    until(lambda: len(pids(tmp_path, "one")) == 2)
    assert pids(tmp_path, "two") == [before[1]], "it was found, not started again"
    second.terminate()
    assert second.wait(10) == 0
    assert not alive(before[1])


def test_a_pid_that_belongs_to_somebody_else_by_now_is_not_taken_over(supervise: Start, tmp_path: Path) -> None:
    born = identity(os.getpid())
    assert born is not None
    (tmp_path / "ledger.json").write_text(json.dumps({"processes": {"one": [born[0], born[1] - 1]}}))
    popen = supervise("one")
    assert pids(tmp_path, "one") != [os.getpid()]
    popen.terminate()
    assert popen.wait(10) == 0


def test_what_cannot_start_is_tried_again_with_growing_pauses(tmp_path: Path) -> None:
    program = PROGRAM.replace("time.sleep(60)\n'''", "sys.exit(3)\n'''")
    popen = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), "one"], cwd=ROOT, text=True, stdout=subprocess.PIPE
    )
    until(lambda: len(pids(tmp_path, "one")) >= 4)
    popen.terminate()
    said = popen.communicate(timeout=10)[0]
    assert "one: ended with 3; starting it again" in said
    assert len(pids(tmp_path, "one")) < 10
