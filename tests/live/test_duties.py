"""What the rooms asked to go on for ever goes on: in one process at a time, and through the failures of others."""

import asyncio
import re
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from portal.kit import dbthread
from portal.kit.dbthread import DatabaseThread, DatabaseThreads
from portal.kit.duties import DUTIES, Duty
from portal.live import doing, holding, leases
from portal.live.models import DutyLease

pytestmark = pytest.mark.django_db(transaction=True)
DONE: list[str] = []
BROKEN: set[str] = set()
GATE = threading.Event()


def first() -> int:
    return turn("first")


def second() -> int:
    return turn("second")


def long() -> int:
    done = turn("long")
    GATE.wait(20)
    return done


def turn(name: str) -> int:
    if name in BROKEN:
        raise ValueError(f"{name} is broken")
    DONE.append(name)
    return len(DONE)


async def watch(stop: asyncio.Event) -> None:
    turn("watch")
    await stop.wait()


FIRST = Duty("first", turn=f"{__name__}.first", every=0.02)
SECOND = Duty("second", turn=f"{__name__}.second", every=0.02)
LONG = Duty("long", turn=f"{__name__}.long", every=0.05)
WATCH = Duty("watch", watch=f"{__name__}.watch")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    DONE.clear()
    BROKEN.clear()
    monkeypatch.setattr(doing, "PAUSE_FIRST", 0.02)
    monkeypatch.setattr(doing, "LINE_EVERY", 0.0)


@asynccontextmanager
async def doing_all(*duties: Duty, owner: str = "here"):
    stop = asyncio.Event()
    task = asyncio.create_task(doing.do_all(list(duties), owner, stop))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await task


def looked(check, *args):
    """In a thread, as the loop must not wait; the connection it took is given back."""
    try:
        return check(*args)
    finally:
        connections.close_all()


async def until(check, what: str) -> None:
    for _ in range(1000):
        if await asyncio.to_thread(looked, check):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"not in time: {what}")


def row(name: str) -> DutyLease:
    return DutyLease.objects.filter(name=name).first() or DutyLease(name=name, until=timezone.now())


async def test_a_turn_is_taken_again_and_again() -> None:
    async with doing_all(FIRST):
        await until(lambda: DONE.count("first") >= 3, "three turns")
        await until(lambda: row("first").done_at is not None, "its line")


async def test_a_broken_duty_is_told_and_stops_no_other_and_goes_on_when_it_is_mended() -> None:
    BROKEN.add("first")
    async with doing_all(FIRST, SECOND, WATCH):
        await until(lambda: row("first").state == "failing", "the line says so")
        assert (await asyncio.to_thread(looked, row, "first")).text == "ValueError: first is broken"
        before = DONE.count("second")
        await until(lambda: DONE.count("second") >= before + 3, "the other goes on")
        BROKEN.clear()
        await until(lambda: "first" in DONE, "it goes on")
        await until(lambda: row("first").state == "working", "the line says so")


async def test_a_watch_that_fails_is_begun_again() -> None:
    BROKEN.add("watch")
    async with doing_all(WATCH):
        await until(lambda: row("watch").state == "failing", "the line says so")
        BROKEN.clear()
        await until(lambda: DONE == ["watch"], "it watches")


async def test_one_process_at_a_time_takes_turns_and_the_other_follows_when_it_ends() -> None:
    async with doing_all(FIRST, owner="one"):
        await until(lambda: "first" in DONE, "one takes turns")
        async with doing_all(FIRST, owner="two"):
            before = len(DONE)
            await until(lambda: len(DONE) >= before + 5, "turns")
            assert (await asyncio.to_thread(looked, row, "first")).owner == "one"
    async with doing_all(FIRST, owner="two"):
        await until(lambda: row("first").owner == "two", "the other follows at once: the lease was given back")


async def test_the_lease_of_a_killed_process_ends_by_itself() -> None:
    until_then = timezone.now() + timedelta(seconds=0.3)
    await asyncio.to_thread(looked, lambda: DutyLease.objects.create(name="first", owner="killed", until=until_then))
    async with doing_all(FIRST, owner="two"):
        await until(lambda: "first" in DONE, "taken over")
        assert timezone.now() >= until_then


async def test_a_long_turn_keeps_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doing, "LEASE", 0.3)
    GATE.clear()
    async with doing_all(LONG):
        await until(lambda: "long" in DONE, "it has begun")
        began = (await asyncio.to_thread(looked, row, "long")).until
        await until(lambda: row("long").until > began + timedelta(seconds=0.3), "renewed meanwhile")
        GATE.set()
    assert DONE == ["long"]


def test_all_leases_of_a_process_are_kept_by_one_statement(django_assert_num_queries) -> None:
    for name, owner in (("first", "one"), ("second", "one"), ("third", "two")):
        assert leases.hold((name, ""), owner, 10)
    wanted = {("first", ""): 20.0, ("second", ""): 60.0, ("third", ""): 20.0}
    with django_assert_num_queries(1):
        assert leases.renew("one", wanted) == {("first", ""), ("second", "")}
    left = {one.name: (one.until - timezone.now()).total_seconds() for one in DutyLease.objects.all()}
    assert {name: round(seconds, -1) for name, seconds in left.items()} == {"first": 20, "second": 60, "third": 10}


async def test_a_lease_that_is_kept_is_not_asked_for_and_one_that_was_lost_is() -> None:
    clerk = DatabaseThread("leases")
    held = holding.HeldDuties("one", clerk, shortest=0.06)
    assert await held.take(("first", ""), 10.0)
    await asyncio.to_thread(looked, lambda: DutyLease.objects.filter(name="first").update(owner="two"))
    assert await held.take(("first", ""), 10.0), "believed for most of the lease"
    held._held["first", ""] = (0.06, 0.0)
    keeping = asyncio.create_task(held.keep())
    await until(lambda: not held._held, "lost, as its renewal says")
    assert not await held.take(("first", ""), 10.0)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await clerk.close()


async def test_who_has_no_use_for_a_connection_gives_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dbthread, "IDLE", 0.2)
    thread = DatabaseThread("a name")
    first = await thread(served)
    assert first
    assert await thread(backend) == first, "kept while there is work"
    await until(lambda: not is_served(first), "given back")
    assert await thread(backend) is None
    assert await thread(served) not in (first, None)
    await thread.close()


def backend() -> int | None:
    """The process of the database that serves this thread; None while there is none."""
    return connection.connection and connection.connection.info.backend_pid


def served() -> int | None:
    """Asks the database, so that there is one."""
    DutyLease.objects.count()
    return backend()


def is_served(pid: int) -> bool:
    """Whether the database has a process for a client under this number."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)", [pid])
        return bool(cursor.fetchone()[0])


async def test_a_watch_is_done_by_every_process() -> None:
    async with doing_all(WATCH, owner="one"), doing_all(WATCH, owner="two"):
        await until(lambda: DONE.count("watch") == 2, "both watch")
        await until(lambda: DutyLease.objects.filter(name="watch").count() == 2, "a line for each")


def test_a_duty_takes_turns_or_watches() -> None:
    for wrong in ({}, {"turn": "a", "watch": "b"}, {"turn": "a"}, {"watch": "b", "every": 1.0}):
        with pytest.raises(ValueError, match="takes turns"):
            Duty("wrong", **wrong)


def test_the_real_process_does_every_duty_and_its_health_is_told(live_process) -> None:
    def health() -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "manage.py", "live", "--health"]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60)

    end = time.monotonic() + 60
    while not set(DUTIES) <= {line.name for line in leases.lines() if line.is_well}:
        assert time.monotonic() < end, leases.lines()
        time.sleep(0.1)
    found = health()
    assert found.returncode == 0, found.stdout + found.stderr
    assert {line[:12].strip() for line in found.stdout.splitlines()} == set(DUTIES)
    assert all(re.search(r"^[\w ]+ working", line) for line in found.stdout.splitlines())
    live_process.stop()
    after = health()
    assert after.returncode == 1
    assert "nobody" in after.stdout


async def test_turns_one_after_the_other_need_one_connection_and_a_long_one_keeps_nobody_waiting() -> None:
    turns, gate = DatabaseThreads("duty", 3), threading.Event()
    try:
        seen = {await turns(served) for _ in range(4)}
        assert len(seen) == 1, "one after the other: one connection"
        long = asyncio.create_task(turns(lambda: (served(), gate.wait(20))[0]))
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            other = await turns(served)
        assert not long.done()
        gate.set()
        assert {await long, other} > seen
    finally:
        gate.set()
        await turns.close()
