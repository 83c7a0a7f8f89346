"""One "away": said of a door whose other side does not answer, and never of a mistake of our own."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
import redis
from django.core.cache.backends.redis import RedisCache
from django.core.mail import send_mail
from django.db import OperationalError, ProgrammingError

from catalog.intake.sources import url as source_url
from portal.accounts.mails import delivery
from portal.clusters import kube
from portal.clusters.errors import KubeError
from portal.clusters.kubeconfig import ClusterTarget
from portal.clusters.watching import opening, publishing, reflector
from portal.githosts import fetch, gitcli
from portal.kit import announcing, answers, away, fetching, valkey
from portal.kit.answers import Question
from portal.kit.cache import TolerantCache
from portal.kit.errors import Away
from portal.kit.middleware import as_refusal
from tests.conftest import free_port

ROOT = Path(__file__).resolve().parents[2]
MISTAKES = [KeyError("x"), ValueError("x"), TypeError("x"), AttributeError("x"), FileNotFoundError(2, "x")]
Patch = pytest.MonkeyPatch


# ---- the doors: a call through each, whose other side is at `port` ---------------------------------------------------


def _kube(port: int) -> None:
    kube.connect_target("c", ClusterTarget(server=f"http://127.0.0.1:{port}", token="t")).version()


def _source(port: int) -> None:
    source_url.fetch(f"http://127.0.0.1:{port}/catalog-info.yaml")


def _git(port: int) -> None:
    fetch.probe(f"https://127.0.0.1:{port}/shop.git")


def _mail(port: int) -> None:
    with delivery():
        send_mail("s", "b", "a@acme.example", ["b@acme.example"])


def _logs(port: int) -> None:
    answers.want(Question("tests.none", 1, (port,)))


def _probe(port: int) -> None:
    async def look() -> None:
        async with aiohttp.ClientSession() as session:
            found = await opening.probe(reflector.ApiConnection(session, f"http://127.0.0.1:{port}"))
        if found:
            raise found

    asyncio.run(look())


@dataclass(frozen=True)
class Door:
    """`inside` makes something that runs inside the door raise what it is given; `half` is half an answer."""

    call: Callable[[int], None]
    inside: Callable[[Patch, BaseException], None]
    half: bytes = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"


def _raising(error: BaseException) -> Callable[..., Any]:
    def bug(*args: Any, **kwargs: Any) -> Any:
        raise error

    return bug


DOORS = {
    "a cluster, asked": Door(
        _kube, lambda patch, error: patch.setattr("kubernetes.client.ApiClient.call_api", _raising(error))
    ),
    "a cluster, watched": Door(
        _probe, lambda patch, error: patch.setattr(reflector.ApiConnection, "get", _raising(error))
    ),
    "an address of a source": Door(
        _source, lambda patch, error: patch.setattr("http.client.HTTPConnection.request", _raising(error))
    ),
    # the first bytes of a handshake
    "a git host": Door(
        _git, lambda patch, error: patch.setattr(gitcli, "attempt", _raising(error)), b"\x16\x03\x03\x00\x7a\x02"
    ),
    "the mail server": Door(
        _mail, lambda patch, error: patch.setattr("smtplib.SMTP.connect", _raising(error)), b"220 mail.exa"
    ),
    "the message broker": Door(
        _logs, lambda patch, error: patch.setattr(redis.Redis, "set", _raising(error)), b"$1000\r\nO"
    ),
}


@pytest.fixture
def side(settings, monkeypatch: Patch) -> Callable[[int], None]:
    """Points the doors whose other side is a setting at a port, and lets all of them wait a second at most."""
    settings.ALLOWED_NETWORKS = ["127.0.0.0/8"]
    monkeypatch.setattr(kube, "TIMEOUT", (1.0, 1.0))
    monkeypatch.setattr(fetching, "CONNECT_SECONDS", 1.0)
    monkeypatch.setattr(opening, "PROBE_PATIENCE", 1.0)
    monkeypatch.setattr(fetch, "FETCH_SECONDS", 2.0)

    def point(port: int) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 1
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        client = redis.Redis(host="127.0.0.1", port=port, socket_timeout=1, socket_connect_timeout=1)
        monkeypatch.setattr(valkey, "_sync", client)

    return point


@contextlib.contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server on loopback that does that with each connection."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):  # the server was closed: the test is over
                while True:
                    peer, _ = server.accept()
                    held.append(peer)
                    with contextlib.suppress(OSError):
                        answer(peer)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        for peer in held:
            peer.close()


def say_nothing(peer: socket.socket) -> None:
    """The connection stands and nobody says a word."""


def break_off(half: bytes) -> Callable[[socket.socket], None]:
    """Half an answer, and a reset."""

    def answer(peer: socket.socket) -> None:
        peer.sendall(half)
        peer.settimeout(0.2)  # a client that waits for the rest of a greeting says nothing before it
        with contextlib.suppress(TimeoutError):
            peer.recv(1)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()

    return answer


# ---- outages are away ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS.keys())
def test_a_closed_port_is_away(side, door: Door) -> None:
    port = free_port()
    side(port)
    with pytest.raises(Away) as caught:
        door.call(port)
    assert caught.value.status == 503


@pytest.mark.parametrize("is_silent", [True, False], ids=["silence", "a reset in the middle"])
@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS.keys())
def test_silence_and_a_reset_in_the_middle_are_away(side, door: Door, is_silent: bool) -> None:
    with answering(say_nothing if is_silent else break_off(door.half)) as port:
        side(port)
        with pytest.raises(Away) as caught:
            door.call(port)
    assert caught.value.status == 503
    assert caught.value.text.endswith(".")


def test_what_is_away_is_named_and_why(side) -> None:
    with pytest.raises(Away) as caught:
        _kube(free_port())
    assert (caught.value.what, caught.value.why) == ("c", "NewConnectionError")


# ---- mistakes of our own are not -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS.keys())
def test_a_mistake_inside_a_door_comes_out_as_what_it_is(
    side, monkeypatch: Patch, door: Door, mistake: Exception
) -> None:
    with answering(say_nothing) as port:
        side(port)
        door.inside(monkeypatch, mistake)
        with pytest.raises(type(mistake)) as caught:
            door.call(port)
    assert caught.value is mistake
    assert as_refusal(mistake) is None, "pages and the API make a 500 of it"


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda error: type(error).__name__)
def test_what_goes_on_without_the_broker_does_not_go_on_with_a_mistake(monkeypatch: Patch, mistake: Exception) -> None:
    """The cache, announcements and the watchers' writes shrug at a broker that is away."""
    closed = f"redis://127.0.0.1:{free_port()}/0"
    cache = TolerantCache(closed, {})
    assert cache.get("k") is None
    monkeypatch.setattr(valkey, "_sync", redis.Redis.from_url(closed))
    announcing.announce(1, "x:y")

    async def away_then_broken() -> None:
        broker = redis.asyncio.Redis.from_url(closed)
        publisher = publishing.Publisher(broker)
        assert await publisher.fields("k") is None
        monkeypatch.setattr(broker, "hkeys", _raising(mistake))
        with pytest.raises(type(mistake)):
            await publisher.fields("k")
        await broker.aclose()

    asyncio.run(away_then_broken())
    monkeypatch.setattr(redis.Redis, "publish", _raising(mistake))
    with pytest.raises(type(mistake)):
        announcing.announce(1, "x:y")
    monkeypatch.setattr(RedisCache, "make_and_validate_key", _raising(mistake))
    with pytest.raises(type(mistake)):
        cache.get("k")


@pytest.mark.parametrize("mistake", MISTAKES[:4], ids=lambda error: type(error).__name__)
def test_a_follower_of_a_kind_does_not_go_on_with_a_mistake(monkeypatch: Patch, mistake: Exception) -> None:
    async def follow() -> None:
        async with aiohttp.ClientSession() as session:
            connection = reflector.ApiConnection(session, "http://127.0.0.1:1")
            watched = next(iter(opening.WATCHED))
            told: list[KubeError] = []
            sink = SimpleNamespace(lost=lambda kind, error: told.append(error))
            one = reflector.Reflector(
                connection=connection,
                watched=watched,
                api_version=watched.served_as[0],
                sink=sink,  # type: ignore[arg-type]
                lists=asyncio.Semaphore(1),
            )
            monkeypatch.setattr(one, "_follow", _raising(mistake))
            with pytest.raises(type(mistake)):
                await asyncio.wait_for(one.run(), 5)
            assert told == []

    asyncio.run(follow())


def test_a_mistake_in_sql_is_no_database_that_is_away() -> None:
    assert not away.is_database_away(ProgrammingError("no such column"))
    assert not away.is_database_away(KeyError("x"))
    assert away.is_database_away(OperationalError("connection refused"))
    assert isinstance(as_refusal(OperationalError("connection refused")), Away)


@pytest.mark.parametrize(
    ("error", "is_network"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (socket.gaierror(), True),
        (OSError(113, "No route to host"), True),
        (FileNotFoundError(2, "x"), False),
        (PermissionError(13, "x"), False),
        (OSError(28, "No space left on device"), False),
    ],
)
def test_a_full_disk_or_a_missing_file_is_no_outage(error: OSError, is_network: bool) -> None:
    assert away.is_network(error) is is_network


BROAD = {"Exception", "BaseException", "ValueError", "KeyError", "TypeError", "AttributeError", "LookupError"}
AWAYS = {"Away", "KubeUnreachable", "SourceAway", "GitAway", "Unavailable", "DatabaseAway"}


def test_nobody_says_away_of_a_broad_error() -> None:
    """No handler of an error that our own code raises as well makes an Away of it."""
    found = []
    for path in [*(ROOT / "portal").rglob("*.py"), *(ROOT / "catalog").rglob("*.py")]:
        if "shipped" in path.parts:
            continue  # what golden paths hand out, with placeholders in it
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ExceptHandler) or node.type is None:
                continue
            caught = {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)}
            said = {
                call.func.id
                for call in ast.walk(node)
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
            }
            if caught & BROAD and said & AWAYS:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []
