"""Which objects are refused, field by field, in the words of the real server."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from portal.sandbox.errors import Cause, required, unsupported, wrong
from portal.sandbox.kinds import Resource
from portal.sandbox.quantity import Quantity, is_quantity
from portal.sandbox.schedules import ScheduleError, parse_schedule
from portal.sandbox.selectors import labels_match, selector_requirements

Object = dict[str, Any]
Causes = Iterator[Cause]
_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
_SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_QUALIFIED = re.compile(r"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$")
_KEY = re.compile(r"^[-._a-zA-Z0-9]+$")
_ENV_NAME = re.compile(r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SERVICE_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_NAME_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_CONFIG_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_FREE_NAMES = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}


def _name(resource: Resource, name: str) -> Causes:
    field = "metadata.name"
    if resource.kind in _FREE_NAMES:
        if name in (".", "..") or "/" in name or "%" in name:
            yield wrong(field, name, "may not contain '/' or '%'")
    elif resource.kind == "Service":
        if not _LABEL.match(name) or not name[:1].isalpha() or len(name) > 63:
            yield wrong(field, name, _SERVICE_TEXT if len(name) <= 63 else "must be no more than 63 characters")
    elif resource.kind == "Namespace":
        if not _LABEL.match(name) or len(name) > 63:
            yield wrong(field, name, _LABEL_TEXT if len(name) <= 63 else "must be no more than 63 characters")
    elif resource.kind == "CronJob" and len(name) > 52:
        yield wrong(field, name, "must be no more than 52 characters")
    elif not _SUBDOMAIN.match(name) or len(name) > 253:
        yield wrong(field, name, _SUBDOMAIN_TEXT if len(name) <= 253 else "must be no more than 253 characters")


def _qualified(field: str, key: str) -> Causes:
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        text = _NAME_TEXT.replace("name part", "a qualified name", 1)
        yield wrong(field, key, f"{text} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")
        return
    if slash and (not _SUBDOMAIN.match(prefix) or len(prefix) > 253):
        yield wrong(field, key, f"prefix part {_SUBDOMAIN_TEXT}")
    if len(name) > 63:
        yield wrong(field, key, "name part must be no more than 63 characters")
    elif not _QUALIFIED.match(name):
        yield wrong(field, key, f"name part must be non-empty; {_NAME_TEXT}" if not name else _NAME_TEXT)


def _labels(labels: Object, field: str) -> Causes:
    for key, value in labels.items():
        yield from _qualified(field, key)
        if len(value) > 63:
            yield wrong(field, value, "must be no more than 63 characters")
        elif value and not _QUALIFIED.match(value):
            yield wrong(field, value, _VALUE_TEXT)


def _metadata(resource: Resource, metadata: Object) -> Causes:
    if not metadata.get("name"):
        yield required("metadata.name", "Required value: name or generateName is required")
    else:
        yield from _name(resource, metadata["name"])
    yield from _labels(metadata.get("labels") or {}, "metadata.labels")
    for key in metadata.get("annotations") or {}:
        yield from _qualified("metadata.annotations", key.lower())
    for index, owner in enumerate(metadata.get("ownerReferences") or ()):
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                yield wrong(f"metadata.ownerReferences[{index}].{field}", "", "must not be empty")


def _resources(resources: Object, field: str) -> Causes:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for part, values in (("limits", limits), ("requests", requests)):
        for key, value in values.items():
            if not is_quantity(value):
                yield wrong(f"{field}.{part}[{key}]", value, "must be a valid quantity")
            elif Quantity.read(value).milli < 0:
                yield wrong(f"{field}.{part}[{key}]", value, "must be greater than or equal to 0")
    for key, value in requests.items():
        known = key in limits and is_quantity(value) and is_quantity(limits[key])
        if known and Quantity.read(value).milli > Quantity.read(limits[key]).milli:
            yield wrong(f"{field}.requests", value, f"must be less than or equal to {key} limit of {limits[key]}")


def _port(value: Any, field: str) -> Causes:
    if isinstance(value, int) and not 1 <= value <= 65535:
        yield wrong(field, value, "must be between 1 and 65535, inclusive")


def _probe(probe: Object, field: str) -> Causes:
    handlers = [name for name in ("httpGet", "tcpSocket", "exec", "grpc") if name in probe]
    if not handlers:
        yield required(field, "Required value: must specify a handler type")
    for name in ("httpGet", "tcpSocket"):
        if name in probe:
            if "port" not in probe[name]:
                yield required(f"{field}.{name}.port")
            else:
                yield from _port(probe[name]["port"], f"{field}.{name}.port")


def _container(container: Object, field: str, names: set[str], volumes: set[str]) -> Causes:
    name = container.get("name", "")
    if not name:
        yield required(f"{field}.name")
    elif not _LABEL.match(name) or len(name) > 63:
        yield wrong(f"{field}.name", name, _LABEL_TEXT)
    elif name in names:
        yield Cause("FieldValueDuplicate", f'Duplicate value: "{name}"', f"{field}.name")
    names.add(name)
    if not container.get("image"):
        yield required(f"{field}.image")
    for index, port in enumerate(container.get("ports", ())):
        where = f"{field}.ports[{index}]"
        if not port.get("containerPort"):
            yield required(f"{where}.containerPort")
        else:
            yield from _port(port["containerPort"], f"{where}.containerPort")
        if port.get("protocol", "TCP") not in ("TCP", "UDP", "SCTP"):
            yield unsupported(f"{where}.protocol", port["protocol"], ["SCTP", "TCP", "UDP"])
    for index, variable in enumerate(container.get("env", ())):
        if not variable.get("name"):
            yield required(f"{field}.env[{index}].name")
        elif not _ENV_NAME.match(variable["name"]):
            yield wrong(f"{field}.env[{index}].name", variable["name"], "a valid environment variable name is needed")
    for index, mount in enumerate(container.get("volumeMounts", ())):
        if mount.get("name") not in volumes:
            yield Cause(
                "FieldValueNotFound", f'Not found: "{mount.get("name", "")}"', f"{field}.volumeMounts[{index}].name"
            )
        if not mount.get("mountPath"):
            yield required(f"{field}.volumeMounts[{index}].mountPath")
    policy = container.get("imagePullPolicy", "Always")
    if policy not in ("Always", "IfNotPresent", "Never"):
        yield unsupported(f"{field}.imagePullPolicy", policy, ["Always", "IfNotPresent", "Never"])
    for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
        if kind in container:
            yield from _probe(container[kind], f"{field}.{kind}")
    yield from _resources(container.get("resources", {}), f"{field}.resources")


def pod_spec(spec: Object, field: str, policies: tuple[str, ...] = ("Always", "OnFailure", "Never")) -> Causes:
    """What is wrong with the spec of a pod or of a template."""
    if not spec.get("containers"):
        yield required(f"{field}.containers")
    volumes = {volume.get("name", "") for volume in spec.get("volumes", ())}
    names: set[str] = set()
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(kind, ())):
            yield from _container(container, f"{field}.{kind}[{index}]", names, volumes)
    if spec.get("restartPolicy", policies[0]) not in policies:
        yield unsupported(f"{field}.restartPolicy", spec["restartPolicy"], list(policies))


def _workload(obj: Object, *, policies: tuple[str, ...] = ("Always",)) -> Causes:
    spec = obj.get("spec", {})
    if spec.get("replicas", 0) < 0:
        yield wrong("spec.replicas", spec["replicas"], "must be greater than or equal to 0")
    selector = spec.get("selector")
    if not selector:
        yield required("spec.selector")
    labels = spec.get("template", {}).get("metadata", {}).get("labels") or {}
    yield from _labels(labels, "spec.template.metadata.labels")
    requirements = selector_requirements(selector)
    if selector == {}:
        yield wrong("spec.selector", {}, "empty selector is invalid for deployment")
    elif not requirements or not labels_match(requirements, {"metadata": {"labels": labels}}):
        yield wrong("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from pod_spec(spec.get("template", {}).get("spec", {}), "spec.template.spec", policies)


def _deployment(obj: Object) -> Causes:
    yield from _workload(obj)
    strategy = obj.get("spec", {}).get("strategy", {})
    if strategy.get("type") not in ("RollingUpdate", "Recreate"):
        yield unsupported("spec.strategy.type", strategy.get("type", ""), ["Recreate", "RollingUpdate"])
    rolling = strategy.get("rollingUpdate")
    if strategy.get("type") == "Recreate" and rolling:
        text = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        yield Cause("FieldValueForbidden", text, "spec.strategy.rollingUpdate")
    if rolling and rolling.get("maxUnavailable") in (0, "0%") and rolling.get("maxSurge") in (0, "0%"):
        text = "may not be 0 when `maxSurge` is 0"
        yield wrong("spec.strategy.rollingUpdate.maxUnavailable", rolling["maxUnavailable"], text)


def _job(obj: Object, field: str = "spec") -> Causes:
    spec = obj.get("spec", {})
    template = spec.get("template", {}).get("spec", {})
    if template.get("restartPolicy") == "Always":
        text = 'Required value: valid values: "OnFailure", "Never"'
        yield required(f"{field}.template.spec.restartPolicy", text)
    yield from pod_spec(template, f"{field}.template.spec")


def _cron_job(obj: Object) -> Causes:
    spec = obj.get("spec", {})
    if not spec.get("schedule"):
        yield required("spec.schedule")
    else:
        try:
            parse_schedule(spec["schedule"])
        except ScheduleError as error:
            yield wrong("spec.schedule", spec["schedule"], str(error))
    if spec.get("concurrencyPolicy") not in ("Allow", "Forbid", "Replace"):
        yield unsupported("spec.concurrencyPolicy", spec.get("concurrencyPolicy", ""), ["Allow", "Forbid", "Replace"])
    yield from _job(spec.get("jobTemplate", {}), "spec.jobTemplate.spec")


def _service(obj: Object) -> Causes:
    spec = obj.get("spec", {})
    kinds = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
    if spec.get("type") not in kinds:
        yield unsupported("spec.type", spec.get("type", ""), list(kinds))
    if not spec.get("ports") and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    names: set[str] = set()
    for index, port in enumerate(spec.get("ports", ())):
        where = f"spec.ports[{index}]"
        if not port.get("name") and len(spec["ports"]) > 1:
            yield required(f"{where}.name")
        if port.get("name") in names and port.get("name"):
            yield Cause("FieldValueDuplicate", f'Duplicate value: "{port["name"]}"', f"{where}.name")
        names.add(port.get("name", ""))
        yield from _port(port.get("port", 0), f"{where}.port")
        yield from _port(port.get("targetPort", 1), f"{where}.targetPort")
        if port.get("protocol") not in ("TCP", "UDP", "SCTP"):
            yield unsupported(f"{where}.protocol", port.get("protocol", ""), ["SCTP", "TCP", "UDP"])
    yield from _labels(spec.get("selector") or {}, "spec.selector")


def _data(obj: Object) -> Causes:
    for part in ("data", "binaryData", "stringData"):
        for key in obj.get(part) or {}:
            if not _KEY.match(key):
                yield wrong(f"{part}[{key}]", key, _CONFIG_KEY_TEXT)


def _autoscaler(obj: Object) -> Causes:
    spec = obj.get("spec", {})
    low, high = spec.get("minReplicas", 1), spec.get("maxReplicas", 0)
    if high < 1:
        yield wrong("spec.maxReplicas", high, "must be greater than 0")
    elif high < low:
        yield wrong("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`")
    if not spec.get("scaleTargetRef", {}).get("kind"):
        yield required("spec.scaleTargetRef.kind")
    if not spec.get("scaleTargetRef", {}).get("name"):
        yield required("spec.scaleTargetRef.name")


def _budget(obj: Object) -> Causes:
    spec = obj.get("spec", {})
    if "minAvailable" in spec and "maxUnavailable" in spec:
        yield wrong("spec", spec, "minAvailable and maxUnavailable cannot be both set")


def _ingress(obj: Object) -> Causes:
    spec = obj.get("spec", {})
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield wrong("spec", spec, "either `defaultBackend` or `rules` must be specified")
    for index, rule in enumerate(spec.get("rules", ())):
        for number, path in enumerate((rule.get("http") or {}).get("paths", ())):
            where = f"spec.rules[{index}].http.paths[{number}]"
            if path.get("pathType") not in ("Exact", "Prefix", "ImplementationSpecific"):
                yield required(f"{where}.pathType", "Required value: pathType must be specified")
            if not path.get("backend", {}).get("service", {}).get("name") and "resource" not in path.get("backend", {}):
                yield required(f"{where}.backend.service.name")


def _claim(obj: Object) -> Causes:
    spec = obj.get("spec", {})
    if not spec.get("accessModes"):
        yield required("spec.accessModes", "Required value: at least 1 access mode is required")
    if not spec.get("resources", {}).get("requests", {}).get("storage"):
        yield required("spec.resources[storage]")


def _quota(obj: Object) -> Causes:
    for key, value in (obj.get("spec", {}).get("hard") or {}).items():
        if not is_quantity(value):
            yield wrong(f"spec.hard[{key}]", value, "must be a valid quantity")


_KINDS: dict[str, Callable[[Object], Causes]] = {
    "Pod": lambda obj: pod_spec(obj.get("spec", {}), "spec"),
    "Deployment": _deployment,
    "ReplicaSet": _workload,
    "StatefulSet": _workload,
    "DaemonSet": _workload,
    "Job": _job,
    "CronJob": _cron_job,
    "Service": _service,
    "ConfigMap": _data,
    "Secret": _data,
    "HorizontalPodAutoscaler": _autoscaler,
    "PodDisruptionBudget": _budget,
    "Ingress": _ingress,
    "PersistentVolumeClaim": _claim,
    "ResourceQuota": _quota,
}


def problems(resource: Resource, obj: Object) -> list[Cause]:
    """What is wrong with an object by itself."""
    found = list(_metadata(resource, obj["metadata"]))
    if resource.kind in _KINDS:
        found += _KINDS[resource.kind](obj)
    return found
