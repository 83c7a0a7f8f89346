"""Django's request path with one change of threads: the whole synchronous chain runs in one of a few fixed threads.

Django's own ASGI handler hands each hook of each middleware to a thread, a new one for every request. Here a request
is read on the event loop, answered in one thread, which keeps its database connection, and written on the event loop.
(Measured: docs/adr/0090-request-path.md.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import IO, Any, cast

from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import set_script_prefix

from portal.kit.connecting import tend
from portal.kit.threads import WarmThreads

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
READERS = 8
# Requests that change something may wait: for a lock, for a job's answer. Nobody who only reads waits behind them.
WRITERS = 16
SAFE = {"GET", "HEAD", "OPTIONS"}


class Chain(ASGIHandler):
    """The door for everything that is neither a stream nor git."""

    def __init__(self, is_patient: Callable[[Scope], bool]) -> None:
        """`is_patient` tells which safe requests may wait for something and so belong among the writers."""
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self._is_patient = is_patient
        self._readers = WarmThreads(READERS, "reader")
        self._writers = WarmThreads(WRITERS, "writer")

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. A client that goes away while it sends is nobody's request; later its answer is dropped."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        quick = scope["method"] in SAFE and not self._is_patient(scope)
        threads = self._readers if quick else self._writers
        loop = asyncio.get_running_loop()
        response = await loop.run_in_executor(threads, copy_context().run, self._answer, scope, body)
        await self.send_response(response, send)
        if response.streaming:
            await loop.run_in_executor(threads, response.close)

    def _answer(self, scope: Scope, body: IO[bytes]) -> HttpResponseBase:
        """In a thread: the response, complete unless it streams asynchronously."""
        with body:
            tend()
            set_script_prefix(get_script_prefix(scope))
            signals.request_started.send(sender=self.__class__, scope=scope)
            request, refused = self.create_request(scope, body)
            response: HttpResponseBase
            response = cast(HttpResponseBase, refused) if request is None else self.get_response(request)
            if isinstance(response, StreamingHttpResponse):
                if response.is_async:
                    return response
                response = _whole(response)
            response.close()
            return response


def _whole(streaming: StreamingHttpResponse) -> HttpResponse:
    """A synchronous stream (a static file) read to its end in the thread that made it."""
    response = HttpResponse(b"".join(cast("Any", streaming)), status=streaming.status_code)
    response.headers = streaming.headers
    response.cookies = streaming.cookies
    streaming.close()
    return response
