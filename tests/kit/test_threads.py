"""Work goes to the thread that was busy last, and what was needed only at once gives its connection back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection

from portal.kit import threads
from portal.kit.threads import WarmThreads


def named() -> str:
    return threading.current_thread().name


def test_one_after_the_other_needs_one_thread() -> None:
    pool = WarmThreads(4, "one")
    assert {pool.submit(named).result(5) for _ in range(50)} == {"one-1"}


def test_at_once_needs_as_many_and_never_more_than_said() -> None:
    pool = WarmThreads(3, "many")
    gate, order = threading.Event(), []

    def work(number: int) -> str:
        gate.wait(5)
        order.append(number)
        return named()

    asked = [pool.submit(work, number) for number in range(20)]
    assert not any(one.done() for one in asked)
    gate.set()
    assert {one.result(5) for one in asked} == {"many-1", "many-2", "many-3"}
    assert sorted(order) == list(range(20))
    assert order.index(3) < order.index(19), "who waits longest goes first"


def test_a_failure_is_the_askers_and_the_thread_goes_on() -> None:
    pool = WarmThreads(1, "fails")
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 / 0).result(5)
    assert pool.submit(named).result(5) == "fails-1"


def test_what_was_called_off_is_not_done() -> None:
    pool = WarmThreads(1, "off")
    gate, done = threading.Event(), []
    first = pool.submit(gate.wait, 5)
    second = pool.submit(done.append, 1)
    assert second.cancel()
    gate.set()
    first.result(5)
    pool.submit(named).result(5)
    assert done == []


@pytest.mark.django_db(transaction=True)
def test_the_warmest_keeps_its_connection_and_the_others_give_theirs_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "IDLE", 0.2)
    pool = WarmThreads(3, "warm")
    together = threading.Barrier(3)
    backends = {one.result(5) for one in [pool.submit(asked_by, together.wait) for _ in range(3)]}
    assert len(backends) == 3
    until(lambda: len(backends & served()) == 1)
    assert {pool.submit(asked_by, lambda: None).result(5)} == backends & served()


def asked_by(then: Callable[[], object]) -> int:
    """The process of the database that serves this thread."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        found = int(cursor.fetchone()[0])
    then()
    return found


def served() -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity")
        return {pid for (pid,) in cursor.fetchall()}


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.05)
