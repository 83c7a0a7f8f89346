"""The reflector against a server that fails on command: after any fault it holds what the server holds."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from portal.clusters.errors import KubeForbidden, KubeUnauthorized
from portal.clusters.store import Key
from portal.clusters.structs import BY_KIND
from portal.clusters.watching import reflector as module
from portal.clusters.watching.opening import version as _version
from portal.clusters.watching.reflector import ApiConnection, Backoff, Reflector
from tests.contract.test_kube_reflector import Memory, until

Act = Callable[[web.Request], Awaitable[web.StreamResponse]]


def pod(name: str, version: int, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "uid": f"u-{name}", "resourceVersion": str(version)},
        "spec": spec,
    }


def event(kind: str, obj: Any) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def bookmark(version: int, end: bool = False) -> bytes:
    meta: dict[str, Any] = {"resourceVersion": str(version)}
    if end:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    return event("BOOKMARK", {"kind": "Pod", "metadata": meta})


def since(version: str) -> Callable[[Any], bool]:
    return lambda query: query["resourceVersion"] == version


GONE = event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"})


def status(code: int, message: str = "", **headers: str) -> Act:
    async def act(request: web.Request) -> web.StreamResponse:
        body = {"kind": "Status", "code": code, "message": message}
        return web.json_response(body, status=code, headers=headers)

    return act


def listing(version: int, *items: dict[str, Any], more: str = "") -> Act:
    async def act(request: web.Request) -> web.StreamResponse:
        assert "watch" not in request.query, "expected a list"
        return web.json_response(
            {"metadata": {"resourceVersion": str(version), "continue": more}, "items": list(items)}
        )

    return act


def stream(*chunks: bytes, hold: bool = False, check: Callable[[Any], bool] = lambda query: True) -> Act:
    async def act(request: web.Request) -> web.StreamResponse:
        assert "watch" in request.query, "expected a watch"
        assert check(request.query), dict(request.query)
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        if hold:
            await asyncio.sleep(3600)
        return response

    return act


async def aborts(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


class Server:
    """Plays one act for each request, in order, and then holds an idle watch."""

    def __init__(self, *acts: Act) -> None:
        self.acts = list(acts)
        self.requests: list[dict[str, str]] = []
        self.at: list[float] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(dict(request.query))
        self.at.append(time.monotonic())
        act = self.acts.pop(0) if self.acts else stream(bookmark(999), hold=True)
        return await act(request)


class Play:
    """A server, a reflector of its pods, and what the reflector remembers."""

    def __init__(self, *acts: Act, streams: bool = False, silence: float = 90.0) -> None:
        self.server = Server(*acts)
        self.memory = Memory()
        self.streams = streams
        self.silence = silence

    async def __aenter__(self) -> Play:
        app = web.Application()
        app.router.add_get("/{path:.*}", self.server)
        self.http = TestServer(app)
        await self.http.start_server()
        self.session = aiohttp.ClientSession()
        connection = ApiConnection(self.session, str(self.http.make_url("")).rstrip("/"))
        connection.streams_lists, connection.silence = self.streams, self.silence
        self.reflector = Reflector(connection, BY_KIND["Pod"], "v1", self.memory, asyncio.Semaphore(1))
        self.reflector.backoff = Backoff(first=0.01, cap=0.05)
        self.task = asyncio.create_task(self.reflector.run())
        return self

    async def __aexit__(self, *error: object) -> None:
        failed = self.task.done() and self.task.exception()
        self.task.cancel()
        await self.session.close()
        await self.http.close()
        assert not failed, failed

    def pods(self) -> dict[str, str]:
        return {obj.metadata.name: obj.metadata.resource_version for obj in self.memory.store.of_kind("Pod")}

    async def settles_on(self, **wanted: int) -> None:
        expected = {name: str(version) for name, version in wanted.items()}
        await until(lambda: self.pods() == expected, 5)


async def test_pages_are_put_together_before_anything_is_said():
    async with Play(listing(7, pod("a", 1), more="next"), listing(7, pod("b", 2)), stream(hold=True)) as play:
        await play.settles_on(a=1, b=2)
        assert play.memory.lists == 1
        await until(lambda: len(play.server.requests) == 3)
        assert play.server.requests[1]["continue"] == "next"
        assert play.server.requests[2]["resourceVersion"] == "7"
        assert play.server.requests[2]["allowWatchBookmarks"] == "true"


async def test_a_streamed_list_becomes_the_watch_without_another_request():
    chunks = (event("ADDED", pod("a", 1)), bookmark(5, end=True), event("ADDED", pod("b", 6)))
    async with Play(stream(*chunks, hold=True), streams=True) as play:
        await play.settles_on(a=1, b=6)
        assert len(play.server.requests) == 1
        assert play.server.requests[0]["sendInitialEvents"] == "true"
        assert (play.memory.lists, play.memory.events) == (1, 1)


@pytest.mark.parametrize("code", [400, 404, 422])
async def test_a_server_that_does_not_stream_lists_is_asked_for_pages(code):
    async with Play(status(code), listing(3, pod("a", 1)), streams=True) as play:
        await play.settles_on(a=1)


async def test_a_server_that_ignores_the_wish_for_a_streamed_list_is_found_out_by_its_bookmark():
    async with Play(
        stream(event("ADDED", pod("a", 1)), bookmark(4), hold=True), listing(4, pod("a", 1)), streams=True
    ) as play:
        await play.settles_on(a=1)
        assert not play.reflector.connection.streams_lists


@pytest.mark.parametrize("gone", [status(410), stream(GONE)], ids=["as a status", "in the stream"])
async def test_an_expired_version_means_a_new_list(gone):
    async with Play(listing(1, pod("a", 1), pod("b", 1)), gone, listing(9, pod("a", 8))) as play:
        await play.settles_on(a=8)
        assert play.memory.lists == 2


async def test_a_list_that_expires_between_its_pages_begins_again():
    async with Play(listing(1, pod("a", 1), more="x"), status(410), listing(5, pod("b", 4))) as play:
        await play.settles_on(b=4)


async def test_changes_are_followed_from_the_last_version_after_a_close():
    async with Play(
        listing(1, pod("a", 1)),
        stream(event("MODIFIED", pod("a", 4))),
        stream(
            event("DELETED", pod("a", 5)),
            event("ADDED", pod("b", 6)),
            hold=True,
            check=since("4"),
        ),
    ) as play:
        await play.settles_on(b=6)
        assert play.memory.lists == 1


async def test_bookmarks_move_the_version_on():
    async with Play(listing(1), stream(bookmark(50)), stream(hold=True, check=since("50"))) as play:
        await until(lambda: len(play.server.requests) == 3)
        await asyncio.sleep(0.05)
        assert play.memory.errors == []


async def test_silence_means_a_new_list_and_a_lower_version_is_accepted():
    restored = listing(5, pod("a", 5))
    async with Play(listing(900, pod("a", 900)), stream(hold=True), restored, restored, silence=0.2) as play:
        await play.settles_on(a=5)
        assert "silent" in play.memory.errors[0].text


async def test_a_server_that_had_nothing_to_say_is_asked_once_and_watched_again_from_there():
    idle = (stream(hold=True), listing(950), stream(event("ADDED", pod("b", 951)), hold=True, check=since("900")))
    async with Play(listing(900, pod("a", 900)), *idle, silence=0.3) as play:
        await play.settles_on(a=900, b=951)
        assert play.server.requests[2] == {"limit": "1"}
        assert (play.memory.lists, play.memory.errors) == (1, [])


async def test_a_server_that_answers_nothing_after_its_silence_is_lost(monkeypatch):
    monkeypatch.setattr(module, "LIST_SILENCE", 0.2)

    async def hangs(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3600)
        return web.Response()

    acts = (listing(9, pod("a", 9)), stream(hold=True), hangs, listing(12, pod("a", 11)))
    async with Play(*acts, silence=0.3) as play:
        await play.settles_on(a=11)
        assert "silent" in play.memory.errors[0].text


async def test_a_version_from_the_future_is_listed_anew():
    too_large = status(504, "Too large resource version: 900, current: 5")
    async with Play(listing(900), too_large, listing(5, pod("a", 5))) as play:
        await play.settles_on(a=5)


async def test_half_a_line_and_a_close_is_no_change():
    half = event("MODIFIED", pod("a", 2))[:40]
    async with Play(listing(1, pod("a", 1)), stream(half), stream(event("MODIFIED", pod("a", 3)), hold=True)) as play:
        await play.settles_on(a=3)
        assert play.server.requests[2]["resourceVersion"] == "1"


async def test_a_line_without_end_is_let_go_and_the_stream_goes_on(monkeypatch):
    monkeypatch.setattr(module, "MAX_LINE", 10_000)
    endless = b'{"type":"ADDED","object":{"x":"' + b"x" * 50_000 + b'"}}\n'
    async with Play(listing(1), stream(endless, event("ADDED", pod("a", 3)), hold=True)) as play:
        await play.settles_on(a=3)
        assert play.memory.bad == [Key("Pod", "", "")]
        assert len(play.server.requests) == 2


async def test_a_poison_object_is_set_aside_and_the_others_live():
    poison = pod("bad", 2, containers="not a list")
    later = pod("bad", 5, containers="still not")
    async with Play(
        listing(3, pod("a", 1), poison),
        stream(event("ADDED", pod("b", 4)), event("MODIFIED", later)),
        stream(hold=True, check=since("5")),
    ) as play:
        await play.settles_on(a=1, b=4)
        await until(lambda: len(play.server.requests) == 3)
        assert play.memory.bad == [Key("Pod", "shop", "bad")] * 2
        assert play.memory.lists == 1


async def test_duplicates_change_nothing_that_is_kept():
    twice = event("MODIFIED", pod("a", 2))
    async with Play(listing(1, pod("a", 1)), stream(twice, twice, twice, hold=True)) as play:
        await play.settles_on(a=2)


@pytest.mark.parametrize(("code", "error"), [(401, KubeUnauthorized), (403, KubeForbidden)])
async def test_a_refusal_is_told_and_not_hammered(monkeypatch, code, error):
    monkeypatch.setattr(module, "REFUSED_PAUSE", 0.3)
    async with Play(status(code, "pods is forbidden"), listing(1, pod("a", 1))) as play:
        await until(lambda: play.memory.errors)
        assert isinstance(play.memory.errors[0], error)
        await play.settles_on(a=1)
        assert play.server.at[1] - play.server.at[0] >= 0.15


async def test_when_one_gets_through_the_others_wait_no_longer():
    async with Play(listing(1, pod("a", 1))) as play:
        await play.settles_on(a=1)
        before = len(play.server.requests)
        other = Memory()
        broken = Reflector(play.reflector.connection, BY_KIND["Pod"], "v1", other, asyncio.Semaphore(1))
        broken.backoff = Backoff(first=600, cap=600)
        # aiohttp itself tries an aborted GET once more
        play.server.acts = [aborts, aborts]
        task = asyncio.create_task(broken.run())
        await until(lambda: other.errors)
        play.server.acts = [listing(9, pod("a", 8))]
        play.reflector.connection.answered()
        await until(lambda: [obj.metadata.resource_version for obj in other.store.of_kind("Pod")] == ["8"])
        assert len(play.server.requests) >= before + 3
        task.cancel()


async def test_retry_after_is_honoured():
    async with Play(status(429, "slow down", **{"Retry-After": "1"}), listing(1, pod("a", 1))) as play:
        await play.settles_on(a=1)
        assert play.server.at[1] - play.server.at[0] >= 0.99


async def test_server_errors_and_garbage_are_survived():
    async def garbage(request: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>502</html>")

    async with Play(status(500), garbage, aborts, status(503), listing(1, pod("a", 1))) as play:
        await play.settles_on(a=1)
        assert len(play.memory.errors) >= 3  # aiohttp itself tries an aborted GET once more
        assert all(item.text.endswith(".") for item in play.memory.errors)


async def test_an_answer_that_comes_in_pieces_is_read_to_its_end():
    async def in_pieces(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in (b'{"gitVersion": ', b'"v1.30.0"', b"}"):
            await response.write(piece)
            await asyncio.sleep(0.02)
        return response

    async with Play(listing(1)) as play:
        await until(lambda: len(play.server.requests) == 2)
        play.server.acts = [in_pieces]
        assert await _version(play.reflector.connection) == "v1.30.0"


async def test_a_redirect_is_never_followed():
    async def elsewhere(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/somewhere/else")

    async with Play(elsewhere, listing(1, pod("a", 1))) as play:
        await play.settles_on(a=1)
        assert "302" in play.memory.errors[0].text


async def test_a_server_that_closes_at_once_is_not_hammered():
    async with Play(listing(1), *(stream() for _ in range(200))) as play:
        play.reflector.backoff = Backoff(first=0.05, cap=0.2)
        await asyncio.sleep(0.6)
        assert len(play.server.requests) < 15


def test_pauses_double_to_their_cap_with_jitter_and_begin_anew_after_quiet():
    now = [0.0]
    backoff = Backoff(clock=lambda: now[0])
    pauses = []
    for _ in range(8):
        pauses.append(backoff.next())
        now[0] += 1
    for number, pause in enumerate(pauses):
        base = min(30.0, 0.8 * 2**number)
        assert base <= pause <= min(30.0, base * 2)
    now[0] += 121
    assert backoff.next() <= 1.6
