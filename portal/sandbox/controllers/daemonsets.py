"""DaemonSets: one pod on every node."""

from collections.abc import Hashable, Iterable

from portal.sandbox import deletion
from portal.sandbox.admission import template_hash
from portal.sandbox.controllers.base import WorkloadController, is_active, is_ready, key_of, pod_from_template
from portal.sandbox.errors import ApiError
from portal.sandbox.kinds import DAEMON_SET, NODE, POD
from portal.sandbox.store import Change, Object

_COMPONENT = "daemonset-controller"
_REVISION = "controller-revision-hash"
_TOLERATED = ("not-ready", "unreachable", "disk-pressure", "memory-pressure", "pid-pressure", "unschedulable")


class DaemonSets(WorkloadController):
    """Keeps one pod of each DaemonSet on each node that it selects."""

    resource = DAEMON_SET
    owns = (POD,)

    def keys(self, change: Change) -> Iterable[Hashable]:
        if change.resource is NODE and change.verb != "MODIFIED":
            return [key_of(item) for item in self.store.each(DAEMON_SET)]
        return super().keys(change)

    def sync(self, key: Hashable) -> None:
        daemon = self.current(key)
        if daemon is None:
            return
        spec = daemon["spec"]
        wanted: dict[str, str] = spec["template"]["spec"].get("nodeSelector") or {}
        nodes = [
            node["metadata"]["name"]
            for node in self.store.each(NODE)
            if wanted.items() <= (node["metadata"].get("labels") or {}).items()
        ]
        revision = template_hash(spec["template"])
        pods = [pod for pod in self.owned(daemon, POD) if is_active(pod)]
        by_node = {pod["spec"].get("nodeName"): pod for pod in pods}
        for pod in pods:
            if pod["spec"].get("nodeName") not in nodes:
                self._delete(daemon, pod)
        try:
            for node in nodes:
                if node not in by_node:
                    self._create(daemon, node, revision)
            self.runtime.forget(self, key)
        except ApiError as error:
            self.recorder.warning(daemon, "FailedCreate", f"Error creating: {error.message}", _COMPONENT)
            self.runtime.retry(self, key)
        self._update(daemon, [by_node[node] for node in nodes if node in by_node], revision)
        self._report(key, nodes, revision)

    def _create(self, daemon: Object, node: str, revision: str) -> None:
        metadata = daemon["metadata"]
        labels = {_REVISION: revision}
        pod = pod_from_template(daemon, daemon["spec"]["template"], labels, generateName=f"{metadata['name']}-")
        pod["spec"]["nodeName"] = node
        pod["spec"]["tolerations"] = [
            *pod["spec"].get("tolerations", ()),
            *({"key": f"node.kubernetes.io/{word}", "operator": "Exists"} for word in _TOLERATED),
        ]
        made = self.registry.make(POD, metadata["namespace"], pod)
        self.recorder.normal(daemon, "SuccessfulCreate", f"Created pod: {made['metadata']['name']}", _COMPONENT)

    def _delete(self, daemon: Object, pod: Object) -> None:
        deletion.delete(self.registry, POD, *key_of(pod), {})
        self.recorder.normal(daemon, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}", _COMPONENT)

    def _update(self, daemon: Object, pods: list[Object], revision: str) -> None:
        """Replace one old pod at a time, once all others are ready."""
        if daemon["spec"].get("updateStrategy", {}).get("type") == "OnDelete":
            return
        old = [pod for pod in pods if pod["metadata"]["labels"].get(_REVISION) != revision]
        unready = [pod for pod in old if not is_ready(pod)]
        if unready:
            self._delete(daemon, unready[0])
        elif old and all(is_ready(pod) for pod in pods) and len(pods) == len(self.owned(daemon, POD)):
            self._delete(daemon, old[0])

    def _report(self, key: Hashable, nodes: list[str], revision: str) -> None:
        daemon = self.current(key)
        if daemon is None:
            return
        pods = [pod for pod in self.owned(daemon, POD) if is_active(pod)]
        ready = sum(is_ready(pod) for pod in pods)
        status = {
            "currentNumberScheduled": len(pods),
            "desiredNumberScheduled": len(nodes),
            "numberMisscheduled": 0,
            "numberReady": ready,
            "numberAvailable": ready,
            "numberUnavailable": len(nodes) - ready,
            "updatedNumberScheduled": sum(pod["metadata"]["labels"].get(_REVISION) == revision for pod in pods),
            "observedGeneration": daemon["metadata"]["generation"],
        }
        optional = ("numberAvailable", "numberUnavailable", "updatedNumberScheduled")
        kept = {name: value for name, value in status.items() if value or name not in optional}
        self.registry.set_status(DAEMON_SET, daemon, kept)
