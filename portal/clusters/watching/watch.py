"""One cluster being watched: objects in, what changed out. Work is done for each change, never for all of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import msgspec

from portal.clusters.bindings import Matcher
from portal.clusters.errors import KubeError, KubeForbidden, KubeNotServed, KubeUnauthorized
from portal.clusters.health.judging import judge, sentence
from portal.clusters.health.memory import Memory, PodRuns
from portal.clusters.health.terms import Health, badge
from portal.clusters.labels import TEAM
from portal.clusters.models import CONNECTING, LIMITED, SYNCED, UNAUTHORIZED, UNREACHABLE
from portal.clusters.status import ClusterRow, EntityRow, KindRow, NodeRow, WorkloadRow
from portal.clusters.store import Key, Store, key_of
from portal.clusters.structs import KubeObject, Node, Pod
from portal.clusters.watching.loads import Loads
from portal.clusters.watching.memo import JUST_AFTER, Dep, Looking, Memo, Unit, deps_of
from portal.clusters.watching.overview import ClusterOverview
from portal.clusters.watching.queue import Queue
from portal.clusters.watching.rows import WORKLOADS, entity_row, node_row, workload_row

log = logging.getLogger(__name__)

BLINK = 5.0  # a stream that is back within this was never away
ENCODER = msgspec.json.Encoder()
UNSAID = b"?"  # no story: what could not be written differs from everything, its absence included
ENTITY, WORKLOAD, NODE, LISTED = "entity", "workload", "noderow", "listed"
# what is worked out as soon as it is dirty; the rest only when somebody asks for it
WANTED = (ENTITY, WORKLOAD, NODE)


def _now() -> datetime:
    return datetime.now(UTC)


async def _at_once() -> None:
    """Nobody else to be considered."""


@dataclass(frozen=True)
class Change:
    """An entity's badge became another."""

    entity_uid: str
    entity_ref: str
    was: str
    became: str
    code: str
    sentence: str
    at: datetime


@dataclass
class Following:
    """How one kind is being followed."""

    served_as: str
    is_caught_up: bool = False
    lost_at: float | None = None
    error: KubeError | None = None

    @property
    def is_followed(self) -> bool:
        """Whether there is nothing to say about it."""
        return self.is_caught_up and self.lost_at is None

    def trouble(self, now: float) -> KubeError | None:
        """What keeps it from being followed, once it is more than a blink."""
        if self.lost_at is None or (self.is_caught_up and now - self.lost_at < BLINK):
            return None
        return self.error


@dataclass
class ClusterWatch:
    """The memory of one cluster and what has to be said about it. Knows nothing of databases, brokers or sockets.

    on_rollout(key) is called with `namespace/kind/name` when the health of a workload becomes another. rest() is
    awaited between pieces of work, so that one cluster's work does not hold up another's.
    """

    slug: str
    on_rollout: Callable[[str], None] = lambda key: None
    rest: Callable[[], Awaitable[None]] = _at_once
    clock: Callable[[], datetime] = _now
    store: Store = field(default_factory=Store)
    matcher: Matcher = field(default_factory=Matcher)
    version: str = ""
    kinds: dict[str, Following] = field(default_factory=dict)
    unserved: tuple[str, ...] = ()
    silence: KubeError | None = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    rediscover: asyncio.Event = field(default_factory=asyncio.Event)
    changes: deque[Change] = field(default_factory=lambda: deque(maxlen=10_000))
    badges: dict[str, str] = field(default_factory=dict)
    since: dict[str, datetime] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    unsaved: dict[str, PodRuns] = field(default_factory=dict)
    revision: int = 0
    queue: Queue = field(default_factory=lambda: Queue(WANTED))
    memo: Memo = field(init=False)
    _loads: Loads = field(default_factory=Loads)
    _overview: ClusterOverview = field(default_factory=ClusterOverview)
    _belongs: dict[Key, frozenset[str]] = field(default_factory=dict)
    _members: dict[str, set[Key]] = field(default_factory=lambda: defaultdict(set))
    _said: dict[str, bytes] = field(default_factory=dict)
    _healths: dict[Key, Health] = field(default_factory=dict)
    _quarantine: dict[Key, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.memo = Memo(self.store, self.memory, lambda: self.clock())

    # -- what the reflectors say --------------------------------------------------------------------------------------

    async def replace(self, kind: str, objects: dict[Key, KubeObject]) -> None:
        for key in self.store.keys(kind):
            if key not in objects:
                self.drop(key)
                await self.rest()
        for obj in objects.values():
            self.put(obj)
            await self.rest()

    def put(self, obj: KubeObject) -> None:
        key = key_of(obj)
        old = self.store.get(key)
        if old and old.metadata.resource_version == obj.metadata.resource_version:
            return
        self.store.put(obj)
        self._remember(old, obj)
        self._quarantine.pop(key, None)
        if old and _is_same(old, obj):
            return
        self._changed(key, old, obj)
        self._bind(key, obj)
        if old and old.metadata.owner_references == obj.metadata.owner_references:
            return
        if key.kind in WORKLOADS or (key.kind == "Pod" and not obj.metadata.controller):
            self._mark([(WORKLOAD, key)])
        elif key.kind == "Node":
            self._mark([(NODE, key.name)])

    def drop(self, key: Key) -> None:
        old = self.store.drop(key)
        if old is None:
            return
        self._remember(old, None)
        self._changed(key, old, None)
        self._unbind(key)

    def _remember(self, old: KubeObject | None, new: KubeObject | None) -> None:
        """A pod's past outlives each look at it, and nothing of it outlives the pod. What changes is to be kept."""
        uids = {obj.metadata.uid for obj in (old, new) if isinstance(obj, Pod)}
        before = {uid: self.memory.held(uid) for uid in uids}
        if isinstance(old, Pod) and (new is None or new.metadata.uid != old.metadata.uid):
            self.memory.forget(old.metadata.uid)
        if isinstance(new, Pod):
            self.memory.look(new, self.clock())
        self.unsaved |= {uid: runs for uid in uids if (runs := self.memory.held(uid)) != before[uid]}

    def followed(self, kind: str) -> None:
        following = self.kinds[kind]
        if not following.is_caught_up or following.lost_at is not None:
            self._news()
        following.is_caught_up, following.lost_at, following.error = True, None, None

    def lost(self, kind: str, error: KubeError) -> None:
        following = self.kinds[kind]
        if following.lost_at is None:
            following.lost_at = time.monotonic()
            log.info("%s: %s: %s", self.slug, kind, error)
        following.error = error
        if isinstance(error, KubeNotServed):
            self.rediscover.set()
        self._news()

    def silent(self, error: KubeError | None) -> None:
        """Nobody has heard from the cluster, or (None) somebody has again."""
        if (error is None) != (self.silence is None):
            log.info("%s: %s", self.slug, error or "it answers again")
            self.silence = error
            self._news()

    def quarantined(self, key: Key, reason: str) -> None:
        if key not in self._quarantine:
            log.warning("%s: %s %s/%s is left out: %s", self.slug, key.kind, key.namespace, key.name, reason[:300])
        self._quarantine[key] = reason
        self.drop(key)
        self._news()

    # -- who is touched -----------------------------------------------------------------------------------------------

    def _changed(self, key: Key, old: KubeObject | None, new: KubeObject | None) -> None:
        """Whatever was made from this object, as it was or as it is, has to be made anew."""
        deps: set[Dep] = {*(deps_of(old) if old else ()), *(deps_of(new) if new else ())}
        if old is None or new is None:
            deps.add(("count", key.kind))
            self._news()
        if key.kind == "Pod":
            nodes = self._loads.change(cast(Pod | None, old), cast(Pod | None, new))
            deps |= {("load", node) for node in nodes}
        self._mark(self.memo.touch(deps))

    def _mark(self, units: Iterable[Unit]) -> None:
        if self._enqueue(units):
            self.wake.set()

    def _enqueue(self, units: Iterable[Unit]) -> bool:
        """Puts into the queue what is wanted; whether there was any news at all."""
        is_news = False
        for unit in units:
            if unit[0] in WANTED:
                self.queue.mark(unit)
                is_news = True
            elif unit[0] == LISTED:
                self.revision += 1
                is_news = True
        return is_news

    def _news(self) -> None:
        self.revision += 1
        self.wake.set()

    def _bind(self, key: Key, obj: KubeObject) -> None:
        labels = obj.metadata.labels
        entities = self.matcher.entities(labels, key.namespace) if labels else frozenset()
        before = self._belongs.get(key, frozenset())
        if entities == before:
            return
        self._unbind(key)
        if entities:
            self._belongs[key] = entities
            for uid in entities:
                self._members[uid].add(key)
                self._mark([*self.memo.touch([("members", uid)]), (ENTITY, uid)])

    def _unbind(self, key: Key) -> None:
        for uid in self._belongs.pop(key, ()):
            self._members[uid].discard(key)
            if not self._members[uid]:
                del self._members[uid]
            self._mark([*self.memo.touch([("members", uid)]), (ENTITY, uid)])

    async def rebind(self, matcher: Matcher) -> None:
        """Takes new bindings: every object is matched again, and the entities on both sides are judged."""
        old, self.matcher = self.matcher, matcher
        for kind in self.kinds:
            for key in self.store.keys(kind):
                obj = self.store.get(key)
                if obj:
                    self._bind(key, obj)
                    await self.rest()
        for uid, ref in matcher.refs.items():
            if old.refs.get(uid, ref) != ref:
                self._mark(self.memo.touch([("ref", uid)]))

    # -- what there is to say -----------------------------------------------------------------------------------------

    @property
    def is_caught_up(self) -> bool:
        """Whether every kind was read once or is known to be out of reach: half a story would be a lie."""
        return bool(self.kinds) and all(item.is_caught_up or item.error for item in self.kinds.values())

    def step(self) -> dict[str, bytes] | None:
        """Works out one unit whose time has come. Answers the entities that have to be said, by uid (an empty payload:
        it has nothing here now), most often none; None when there is nothing to do now.
        """
        if not self.is_caught_up:
            return None
        self._enqueue(self.memo.wake())
        unit = self.queue.take()
        if unit is None:
            return None
        begun = time.perf_counter()
        said = self._work(unit)
        self.queue.rest(unit, time.perf_counter() - begun)
        return said

    def due(self) -> tuple[dict[str, bytes], float | None]:
        """Everything that there is to say now, and in how many seconds to ask again (None: after the next change)."""
        said: dict[str, bytes] = {}
        while (found := self.step()) is not None:
            said |= found
        return said, self.wait()

    def wait(self) -> float | None:
        """In how many seconds there is something to do by time alone; None: only a change can bring it about."""
        now = time.monotonic()
        # a stream that does not come back within a blink changes the cluster's state by its end
        blinks = [item.lost_at + BLINK - now for item in self.kinds.values() if item.lost_at is not None]
        waits: list[float | None] = [blink + JUST_AFTER for blink in blinks if blink > 0]
        if self.is_caught_up:
            waits += [self.queue.wait(), self.memo.next_wake()]
        return min((wait for wait in waits if wait is not None), default=None)

    def _work(self, unit: Unit) -> dict[str, bytes]:
        word, about = unit
        if word == ENTITY:
            payload = self._tell(about)
            return {} if payload is None else {about: payload}
        if word == WORKLOAD:
            self._place(about)
        else:
            self._place_node(about)
        return {}

    def _tell(self, uid: str) -> bytes | None:
        row = self._entity(uid)
        self._note_change(uid, row)
        # the moment is no part of the story: what did not change is not said again
        story = ENCODER.encode(row) if row else b""
        if self._said.get(uid, b"") == story:
            return None
        if row is None:
            self._said.pop(uid, None)
            if uid not in self._members:
                self.queue.forget((ENTITY, uid))
                self.memo.forget((ENTITY, uid))
            return b""
        self._said[uid] = story
        return ENCODER.encode(msgspec.structs.replace(row, as_of=self.clock(), since=self.since.get(uid)))

    def _entity(self, uid: str) -> EntityRow | None:
        def work(looking: Looking) -> EntityRow | None:
            looking.note(("members", uid))
            looking.note(("ref", uid))
            return entity_row(self.matcher.refs.get(uid, ""), self._members.get(uid, ()), looking)

        return self.memo.ask((ENTITY, uid), work)

    def _place(self, key: Key) -> None:
        """A workload's place in the cluster's list, and a word to whoever waits for its rollout."""

        def work(looking: Looking) -> tuple[Health | None, bool]:
            obj = looking.store.get(key)
            return (judge(key.kind, obj, looking), _is_listed(key, obj)) if obj else (None, False)

        health, is_listed = self.memo.ask((WORKLOAD, key), work)
        if self._overview.place(key, health if is_listed else None):
            self.revision += 1
        if health is None:
            self.queue.forget((WORKLOAD, key))
            self.memo.forget((WORKLOAD, key))
        if key.kind in WORKLOADS and self._healths.get(key) != health:
            if health is None:
                del self._healths[key]
            else:
                self._healths[key] = health
            self.on_rollout(f"{key.namespace}/{key.kind}/{key.name}")

    def _place_node(self, name: str) -> None:
        row = self._node(name)
        if self._overview.node(name, row):
            self.revision += 1
        if row is None:
            self.queue.forget((NODE, name))
            self.memo.forget((NODE, name))

    def _node(self, name: str) -> NodeRow | None:
        def work(looking: Looking) -> NodeRow | None:
            node = looking.store.get(Key("Node", "", name))
            looking.note(("load", name))
            return node_row(node, self._loads.of(name), looking) if isinstance(node, Node) else None

        return self.memo.ask((NODE, name), work)

    def _listed(self, key: Key) -> WorkloadRow | None:
        def work(looking: Looking) -> WorkloadRow | None:
            obj = looking.store.get(key)
            return workload_row(obj, looking, with_pods=False) if obj else None

        return self.memo.ask((LISTED, key), work)

    def _note_change(self, uid: str, row: EntityRow | None) -> None:
        became = badge(row.health) if row else "Unknown"
        was = self.badges.get(uid, "Unknown")
        if was == became:
            return
        now = self.clock()
        self.badges[uid], self.since[uid] = became, now
        ref = row.entity_ref if row else self.matcher.refs.get(uid, "")
        code, words = (
            (row.health.code, sentence(row.health)) if row else ("unknown", "It has no workloads here any more.")
        )
        self.changes.append(Change(uid, ref, was, became, code, words, now))

    def say_again(self) -> None:
        """Everything has to be written anew: the hash is gone."""
        self._said.clear()
        self.unsaved = self.memory.everything()
        self.queue.hurry()
        self._mark((ENTITY, uid) for uid in list(self._members))

    def forget_gone(self) -> None:
        """After the first complete look: what an earlier watcher knew of pods and entities that are no more ends."""
        self._mark((ENTITY, uid) for uid, worn in self.badges.items() if worn != "Unknown" and uid not in self._members)
        for uid in self.memory.everything():
            if self.store.by_uid(uid) is None:
                self.memory.forget(uid)

    def say_later(self, entities: Iterable[str]) -> None:
        """These could not be written: they are still to be said."""
        for uid in entities:
            self._said[uid] = UNSAID
            self.queue.mark((ENTITY, uid))

    def entities(self) -> list[str]:
        """Every entity that has objects here."""
        return list(self._members)

    def state(self) -> tuple[str, str]:
        """The cluster's state, and what is wrong in words."""
        if not self.silence and self.kinds and all(item.is_followed for item in self.kinds.values()):
            return SYNCED, ""  # as nearly always
        now = time.monotonic()
        troubles = [found for item in self.kinds.values() if (found := item.trouble(now))]
        refused = next((found for found in troubles if isinstance(found, KubeUnauthorized)), None)
        if refused:
            return UNAUTHORIZED, refused.text
        hidden = [found for found in troubles if isinstance(found, KubeForbidden)]
        away = [found for found in troubles if not isinstance(found, KubeForbidden)]
        if self.silence or away:
            return UNREACHABLE, (self.silence or away[0]).text
        if not self.is_caught_up:
            return CONNECTING, ""
        if hidden and len(hidden) == len(self.kinds):
            return UNAUTHORIZED, hidden[0].text
        return (LIMITED, hidden[0].text) if hidden else (SYNCED, "")

    def _teams(self) -> dict[str, str]:
        """The teams that namespaces say they are for."""
        worn = {key.name: self.store.get(key) for key in self.store.keys("Namespace")}
        found = {name: (obj.metadata.labels or {}).get(TEAM, "") for name, obj in worn.items() if obj is not None}
        return {name: team for name, team in sorted(found.items()) if team}

    def row(self) -> ClusterRow:
        """The cluster as its page shows it."""
        state, text = self.state()
        now = time.monotonic()
        kinds = [
            KindRow(kind, item.served_as, self.store.count(kind), item.trouble(now) is None, _words(item.trouble(now)))
            for kind, item in self.kinds.items()
        ]
        kinds += [KindRow(kind, "", 0, False, "The cluster does not serve this kind.") for kind in self.unserved]
        return ClusterRow(
            state=state,
            state_text=text,
            version=self.version,
            nodes=self._overview.nodes(),
            kinds=tuple(kinds),
            namespaces=tuple(sorted(key.name for key in self.store.keys("Namespace"))),
            teams=self._teams(),
            listed=self._overview.listed(self._listed),
            quarantined=len(self._quarantine),
            workloads=sum(self.store.count(kind) for kind in WORKLOADS),
            pods=self.store.count("Pod"),
        )


def _is_same(old: KubeObject, new: KubeObject) -> bool:
    """Whether nothing that anybody reads has changed: a heartbeat, an annotation, a field that is not kept."""
    meta = msgspec.structs.replace(old.metadata, resource_version=new.metadata.resource_version)
    return msgspec.structs.replace(old, metadata=meta) == new


def _is_listed(key: Key, obj: KubeObject) -> bool:
    """Whether it stands in the cluster's list in its own right."""
    return key.kind not in ("Job", "Pod") or obj.metadata.controller is None


def _words(error: KubeError | None) -> str:
    return error.text if error else ""
