"""Reading the cells of tables from objects, as the real server words them."""

from collections.abc import Callable
from typing import Any

from portal.sandbox import clock
from portal.sandbox.selectors import selector_text

Object = dict[str, Any]


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


def name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def age(obj: Object) -> str:
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


def pod_ready(pod: Object) -> str:
    return f"{sum(bool(item['ready']) for item in _statuses(pod))}/{len(pod['spec']['containers'])}"


def _ended(state: Object) -> str:
    ended = state["terminated"]
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _init_reason(pod: Object) -> str:
    inits = (pod.get("status") or {}).get("initContainerStatuses") or ()
    sidecars = {item["name"] for item in pod["spec"].get("initContainers") or () if item.get("restartPolicy")}
    for index, entry in enumerate(inits):
        state = entry.get("state") or {}
        if state.get("terminated", {"exitCode": 1}).get("exitCode") == 0:
            continue
        if entry["name"] in sidecars and entry.get("started"):
            continue
        if "terminated" in state:
            return f"Init:{_ended(state)}"
        reason = state.get("waiting", {}).get("reason", "")
        if reason and reason != "PodInitializing":
            return f"Init:{reason}"
        return f"Init:{index}/{len(inits)}"
    return ""


def _main_reason(pod: Object, reason: str) -> str:
    is_running = False
    for entry in reversed(_statuses(pod)):
        state = entry.get("state") or {}
        if state.get("waiting", {}).get("reason"):
            reason = state["waiting"]["reason"]
        elif "terminated" in state:
            reason = _ended(state)
        elif entry.get("ready") and "running" in state:
            is_running = True
    if reason == "Completed" and is_running:
        return "Running" if _holds(pod, "Ready") else "NotReady"
    return reason


def _holds(pod: Object, kind: str) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(item["type"] == kind and item["status"] == "True" for item in conditions)


def pod_status(pod: Object) -> str:
    """The STATUS column, as kubectl's printPod makes it."""
    status = pod.get("status") or {}
    reason = status.get("reason") or status.get("phase") or "Unknown"
    scheduled: Object = next((item for item in status.get("conditions", ()) if item["type"] == "PodScheduled"), {})
    if scheduled.get("reason") == "SchedulingGated":
        reason = "SchedulingGated"
    init = _init_reason(pod)
    reason = _main_reason(pod, reason) if not init or _holds(pod, "Initialized") else init
    if pod["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            return "Unknown"
        if status.get("phase") not in ("Succeeded", "Failed"):
            return "Terminating"
    return str(reason)


def restarts(pod: Object) -> str:
    entries = _statuses(pod)
    count = sum(item["restartCount"] for item in entries)
    ended = [(item.get("lastState") or {}).get("terminated", {}).get("finishedAt") for item in entries]
    last = max([time for time in ended if time], default="")
    return f"{count} ({ago(last)} ago)" if count and last else str(count)


def fraction(part: str, whole: str) -> Callable[[Object], str]:
    return lambda obj: f"{at(part, 0)(obj)}/{at(whole, 0)(obj)}"


def containers(template: str) -> Callable[[Object], str]:
    return lambda obj: ",".join(item["name"] for item in at(template, {})(obj).get("containers", ()))


def images(template: str) -> Callable[[Object], str]:
    return lambda obj: ",".join(item["image"] for item in at(template, {})(obj).get("containers", ()))


def selector(obj: Object) -> str:
    return selector_text(obj["spec"].get("selector")) or "<none>"


def service_selector(obj: Object) -> str:
    found = obj["spec"].get("selector") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(found.items())) or "<none>"


def service_ports(obj: Object) -> str:
    def one(port: Object) -> str:
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        return f"{port['port']}{node}/{port.get('protocol', 'TCP')}"

    return ",".join(one(port) for port in obj["spec"].get("ports", ())) or "<none>"


def external(obj: Object) -> str:
    kind, spec = obj["spec"].get("type"), obj["spec"]
    addresses = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    if kind == "ExternalName":
        return str(spec.get("externalName", ""))
    if kind == "LoadBalancer":
        return ",".join(item.get("ip") or item.get("hostname", "") for item in addresses) or "<pending>"
    return ",".join(spec.get("externalIPs", ())) or "<none>"


def roles(node: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    found = [key[len(prefix) :] for key in node["metadata"].get("labels", {}) if key.startswith(prefix)]
    return ",".join(sorted(found)) or "<none>"


def node_status(node: Object) -> str:
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready = next((item["status"] for item in conditions if item["type"] == "Ready"), "Unknown")
    word = {"True": "Ready", "False": "NotReady"}.get(ready, "NotReady")
    return f"{word},SchedulingDisabled" if node.get("spec", {}).get("unschedulable") else word


def node_address(node: Object) -> str:
    found = [item["address"] for item in node["status"].get("addresses", ()) if item["type"] == "InternalIP"]
    return found[0] if found else "<none>"


def job_status(job: Object) -> str:
    for item in (job.get("status") or {}).get("conditions") or ():
        if item["status"] == "True" and item["type"] in ("Complete", "Failed", "Suspended"):
            return str(item["type"])
    return "Terminating" if job["metadata"].get("deletionTimestamp") else "Running"


def job_completions(job: Object) -> str:
    done = (job.get("status") or {}).get("succeeded", 0)
    wanted = job["spec"].get("completions")
    return f"{done}/{wanted}" if wanted else f"{done}/1 of {job['spec'].get('parallelism', 1)}"


def job_duration(job: Object) -> str:
    status = job.get("status") or {}
    if not status.get("startTime"):
        return ""
    end = clock.parse(status["completionTime"]) if status.get("completionTime") else clock.now()
    return ago(clock.stamp(clock.now() - (end - clock.parse(status["startTime"]))))


def since(path: str) -> Callable[[Object], str]:
    return lambda obj: ago(found) if (found := at(path, "")(obj)) else "<none>"


def targets(obj: Object) -> str:
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


def reference(obj: Object) -> str:
    target = obj["spec"]["scaleTargetRef"]
    return f"{target['kind']}/{target['name']}"


def hosts(obj: Object) -> str:
    return ",".join(rule.get("host", "*") for rule in obj["spec"].get("rules", ())) or "*"


def ingress_address(obj: Object) -> str:
    found = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return ",".join(item.get("ip") or item.get("hostname", "") for item in found)


def count(part: str) -> Callable[[Object], int]:
    return lambda obj: len(obj.get(part) or ())


def quota(part: str) -> Callable[[Object], str]:
    def read(obj: Object) -> str:
        status = obj.get("status") or {}
        hard, used = status.get("hard") or obj["spec"].get("hard") or {}, status.get("used") or {}
        chosen = [key for key in sorted(hard) if key.startswith("limits.") == (part == "limits")]
        return ", ".join(f"{key}: {used.get(key, 0)}/{hard[key]}" for key in chosen)

    return read


def endpoints(obj: Object) -> str:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in obj.get("subsets", ())
        for address in subset.get("addresses", ())
        for port in subset.get("ports", ())
    ]
    return ",".join(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "") if found else "<none>"


def slice_part(part: str) -> Callable[[Object], str]:
    def read(obj: Object) -> str:
        if part == "ports":
            found = [str(port.get("port", "*")) for port in obj.get("ports") or ()]
        else:
            found = [item["addresses"][0] for item in obj.get("endpoints") or ()]
        return ",".join(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "") if found else "<unset>"

    return read


def object_of(obj: Object) -> str:
    return f"{obj['involvedObject'].get('kind', '').lower()}/{obj['involvedObject'].get('name', '')}"


def access_mode(mode: str) -> str:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
    return short.get(mode, mode)
