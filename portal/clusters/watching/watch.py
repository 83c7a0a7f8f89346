"""One cluster being watched: objects in, dirty entities out, each judged at once and then four times a second."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from portal.clusters.bindings import Matcher
from portal.clusters.errors import KubeError, KubeForbidden, KubeNotServed, KubeUnauthorized
from portal.clusters.health.judging import judge, sentence
from portal.clusters.health.memory import Memory
from portal.clusters.health.terms import Around, Health, badge
from portal.clusters.models import CONNECTING, LIMITED, SYNCED, UNAUTHORIZED, UNREACHABLE
from portal.clusters.status import ClusterRow, EntityRow, KindRow
from portal.clusters.store import Key, Store, key_of
from portal.clusters.structs import (
    EndpointSlice,
    Event,
    HorizontalPodAutoscaler,
    KubeObject,
    Node,
    PersistentVolumeClaim,
    Pod,
)
from portal.clusters.watching.rows import WORKLOADS, entity_row, listed, node_rows, root_of

log = logging.getLogger(__name__)

ENTITY_EVERY = 0.25
BLINK = 5.0  # a stream that is back within this was never away
LONG_AGO = datetime.min.replace(tzinfo=UTC)
CALM = frozenset({"Healthy", "Idle", "Paused"})
ENCODER = msgspec.json.Encoder()


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

    def trouble(self, now: float) -> KubeError | None:
        """What keeps it from being followed, once it is more than a blink."""
        if self.lost_at is None or (self.is_caught_up and now - self.lost_at < BLINK):
            return None
        return self.error


@dataclass
class ClusterWatch:
    """The memory of one cluster and what has to be said about it. Knows nothing of databases, brokers or sockets.

    on_rollout(key) is called with `namespace/kind/name` when the health of a workload becomes another.
    """

    slug: str
    on_rollout: Callable[[str], None] = lambda key: None
    store: Store = field(default_factory=Store)
    matcher: Matcher = field(default_factory=Matcher)
    version: str = ""
    kinds: dict[str, Following] = field(default_factory=dict)
    unserved: tuple[str, ...] = ()
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    rediscover: asyncio.Event = field(default_factory=asyncio.Event)
    changes: deque[Change] = field(default_factory=lambda: deque(maxlen=10_000))
    badges: dict[str, str] = field(default_factory=dict)
    since: dict[str, datetime] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    revision: int = 0
    _belongs: dict[Key, frozenset[str]] = field(default_factory=dict)
    _members: dict[str, set[Key]] = field(default_factory=lambda: defaultdict(set))
    _dirty: set[str] = field(default_factory=set)
    _judged_at: dict[str, float] = field(default_factory=dict)
    _said: dict[str, bytes] = field(default_factory=dict)
    _healths: dict[Key, Health] = field(default_factory=dict)
    _quarantine: dict[Key, str] = field(default_factory=dict)

    # -- what the reflectors say --------------------------------------------------------------------------------------

    def replace(self, kind: str, objects: dict[Key, KubeObject]) -> None:
        for key in self.store.keys(kind):
            if key not in objects:
                self.drop(key)
        for obj in objects.values():
            self.put(obj)

    def put(self, obj: KubeObject) -> None:
        key = key_of(obj)
        old = self.store.get(key)
        if old and old.metadata.resource_version == obj.metadata.resource_version:
            return
        touched = self._touched(old) if old else set()
        self._remember(old, obj)
        self.store.put(obj)
        self._quarantine.pop(key, None)
        if isinstance(old, Node) and isinstance(obj, Node) and self._is_heartbeat(old, obj):
            return
        self._bind(key, obj)
        self._mark(touched | self._touched(obj))
        self._judge_root(obj)

    def _remember(self, old: KubeObject | None, new: KubeObject | None) -> None:
        """A pod's past outlives each look at it, and nothing of it outlives the pod."""
        if isinstance(old, Pod) and (new is None or new.metadata.uid != old.metadata.uid):
            self.memory.forget(old.metadata.uid)
        if isinstance(new, Pod):
            self.memory.look(new, datetime.now(UTC))

    def drop(self, key: Key) -> None:
        old = self.store.get(key)
        if old is None:
            return
        self._remember(old, None)
        touched = self._touched(old)
        root = root_of(self.store, old)
        self.store.drop(key)
        self._unbind(key)
        if self._healths.pop(key, None) is not None:
            self.on_rollout(f"{key.namespace}/{key.kind}/{key.name}")
        self._mark(touched)
        if root is not old:
            self._judge_root(root)

    def followed(self, kind: str) -> None:
        following = self.kinds[kind]
        if not following.is_caught_up or following.lost_at is not None:
            self._changed()
        following.is_caught_up, following.lost_at, following.error = True, None, None

    def lost(self, kind: str, error: KubeError) -> None:
        following = self.kinds[kind]
        if following.lost_at is None:
            following.lost_at = time.monotonic()
            log.info("%s: %s: %s", self.slug, kind, error)
        following.error = error
        if isinstance(error, KubeNotServed):
            self.rediscover.set()
        self._changed()

    def quarantined(self, key: Key, reason: str) -> None:
        if key not in self._quarantine:
            log.warning("%s: %s %s/%s is left out: %s", self.slug, key.kind, key.namespace, key.name, reason[:300])
        self._quarantine[key] = reason
        self.drop(key)
        self._changed()

    # -- who is touched -----------------------------------------------------------------------------------------------

    def _is_heartbeat(self, old: Node, new: Node) -> bool:
        now = datetime.now(UTC)
        before = judge("Node", old, Around(self.store, now))
        return (
            before == judge("Node", new, Around(self.store, now)) and old.status.allocatable == new.status.allocatable
        )

    def _bind(self, key: Key, obj: KubeObject) -> None:
        entities = (
            self.matcher.entities(obj.metadata.labels or {}, key.namespace) if obj.metadata.labels else frozenset()
        )
        if entities == self._belongs.get(key, frozenset()):
            return
        self._unbind(key)
        if entities:
            self._belongs[key] = entities
            for uid in entities:
                self._members[uid].add(key)

    def _unbind(self, key: Key) -> None:
        for uid in self._belongs.pop(key, ()):
            self._members[uid].discard(key)
            if not self._members[uid]:
                del self._members[uid]

    def rebind(self, matcher: Matcher) -> None:
        """Takes new bindings: every object is matched again, and the entities on both sides are judged."""
        before = set(self._members)
        self.matcher = matcher
        for kind in self.kinds:
            for key in self.store.keys(kind):
                obj = self.store.get(key)
                if obj:
                    self._bind(key, obj)
        self._mark(before | set(self._members))

    def _touched(self, obj: KubeObject) -> set[str]:
        """The entities whose story may change with this object."""
        found: set[str] = set()
        for related in self._related(obj):
            for _ in range(5):
                found |= self._belongs.get(key_of(related), frozenset())
                owner = related.metadata.controller
                above = self.store.by_uid(owner.uid) if owner else None
                if above is None:
                    break
                related = above
        return found

    def _related(self, obj: KubeObject) -> Iterable[KubeObject]:
        yield obj
        namespace, name = obj.metadata.namespace, obj.metadata.name
        if isinstance(obj, Event):
            about = self.store.by_uid(obj.involved_object.uid)
            if about:
                yield about
                if isinstance(about, PersistentVolumeClaim):
                    yield from self.store.linked("claim", f"{about.metadata.namespace}/{about.metadata.name}", "Pod")
        elif isinstance(obj, EndpointSlice):
            service = (obj.metadata.labels or {}).get("kubernetes.io/service-name", "")
            found = self.store.get(Key("Service", namespace, service))
            if found:
                yield found
        elif isinstance(obj, HorizontalPodAutoscaler):
            target = obj.spec.scale_target_ref
            found = self.store.get(Key(target.kind, namespace, target.name))
            if found:
                yield found
        elif isinstance(obj, PersistentVolumeClaim):
            yield from self.store.linked("claim", f"{namespace}/{name}", "Pod")
        elif isinstance(obj, Node):
            yield from self.store.linked("node", name, "Pod")

    def _mark(self, entities: Iterable[str]) -> None:
        self._dirty.update(entities)
        self._changed()

    def _changed(self) -> None:
        self.revision += 1
        self.wake.set()

    def _judge_root(self, obj: KubeObject) -> None:
        """Whoever waits for a rollout hears when its health becomes another."""
        root = root_of(self.store, obj)
        key = key_of(root)
        if key.kind not in WORKLOADS:
            return
        health = judge(key.kind, root, self.around())
        if self._healths.get(key) != health:
            self._healths[key] = health
            self.on_rollout(f"{key.namespace}/{key.kind}/{key.name}")

    def around(self) -> Around:
        """Everything, as of now."""
        return Around(self.store, datetime.now(UTC), self.memory)

    # -- what there is to say -----------------------------------------------------------------------------------------

    @property
    def is_caught_up(self) -> bool:
        """Whether every kind was read once or is known to be out of reach: half a story would be a lie."""
        return bool(self.kinds) and all(item.is_caught_up or item.error for item in self.kinds.values())

    def due(self) -> tuple[dict[str, bytes], float | None]:
        """The entities whose story changed, by uid (empty: it has none now), and in how many seconds to ask again."""
        if not self.is_caught_up:
            return {}, None
        now = time.monotonic()
        said: dict[str, bytes] = {}
        later: float | None = None
        for uid in list(self._dirty):
            wait = self._judged_at.get(uid, 0.0) + ENTITY_EVERY - now
            if wait > 0:
                later = wait if later is None else min(later, wait)
                continue
            self._dirty.discard(uid)
            self._judged_at[uid] = now
            payload = self._tell(uid)
            if payload is not None:
                said[uid] = payload
        return said, later

    def _tell(self, uid: str) -> bytes | None:
        row = entity_row(self.matcher.refs.get(uid, ""), self._members.get(uid, ()), self.around())
        self._note_change(uid, row)
        row = msgspec.structs.replace(row, since=self.since.get(uid)) if row else None
        # the moment is no part of the story: what did not change is not said again
        story = ENCODER.encode(msgspec.structs.replace(row, as_of=LONG_AGO)) if row else b""
        if self._said.get(uid, b"") == story:
            return None
        if row is None:
            self._said.pop(uid, None)
            self._judged_at.pop(uid, None)
            return b""
        self._said[uid] = story
        return ENCODER.encode(row)

    def _note_change(self, uid: str, row: EntityRow | None) -> None:
        became = badge(row.health) if row else "Unknown"
        was = self.badges.get(uid, "Unknown")
        if was == became:
            return
        now = datetime.now(UTC)
        self.badges[uid], self.since[uid] = became, now
        ref = row.entity_ref if row else self.matcher.refs.get(uid, "")
        code, words = (
            (row.health.code, sentence(row.health)) if row else ("unknown", "It has no workloads here any more.")
        )
        self.changes.append(Change(uid, ref, was, became, code, words, now))

    def say_again(self) -> None:
        """Everything has to be written anew: the hash is gone."""
        self._said.clear()
        self._judged_at.clear()
        self._mark(list(self._members))

    def say_later(self, entities: Iterable[str]) -> None:
        """These could not be written: they are still to be said."""
        for uid in entities:
            self._said.pop(uid, None)
            self._dirty.add(uid)

    def look_again(self, *, at_all: bool) -> None:
        """Some health changes with nothing but time: judge what is not calm again, or everything."""
        self._mark([uid for uid in self._members if at_all or self.badges.get(uid) not in CALM])
        for key, health in list(self._healths.items()):
            if badge(health) not in CALM and (obj := self.store.get(key)):
                self._judge_root(obj)

    def entities(self) -> list[str]:
        """Every entity that has objects here."""
        return list(self._members)

    def state(self) -> tuple[str, str]:
        """The cluster's state, and what is wrong in words."""
        now = time.monotonic()
        troubles = [found for item in self.kinds.values() if (found := item.trouble(now))]
        refused = next((found for found in troubles if isinstance(found, KubeUnauthorized)), None)
        if refused:
            return UNAUTHORIZED, refused.text
        hidden = [found for found in troubles if isinstance(found, KubeForbidden)]
        away = [found for found in troubles if not isinstance(found, KubeForbidden)]
        if away:
            return UNREACHABLE, away[0].text
        if not self.is_caught_up:
            return CONNECTING, ""
        if hidden and len(hidden) == len(self.kinds):
            return UNAUTHORIZED, hidden[0].text
        return (LIMITED, hidden[0].text) if hidden else (SYNCED, "")

    def row(self) -> ClusterRow:
        """The cluster as its page shows it."""
        state, text = self.state()
        around, now = self.around(), time.monotonic()
        kinds = [
            KindRow(kind, item.served_as, self.store.count(kind), item.trouble(now) is None, _words(item.trouble(now)))
            for kind, item in self.kinds.items()
        ]
        kinds += [KindRow(kind, "", 0, False, "The cluster does not serve this kind.") for kind in self.unserved]
        return ClusterRow(
            beat=time.time(),
            state=state,
            state_text=text,
            version=self.version,
            nodes=node_rows(around),
            kinds=tuple(kinds),
            namespaces=tuple(sorted(key.name for key in self.store.keys("Namespace"))),
            listed=listed(around),
            quarantined=len(self._quarantine),
            workloads=sum(self.store.count(kind) for kind in WORKLOADS),
            pods=self.store.count("Pod"),
        )


def _words(error: KubeError | None) -> str:
    return error.text if error else ""
