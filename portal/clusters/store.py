"""The objects of one cluster, in memory, with the few indexes that the rules ask for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from portal.clusters.structs import (
    EndpointSlice,
    Event,
    HorizontalPodAutoscaler,
    KubeObject,
    Node,
    PersistentVolumeClaim,
    Pod,
)

SERVICE_NAME_LABEL = "kubernetes.io/service-name"


class Key(NamedTuple):
    """What names an object inside a cluster."""

    kind: str
    namespace: str
    name: str


def key_of(obj: KubeObject) -> Key:
    """The key of a decoded object; its kind is the name of its struct."""
    return Key(type(obj).__name__, obj.metadata.namespace, obj.metadata.name)


def links_of(obj: KubeObject) -> Iterator[tuple[str, str]]:
    """What an object points at, as (index, value): owner, node, claim, service, target, or what an event is about."""
    for owner in obj.metadata.owner_references or ():
        yield "owner", owner.uid
    namespace = obj.metadata.namespace
    if isinstance(obj, Pod):
        if obj.spec.node_name:
            yield "node", obj.spec.node_name
        for volume in obj.spec.volumes or ():
            if volume.persistent_volume_claim:
                yield "claim", f"{namespace}/{volume.persistent_volume_claim.claim_name}"
    elif isinstance(obj, Event):
        yield "about", obj.involved_object.uid
    elif isinstance(obj, EndpointSlice):
        yield "service", f"{namespace}/{(obj.metadata.labels or {}).get(SERVICE_NAME_LABEL, '')}"
    elif isinstance(obj, HorizontalPodAutoscaler):
        target = obj.spec.scale_target_ref
        yield "target", f"{namespace}/{target.kind}/{target.name}"


class Store:
    """Objects by key, by uid and by what they point at. Putting and dropping keep every index true."""

    def __init__(self, objects: Iterable[KubeObject] = ()) -> None:
        self._objects: dict[str, dict[Key, KubeObject]] = defaultdict(dict)
        self._by_uid: dict[str, Key] = {}
        self._links: dict[tuple[str, str], set[Key]] = defaultdict(set)
        for obj in objects:
            self.put(obj)

    def put(self, obj: KubeObject) -> KubeObject | None:
        """Keep the object; answers what it replaced."""
        key = key_of(obj)
        old = self.drop(key)
        self._objects[key.kind][key] = obj
        if obj.metadata.uid:
            self._by_uid[obj.metadata.uid] = key
        for link in links_of(obj):
            self._links[link].add(key)
        return old

    def drop(self, key: Key) -> KubeObject | None:
        """Forget the object; answers what was there."""
        old = self._objects[key.kind].pop(key, None)
        if old is None:
            return None
        if self._by_uid.get(old.metadata.uid) == key:
            del self._by_uid[old.metadata.uid]
        for link in links_of(old):
            keys = self._links[link]
            keys.discard(key)
            if not keys:
                del self._links[link]
        return old

    def get(self, key: Key) -> KubeObject | None:
        """The object of that key."""
        return self._objects[key.kind].get(key)

    def keys(self, kind: str) -> list[Key]:
        """The keys of every object of a kind."""
        return list(self._objects[kind])

    def of_kind(self, kind: str) -> list[KubeObject]:
        """Every object of a kind."""
        return list(self._objects[kind].values())

    def by_uid(self, uid: str) -> KubeObject | None:
        """The object with that uid."""
        key = self._by_uid.get(uid)
        return self.get(key) if key else None

    def linked(self, index: str, value: str, kind: str = "") -> list[KubeObject]:
        """The objects that point at `value` through an index of `links_of`, in the order of their names."""
        keys = sorted(key for key in self._links.get((index, value), ()) if not kind or key.kind == kind)
        return [self._objects[key.kind][key] for key in keys]

    def pods_of(self, uid: str) -> list[Pod]:
        """The pods that an object controls directly."""
        return [obj for obj in self.linked("owner", uid, "Pod") if isinstance(obj, Pod)]

    def events_about(self, uid: str) -> list[Event]:
        """Warning events about an object, the newest first."""
        events = [obj for obj in self.linked("about", uid) if isinstance(obj, Event)]
        return sorted(events, key=lambda event: event.seen_at.timestamp() if event.seen_at else 0.0, reverse=True)

    def node(self, name: str) -> Node | None:
        """The node of that name."""
        found = self.get(Key("Node", "", name))
        return found if isinstance(found, Node) else None

    def claim(self, namespace: str, name: str) -> PersistentVolumeClaim | None:
        """The claim of that name."""
        found = self.get(Key("PersistentVolumeClaim", namespace, name))
        return found if isinstance(found, PersistentVolumeClaim) else None

    def ready_addresses(self, namespace: str, service: str) -> int | None:
        """How many addresses of a service take traffic; None when no slice of it is known."""
        slices = [obj for obj in self.linked("service", f"{namespace}/{service}") if isinstance(obj, EndpointSlice)]
        if not slices:
            return None
        ready = (end for piece in slices for end in piece.endpoints or () if end.conditions.ready is not False)
        return sum(len(end.addresses) for end in ready)

    def count(self, kind: str) -> int:
        """How many objects of a kind there are."""
        return len(self._objects[kind])
