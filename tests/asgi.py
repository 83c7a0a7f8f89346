"""Requests to the server's application itself, as uvicorn would bring them: for what Django's test client passes by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Answer:
    """Status, headers (lower case) and the pieces of the body, which a stream goes on bringing."""

    status: int
    headers: dict[str, str]
    pieces: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)

    async def body(self) -> bytes:
        """All that is still to come, to the end."""
        return b"".join([piece async for piece in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self.pieces.get()) is not None:
            yield piece


@asynccontextmanager
async def asked(app: Any, address: str, *, cookies: Any = None, method: str = "GET", **headers: str):
    """The answer to a request; leaving the block is the client going away."""
    where = urlsplit(address)
    words = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    if cookies:
        words["cookie"] = "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": where.path, "raw_path": where.path.encode(), "query_string": where.query.encode(), "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in {"host": "127.0.0.1", **words}.items()],
        "client": ("127.0.0.1", 5000), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    gone = asyncio.Event()
    started: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    said = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        for message in said:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            pairs = {name.decode(): value.decode() for name, value in message["headers"]}
            started.set_result(Answer(message["status"], {name.lower(): value for name, value in pairs.items()}))
            return
        answer = started.result()
        if message.get("body"):
            answer.pieces.put_nowait(message["body"])
        if not message.get("more_body"):
            answer.pieces.put_nowait(None)

    task = asyncio.ensure_future(app(scope, receive, send))
    try:
        await asyncio.wait({started, task}, return_when=asyncio.FIRST_COMPLETED)
        if not started.done():
            await task  # it broke before it answered
        yield started.result()
    finally:
        gone.set()
        await asyncio.wait_for(asyncio.shield(task), 10)
