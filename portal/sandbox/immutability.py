"""Fields that may not change once an object exists."""

from typing import Any

from portal.sandbox.errors import Cause, wrong
from portal.sandbox.kinds import Resource

Object = dict[str, Any]
_IMMUTABLE: dict[str, tuple[str, ...]] = {
    "Deployment": ("spec.selector",),
    "ReplicaSet": ("spec.selector",),
    "DaemonSet": ("spec.selector",),
    "Job": ("spec.selector", "spec.template", "spec.completions", "spec.completionMode"),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
    "Secret": ("type",),
    "IngressClass": ("spec.controller",),
}
_CLAIM_TEXT = "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName"
_SET_TEXT = (
    "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
    "forbidden"
)
_POD_TEXT = (
    "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
    "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_SET_FREE = {
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
}


def _at(obj: Object, path: str) -> Any:
    value: Any = obj
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _without(spec: Object, free: set[str]) -> Object:
    return {key: value for key, value in spec.items() if key not in free}


def _pod_core(spec: Object) -> Object:
    free = {"activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName", "schedulingGates"}
    core = _without(spec, free)
    for kind in ("containers", "initContainers"):
        if kind in core:
            core[kind] = [_without(container, {"image"}) for container in core[kind]]
    return core


def problems(resource: Resource, live: Object, obj: Object) -> list[Cause]:
    """What an update changes that it may not."""
    found = [
        wrong(path, _at(obj, path), "cannot change roleRef" if path == "roleRef" else "field is immutable")
        for path in _IMMUTABLE.get(resource.kind, ())
        if _at(obj, path) != _at(live, path)
    ]
    sealed = resource.kind in ("ConfigMap", "Secret") and live.get("immutable")
    if sealed and any(obj.get(key) != live.get(key) for key in ("data", "binaryData", "immutable")):
        found.append(Cause("FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set", "data"))
    before, after = live.get("spec", {}), obj.get("spec", {})
    if resource.kind == "Pod" and _pod_core(before) != _pod_core(after):
        found.append(Cause("FieldValueForbidden", _POD_TEXT, "spec"))
    if resource.kind == "StatefulSet" and _without(before, _SET_FREE) != _without(after, _SET_FREE):
        found.append(Cause("FieldValueForbidden", _SET_TEXT, "spec"))
    if resource.kind == "PersistentVolumeClaim":
        free = {"resources", "volumeAttributesClassName", "volumeName"}
        if _without(before, free) != _without(after, free):
            found.append(Cause("FieldValueForbidden", _CLAIM_TEXT, "spec"))
    addressed = resource.kind == "Service" and "ExternalName" not in (before.get("type"), after.get("type"))
    if addressed and before.get("clusterIP") and after.get("clusterIP") != before["clusterIP"]:
        found.append(wrong("spec.clusterIPs[0]", [after.get("clusterIP", "")], "may not change once set"))
    return found
