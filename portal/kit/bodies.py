"""The outermost bound on what a request may bring: the server below would write any amount to its disk first."""

import re
from collections.abc import Awaitable, Callable, Mapping
from io import BytesIO
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest

from portal.kit.errors import TooLarge
from portal.kit.refusing import answer

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MEBIBYTE = 1024 * 1024
# Forms say their own, smaller bounds at their fields; up to here they get to see what was sent.
BODY_LIMIT = 32 * MEBIBYTE
_PUSH = re.compile(r"^/o/[^/]+/git/")


def limit_of(path: str) -> int:
    """How many bytes a request to this address may bring."""
    return int(settings.GIT_PUSH_LIMIT) + MEBIBYTE if _PUSH.match(path) else BODY_LIMIT


class BoundedBodies:
    """Answers 413 in words as soon as a body is known to be too large, and reads no more of it."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = limit_of(scope["path"])
        if _announced(scope) > limit:
            await _refuse(scope, send, limit)
            return
        await self.app(scope, _counted(scope, receive, send, limit), send)


def _announced(scope: Scope) -> int:
    text = dict(scope["headers"]).get(b"content-length", b"")
    return int(text) if text.isdigit() and len(text) < 19 else 0


def _counted(scope: Scope, receive: Receive, send: Send, limit: int) -> Receive:
    """Receives on; a body without an announced length that passes the limit is answered, and over for the app."""
    seen = 0

    async def count() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen <= limit:
            return message
        await _refuse(scope, send, limit)
        return {"type": "http.disconnect"}

    return count


async def _refuse(scope: Scope, send: Send, limit: int) -> None:
    text = f"That is larger than {limit // MEBIBYTE} MiB, which is the most that is taken here. Send less, or split it."
    response = await sync_to_async(answer)(ASGIRequest(scope, BytesIO()), TooLarge(text))
    # The rest of the body is not read, so the connection cannot be used again.
    headers = [(name.lower().encode(), value.encode()) for name, value in response.items()]
    await send(
        {
            "type": "http.response.start",
            "status": response.status_code,
            "headers": [*headers, (b"connection", b"close")],
        }
    )
    await send({"type": "http.response.body", "body": response.content})
