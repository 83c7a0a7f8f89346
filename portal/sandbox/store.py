"""The objects in memory: one resourceVersion for all, a bounded history, and those who listen."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from portal.sandbox.kinds import BY_KIND, Resource

Object = dict[str, Any]
# A cluster's history never begins at 1: whoever asks for what was before gets 410, as on a server that has compacted.
FIRST_REVISION = 1000


@dataclass(frozen=True)
class Change:
    """One write: ADDED, MODIFIED or DELETED, with the object after it and before it."""

    revision: int
    resource: Resource
    verb: str
    obj: Object
    before: Object | None

    @cached_property
    def encoded(self) -> bytes:
        """The object as JSON, made once for all watchers."""
        return orjson.dumps(self.obj)


class Store:
    """Objects by resource, namespace and name. Stored objects are never changed in place."""

    def __init__(self, history: int = 20_000) -> None:
        self.revision = FIRST_REVISION
        self.compacted = FIRST_REVISION
        self.history: deque[Change] = deque()
        self.limit = history
        self.listeners: list[Callable[[Change], None]] = []
        self._tables: dict[Resource, dict[str, dict[str, Object]]] = {}
        self._owned: dict[str, dict[tuple[Resource, str, str], None]] = {}

    def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        return self._tables.get(resource, {}).get(namespace, {}).get(name)

    def each(self, resource: Resource, namespace: str | None = None) -> Iterator[Object]:
        """All objects of a type, in one namespace or in all."""
        table = self._tables.get(resource, {})
        if namespace is not None:
            yield from list(table.get(namespace, {}).values())
            return
        for names in list(table.values()):
            yield from list(names.values())

    def sorted(self, resource: Resource, namespace: str | None = None) -> list[Object]:
        """As `each`, in the order in which a list answers: by namespace and name."""
        table = self._tables.get(resource, {})
        if namespace is not None:
            return [obj for _, obj in sorted(table.get(namespace, {}).items())]
        return [obj for _, names in sorted(table.items()) for _, obj in sorted(names.items())]

    def count(self, resource: Resource) -> int:
        return sum(len(names) for names in self._tables.get(resource, {}).values())

    def owned_by(self, uid: str, resource: Resource | None = None) -> list[Object]:
        """Objects with an owner reference to this uid."""
        found = (self.get(*key) for key in list(self._owned.get(uid, ())) if resource in (None, key[0]))
        return [obj for obj in found if obj is not None]

    def owned_keys(self, uid: str) -> list[tuple[Resource, str, str]]:
        return list(self._owned.get(uid, ()))

    def namespace_keys(self, namespace: str) -> list[tuple[Resource, str]]:
        """Everything that lies in a namespace: resource and name."""
        return [
            (resource, name)
            for resource, table in self._tables.items()
            if resource.namespaced
            for name in list(table.get(namespace, {}))
        ]

    def put(self, resource: Resource, obj: Object) -> Object:
        """Store an object under the next resourceVersion and tell the listeners."""
        metadata = obj["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        before = self.get(resource, namespace, name)
        self.revision += 1
        metadata["resourceVersion"] = str(self.revision)
        self._tables.setdefault(resource, {}).setdefault(namespace, {})[name] = obj
        self._index(resource, namespace, name, before, obj)
        self._tell(Change(self.revision, resource, "MODIFIED" if before else "ADDED", obj, before))
        return obj

    def remove(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """Take an object away; the deleted object carries the resourceVersion of its deletion."""
        before = self._tables.get(resource, {}).get(namespace, {}).pop(name, None)
        if before is None:
            return None
        self.revision += 1
        last = before | {"metadata": before["metadata"] | {"resourceVersion": str(self.revision)}}
        self._index(resource, namespace, name, before, None)
        self._tell(Change(self.revision, resource, "DELETED", last, before))
        return last

    def since(self, revision: int) -> list[Change]:
        """The changes after a resourceVersion, which must not be older than `compacted`."""
        found: list[Change] = []
        for change in reversed(self.history):
            if change.revision <= revision:
                break
            found.append(change)
        return found[::-1]

    def _index(
        self, resource: Resource, namespace: str, name: str, before: Object | None, after: Object | None
    ) -> None:
        key = (resource, namespace, name)
        for owner in (before or {"metadata": {}})["metadata"].get("ownerReferences") or ():
            entries = self._owned.get(owner["uid"], {})
            entries.pop(key, None)
            if not entries:
                self._owned.pop(owner["uid"], None)
        for owner in (after or {"metadata": {}})["metadata"].get("ownerReferences") or ():
            self._owned.setdefault(owner["uid"], {})[key] = None

    def _tell(self, change: Change) -> None:
        self.history.append(change)
        while len(self.history) > self.limit:
            self.compacted = self.history.popleft().revision
        for listener in self.listeners:
            listener(change)

    def dump(self) -> bytes:
        objects = [obj for resource in self._tables for obj in self.each(resource)]
        return orjson.dumps({"revision": self.revision, "objects": objects})

    def load(self, data: bytes) -> None:
        """Take the objects of a snapshot; history before it is gone, as after a compaction."""
        document = orjson.loads(data)
        self.revision = self.compacted = int(document["revision"])
        for obj in document["objects"]:
            resource = BY_KIND.get((obj["apiVersion"], obj["kind"]))
            if resource is None:
                continue
            metadata = obj["metadata"]
            namespace, name = metadata.get("namespace", ""), metadata["name"]
            self._tables.setdefault(resource, {}).setdefault(namespace, {})[name] = obj
            self._index(resource, namespace, name, None, obj)
