"""The browser's one live stream: checked like a page, then fed by the hub without holding a database connection."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.base import SessionBase
from django.db import Error as DatabaseAway
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from portal.accounts.access import Access, enter
from portal.accounts.models import Organisation, User, Way
from portal.accounts.tenancy import tenant
from portal.kit.errors import Forbidden, Invalid, NotFound, Refusal, Unauthenticated
from portal.kit.live import TOPICS, Hub, Listener, event
from portal.kit.refusing import answer

MOST_TOPICS = 300
MOST_STREAMS = 20  # for one person in one web process
HEARTBEAT = 15.0
RECHECK = 60.0
OLDEST = 30 * 60.0


def render_topic(organisation_id: int, topic: str) -> str | None:
    """The topic's fragment as it stands now; None when it is gone. Runs in a thread of the hub."""
    kind, _, key = topic.partition(":")
    try:
        with tenant(organisation_id):
            organisation = Organisation.objects.get(pk=organisation_id)
            return TOPICS[kind].render(organisation, key)
    finally:
        connections.close_all()


def feel_pulse(organisation_id: int, pulse: Callable[[Any], Hashable]) -> Hashable:
    """What the pulse says of the organisation now. Runs in a thread of the hub."""
    try:
        with tenant(organisation_id):
            organisation = Organisation.objects.filter(pk=organisation_id).first()
            return pulse(organisation) if organisation else None
    finally:
        connections.close_all()


_hubs: dict[int, Hub] = {}
_streams: Counter[int] = Counter()


def hub() -> Hub:
    """The running loop's hub."""
    return _hubs.setdefault(id(asyncio.get_running_loop()), Hub(render_topic, feel_pulse))


def admit(user: Any, org: str, topics: frozenset[str]) -> Access:
    """Enters the organisation and checks every topic; raises what the gate would."""
    try:
        with transaction.atomic():
            access = enter(user, org, way=Way.PAGE, address=None)
            for topic in topics:
                kind = TOPICS.get(topic.partition(":")[0])
                if kind is None:
                    raise Invalid(f"There is no live topic {topic}.")
                if kind.admit is not None:
                    kind.admit(access, topic.partition(":")[2])
                else:
                    access.require(kind.permission)
            return access
    finally:
        connections.close_all()


def readmit(session: SessionBase, user_id: int, org: str, topics: frozenset[str]) -> None:
    """The same check for a stream that has been open for a while; whoever signed out meanwhile is a stranger."""
    try:
        is_signed_in = session.session_key is not None and session.exists(session.session_key)
        user = User.objects.filter(pk=user_id, is_active=True).first() if is_signed_in else None
        admit(user, org, topics)
    finally:
        connections.close_all()


async def live(request: HttpRequest, org: str) -> HttpResponseBase:
    """GET /o/<org>/live/?t=<topic>&t=…: server-sent events, a snapshot first and then every change."""
    topics = frozenset(request.GET.getlist("t")[:MOST_TOPICS])
    # A stream is read by our own pages only: no other site may hold connections open in a visitor's name.
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        return answer(request, Forbidden("Streams are for this site's own pages."))
    user = await request.auser()
    if not isinstance(user, User):
        return answer(request, Unauthenticated("Sign in to follow changes."))
    try:
        access = await sync_to_async(admit)(user, org, topics)
    except Refusal as refusal:
        return HttpResponse(refusal.text, status=refusal.status, content_type="text/plain; charset=utf-8")
    if _streams[user.pk] >= MOST_STREAMS:
        return HttpResponse("Too many open streams.", status=429, content_type="text/plain; charset=utf-8")
    response = StreamingHttpResponse(
        _events(request.session, user.pk, org, access.organisation.pk, topics),
        content_type="text/event-stream; charset=utf-8",
    )
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


# Checked by admit(), topic by topic; the entry right is this one.
live.permission = "org.view"  # type: ignore[attr-defined]


async def _events(
    session: SessionBase, user_id: int, org: str, organisation_id: int, topics: frozenset[str]
) -> AsyncIterator[bytes]:
    listener = Listener(organisation_id, topics)
    here = hub()
    _streams[user_id] += 1
    here.join(listener)
    opened = checked = time.monotonic()
    try:
        yield f"retry: {random.randint(800, 3000)}\n\n".encode()  # noqa: S311 - spreads reconnections, no secret
        while time.monotonic() - opened < OLDEST:
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await listener.wake.wait()
            except TimeoutError:
                yield event("ping", {"version": time.time_ns()})
            for message in listener.take():
                yield message
            if time.monotonic() - checked > RECHECK:
                checked = time.monotonic()
                try:
                    await sync_to_async(readmit)(session, user_id, org, topics)
                except (NotFound, Forbidden, Invalid):
                    yield event("closed", {"version": time.time_ns()})
                    return
                except DatabaseAway:
                    return  # who may not be checked is not served; the browser tries again
    finally:
        here.leave(listener)
        _streams[user_id] -= 1
