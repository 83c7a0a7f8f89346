"""Live topics: announce a change in one line; the web process renders it once and fans the bytes out.

A topic is `kind:key`. Whoever owns a kind registers how to render its fragment; the fragment must be the same for every
viewer. Valkey carries only "this topic changed"; what it says now is read from the truth when it is rendered, so a lost
announcement costs freshness until the next one or the next snapshot, never correctness. What changes without anybody to
announce it, such as a live process that died, is told by a kind's pulse. While the database cannot be read, or no
announcement can be heard, what is watched is said to be late: nobody is told "Live" of what may be old.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.db import Error as DatabaseError

from portal.kit import away
from portal.kit.connecting import in_thread
from portal.kit.valkey import subscribed, valkey

log = logging.getLogger(__name__)

CHANNEL = "live:"
# The same topic is rendered at most this often; in between, the latest state waits.
RENDER_EVERY = 0.1
PULSE_EVERY = 2.0
# While the database is away it is asked more often: it is missed by everybody.
AWAY_PULSE_EVERY = 1.0
# A topic that cannot be rendered, most often because the database is away, is tried again after these pauses.
RETRY_FIRST, RETRY_MOST = 0.5, 2.0
# Valkey, when it is away, is tried again after at most so long.
MOST_PAUSE = 2.0


@dataclass(frozen=True)
class TopicKind:
    """One kind of topic: who may subscribe and how it is rendered.

    render(organisation, key) -> HTML fragment, or None when the thing is gone. It runs in a thread, inside a tenant
    transaction, once per change for all viewers. A kind that `follows` another changes with it, under the same key:
    `health:x` is a smaller view of what `workloads:x` announces.

    pulse(organisation) -> what the rendering depends on that nobody announces, as a value to compare. It is felt every
    PULSE_EVERY seconds, once for all kinds that share it, and with each rendering; a watched topic that was rendered
    with another one is rendered again.

    admit(access, key) decides where the permission depends on the thing itself, instead of the plain permission; it
    raises a Refusal.
    """

    kind: str
    permission: str
    render: Callable[[Any, str], str | None]
    follows: str = ""
    pulse: Callable[[Any], Hashable] | None = None
    admit: Callable[[Any, str], None] | None = None


TOPICS: dict[str, TopicKind] = {}


def register_topic(topic: TopicKind) -> None:
    """Makes a kind of topic known; called from an app's ready()."""
    TOPICS[topic.kind] = topic


def _pulse_of(topic: str) -> Callable[[Any], Hashable] | None:
    kind = TOPICS.get(topic.partition(":")[0])
    return kind.pulse if kind else None


def told_by(topic: str) -> list[str]:
    """The topics that an announcement of this one changes: itself and its followers."""
    kind, _, key = topic.partition(":")
    return [topic, *(f"{other.kind}:{key}" for other in TOPICS.values() if other.follows == kind)]


def announce(organisation_id: int, topic: str) -> None:
    """Says that a topic changed. Call it on commit. While Valkey is away it is a log line: the truth is written."""
    try:
        valkey().publish(f"{CHANNEL}{organisation_id}", topic)
    except away.BROKER as error:
        log.warning("announcement of %s lost: %s", topic, error)


def announce_all(organisation_id: int, topics: Iterable[str]) -> None:
    """The same of several topics, in one round trip."""
    pipe = valkey().pipeline(transaction=False)
    for topic in topics:
        pipe.publish(f"{CHANNEL}{organisation_id}", topic)
    try:
        pipe.execute()
    except away.BROKER as error:
        log.warning("announcements lost: %s", error)


@dataclass(eq=False)
class Listener:
    """One browser's stream: the latest unsent message of each topic, newest state wins for the slow."""

    organisation_id: int
    topics: frozenset[str]
    waiting: dict[str, bytes] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, topic: str, message: bytes) -> None:
        self.waiting[topic] = message
        self.wake.set()

    def take(self) -> list[bytes]:
        messages = list(self.waiting.values())
        self.waiting.clear()
        self.wake.clear()
        return messages


class Hub:
    """Per event loop: who listens to what, one subscription to Valkey, one rendering per change.

    render(organisation_id, topic) -> HTML or None, and feel(organisation_id, pulse) -> the pulse's value; both are
    synchronous and called in a thread.
    """

    def __init__(
        self,
        render: Callable[[int, str], str | None],
        feel: Callable[[int, Callable[[Any], Hashable]], Hashable] = lambda organisation_id, pulse: pulse(None),
    ) -> None:
        self.render = render
        self.feel = feel
        self.listeners: dict[tuple[int, str], set[Listener]] = {}
        self.rendered: dict[tuple[int, str], bytes] = {}
        self.dirty: set[tuple[int, str]] = set()
        self.busy: set[tuple[int, str]] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.shown: dict[tuple[int, str], Hashable] = {}  # the pulse with which a topic was rendered
        self.deaf = False  # no announcement can be heard
        self.blind = False  # the database cannot be read
        self.listening = asyncio.Event()  # subscribed to Valkey, and what was missed before is being rendered
        self.reader: asyncio.Task[None] | None = None
        self.feeler: asyncio.Task[None] | None = None

    def join(self, listener: Listener) -> None:
        """Starts listening: first subscribed, then a snapshot of every topic, so that nothing falls between."""
        if self.reader is None or self.reader.done():
            self.reader = asyncio.create_task(self._read())
        if self.feeler is None or self.feeler.done():
            self.feeler = asyncio.create_task(self._feel())
        for topic in listener.topics:
            key = (listener.organisation_id, topic)
            self.listeners.setdefault(key, set()).add(listener)
            # A watched topic's last rendering is current: each change since has replaced it.
            if key in self.rendered:
                listener.offer(topic, self.rendered[key])
            elif self.blind:
                listener.offer(topic, late(topic))
            else:
                self._changed(key)

    def leave(self, listener: Listener) -> None:
        for topic in listener.topics:
            key = (listener.organisation_id, topic)
            others = self.listeners.get(key)
            if others is None:
                continue
            others.discard(listener)
            if not others:
                del self.listeners[key]
                self.rendered.pop(key, None)
                self.shown.pop(key, None)

    def _changed(self, key: tuple[int, str]) -> None:
        """Marks a topic for rendering if somebody watches it; an event nobody watches costs a dictionary look-up."""
        if key not in self.listeners:
            return
        self.dirty.add(key)
        if key not in self.busy:
            self.busy.add(key)
            task = asyncio.create_task(self._settle(key))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _settle(self, key: tuple[int, str]) -> None:
        """Renders the topic until it stays clean; leading edge at once, then at most every RENDER_EVERY seconds."""
        pause = RETRY_FIRST
        try:
            # What a blind hub leaves is rendered as soon as it sees again.
            while key in self.dirty and key in self.listeners and not self.blind:
                self.dirty.discard(key)
                started = time.monotonic()
                message = await self._message(key)
                if message is None:
                    self._offer(key, late(key[1]))
                    self.dirty.add(key)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, RETRY_MOST)
                    continue
                pause = RETRY_FIRST
                if key in self.listeners:
                    self.rendered[key] = message
                    self._offer(key, message)
                if key in self.dirty:
                    await asyncio.sleep(max(0.0, RENDER_EVERY - (time.monotonic() - started)))
        finally:
            self.busy.discard(key)
            self.dirty.discard(key)

    def _offer(self, key: tuple[int, str], message: bytes) -> None:
        for listener in self.listeners.get(key, ()):
            listener.offer(key[1], message)

    def _sees(self, sees: bool) -> None:
        """The database was asked: says what follows for what is watched."""
        if sees and self.blind:
            self.blind = False
            self._all_changed()
        elif not sees and not self.blind:
            self.blind = True
            self.rendered.clear()
            for key in self.listeners:
                self._offer(key, late(key[1]))

    def _hears(self, hears: bool) -> None:
        """Announcements arrive, or do not: everything watched is rendered again, and then says which."""
        if hears or not self.deaf:
            self.deaf = not hears
            self.rendered.clear()
            self._all_changed()

    def _all_changed(self) -> None:
        for key in list(self.listeners):
            self._changed(key)

    async def _feel(self) -> None:
        """Feels the pulse of what is watched, for ever; what was rendered with another one is rendered again.

        Compared with what each topic shows, not with the last pulse: in between it may have gone away and come back.
        """
        while True:
            watched: dict[tuple[int, Callable[[Any], Hashable]], list[tuple[int, str]]] = {}
            for key in self.listeners:
                if pulse := _pulse_of(key[1]):
                    watched.setdefault((key[0], pulse), []).append(key)
            if self.listeners and not watched:
                # Nothing of what is watched has a pulse: the database is asked all the same.
                watched[next(iter(self.listeners))[0], _still] = []
            for felt, keys in watched.items():
                try:
                    value = await in_thread(self.feel, *felt)
                except DatabaseError as error:
                    if away.is_database_away(error):
                        if not self.blind:
                            log.warning("what is watched cannot be read: %s", error)
                        self._sees(False)
                        break
                    # What cannot be asked cannot be rendered either: that is how those who watch hear of it.
                    log.exception("the pulse of organisation %s is broken", felt[0])
                    value = DatabaseError
                self._sees(True)
                for key in keys:
                    if key not in self.shown or self.shown[key] != value:
                        self._changed(key)
            await asyncio.sleep(AWAY_PULSE_EVERY if self.blind else PULSE_EVERY)

    def _look(self, key: tuple[int, str]) -> tuple[Hashable, str | None]:
        """The pulse, then the fragment: what changes in between is rendered once too often, never missed."""
        pulse = _pulse_of(key[1])
        return self.feel(key[0], pulse) if pulse else None, self.render(*key)

    async def _message(self, key: tuple[int, str]) -> bytes | None:
        try:
            pulse, html = await in_thread(self._look, key)
        except Exception:
            log.exception("topic %s cannot be rendered", key[1])
            return None
        if key in self.listeners:
            self.shown[key] = pulse
        version = time.time_ns()
        if html is None:
            return event("gone", {"topic": key[1], "version": version})
        said = {"topic": key[1], "version": version, "html": html}
        return event("topic", {**said, "late": True} if self.deaf else said)

    async def _read(self) -> None:
        """Follows Valkey for ever; after a gap every watched topic is rendered again, for what was missed meanwhile."""
        pause = 0.2
        while True:
            try:
                async with subscribed(CHANNEL + "*") as messages:
                    self._hears(True)
                    self.listening.set()
                    pause = 0.2
                    async for message in messages:
                        organisation_id = int(message["channel"][len(CHANNEL) :])
                        for topic in told_by(message["data"].decode()):
                            self._changed((organisation_id, topic))
            except away.BROKER as error:
                log.warning("live announcements are away: %s", error)
            self.listening.clear()
            self._hears(False)
            await asyncio.sleep(pause)
            pause = min(pause * 2, MOST_PAUSE)


def _still(organisation: Any) -> Hashable:
    """The pulse of what has none: that it can be felt is all that it says."""
    return None


def late(topic: str) -> bytes:
    """Says of a topic that its newest state cannot be read at the moment."""
    return event("late", {"topic": topic, "version": time.time_ns(), "late": True})


def event(name: str, data: dict[str, Any]) -> bytes:
    """One server-sent event as bytes."""
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"
