"""A worker's processes make room for fresh ones when the work is over, and lose none of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portal.accounts.tenancy import tenant
from portal.provisioning.models import Run
from tests.conftest import Process, World, worker_argv
from tests.provisioning.conftest import start_run

QUICK = "from portal import renewal; renewal.LOOK_EVERY = 0.3; from portal.celery import app; app.worker_main({words})"


def children(process: Process) -> set[int]:
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == process.popen.pid and fields[0] != "Z":
                found.add(int(entry.name))
    return found


def settled(process: Process) -> set[int]:
    """Its children once it has done whatever others had left in its queue, and renewed itself after that."""
    end = time.monotonic() + 30
    while True:
        found = children(process)
        time.sleep(1.5)
        if found == children(process):
            return found
        assert time.monotonic() < end, "it never came to rest"


def until(holds: Callable[[], Any]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.1)


@pytest.fixture
def worker(start_process: Callable[..., Process], transactional_db: None) -> Process:
    started = start_process("worker-renewed", [sys.executable, "-c", QUICK.format(words=worker_argv()[5:])])
    started.wait_for("ready.")
    return started


def launched(world: World, count: int = 1) -> list[int]:
    step = {"id": "say", "action": "debug:log", "input": {"message": "x"}}
    return [start_run(world, [step]).pk for _ in range(count)]


def ended_well(world: World, runs: list[int]) -> bool:
    with tenant(world.acme):
        states = set(Run.objects.for_tenant(world.acme).filter(pk__in=runs).values_list("status", flat=True))
    return states == {"succeeded"}


def test_after_work_comes_a_fresh_process_and_work_goes_on(worker: Process, committed_world: World) -> None:
    first = settled(worker)
    assert len(first) == 1, "there is nothing to do for a second one"
    time.sleep(1.0)
    assert children(worker) == first, "nothing was done: nothing is renewed"
    for _ in range(2):
        before = children(worker)
        runs = launched(committed_world, 4)
        until(lambda asked=runs: ended_well(committed_world, asked))
        until(lambda old=before: len(children(worker)) == 1 and not children(worker) & old)
    assert "WorkerLost" not in worker.log.read_text()


def test_another_process_comes_when_one_is_not_enough(worker: Process, committed_world: World) -> None:
    alone = settled(worker)
    runs = launched(committed_world, 12)
    until(lambda: len(children(worker)) == 2)
    assert alone < children(worker), "who is at work goes on"
    until(lambda: ended_well(committed_world, runs))
    until(lambda: len(children(worker)) == 1)
