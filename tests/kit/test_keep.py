"""A keeper starts its process again, waits for the stage, and never outlives its supervisor."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def until(holds: Callable[[], bool], seconds: float = 8) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)


def keep(parent: int, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "portal.keep", "--parent", str(parent), *arguments], cwd=ROOT)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "pids"


def child(notes: Path) -> list[str]:
    program = f"import os,time; open({str(notes)!r},'a').write(str(os.getpid())+'\\n'); time.sleep(60)"
    return ["--", sys.executable, "-c", program]


def pids(notes: Path) -> list[int]:
    return [int(line) for line in notes.read_text().split()] if notes.exists() else []


def test_a_killed_process_starts_again(notes: Path) -> None:
    keeper = keep(os.getpid(), *child(notes))
    until(lambda: len(pids(notes)) == 1)
    os.kill(pids(notes)[0], signal.SIGKILL)
    until(lambda: len(pids(notes)) == 2)
    keeper.terminate()
    assert keeper.wait(5) == 0
    assert not alive(pids(notes)[1])


def test_it_waits_for_the_stage_and_hides_what_the_process_must_not_see(notes: Path, tmp_path: Path) -> None:
    stage = tmp_path / "stage.json"
    program = f"import os,json,time; open({str(notes)!r},'w').write(json.dumps(dict(os.environ))); time.sleep(60)"
    keeper = keep(os.getpid(), "--wait", str(stage), "--hide", "PRIVATE", "--", sys.executable, "-c", program)
    time.sleep(0.5)
    assert not notes.exists()
    stage.write_text(json.dumps({"PUBLIC": "yes", "PRIVATE": "no"}))
    until(lambda: notes.exists() and notes.read_text().endswith("}"))
    seen = json.loads(notes.read_text())
    assert seen["PUBLIC"] == "yes"
    assert "PRIVATE" not in seen
    keeper.terminate()
    assert keeper.wait(5) == 0


def test_it_ends_with_its_supervisor(notes: Path) -> None:
    supervisor = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    keeper = keep(supervisor.pid, *child(notes))
    until(lambda: len(pids(notes)) == 1)
    supervisor.kill()
    supervisor.wait()
    assert keeper.wait(5) == 0
    assert not alive(pids(notes)[0])


def test_a_killed_keeper_takes_its_process_along(notes: Path) -> None:
    keeper = keep(os.getpid(), *child(notes))
    until(lambda: len(pids(notes)) == 1)
    keeper.kill()
    keeper.wait()
    until(lambda: not alive(pids(notes)[0]))
