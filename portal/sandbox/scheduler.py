"""Binds pods to nodes with room for them, and says why when there is none."""

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from portal.sandbox import clock, faults
from portal.sandbox.admission import pod_requests
from portal.sandbox.kinds import NODE, PERSISTENT_VOLUME_CLAIM, POD
from portal.sandbox.quantity import ZERO, Quantity
from portal.sandbox.recorder import Recorder
from portal.sandbox.registry import Registry
from portal.sandbox.runtime import Runtime
from portal.sandbox.store import Change, Object

Key = tuple[str, str]
_COMPONENT = "default-scheduler"


@dataclass(slots=True)
class Load:
    """What the pods of one node ask for."""

    pods: int = 0
    cpu: int = 0
    memory: int = 0

    def add(self, need: "Load", sign: int) -> None:
        self.pods += sign
        self.cpu += sign * need.cpu
        self.memory += sign * need.memory


def _need(spec: Object) -> Load:
    asked = pod_requests(spec)
    return Load(1, asked.get("cpu", ZERO).milli, asked.get("memory", ZERO).milli)


def _tolerates(spec: Object, taint: Object) -> bool:
    for item in spec.get("tolerations", ()):
        if item.get("effect") not in (None, "", taint["effect"]):
            continue
        if not item.get("key") and item.get("operator") == "Exists":
            return True
        same_value = item.get("operator") == "Exists" or item.get("value", "") == taint.get("value", "")
        if item.get("key") == taint["key"] and same_value:
            return True
    return False


class Scheduler:
    """A controller over pods without a node."""

    def __init__(self, registry: Registry, runtime: Runtime, recorder: Recorder) -> None:
        self.registry, self.runtime, self.recorder = registry, runtime, recorder
        self.store = registry.store
        self._loads: dict[str, Load] = {}
        self._placed: dict[str, tuple[str, Load]] = {}
        self._waiting: dict[Key, None] = {}

    def keys(self, change: Change) -> Iterable[Hashable]:
        if change.resource is POD:
            self._account(change)
            if change.verb == "DELETED":
                self._waiting.pop(self._key(change.obj), None)
                return list(self._waiting)
            if not change.obj["spec"].get("nodeName") and not change.obj["metadata"].get("deletionTimestamp"):
                return [self._key(change.obj)] if change.verb == "ADDED" else []
        elif change.resource is NODE:
            before = change.before or {}
            same = before.get("spec") == change.obj.get("spec") and (
                before.get("status", {}).get("allocatable") == change.obj.get("status", {}).get("allocatable")
            )
            return [] if same else list(self._waiting)
        elif change.resource is PERSISTENT_VOLUME_CLAIM and self._waiting:
            namespace = change.obj["metadata"]["namespace"]
            return [key for key in self._waiting if key[0] == namespace]
        return []

    @staticmethod
    def _key(pod: Object) -> Key:
        return pod["metadata"]["namespace"], pod["metadata"]["name"]

    def _account(self, change: Change) -> None:
        """Keep the sums per node."""
        pod, uid = change.obj, change.obj["metadata"]["uid"]
        node = pod["spec"].get("nodeName")
        over = change.verb == "DELETED" or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if over:
            name, need = self._placed.pop(uid, ("", Load()))
            if name:
                self._loads[name].add(need, -1)
        elif node and uid not in self._placed:
            need = _need(pod["spec"])
            self._placed[uid] = (node, need)
            self._loads.setdefault(node, Load()).add(need, 1)

    def restore(self) -> None:
        """Count the pods of a snapshot, and try those that have no node."""
        for pod in self.store.each(POD):
            self._account(Change(0, POD, "ADDED", pod, None))
            if not pod["spec"].get("nodeName"):
                self.runtime.add(self, self._key(pod))

    def sync(self, key: Hashable) -> None:
        assert isinstance(key, tuple)
        pod = self.store.get(POD, *key)
        if pod is None or pod["spec"].get("nodeName") or pod["metadata"].get("deletionTimestamp"):
            self._waiting.pop(key, None)
            return
        if pod["spec"].get("schedulerName", _COMPONENT) != _COMPONENT or pod["spec"].get("schedulingGates"):
            return
        if unbound := self._unbound(pod):
            self._waiting[key] = None
            self._refuse(pod, f"0/{sum(1 for _ in self.store.each(NODE))} nodes are available: {unbound}.")
            return
        reasons: Counter[str] = Counter()
        best: tuple[float, str] | None = None
        need = _need(pod["spec"])
        count = 0
        for node in self.store.each(NODE):
            count += 1
            refusals = self._refusals(pod["spec"], node, need)
            if refusals:
                reasons.update(refusals)
                continue
            score = self._score(node, need)
            if best is None or score < best[0]:
                best = (score, node["metadata"]["name"])
        if best:
            self._waiting.pop(key, None)
            self.bind(pod, best[1])
        else:
            self._waiting[key] = None
            self._refuse(pod, self._told(count, reasons))

    def _unbound(self, pod: Object) -> str:
        """What is wrong with the claims that a pod wants to use; empty when all have their volumes."""
        for volume in pod["spec"].get("volumes") or ():
            name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if not name:
                continue
            claim = self.store.get(PERSISTENT_VOLUME_CLAIM, pod["metadata"]["namespace"], name)
            if claim is None:
                return f'persistentvolumeclaim "{name}" not found'
            if (claim.get("status") or {}).get("phase") != "Bound":
                return "pod has unbound immediate PersistentVolumeClaims"
        return ""

    def _refusals(self, spec: Object, node: Object, need: Load) -> list[str]:
        """Why a node cannot take a pod, as the real scheduler counts it."""
        node_spec, labels = node.get("spec", {}), node["metadata"].get("labels", {})
        if node_spec.get("unschedulable"):
            return ["node(s) were unschedulable"]
        for taint in node_spec.get("taints", ()):
            if taint["effect"] in ("NoSchedule", "NoExecute") and not _tolerates(spec, taint):
                value = taint.get("value", "")
                return [f"node(s) had untolerated taint {{{taint['key']}: {value}}}"]
        wanted: dict[str, Any] = spec.get("nodeSelector") or {}
        if any(labels.get(key) != value for key, value in wanted.items()):
            return ["node(s) didn't match Pod's node affinity/selector"]
        if faults.of_spec(spec) == "unschedulable":
            return ["Insufficient cpu"]
        room = node["status"]["allocatable"]
        load = self._loads.get(node["metadata"]["name"], Load())
        found = []
        if load.pods + 1 > int(room["pods"]):
            found.append("Too many pods")
        if load.cpu + need.cpu > Quantity.read(room["cpu"]).milli and need.cpu:
            found.append("Insufficient cpu")
        if load.memory + need.memory > Quantity.read(room["memory"]).milli and need.memory:
            found.append("Insufficient memory")
        return found

    def _score(self, node: Object, need: Load) -> float:
        room = node["status"]["allocatable"]
        load = self._loads.get(node["metadata"]["name"], Load())
        cpu = (load.cpu + need.cpu) / Quantity.read(room["cpu"]).milli
        memory = (load.memory + need.memory) / Quantity.read(room["memory"]).milli
        return cpu + memory + (load.pods + 1) / int(room["pods"])

    def bind(self, pod: Object, node: str) -> None:
        metadata = pod["metadata"]
        condition = {
            "type": "PodScheduled",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": clock.stamp(),
        }
        status = pod.get("status", {}) | {"conditions": [condition]}
        bound = pod | {"metadata": dict(metadata), "spec": pod["spec"] | {"nodeName": node}, "status": status}
        self.store.put(POD, bound)
        text = f"Successfully assigned {metadata['namespace']}/{metadata['name']} to {node}"
        self.recorder.normal(bound, "Scheduled", text, _COMPONENT)

    @staticmethod
    def _told(count: int, reasons: Counter[str]) -> str:
        if not count:
            return "no nodes available to schedule pods"
        listed = ", ".join(sorted(f"{number} {reason}" for reason, number in reasons.items()))
        return f"0/{count} nodes are available: {listed}."

    def _refuse(self, pod: Object, message: str) -> None:
        old = next((item for item in pod["status"].get("conditions", ()) if item["type"] == "PodScheduled"), None)
        if old and old.get("message") == message:
            return
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastProbeTime": None,
            "lastTransitionTime": (old or {}).get("lastTransitionTime", clock.stamp()),
        }
        written = self.registry.set_status(POD, pod, pod["status"] | {"conditions": [condition]})
        self.recorder.warning(written, "FailedScheduling", message, _COMPONENT)
