"""The clients of Valkey, and how long anybody waits for it: it holds no truth, so nobody waits long.

A Valkey that is stopped, swapped out or cut off closes nothing; its kernel goes on acknowledging. So every answer has a
bound, and a silence is shared: for a moment after one call has waited in vain, the others of the process do not wait
again one after another, but are told at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import redis
import redis.asyncio
from django.conf import settings
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff

# Seconds that an answer may take, and for which a silence is believed.
ANSWERED_WITHIN = 1.5
BELIEVED = 1.0
# Who listens to a quiet Valkey asks it for a word after so many seconds, and leaves it when there is none in as many.
PING_EVERY = 2.0

_silent_until = float("-inf")


class _Noting:
    """A connection that tells the others of a silence."""

    def read_response(self, *arguments: Any, **named: Any) -> Any:
        global _silent_until
        try:
            return super().read_response(*arguments, **named)  # type: ignore[misc]
        except redis.TimeoutError:
            _silent_until = time.monotonic() + BELIEVED
            raise


class Pool(redis.ConnectionPool):
    """Connections of which one waits for a silent server at a time; raises redis.TimeoutError for the others."""

    def __init__(self, connection_class: type = redis.Connection, **how: Any) -> None:
        noting = type(f"Noting{connection_class.__name__}", (_Noting, connection_class), {})
        super().__init__(connection_class=noting, **how)

    def get_connection(self, *arguments: Any, **named: Any) -> Any:
        if time.monotonic() < _silent_until:
            raise redis.TimeoutError("Valkey says nothing")
        return super().get_connection(*arguments, **named)


_sync: redis.Redis | None = None


def valkey() -> redis.Redis:
    """The process's Valkey client (thread-safe, bytes in and out)."""
    global _sync
    if _sync is None:
        pool = Pool.from_url(settings.VALKEY_URL, socket_connect_timeout=1, socket_timeout=ANSWERED_WITHIN)
        _sync = redis.Redis(connection_pool=pool)
    return _sync


def valkey_async(patience: float | None = None) -> redis.asyncio.Redis:
    """A new asyncio client for the running loop; the caller closes it.

    patience: how many seconds an answer may take; None for those who wait for messages (`subscribed`).
    """
    return redis.asyncio.Redis.from_url(
        settings.VALKEY_URL, socket_connect_timeout=1, socket_timeout=patience, retry=AsyncRetry(NoBackoff(), 0)
    )


@contextlib.asynccontextmanager
async def subscribed(pattern: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """The messages of a pattern of channels, from the moment on at which it is entered.

    Raises what away.BROKER names when Valkey goes, or says nothing: neither a subscription nor a message nor an answer
    to being asked for one.
    """
    client = valkey_async()
    try:
        channel = client.pubsub()
        try:
            async with asyncio.timeout(PING_EVERY):
                await channel.psubscribe(pattern)
                await anext(channel.listen())  # it says that we are subscribed
        except TimeoutError as error:
            raise redis.TimeoutError("Valkey says nothing") from error
        yield _heard(channel)
    finally:
        await client.aclose()


async def _heard(channel: PubSub) -> AsyncIterator[dict[str, Any]]:
    is_asked = False
    while True:
        message = await channel.get_message(timeout=PING_EVERY)
        if message is None:
            if is_asked:
                raise redis.TimeoutError("Valkey says nothing")
            await channel.ping()
            is_asked = True
            continue
        is_asked = False
        if message["type"] == "pmessage":
            yield message
