"""Watch streams: what happened since a resourceVersion, then what happens."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from portal.sandbox.errors import expired
from portal.sandbox.kinds import Resource
from portal.sandbox.store import Change, Object, Store

BOOKMARK_SECONDS = 60.0
# A stream that is about to end says where the next one may begin.
LAST_BOOKMARK = 2.0
# A watcher that lags behind by so many events is dropped; it will list again.
BACKLOG = 20_000
Transform = Callable[[Object], Object]


@dataclass(slots=True, eq=False)
class Watch:
    """What one client watches."""

    store: Store
    resource: Resource
    namespace: str | None
    matches: Callable[[Object], bool] | None
    transform: Transform | None
    bookmarks: bool = False
    pending: deque[Change] = field(default_factory=deque)
    awake: asyncio.Event = field(default_factory=asyncio.Event)
    last: int = 0

    def offer(self, change: Change) -> None:
        """Called by the store at every change."""
        if change.resource is not self.resource:
            return
        if self.namespace is not None and change.obj["metadata"].get("namespace") != self.namespace:
            return
        self.pending.append(change)
        self.awake.set()

    def line(self, verb: str, obj: Object, encoded: bytes | None = None) -> bytes:
        if self.transform and verb != "ERROR":
            encoded = orjson.dumps(self.transform(obj))
        body = encoded if encoded is not None else orjson.dumps(obj)
        return b'{"type":"' + verb.encode() + b'","object":' + body + b"}\n"

    def render(self, change: Change) -> bytes | None:
        """The line of a change for this watcher: objects enter and leave a selector's sight."""
        verb = change.verb
        if self.matches:
            now = verb != "DELETED" and self.matches(change.obj)
            then = change.before is not None and self.matches(change.before)
            if not now and not then:
                return None
            verb = ("MODIFIED" if then else "ADDED") if now else "DELETED"
        return self.line(verb, change.obj, change.encoded)

    def bookmark(self, *, initial: bool = False) -> bytes:
        metadata: dict[str, Any] = {"resourceVersion": str(self.store.revision), "creationTimestamp": None}
        if initial:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        body = {"kind": self.resource.kind, "apiVersion": self.resource.api_version, "metadata": metadata}
        return b'{"type":"BOOKMARK","object":' + orjson.dumps(body) + b"}\n"

    def initial(self) -> list[bytes]:
        """Every object as it is now."""
        found = self.store.sorted(self.resource, self.namespace)
        return [self.line("ADDED", obj) for obj in found if not self.matches or self.matches(obj)]

    def backlog(self, revision: int) -> list[bytes]:
        """What happened after a resourceVersion."""
        if revision < self.store.compacted:
            raise expired(f"too old resource version: {revision} ({self.store.compacted})")
        lines: list[bytes] = []
        for change in self.store.since(revision):
            if change.resource is not self.resource:
                continue
            if self.namespace is not None and change.obj["metadata"].get("namespace") != self.namespace:
                continue
            line = self.render(change)
            if line:
                lines.append(line)
        return lines

    async def follow(self, seconds: float) -> AsyncIterator[bytes]:
        """Lines as changes come, with bookmarks in the silence, for so many seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        bookmark = self._next_bookmark(loop.time(), end)
        while (now := loop.time()) < end:
            if self.pending:
                if len(self.pending) > BACKLOG:
                    return
                batch = [line for change in self._take() if (line := self.render(change))]
                if batch:
                    yield b"".join(batch)
                continue
            if self.bookmarks and now >= bookmark:
                bookmark = self._next_bookmark(now, end)
                yield self.bookmark()
                continue
            self.awake.clear()
            try:
                async with asyncio.timeout_at(min(end, bookmark) if self.bookmarks else end):
                    await self.awake.wait()
            except TimeoutError:
                continue

    @staticmethod
    def _next_bookmark(now: float, end: float) -> float:
        last = end - LAST_BOOKMARK
        return min(now + BOOKMARK_SECONDS, last) if now < last else now + BOOKMARK_SECONDS

    def _take(self) -> list[Change]:
        taken = list(self.pending)
        self.pending.clear()
        return taken
