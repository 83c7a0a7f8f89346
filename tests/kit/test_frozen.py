"""Servers that are stopped, not dead: they refuse nothing and close nothing, and nobody waits for them for long."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from django.db import connection

from portal.kit import away
from portal.kit.postgres import waiting
from portal.kit.valkey import Pool
from tests.conftest import Process, World, free_port

SENTENCE = "The database does not answer at the moment."


def tree(pid: int) -> list[int]:
    """A process and everything below it."""
    below = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [pid, *(one for child in below for one in tree(child))]


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """The process and its children, stopped as a debugger or a hypervisor stops them."""
    pids: list[int] = []
    try:
        for one in tree(pid):
            pids.append(one)
            with contextlib.suppress(ProcessLookupError):  # a backend may end between the look and the signal
                os.kill(one, signal.SIGSTOP)
        yield
    finally:
        for one in pids:  # every one of them goes on, though another has ended meanwhile
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGCONT)


def postmaster() -> int:
    """The pid of the test run's own PostgreSQL."""
    folder = connection.settings_dict["HOST"]
    port = connection.settings_dict["PORT"] or 5432
    return int((Path(folder) / f".s.PGSQL.{port}.lock").read_text().split("\n", 1)[0])


class Web:
    """A web process of the product."""

    def __init__(self, start: Callable[..., Process], **extra: str) -> None:
        port = free_port()
        argv = [sys.executable, "-m", "uvicorn", "portal.asgi:application", "--port", str(port)]
        self.url = f"http://127.0.0.1:{port}"
        start("web-frozen", [*argv, "--log-level", "warning"], PUBLIC_URL=self.url, **extra)
        end = time.monotonic() + 60
        while self.ask("/healthz")[0] != 200:
            assert time.monotonic() < end, "web does not come up"
            time.sleep(0.1)

    def ask(self, path: str, **headers: str) -> tuple[int, str, float]:
        """Status, body and the seconds that it took."""
        began = time.monotonic()
        try:
            request = urllib.request.Request(self.url + path, headers=headers)
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode(), time.monotonic() - began
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), time.monotonic() - began
        except urllib.error.URLError as error:
            return 0, str(error), time.monotonic() - began


class Stream(threading.Thread):
    """A browser's open stream: what it was told, and when."""

    def __init__(self, url: str, cookie: str) -> None:
        super().__init__(daemon=True)
        self.request = urllib.request.Request(url, headers={"Cookie": cookie})
        self.told: list[tuple[float, str, dict]] = []
        self.start()

    def run(self) -> None:
        with urllib.request.urlopen(self.request, timeout=120) as answer:
            name = ""
            for line in answer:
                word, _, value = line.decode().strip().partition(": ")
                if word == "event":
                    name = value
                elif word == "data":
                    self.told.append((time.monotonic(), name, json.loads(value)))

    def wait_for(self, holds: Callable[[str, dict], bool], since: float, seconds: float) -> float:
        """The seconds from `since` until something was told of which this holds."""
        end = max(since, time.monotonic()) + seconds
        while time.monotonic() < end:
            for at, name, data in list(self.told):
                if at >= since and holds(name, data):
                    return at - since
            time.sleep(0.05)
        raise AssertionError(f"not told within {seconds} s: {self.told[-5:]}")


def cookie_of(client_for: Callable, person: object) -> str:
    return f"slipway_session={client_for(person).cookies['slipway_session'].value}"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_frozen_database_is_a_sentence_at_once_and_a_stream_that_is_late(
    committed_world: World, client_for: Callable, start_process: Callable[..., Process]
) -> None:
    """Requests, many at once, the health check, an open stream; and all is right again after SIGCONT."""
    cookie = cookie_of(client_for, committed_world.dev)
    web = Web(start_process)
    assert web.ask("/o/acme/", Cookie=cookie)[0] == 200
    stream = Stream(f"{web.url}/o/acme/live/?t=clusters:all", cookie)
    begun = time.monotonic()
    stream.wait_for(lambda name, data: name in {"topic", "gone"}, 0, 10)
    connection.close()
    paths = ["/o/acme/", "/o/acme/catalog/", "/healthz", "/accounts/login/", "/api/o/acme/runs/"] * 6
    answers: list[tuple[str, int, str, float]] = []
    with stopped(postmaster()):
        begun = time.monotonic()

        def visit(path: str) -> None:
            answers.append((path, *web.ask(path, Cookie=cookie)))

        visitors = [threading.Thread(target=visit, args=(path,)) for path in paths]
        for visitor in visitors:
            visitor.start()
        took = stream.wait_for(lambda name, data: data.get("late", False), begun, 10)
        for visitor in visitors:
            visitor.join(60)
        later = [web.ask("/healthz") for _ in range(3)]
        time.sleep(12)  # whatever gives up late, gives up now
        assert web.ask("/healthz")[2] < 5
        assert not [
            one for one in stream.told if one[0] > begun + took + 0.1 and not one[2].get("late", one[1] == "ping")
        ]
    again = time.monotonic()
    back = stream.wait_for(lambda name, data: name in {"topic", "gone"} and not data.get("late"), again, 5)
    assert len(answers) == len(paths)
    for path, status, body, seconds in answers:
        assert seconds < 6, (path, seconds)
        if path != "/accounts/login/":
            assert status == 503, (path, status, body[:300])
            assert SENTENCE in body, path
    assert max(seconds for path, _, _, seconds in answers if path == "/healthz") < 5
    assert all(status == 503 and seconds < 3 for status, _, seconds in later)
    while web.ask("/o/acme/", Cookie=cookie)[0] != 200:
        assert time.monotonic() - again < 5, "pages do not come back"
    assert (took < 10, back < 5) == (True, True)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_slow_statement_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes its time is waited for, also by those in a hurry; only where nobody answers they give up."""
    monkeypatch.setattr(waiting.waits, "patience", 0.5)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(3), 42")
        assert cursor.fetchone()[1] == 42
        monkeypatch.setattr(waiting.waits, "longest", 1.0)
        with pytest.raises(Exception, match="no answer within") as told:
            cursor.execute("SELECT pg_sleep(20)")
    assert away.is_database_away(told.value)
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%pg_sleep(20)%%' AND state = 'active' "
            "AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchone()[0] == 0, "the server was told to stop"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_who_is_not_in_a_hurry_outlasts_a_frozen_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's long statement goes on where it was: the bound of web requests is web's alone."""
    unhurried = waiting.Waits()  # as a process begins; another test may have made this one a web process
    monkeypatch.setattr(waiting.waits, "patience", unhurried.patience)
    monkeypatch.setattr(waiting.waits, "longest", unhurried.longest)
    assert waiting.waits.patience >= 30
    connection.ensure_connection()
    results: list[object] = []

    def work() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(1), 7")
            results.append(cursor.fetchone()[1])
        connection.close()

    worker = threading.Thread(target=work)
    pid = postmaster()
    worker.start()
    time.sleep(0.5)
    with stopped(pid):
        time.sleep(8)
    worker.join(10)
    assert results == [7]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_frozen_valkey_is_told_within_ten_seconds_and_healed_within_five(
    committed_world: World, client_for: Callable, start_process: Callable[..., Process], tmp_path: Path
) -> None:
    """Pages do not wait for it again and again, and a stream does not go on saying that it is live."""
    from portal.embedded import Valkey

    port = free_port()
    engine = Valkey(tmp_path / "valkey", port)
    pid = engine.start()
    try:
        url = engine.url
        while True:
            try:
                redis.Redis.from_url(url, socket_timeout=1).ping()
                break
            except redis.RedisError:
                time.sleep(0.05)
        cookie = cookie_of(client_for, committed_world.dev)
        web = Web(start_process, VALKEY_URL=url)
        stream = Stream(f"{web.url}/o/acme/live/?t=clusters:all", cookie)
        stream.wait_for(lambda name, data: name in {"topic", "gone"} and not data.get("late"), 0, 10)
        with stopped(pid):
            began = time.monotonic()
            stream.wait_for(lambda name, data: data.get("late", False), began, 10)
            taken = [web.ask(path, Cookie=cookie) for path in ("/o/acme/", "/o/acme/catalog/", "/o/acme/clusters/")]
            assert [status for status, _, _ in taken] == [200, 200, 200]
            assert max(seconds for _, _, seconds in taken) < 5
            time.sleep(5)
        again = time.monotonic()
        stream.wait_for(lambda name, data: name in {"topic", "gone"} and not data.get("late"), again, 5)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_one_call_waits_for_a_silent_valkey_and_the_others_are_told() -> None:
    """A listener that accepts and says nothing: the second call does not wait as the first did."""

    async def scene() -> tuple[float, float]:
        async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            await asyncio.sleep(30)

        server = await asyncio.start_server(mute, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        client = redis.Redis(connection_pool=Pool(host=host, port=port, socket_timeout=0.5))
        times = []
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(away.BROKER):
                await asyncio.to_thread(client.get, "x")
            times.append(time.monotonic() - began)
        server.close()
        return times[0], times[1]

    first, second = asyncio.run(scene())
    assert first >= 0.4
    assert second < 0.1
