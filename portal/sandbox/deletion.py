"""Deletion: grace for pods, finalizers, propagation to dependents, terminating namespaces."""

from datetime import timedelta
from typing import Any

from portal.sandbox import clock
from portal.sandbox.errors import changed_since, invalid_options
from portal.sandbox.kinds import NAMESPACE, POD, Resource
from portal.sandbox.registry import Registry
from portal.sandbox.store import Object

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
_POLICIES = ("Background", "Foreground", "Orphan")
# Kinds whose DELETE answers the object that was deleted; the others answer a Status.
_ANSWERED = {"Pod", "Service", "ServiceAccount", "PersistentVolume", "PersistentVolumeClaim", "ResourceQuota"}


def _policy(resource: Resource, options: dict[str, Any]) -> str:
    policy = options.get("propagationPolicy")
    if policy is None:
        if options.get("orphanDependents") is not None:
            return "Orphan" if options["orphanDependents"] else "Background"
        return "Orphan" if resource.kind == "Job" else "Background"
    if policy not in _POLICIES:
        text = f'Unsupported value: "{policy}": supported values: "Foreground", "Background", "Orphan", "nil"'
        raise invalid_options("DeleteOptions", "propagationPolicy", "FieldValueNotSupported", text)
    return str(policy)


def _check(resource: Resource, live: Object, options: dict[str, Any]) -> None:
    wanted, metadata = options.get("preconditions") or {}, live["metadata"]
    if wanted.get("uid") not in (None, metadata["uid"]):
        text = (
            f"the UID in the precondition ({wanted['uid']}) does not match the UID in record ({metadata['uid']}). "
            "The object might have been deleted and then recreated"
        )
        raise changed_since(resource, metadata["name"], text)
    if wanted.get("resourceVersion") not in (None, metadata["resourceVersion"]):
        text = (
            f"the ResourceVersion in the precondition ({wanted['resourceVersion']}) does not match the ResourceVersion "
            f"in record ({metadata['resourceVersion']}). The object might have been modified"
        )
        raise changed_since(resource, metadata["name"], text)


def _grace(resource: Resource, live: Object, options: dict[str, Any]) -> int:
    """Seconds that a pod gets to end; everything else gets none."""
    if resource is not POD:
        return 0
    if not live["spec"].get("nodeName") or live["status"].get("phase") in ("Succeeded", "Failed"):
        return 0
    asked = options.get("gracePeriodSeconds")
    return int(live["spec"].get("terminationGracePeriodSeconds", 30) if asked is None else max(asked, 0))


def delete(
    registry: Registry, resource: Resource, namespace: str, name: str, options: dict[str, Any], *, dry_run: bool = False
) -> Object:
    """Delete an object, or begin to; answers what the request answers."""
    live = registry.need(resource, namespace, name)
    _check(resource, live, options)
    policy = _policy(resource, options)
    if dry_run:
        return live if resource.kind in _ANSWERED else success(resource, live)
    if resource is NAMESPACE:
        return _terminate_namespace(registry, live)
    grace = _grace(resource, live, options)
    metadata = live["metadata"]
    finalizers = [item for item in metadata.get("finalizers") or () if item not in (FOREGROUND, ORPHAN)]
    dependents = registry.store.owned_keys(metadata["uid"])
    if policy == "Foreground" and dependents:
        finalizers.append(FOREGROUND)
    elif policy == "Orphan" and dependents:
        finalizers.append(ORPHAN)
    if metadata.get("deletionTimestamp") and grace:
        left = metadata.get("deletionGracePeriodSeconds", 0)
        if grace >= left:
            return live
    if not finalizers and not grace:
        removed = registry.store.remove(resource, namespace, name) or live
        return removed if resource.kind in _ANSWERED else success(resource, removed)

    def mark(obj: Object) -> None:
        changed = obj["metadata"]
        due = clock.now() + timedelta(seconds=grace)
        changed.setdefault("deletionTimestamp", clock.stamp(due))
        changed["deletionGracePeriodSeconds"] = grace
        if finalizers:
            changed["finalizers"] = finalizers
        if "generation" in changed and resource is not POD:
            changed["generation"] += 1

    return registry.change(resource, live, mark)


def _terminate_namespace(registry: Registry, live: Object) -> Object:
    if live["metadata"].get("deletionTimestamp"):
        return live

    def mark(obj: Object) -> None:
        obj["metadata"]["deletionTimestamp"] = clock.stamp()
        obj["status"] = obj.get("status", {}) | {"phase": "Terminating"}

    return registry.change(NAMESPACE, live, mark)


def success(resource: Resource, obj: Object) -> Object:
    details = {"name": obj["metadata"]["name"], "kind": resource.plural, "uid": obj["metadata"]["uid"]}
    if resource.group:
        details["group"] = resource.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
