"""Namespaces: what every new one holds, and the purge of those that are deleted."""

from collections.abc import Hashable, Iterable

from portal.sandbox import deletion
from portal.sandbox.controllers.base import set_condition
from portal.sandbox.kinds import CONFIG_MAP, NAMESPACE, SERVICE_ACCOUNT
from portal.sandbox.registry import Registry
from portal.sandbox.runtime import Runtime
from portal.sandbox.store import Change, Object

_ROOT_CA = "kube-root-ca.crt"


class Namespaces:
    """A controller whose keys are the names of namespaces."""

    def __init__(self, registry: Registry, runtime: Runtime, authority: str) -> None:
        self.registry, self.runtime, self.authority = registry, runtime, authority
        self.store = registry.store

    def keys(self, change: Change) -> Iterable[Hashable]:
        if change.resource is NAMESPACE:
            return [change.obj["metadata"]["name"]]
        namespace = change.obj["metadata"].get("namespace")
        if change.verb == "DELETED" and namespace:
            owner = self.store.get(NAMESPACE, "", namespace)
            if owner is None or owner["metadata"].get("deletionTimestamp") or change.resource is SERVICE_ACCOUNT:
                return [namespace]
        return ()

    def restore(self) -> None:
        for namespace in self.store.each(NAMESPACE):
            self.runtime.add(self, namespace["metadata"]["name"])

    def furnish(self, name: str) -> None:
        """The service account and the certificate that every namespace has; at once, so that pods can follow."""
        if self.store.get(SERVICE_ACCOUNT, name, "default") is None:
            self.registry.make(SERVICE_ACCOUNT, name, {"metadata": {"name": "default"}})
        if self.store.get(CONFIG_MAP, name, _ROOT_CA) is None:
            body = {"metadata": {"name": _ROOT_CA}, "data": {"ca.crt": self.authority}}
            self.registry.make(CONFIG_MAP, name, body)

    def sync(self, key: Hashable) -> None:
        name = str(key)
        namespace = self.store.get(NAMESPACE, "", name)
        if namespace is None:
            return
        if not namespace["metadata"].get("deletionTimestamp"):
            self.furnish(name)
            return
        for resource, each in self.store.namespace_keys(name):
            obj = self.store.get(resource, name, each)
            if obj and not obj["metadata"].get("deletionTimestamp"):
                deletion.delete(self.registry, resource, name, each, {"propagationPolicy": "Background"})
        left = [
            obj for resource, each in self.store.namespace_keys(name) if (obj := self.store.get(resource, name, each))
        ]
        if not left and not namespace["metadata"].get("finalizers"):
            self.store.remove(NAMESPACE, "", name)
        else:
            self._report(namespace, left)

    def _report(self, namespace: Object, left: list[Object]) -> None:
        """Say what still stands in the way, as the real controller does."""
        held = [finalizer for obj in left for finalizer in obj["metadata"].get("finalizers") or ()]
        conditions = list(namespace["status"].get("conditions") or ())
        kinds = sorted({obj["kind"].lower() for obj in left})
        text = f"Some resources are remaining: {', '.join(kinds)}" if left else "All content successfully removed"
        word = "SomeResourcesRemain" if left else "ContentRemoved"
        conditions = _set(conditions, "NamespaceContentRemaining", bool(left), word, text)
        text = f"Some content in the namespace has finalizers remaining: {', '.join(sorted(set(held)))}"
        word = "SomeFinalizersRemain" if held else "ContentHasNoFinalizers"
        plain = "All content-preserving finalizers finished"
        conditions = _set(conditions, "NamespaceFinalizersRemaining", bool(held), word, text if held else plain)
        self.registry.set_status(NAMESPACE, namespace, namespace["status"] | {"conditions": conditions})


def _set(conditions: list[Object], kind: str, holds: bool, reason: str, message: str) -> list[Object]:
    made = set_condition(conditions, kind, "True" if holds else "False", reason, message)
    return [{key: value for key, value in item.items() if key != "lastUpdateTime"} for item in made]
