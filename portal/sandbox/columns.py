"""The columns of each kind in a table, as the real server prints them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portal.sandbox import clock
from portal.sandbox.selectors import selector_text

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading and how to read a cell."""

    name: str
    read: Callable[[Object], Any]
    wide: bool = False
    number: bool = False


def ago(stamp: str | None) -> str:
    """The age of something, in the short form of kubectl."""
    if not stamp:
        return "<unknown>"
    seconds = max(0, int((clock.now() - clock.parse(stamp)).total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    return f"{days}d"


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def _age(obj: Object) -> str:
    return ago(obj["metadata"].get("creationTimestamp"))


def at(path: str, default: Any = "<none>") -> Callable[[Object], Any]:
    """Reads a dotted path."""

    def read(obj: Object) -> Any:
        value: Any = obj
        for step in path.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        return default if value in (None, "") else value

    return read


def _statuses(pod: Object) -> list[Object]:
    return list((pod.get("status") or {}).get("containerStatuses") or ())


def _pod_ready(pod: Object) -> str:
    return f"{sum(bool(item['ready']) for item in _statuses(pod))}/{len(pod['spec']['containers'])}"


def _init_reason(pod: Object) -> str:
    inits = (pod.get("status") or {}).get("initContainerStatuses") or ()
    for index, entry in enumerate(inits):
        state = entry["state"]
        if entry.get("ready") or state.get("terminated", {}).get("exitCode") == 0:
            continue
        if "terminated" in state:
            return f"Init:{state['terminated'].get('reason') or 'Error'}"
        reason = state.get("waiting", {}).get("reason", "")
        if reason and reason != "PodInitializing":
            return f"Init:{reason}"
        return f"Init:{index}/{len(inits)}"
    return ""


def pod_status(pod: Object) -> str:
    """The STATUS column: the most telling reason."""
    status = pod.get("status") or {}
    reason = status.get("reason") or status.get("phase") or "Unknown"
    scheduled = next((item for item in status.get("conditions", ()) if item["type"] == "PodScheduled"), {})
    if scheduled.get("reason") == "SchedulingGated":
        reason = "SchedulingGated"
    init = _init_reason(pod)
    if init:
        reason = init
    else:
        for entry in reversed(_statuses(pod)):
            state = entry["state"]
            if state.get("waiting", {}).get("reason"):
                reason = state["waiting"]["reason"]
            elif "terminated" in state:
                reason = state["terminated"].get("reason") or f"ExitCode:{state['terminated'].get('exitCode')}"
    return "Terminating" if pod["metadata"].get("deletionTimestamp") else str(reason)


def _restarts(pod: Object) -> str:
    entries = _statuses(pod)
    count = sum(item["restartCount"] for item in entries)
    ended = [(item.get("lastState") or {}).get("terminated", {}).get("finishedAt") for item in entries]
    last = max([time for time in ended if time], default="")
    return f"{count} ({ago(last)} ago)" if count and last else str(count)


def _of(part: str, whole: str) -> Callable[[Object], str]:
    return lambda obj: f"{at(part, 0)(obj)}/{at(whole, 0)(obj)}"


def _containers(template: str) -> Callable[[Object], str]:
    return lambda obj: ",".join(item["name"] for item in at(template, {})(obj).get("containers", ()))


def _images(template: str) -> Callable[[Object], str]:
    return lambda obj: ",".join(item["image"] for item in at(template, {})(obj).get("containers", ()))


def _selector(obj: Object) -> str:
    return selector_text(obj["spec"].get("selector")) or "<none>"


def _service_selector(obj: Object) -> str:
    found = obj["spec"].get("selector") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(found.items())) or "<none>"


def _service_ports(obj: Object) -> str:
    def one(port: Object) -> str:
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        return f"{port['port']}{node}/{port.get('protocol', 'TCP')}"

    return ",".join(one(port) for port in obj["spec"].get("ports", ())) or "<none>"


def _external(obj: Object) -> str:
    kind, spec = obj["spec"].get("type"), obj["spec"]
    addresses = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    if kind == "ExternalName":
        return str(spec.get("externalName", ""))
    if kind == "LoadBalancer":
        return ",".join(item.get("ip") or item.get("hostname", "") for item in addresses) or "<pending>"
    return ",".join(spec.get("externalIPs", ())) or "<none>"


def _roles(node: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    found = [key[len(prefix) :] for key in node["metadata"].get("labels", {}) if key.startswith(prefix)]
    return ",".join(sorted(found)) or "<none>"


def _node_status(node: Object) -> str:
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready = next((item["status"] for item in conditions if item["type"] == "Ready"), "Unknown")
    word = {"True": "Ready", "False": "NotReady"}.get(ready, "NotReady")
    return f"{word},SchedulingDisabled" if node.get("spec", {}).get("unschedulable") else word


def _node_address(node: Object) -> str:
    found = [item["address"] for item in node["status"].get("addresses", ()) if item["type"] == "InternalIP"]
    return found[0] if found else "<none>"


def _job_status(job: Object) -> str:
    for item in (job.get("status") or {}).get("conditions") or ():
        if item["status"] == "True" and item["type"] in ("Complete", "Failed", "Suspended"):
            return str(item["type"])
    return "Terminating" if job["metadata"].get("deletionTimestamp") else "Running"


def _job_completions(job: Object) -> str:
    done = (job.get("status") or {}).get("succeeded", 0)
    wanted = job["spec"].get("completions")
    return f"{done}/{wanted}" if wanted else f"{done}/1 of {job['spec'].get('parallelism', 1)}"


def _job_duration(job: Object) -> str:
    status = job.get("status") or {}
    if not status.get("startTime"):
        return ""
    end = clock.parse(status["completionTime"]) if status.get("completionTime") else clock.now()
    return ago(clock.stamp(clock.now() - (end - clock.parse(status["startTime"]))))


def _since(path: str) -> Callable[[Object], str]:
    return lambda obj: ago(found) if (found := at(path, "")(obj)) else "<none>"


def _targets(obj: Object) -> str:
    current = {
        item["resource"]["name"]: item["resource"].get("current", {})
        for item in (obj.get("status") or {}).get("currentMetrics") or ()
        if item.get("type") == "Resource"
    }
    parts = []
    for metric in obj["spec"].get("metrics", ()):
        if metric["type"] != "Resource":
            parts.append("<unknown>")
            continue
        name, target = metric["resource"]["name"], metric["resource"]["target"]
        now = current.get(name, {}).get("averageUtilization")
        shown = f"{now}%" if now is not None else "<unknown>"
        parts.append(f"{name}: {shown}/{target.get('averageUtilization', '?')}%")
    return ", ".join(parts) or "<none>"


def _reference(obj: Object) -> str:
    target = obj["spec"]["scaleTargetRef"]
    return f"{target['kind']}/{target['name']}"


def _hosts(obj: Object) -> str:
    return ",".join(rule.get("host", "*") for rule in obj["spec"].get("rules", ())) or "*"


def _ingress_address(obj: Object) -> str:
    found = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return ",".join(item.get("ip") or item.get("hostname", "") for item in found)


def _count(part: str) -> Callable[[Object], int]:
    return lambda obj: len(obj.get(part) or ())


def _quota(part: str) -> Callable[[Object], str]:
    def read(obj: Object) -> str:
        status = obj.get("status") or {}
        hard, used = status.get("hard") or obj["spec"].get("hard") or {}, status.get("used") or {}
        chosen = [key for key in sorted(hard) if key.startswith("limits.") == (part == "limits")]
        return ", ".join(f"{key}: {used.get(key, 0)}/{hard[key]}" for key in chosen)

    return read


def _endpoints(obj: Object) -> str:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in obj.get("subsets", ())
        for address in subset.get("addresses", ())
        for port in subset.get("ports", ())
    ]
    return ",".join(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "") if found else "<none>"


def _slice(part: str) -> Callable[[Object], str]:
    def read(obj: Object) -> str:
        if part == "ports":
            found = [str(port.get("port", "*")) for port in obj.get("ports") or ()]
        else:
            found = [item["addresses"][0] for item in obj.get("endpoints") or ()]
        return ",".join(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "") if found else "<unset>"

    return read


def _object_of(obj: Object) -> str:
    return f"{obj['involvedObject'].get('kind', '').lower()}/{obj['involvedObject'].get('name', '')}"


NAME, AGE = Column("Name", _name), Column("Age", _age)
PLAIN = (NAME, AGE)
_TEMPLATE = "spec.template.spec"


def _template_columns() -> tuple[Column, ...]:
    return (
        Column("Containers", _containers(_TEMPLATE), wide=True),
        Column("Images", _images(_TEMPLATE), wide=True),
        Column("Selector", _selector, wide=True),
    )


def _number(name: str, path: str) -> Column:
    return Column(name, at(path, 0), number=True)


COLUMNS: dict[str, tuple[Column, ...]] = {
    "Pod": (
        NAME,
        Column("Ready", _pod_ready),
        Column("Status", pod_status),
        Column("Restarts", _restarts),
        AGE,
        Column("IP", at("status.podIP"), wide=True),
        Column("Node", at("spec.nodeName"), wide=True),
        Column("Nominated Node", at("status.nominatedNodeName"), wide=True),
        Column("Readiness Gates", at("spec.readinessGates"), wide=True),
    ),
    "Deployment": (
        NAME,
        Column("Ready", _of("status.readyReplicas", "spec.replicas")),
        _number("Up-to-date", "status.updatedReplicas"),
        _number("Available", "status.availableReplicas"),
        AGE,
        *_template_columns(),
    ),
    "ReplicaSet": (
        NAME,
        _number("Desired", "spec.replicas"),
        _number("Current", "status.replicas"),
        _number("Ready", "status.readyReplicas"),
        AGE,
        *_template_columns(),
    ),
    "StatefulSet": (
        NAME,
        Column("Ready", _of("status.readyReplicas", "spec.replicas")),
        AGE,
        *_template_columns()[:2],
    ),
    "DaemonSet": (
        NAME,
        _number("Desired", "status.desiredNumberScheduled"),
        _number("Current", "status.currentNumberScheduled"),
        _number("Ready", "status.numberReady"),
        _number("Up-to-date", "status.updatedNumberScheduled"),
        _number("Available", "status.numberAvailable"),
        Column("Node Selector", lambda obj: "<none>"),
        AGE,
        *_template_columns(),
    ),
    "Job": (
        NAME,
        Column("Status", _job_status),
        Column("Completions", _job_completions),
        Column("Duration", _job_duration),
        AGE,
        *_template_columns(),
    ),
    "CronJob": (
        NAME,
        Column("Schedule", at("spec.schedule")),
        Column("Timezone", at("spec.timeZone")),
        Column("Suspend", lambda obj: str(bool(obj["spec"].get("suspend")))),
        Column("Active", lambda obj: len((obj.get("status") or {}).get("active") or ()), number=True),
        Column("Last Schedule", _since("status.lastScheduleTime")),
        AGE,
        Column("Containers", _containers(f"spec.jobTemplate.{_TEMPLATE}"), wide=True),
        Column("Images", _images(f"spec.jobTemplate.{_TEMPLATE}"), wide=True),
    ),
    "Service": (
        NAME,
        Column("Type", at("spec.type")),
        Column("Cluster-IP", at("spec.clusterIP")),
        Column("External-IP", _external),
        Column("Port(s)", _service_ports),
        AGE,
        Column("Selector", _service_selector, wide=True),
    ),
    "Node": (
        NAME,
        Column("Status", _node_status),
        Column("Roles", _roles),
        AGE,
        Column("Version", at("status.nodeInfo.kubeletVersion")),
        Column("Internal-IP", _node_address, wide=True),
        Column("External-IP", lambda obj: "<none>", wide=True),
        Column("OS-Image", at("status.nodeInfo.osImage"), wide=True),
        Column("Kernel-Version", at("status.nodeInfo.kernelVersion"), wide=True),
        Column("Container-Runtime", at("status.nodeInfo.containerRuntimeVersion"), wide=True),
    ),
    "Namespace": (NAME, Column("Status", at("status.phase")), AGE),
    "ConfigMap": (NAME, Column("Data", lambda obj: _count("data")(obj) + _count("binaryData")(obj), number=True), AGE),
    "Secret": (NAME, Column("Type", at("type")), Column("Data", _count("data"), number=True), AGE),
    "ServiceAccount": (NAME, Column("Secrets", _count("secrets"), number=True), AGE),
    "Event": (
        Column("Last Seen", lambda obj: ago(obj.get("lastTimestamp") or obj.get("eventTime"))),
        Column("Type", at("type")),
        Column("Reason", at("reason")),
        Column("Object", _object_of),
        Column("Subobject", at("involvedObject.fieldPath", ""), wide=True),
        Column("Source", at("source.component", ""), wide=True),
        Column("Message", at("message", "")),
        Column("First Seen", lambda obj: ago(obj.get("firstTimestamp")), wide=True),
        Column("Count", at("count", 1), wide=True, number=True),
        Column("Name", _name, wide=True),
    ),
    "Endpoints": (NAME, Column("Endpoints", _endpoints), AGE),
    "EndpointSlice": (
        NAME,
        Column("AddressType", at("addressType")),
        Column("Ports", _slice("ports")),
        Column("Endpoints", _slice("endpoints")),
        AGE,
    ),
    "HorizontalPodAutoscaler": (
        NAME,
        Column("Reference", _reference),
        Column("Targets", _targets),
        Column("MinPods", lambda obj: str(obj["spec"].get("minReplicas", 1))),
        _number("MaxPods", "spec.maxReplicas"),
        _number("Replicas", "status.currentReplicas"),
        AGE,
    ),
    "PodDisruptionBudget": (
        NAME,
        Column("Min Available", lambda obj: str(at("spec.minAvailable", "N/A")(obj))),
        Column("Max Unavailable", lambda obj: str(at("spec.maxUnavailable", "N/A")(obj))),
        _number("Allowed Disruptions", "status.disruptionsAllowed"),
        AGE,
    ),
    "Ingress": (
        NAME,
        Column("Class", at("spec.ingressClassName")),
        Column("Hosts", _hosts),
        Column("Address", _ingress_address),
        Column("Ports", lambda obj: "80, 443" if obj["spec"].get("tls") else "80"),
        AGE,
    ),
    "NetworkPolicy": (
        NAME,
        Column("Pod-Selector", lambda o: selector_text(o["spec"].get("podSelector")) or "<none>"),
        AGE,
    ),
    "ResourceQuota": (NAME, Column("Request", _quota("requests")), Column("Limit", _quota("limits")), AGE),
    "PersistentVolumeClaim": (
        NAME,
        Column("Status", at("status.phase")),
        Column("Volume", at("spec.volumeName", "")),
        Column("Capacity", at("status.capacity.storage", "")),
        Column("Access Modes", lambda obj: ",".join(_mode(mode) for mode in obj["spec"].get("accessModes", ()))),
        Column("StorageClass", at("spec.storageClassName", "")),
        AGE,
    ),
    "StorageClass": (NAME, Column("Provisioner", at("provisioner")), AGE),
    "Role": (NAME, Column("Created At", at("metadata.creationTimestamp"))),
    "ClusterRole": (NAME, Column("Created At", at("metadata.creationTimestamp"))),
    "RoleBinding": (NAME, Column("Role", lambda obj: f"{obj['roleRef']['kind']}/{obj['roleRef']['name']}"), AGE),
    "ClusterRoleBinding": (NAME, Column("Role", lambda obj: f"{obj['roleRef']['kind']}/{obj['roleRef']['name']}"), AGE),
    "Lease": (NAME, Column("Holder", at("spec.holderIdentity", "")), AGE),
    "IngressClass": (NAME, Column("Controller", at("spec.controller")), AGE),
}


def _mode(mode: str) -> str:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
    return short.get(mode, mode)
