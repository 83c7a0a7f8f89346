"""What the controllers share: the context they work in, ownership, counting pods."""

from collections.abc import Hashable, Iterable
from typing import Any, ClassVar

from portal.sandbox import clock
from portal.sandbox.clock import Pace
from portal.sandbox.kinds import BY_KIND, Resource
from portal.sandbox.recorder import Recorder
from portal.sandbox.registry import Registry
from portal.sandbox.runtime import Runtime
from portal.sandbox.store import Change, Object, Store

Key = tuple[str, str]


class WorkloadController:
    """A controller whose keys are the objects of one resource and which owns objects of others."""

    resource: ClassVar[Resource]
    owns: ClassVar[tuple[Resource, ...]] = ()

    def __init__(self, registry: Registry, runtime: Runtime, recorder: Recorder, pace: Pace) -> None:
        self.registry, self.runtime, self.recorder, self.pace = registry, runtime, recorder, pace

    @property
    def store(self) -> Store:
        return self.registry.store

    def keys(self, change: Change) -> Iterable[Hashable]:
        if change.resource is self.resource:
            return [key_of(change.obj)]
        if change.resource in self.owns:
            owner = controller_of(change.obj)
            if owner and owner["kind"] == self.resource.kind:
                return [(change.obj["metadata"]["namespace"], owner["name"])]
        return ()

    def sync(self, key: Hashable) -> None:
        """Bring the object of a key to what it should be."""
        raise NotImplementedError

    def current(self, key: Hashable) -> Object | None:
        """The object of a key, unless it is gone or going."""
        assert isinstance(key, tuple)
        obj = self.store.get(self.resource, *key)
        return None if obj is None or obj["metadata"].get("deletionTimestamp") else obj

    def owned(self, obj: Object, resource: Resource) -> list[Object]:
        """Objects that this one controls."""
        uid = obj["metadata"]["uid"]
        return [item for item in self.store.owned_by(uid, resource) if (controller_of(item) or {}).get("uid") == uid]

    def restore(self) -> None:
        """After a snapshot: look at everything once."""
        for obj in self.store.each(self.resource):
            self.runtime.add(self, key_of(obj))


def key_of(obj: Object) -> Key:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def controller_of(obj: Object) -> Object | None:
    """The owner reference of an object's controller."""
    owners = obj["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)


def owner_reference(owner: Object) -> Object:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def resource_of(reference: Object) -> Resource | None:
    return BY_KIND.get((reference.get("apiVersion", ""), reference.get("kind", "")))


def pod_from_template(owner: Object, template: Object, labels: dict[str, str] | None = None, **metadata: Any) -> Object:
    """A new pod of a workload. The spec is shared with the template and never changed in place."""
    base = template.get("metadata", {})
    head: Object = dict(metadata)
    if base.get("annotations"):
        head["annotations"] = dict(base["annotations"])
    head["labels"] = dict(base.get("labels") or {}) | (labels or {})
    head["ownerReferences"] = [owner_reference(owner)]
    return {"metadata": head, "spec": dict(template["spec"])}


def is_active(pod: Object) -> bool:
    return not pod["metadata"].get("deletionTimestamp") and phase(pod) not in ("Succeeded", "Failed")


def phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase", ""))


def condition(obj: Object, kind: str) -> Object | None:
    listed = (obj.get("status") or {}).get("conditions") or ()
    return next((item for item in listed if item["type"] == kind), None)


def is_ready(pod: Object) -> bool:
    found = condition(pod, "Ready")
    return found is not None and found["status"] == "True"


def available_in(pod: Object, min_ready_seconds: int) -> float | None:
    """Seconds until a ready pod counts as available (0 = now); None when it is not ready."""
    found = condition(pod, "Ready")
    if found is None or found["status"] != "True":
        return None
    if not min_ready_seconds:
        return 0
    passed = (clock.now() - clock.parse(found["lastTransitionTime"])).total_seconds()
    return max(0.0, min_ready_seconds - passed)


def set_condition(conditions: list[Object], kind: str, status: str, reason: str, message: str) -> list[Object]:
    """The conditions with one set; its times move only as they do on a real server."""
    now = clock.stamp()
    old = next((item for item in conditions if item["type"] == kind), None)
    if old and (old["status"], old.get("reason"), old.get("message")) == (status, reason, message):
        return conditions
    since = old["lastTransitionTime"] if old and old["status"] == status else now
    new = {
        "type": kind,
        "status": status,
        "lastUpdateTime": now,
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }
    return [item for item in conditions if item["type"] != kind] + [new]


def without_condition(conditions: list[Object], kind: str) -> list[Object]:
    return [item for item in conditions if item["type"] != kind]
