"""Follows one kind of one cluster for ever: list, then watch from there; on any gap list again.

What a real server does, and what follows from it, is measured in the reference (1.2): an expired version is a 410 as a
status or inside a stream that began with 200; a version from the future is silence; bookmarks come every minute, so
ninety seconds without a byte mean that nobody is there, or that an old server (1.20) has nothing new of an idle kind.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from typing import Protocol

import aiohttp
import msgspec

from portal.clusters.errors import KubeError, KubeForbidden, KubeUnauthorized, KubeUnreachable
from portal.clusters.store import Key, key_of
from portal.clusters.structs import KubeObject, Watched

log = logging.getLogger(__name__)

SILENCE = 90.0
LIST_SILENCE = 30.0
CONNECT = 5.0
PAGE = 500
MAX_LINE = 4 * 1024 * 1024
MAX_BODY = 64 * 1024 * 1024
WATCH_SECONDS = (300, 600)
REFUSED_PAUSE = 30.0
HASTY = 1.0


class Expired(Exception):
    """The version to watch from is gone: list again."""


class NoStreamedList(Exception):
    """The server does not stream its lists: ask for pages."""


class WatchLine(msgspec.Struct):
    """One line of a watch."""

    type: str
    object: msgspec.Raw


class Status(msgspec.Struct):
    """Why a watch ended, as its last line says."""

    code: int = 0
    reason: str = ""
    message: str = ""


class Marks(msgspec.Struct):
    """The annotation by which a streamed list says that it is complete."""

    end: str = msgspec.field(default="", name="k8s.io/initial-events-end")


class BookmarkMeta(msgspec.Struct, rename="camel"):
    """A bookmark's version."""

    resource_version: str = ""
    annotations: Marks | None = None


class Bookmark(msgspec.Struct):
    """An object that holds nothing but a version."""

    metadata: BookmarkMeta


class Name(msgspec.Struct, rename="camel"):
    """As much of an object's metadata as names it."""

    name: str = ""
    namespace: str = ""
    resource_version: str = ""


class NamedObject(msgspec.Struct):
    """Any object, for when the rest of it cannot be read."""

    metadata: Name = msgspec.field(default_factory=Name)


class PageMeta(msgspec.Struct, rename="camel"):
    """A page's version and where the next one begins."""

    resource_version: str = ""
    next: str = msgspec.field(default="", name="continue")


class ListPage(msgspec.Struct):
    """One page of a list; its items are decoded one by one, so that one bad one spoils only itself."""

    metadata: PageMeta
    items: tuple[msgspec.Raw, ...] | None = None


LINE = msgspec.json.Decoder(WatchLine)
STATUS = msgspec.json.Decoder(Status)
BOOKMARK = msgspec.json.Decoder(Bookmark)
NAMED = msgspec.json.Decoder(NamedObject)
PAGES = msgspec.json.Decoder(ListPage)


class Sink(Protocol):
    """Who is told. Every call is quick; the one that is not lets others go first in between."""

    async def replace(self, kind: str, objects: dict[Key, KubeObject]) -> None:
        """A complete list: what is not in it is gone."""

    def put(self, obj: KubeObject) -> None:
        """An object is new or changed."""

    def drop(self, key: Key) -> None:
        """An object is gone."""

    def followed(self, kind: str) -> None:
        """The kind is being followed, as of now."""

    def lost(self, kind: str, error: KubeError) -> None:
        """The kind cannot be followed at the moment."""

    def quarantined(self, key: Key, reason: str) -> None:
        """An object cannot be read and is left out."""


@dataclass
class Backoff:
    """Pauses between attempts: doubling from `first` to `cap` with jitter; quiet for `reset_after` begins anew."""

    first: float = 0.8
    cap: float = 30.0
    reset_after: float = 120.0
    clock: Callable[[], float] = time.monotonic
    _pause: float = 0.0
    _last: float = field(default=float("-inf"))

    def next(self) -> float:
        """How long to wait before the next attempt, in seconds."""
        now = self.clock()
        if now - self._last > self.reset_after:
            self._pause = 0.0
        self._last = now
        self._pause = min(self.cap, self._pause * 2 or self.first)
        return min(self.cap, self._pause * (1 + random.random()))  # noqa: S311 - spreads load, no secret


async def at_once() -> None:
    """Nobody else is to be considered."""


@dataclass
class ApiConnection:
    """An open session with one cluster, shared by its reflectors. `server_name` is what its certificate must say."""

    session: aiohttp.ClientSession
    base: str
    server_name: str | None = None
    silence: float = SILENCE
    streams_lists: bool = True
    # awaited between pieces of work, so that a stream that never pauses does not hold everybody up
    rest: Callable[[], Awaitable[None]] = at_once
    heard_at: float = field(default_factory=time.monotonic)
    _pausing: set[asyncio.Event] = field(default_factory=set)

    def hear(self) -> None:
        """Something came from the cluster, whatever it was."""
        self.heard_at = time.monotonic()

    def answered(self) -> None:
        """One reflector got through: those that pause because the connection broke need not wait any longer."""
        self.hear()
        for event in self._pausing:
            event.set()

    async def pause(self, seconds: float) -> None:
        """Sleeps, but no longer than until the cluster answers anybody."""
        event = asyncio.Event()
        self._pausing.add(event)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await event.wait()
        finally:
            self._pausing.discard(event)

    def get(
        self, path: str, params: dict[str, str], *, read: float
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """One GET that is never redirected and gives up on silence."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=read)
        return self.session.get(
            self.base + path, params=params, timeout=timeout, allow_redirects=False, server_hostname=self.server_name
        )


async def lines(
    response: aiohttp.ClientResponse, hear: Callable[[], None] = lambda: None
) -> AsyncIterator[bytes | None]:
    """The lines of a stream as they come; None stands for one that is longer than MAX_LINE and was let go."""
    buffer = bytearray()
    skipping = False
    async for chunk in response.content.iter_any():
        hear()
        buffer += chunk
        while (end := buffer.find(b"\n")) >= 0:
            if skipping:
                skipping = False
            elif end:
                yield bytes(buffer[:end])
            del buffer[: end + 1]
        if len(buffer) > MAX_LINE:
            buffer.clear()
            if not skipping:
                skipping = True
                yield None


@dataclass
class Reflector:
    """Keeps a sink true to one kind of one cluster. `run()` returns only by cancellation."""

    connection: ApiConnection
    watched: Watched
    api_version: str
    sink: Sink
    lists: asyncio.Semaphore
    backoff: Backoff = field(default_factory=Backoff)
    version: str | None = None
    _decode: Callable[[msgspec.Raw], KubeObject] = field(init=False)

    def __post_init__(self) -> None:
        self._decode = msgspec.json.Decoder(self.watched.struct).decode

    @property
    def path(self) -> str:
        """The collection's address, across namespaces."""
        root = "/api/" if "/" not in self.api_version else "/apis/"
        return f"{root}{self.api_version}/{self.watched.plural}"

    async def run(self) -> None:
        """Follows the kind until cancelled; every failure is told to the sink and tried again after a pause."""
        while True:
            begun = time.monotonic()
            pause, is_broken = 0.0, False
            try:
                await self._follow()
                if time.monotonic() - begun < HASTY:
                    pause = self.backoff.next()
            except Expired:
                self.version = None
                pause = self.backoff.next()
            except NoStreamedList:
                self.connection.streams_lists = False
            except TimeoutError:
                # silence: dead, or a version from the future of a restored etcd, which only a new list can tell
                self.version = None
                self.sink.lost(self.watched.kind, KubeUnreachable("The cluster has gone silent."))
                pause, is_broken = self.backoff.next(), True
            except (KubeUnauthorized, KubeForbidden) as error:
                self.sink.lost(self.watched.kind, error)
                pause = REFUSED_PAUSE * (0.5 + random.random() / 2)  # noqa: S311 - spreads load, no secret
            except KubeUnreachable as error:
                self.sink.lost(self.watched.kind, error)
                pause = max(self.backoff.next(), float(error.detail.get("retry_after", 0)))
            except AWAY as error:
                self.sink.lost(self.watched.kind, unreachable(error))
                pause, is_broken = self.backoff.next(), True
            await (self.connection.pause(pause) if is_broken else asyncio.sleep(pause))

    async def _follow(self) -> None:
        """Catches up, then follows until the server ends the stream."""
        if self.version is None and not self.connection.streams_lists:
            async with self.lists:
                await self._list()
        async with AsyncExitStack() as catching_up:
            if self.version is None:
                await catching_up.enter_async_context(self.lists)
            try:
                await self._watch(self.version, catching_up)
            except TimeoutError:
                if not await self._is_in_step():
                    raise

    async def _is_in_step(self) -> bool:
        """Whether a silent server simply had nothing to say: old ones send no bookmarks for a kind that never changes.

        One that answers with an earlier version than ours was restored, and would be silent for ever.
        """
        if self.version is None:
            return False
        async with self.connection.get(self.path, {**self._params(), "limit": "1"}, read=LIST_SILENCE) as response:
            await check(response)
            now = _page(await whole(response)).metadata.resource_version
        return now.isdigit() and self.version.isdigit() and int(now) >= int(self.version)

    def _params(self) -> dict[str, str]:
        return {"fieldSelector": self.watched.field_selector} if self.watched.field_selector else {}

    async def _list(self) -> None:
        """Reads the whole collection page by page, and hands it over when it is complete."""
        found: dict[Key, KubeObject] = {}
        params = {**self._params(), "limit": str(PAGE)}
        while True:
            async with self.connection.get(self.path, params, read=LIST_SILENCE) as response:
                await check(response)
                self.connection.answered()
                page = _page(await whole(response))
            for raw in page.items or ():
                obj = self._read(raw)
                if obj:
                    found[key_of(obj)] = obj
                await self.connection.rest()
            if not page.metadata.next:
                break
            params["continue"] = page.metadata.next
        await self.sink.replace(self.watched.kind, found)
        self.version = page.metadata.resource_version
        self.sink.followed(self.watched.kind)

    async def _watch(self, version: str | None, catching_up: AsyncExitStack) -> None:
        """Follows changes from `version`; without one the server streams its list first, which ends `catching_up`."""
        low, high = WATCH_SECONDS
        params = {
            **self._params(),
            "watch": "1",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(random.randint(low, high)),  # noqa: S311 - spreads load, no secret
        }
        if version is None:
            params |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        else:
            params["resourceVersion"] = version
        initial: dict[Key, KubeObject] | None = {} if version is None else None
        async with self.connection.get(self.path, params, read=self.connection.silence) as response:
            if version is None and response.status in (400, 404, 405, 422, 501):
                raise NoStreamedList
            await check(response)
            self.connection.answered()
            if version is not None:
                self.sink.followed(self.watched.kind)
            async for raw in lines(response, self.connection.hear):
                if raw is None:
                    self.sink.quarantined(Key(self.watched.kind, "", ""), "a line of more than 4 MiB")
                    continue
                initial = await self._take(raw, initial)
                if initial is None:
                    await catching_up.aclose()
                await self.connection.rest()

    async def _take(self, raw: bytes, initial: dict[Key, KubeObject] | None) -> dict[Key, KubeObject] | None:
        """Acts on one line; answers the list so far while it is incomplete, and None from then on."""
        try:
            line = LINE.decode(raw)
        except msgspec.DecodeError as error:
            # half a line, as when the server dies in the middle of one: what follows cannot be trusted
            raise KubeUnreachable("The cluster's stream broke off.") from error
        if line.type == "ERROR":
            raise self._ended(line.object)
        if line.type == "BOOKMARK":
            return await self._bookmark(line.object, initial)
        obj = self._read(line.object)
        if initial is not None:
            if obj:
                initial[key_of(obj)] = obj
            return initial
        if obj is None:
            self.version = _name(line.object).resource_version or self.version
            return None
        if line.type == "DELETED":
            self.sink.drop(key_of(obj))
        else:
            self.sink.put(obj)
        self.version = obj.metadata.resource_version
        return None

    async def _bookmark(self, raw: msgspec.Raw, initial: dict[Key, KubeObject] | None) -> dict[Key, KubeObject] | None:
        try:
            bookmark = BOOKMARK.decode(raw)
        except msgspec.DecodeError as error:
            raise KubeUnreachable("The cluster's stream cannot be read.") from error
        if initial is not None:
            if not (bookmark.metadata.annotations and bookmark.metadata.annotations.end):
                raise NoStreamedList  # a server that ignored the wish and has been watching all along
            await self.sink.replace(self.watched.kind, initial)
        self.version = bookmark.metadata.resource_version
        self.sink.followed(self.watched.kind)
        return None

    def _ended(self, raw: msgspec.Raw) -> Exception:
        try:
            status = STATUS.decode(raw)
        except msgspec.DecodeError:
            return KubeUnreachable("The cluster ended the stream without a readable reason.")
        if status.code == 410 or status.reason in ("Expired", "Gone"):
            return Expired()
        if status.code == 504 or "too large resource version" in status.message.lower():
            return Expired()
        return KubeUnreachable(f"The cluster ended the stream ({status.code or 'no code'}).")

    def _read(self, raw: msgspec.Raw) -> KubeObject | None:
        """The object, or None for one that cannot be read: it is set aside and the rest goes on."""
        try:
            return self._decode(raw)
        except (msgspec.DecodeError, ValueError, OverflowError) as error:
            reason = str(error)
        name = _name(raw)
        self.sink.quarantined(Key(self.watched.kind, name.namespace, name.name), reason)
        return None


def _page(body: bytes) -> ListPage:
    try:
        return PAGES.decode(body)
    except msgspec.DecodeError as error:
        raise KubeUnreachable("The cluster's list cannot be read.") from error


def _name(raw: msgspec.Raw) -> Name:
    try:
        return NAMED.decode(raw).metadata
    except msgspec.DecodeError:
        return Name()


async def whole(response: aiohttp.ClientResponse) -> bytes:
    """The body to its end, in whatever pieces it comes. Raises KubeUnreachable for one of more than 64 MiB."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY:
            raise KubeUnreachable("The cluster answers with more than 64 MiB at once.")
    return bytes(body)


async def check(response: aiohttp.ClientResponse) -> None:
    """Raises what a status other than 200 means."""
    if response.status == 200:
        return
    if response.status == 410:
        raise Expired
    if response.status == 401:
        raise KubeUnauthorized("The cluster does not accept Slipway's credential.")
    try:
        said = STATUS.decode(await whole(response)).message
    except msgspec.DecodeError:
        said = ""
    if response.status == 403:
        raise KubeForbidden(f"The cluster does not let Slipway watch: {' '.join(said.split())[:300] or 'forbidden'}.")
    if response.status == 504 and "too large resource version" in said.lower():
        raise Expired
    wait = response.headers.get("Retry-After", "")
    detail = {"retry_after": min(float(wait), Backoff.cap)} if wait.isdigit() else {}
    raise KubeUnreachable(f"The cluster answers with status {response.status}.", detail=detail)


# What the transport raises where nobody answers, breaks off or speaks no HTTP; the rest is a mistake of ours.
AWAY = (
    aiohttp.ClientConnectionError,
    aiohttp.ClientPayloadError,
    aiohttp.ClientResponseError,
    ConnectionError,
    ssl.SSLError,
)


def unreachable(error: Exception) -> KubeUnreachable:
    """A transport failure in words."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return KubeUnreachable("The cluster's certificate is not signed by the authority that was registered.")
    if isinstance(error, aiohttp.ClientConnectorError):
        return KubeUnreachable("The cluster refuses the connection.")
    return KubeUnreachable("The connection to the cluster broke.")
