"""The browser's one live stream: checked like a page, then fed by the hub without holding a database connection."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import aclosing
from dataclasses import dataclass
from http.cookies import Morsel, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponseBase

from portal.accounts.access import STRANGER, Access
from portal.accounts.entering import by_session
from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
from portal.kit.announcing import TOPICS, Hub, Listener, event, late
from portal.kit.away import is_database_away
from portal.kit.connecting import in_thread, tend
from portal.kit.errors import Forbidden, Invalid, NotAllowed, NotFound, Refusal, TooMany, Unauthenticated
from portal.kit.refusing import answer

MOST_TOPICS = 300
MOST_STREAMS = 20  # for one person in one web process
HEARTBEAT = 15.0
RECHECK = 60.0
CHECK_AGAIN = 2.0  # while the database is away
OLDEST = 30 * 60.0


def render_topic(organisation_id: int, topic: str) -> str | None:
    """The topic's fragment as it stands now; None when it is gone. Runs in a thread of the hub."""
    kind, _, key = topic.partition(":")
    tend()
    with tenant(organisation_id):
        organisation = Organisation.objects.get(pk=organisation_id)
        return TOPICS[kind].render(organisation, key)


def feel_pulse(organisation_id: int, pulse: Callable[[Any], Hashable]) -> Hashable:
    """What the pulse says of the organisation now. Runs in a thread of the hub."""
    tend()
    with tenant(organisation_id):
        organisation = Organisation.objects.filter(pk=organisation_id).first()
        return pulse(organisation) if organisation else None


_hubs: dict[int, Hub] = {}
_streams: Counter[int] = Counter()


def hub() -> Hub:
    """The running loop's hub."""
    return _hubs.setdefault(id(asyncio.get_running_loop()), Hub(render_topic, feel_pulse))


@dataclass(frozen=True)
class Viewer:
    """Whose stream it is, and what it shows."""

    key: str  # of the session
    org: str
    topics: frozenset[str]


def admit(viewer: Viewer) -> tuple[int, int]:
    """(person, organisation) by their ids; raises what the gate would. One statement; runs in a thread of the hub.

    The tenant is not set, for nothing of the tenant's is read: a person's own membership tells the role. Only a topic
    that decides by the thing itself (TopicKind.admit) is asked inside the tenant.
    """
    tend()
    entering = by_session(viewer.key, viewer.org)
    if entering is None:
        raise Unauthenticated("Sign in to follow changes.")
    if entering.membership is None or entering.organisation is None:
        raise NotFound(STRANGER)
    access = Access(entering.organisation, entering.person, entering.membership)
    for topic in viewer.topics:
        kind = TOPICS.get(topic.partition(":")[0])
        if kind is None:
            raise Invalid(f"There is no live topic {topic}.")
        if kind.admit is None:
            access.require(kind.permission)
        else:
            with tenant(entering.organisation):
                kind.admit(access, topic.partition(":")[2])
    return entering.person.pk, entering.organisation.pk


async def live_door(scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
    """GET /o/<org>/live/?t=<topic>&t=…: server-sent events, a snapshot first and then every change.

    An ASGI application of its own: an open stream keeps nothing of a request but these few words.
    """
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    viewer = Viewer(
        key=SimpleCookie(headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME, Morsel()).value or "",
        org=scope["path"].split("/")[2],
        topics=frozenset(query.get("t", [])[:MOST_TOPICS]),
    )
    try:
        person, organisation_id = await _admitted(scope["method"], headers, viewer)
    except Refusal as refusal:
        await _say(send, refusal.status, "text/plain; charset=utf-8")
        await send({"type": "http.response.body", "body": refusal.text.encode()})
        return
    except DatabaseError as error:
        if not is_database_away(error):
            raise
        await _say(send, 503, "text/plain; charset=utf-8")
        await send({"type": "http.response.body", "body": b"The database does not answer at the moment."})
        return
    await _say(send, 200, "text/event-stream; charset=utf-8")
    gone = asyncio.ensure_future(_gone(receive))
    try:
        async with aclosing(_events(viewer, person, organisation_id, gone)) as events:
            async for message in events:
                await send({"type": "http.response.body", "body": message, "more_body": True})
    finally:
        gone.cancel()
    await send({"type": "http.response.body", "body": b""})


async def _admitted(method: str, headers: dict[str, str], viewer: Viewer) -> tuple[int, int]:
    if method != "GET":
        raise NotAllowed("A stream is only read.")
    # A stream is read by our own pages only: no other site may hold connections open in a visitor's name.
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise Forbidden("Streams are for this site's own pages.")
    person, organisation_id = await in_thread(admit, viewer)
    if _streams[person] >= MOST_STREAMS:
        raise TooMany("Too many open streams.")
    return person, organisation_id


async def _say(send: Callable[[Any], Any], status: int, content_type: str) -> None:
    headers = {
        "Content-Type": content_type,
        "Cache-Control": "private, no-store",
        "X-Accel-Buffering": "no",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": str(settings.SECURE_REFERRER_POLICY),
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "X-Frame-Options": "DENY",
        "Vary": "Cookie",
    }
    words = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": words})


async def _gone(receive: Callable[[], Any]) -> None:
    """Returns when the browser has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def live(request: HttpRequest, org: str) -> HttpResponseBase:
    """The stream's address as Django knows it, for links; the server's first door answers it before Django does."""
    return answer(request, NotAllowed("This address is a stream for our own pages."))


# Checked by admit(), topic by topic; the entry right is this one.
live.permission = "org.view"  # type: ignore[attr-defined]


async def _events(
    viewer: Viewer, user_id: int, organisation_id: int, gone: asyncio.Future[None]
) -> AsyncGenerator[bytes, None]:
    listener = Listener(organisation_id, viewer.topics)
    here = hub()
    _streams[user_id] += 1
    here.join(listener)
    gone.add_done_callback(lambda _: listener.wake.set())
    opened = checked = time.monotonic()
    try:
        yield f"retry: {random.randint(800, 3000)}\n\n".encode()  # noqa: S311 - spreads reconnections, no secret
        while time.monotonic() - opened < OLDEST and not gone.done():
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await listener.wake.wait()
            except TimeoutError:
                yield event("ping", {"version": time.time_ns()})
            if time.monotonic() - checked > RECHECK:
                try:
                    await in_thread(admit, viewer)
                except Refusal:
                    yield event("closed", {"version": time.time_ns()})
                    return
                except DatabaseError as error:
                    if not is_database_away(error):
                        raise
                    # Who may not be checked is shown nothing but that; the stream stays, so that it is right at once.
                    for topic in viewer.topics:
                        yield late(topic)
                    await asyncio.sleep(CHECK_AGAIN)
                    continue
                checked = time.monotonic()
            for message in listener.take():
                yield message
    finally:
        here.leave(listener)
        _streams[user_id] -= 1
