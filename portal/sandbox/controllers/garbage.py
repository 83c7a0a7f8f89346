"""Garbage collection: what is owned goes with its owner, waits for it, or is set free."""

from collections.abc import Hashable, Iterable

from portal.sandbox import deletion
from portal.sandbox.controllers.base import resource_of
from portal.sandbox.deletion import FOREGROUND, ORPHAN
from portal.sandbox.kinds import BY_KIND, Resource
from portal.sandbox.registry import Registry
from portal.sandbox.runtime import Runtime
from portal.sandbox.store import Change, Object


class Garbage:
    """A controller over owner references; its keys are uids of owners, and single objects."""

    def __init__(self, registry: Registry, runtime: Runtime) -> None:
        self.registry, self.runtime = registry, runtime
        self.store = registry.store

    def keys(self, change: Change) -> Iterable[Hashable]:
        metadata = change.obj["metadata"]
        found: list[Hashable] = []
        if change.verb == "DELETED":
            found.append(("gone", metadata["uid"]))
            found += [
                ("owner", owner["apiVersion"], owner["kind"], metadata.get("namespace", ""), owner["name"])
                for owner in metadata.get("ownerReferences") or ()
                if owner.get("blockOwnerDeletion")
            ]
        elif metadata.get("deletionTimestamp") and metadata.get("finalizers"):
            key = (
                "owner",
                change.obj["apiVersion"],
                change.obj["kind"],
                metadata.get("namespace", ""),
                metadata["name"],
            )
            found.append(key)
        elif change.verb == "ADDED" and metadata.get("ownerReferences"):
            found.append(
                (
                    "object",
                    change.obj["apiVersion"],
                    change.obj["kind"],
                    metadata.get("namespace", ""),
                    metadata["name"],
                )
            )
        return found

    def sync(self, key: Hashable) -> None:
        assert isinstance(key, tuple)
        if key[0] == "gone":
            for resource, namespace, name in self.store.owned_keys(key[1]):
                self._check(resource, namespace, name, key[1])
            return
        kind = BY_KIND.get((key[1], key[2]))
        if kind is None:
            return
        if key[0] == "object":
            self._check(kind, key[3], key[4], "")
            return
        owner = self.store.get(kind, key[3], key[4])
        if owner is not None and owner["metadata"].get("deletionTimestamp"):
            self._release(kind, owner)

    def _lives(self, owner: Object, namespace: str) -> bool:
        resource = resource_of(owner)
        if resource is None:
            # Of a kind that is not served here: nobody can tell, so nothing is deleted.
            return True
        found = self.store.get(resource, namespace if resource.namespaced else "", owner["name"])
        return found is not None and found["metadata"]["uid"] == owner["uid"]

    def _check(self, resource: Resource, namespace: str, name: str, gone: str) -> None:
        """Delete an object that has owners, all of them gone; drop only the dangling references otherwise."""
        obj = self.store.get(resource, namespace, name)
        if obj is None:
            return
        owners = obj["metadata"].get("ownerReferences") or []
        alive = [owner for owner in owners if owner["uid"] != gone and self._lives(owner, namespace)]
        if not alive and owners:
            deletion.delete(self.registry, resource, namespace, name, {"propagationPolicy": "Background"})
        elif len(alive) < len(owners):
            self._set_owners(resource, obj, alive)

    def _set_owners(self, resource: Resource, obj: Object, owners: list[Object]) -> None:
        def edit(changed: Object) -> None:
            changed["metadata"]["ownerReferences"] = owners
            if not owners:
                changed["metadata"].pop("ownerReferences")

        self.registry.change(resource, obj, edit)

    def _release(self, resource: Resource, owner: Object) -> None:
        metadata = owner["metadata"]
        finalizers = metadata.get("finalizers") or []
        keys = self.store.owned_keys(metadata["uid"])
        if ORPHAN in finalizers:
            for each, namespace, name in keys:
                obj = self.store.get(each, namespace, name)
                if obj:
                    left = [item for item in obj["metadata"]["ownerReferences"] if item["uid"] != metadata["uid"]]
                    self._set_owners(each, obj, left)
            self._drop(resource, owner, ORPHAN)
        elif FOREGROUND in finalizers:
            blocking = False
            for each, namespace, name in keys:
                obj = self.store.get(each, namespace, name)
                if obj is None:
                    continue
                reference = next(item for item in obj["metadata"]["ownerReferences"] if item["uid"] == metadata["uid"])
                if not obj["metadata"].get("deletionTimestamp"):
                    deletion.delete(self.registry, each, namespace, name, {"propagationPolicy": "Foreground"})
                still = self.store.get(each, namespace, name) is not None
                blocking = blocking or (still and bool(reference.get("blockOwnerDeletion")))
            if not blocking:
                self._drop(resource, owner, FOREGROUND)

    def _drop(self, resource: Resource, owner: Object, finalizer: str) -> None:
        live = self.store.get(resource, owner["metadata"].get("namespace", ""), owner["metadata"]["name"])
        if live is None:
            return

        def edit(obj: Object) -> None:
            left = [item for item in obj["metadata"].get("finalizers") or () if item != finalizer]
            obj["metadata"]["finalizers"] = left
            if not left:
                obj["metadata"].pop("finalizers")

        self.registry.change(resource, live, edit)
