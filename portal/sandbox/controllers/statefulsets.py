"""StatefulSets: numbered pods, one after the other."""

from collections.abc import Hashable

from portal.sandbox import deletion
from portal.sandbox.admission import template_hash
from portal.sandbox.controllers.base import (
    WorkloadController,
    available_in,
    is_ready,
    key_of,
    phase,
    pod_from_template,
)
from portal.sandbox.errors import ApiError
from portal.sandbox.kinds import PERSISTENT_VOLUME_CLAIM, POD, STATEFUL_SET
from portal.sandbox.store import Object

_COMPONENT = "statefulset-controller"
_REVISION = "controller-revision-hash"


def _ordinal(pod: Object) -> int:
    return int(pod["metadata"]["name"].rsplit("-", 1)[1])


class StatefulSets(WorkloadController):
    """Creates, replaces and removes the pods of StatefulSets in order."""

    resource = STATEFUL_SET
    owns = (POD,)

    def sync(self, key: Hashable) -> None:
        stateful = self.current(key)
        if stateful is None:
            return
        revision = f"{stateful['metadata']['name']}-{template_hash(stateful['spec']['template'])}"
        pods = {_ordinal(pod): pod for pod in self.owned(stateful, POD)}
        try:
            settled = self._fill(stateful, pods, revision)
            self.runtime.forget(self, key)
        except ApiError:
            settled = False
            self.runtime.retry(self, key)
        if settled:
            self._update(stateful, pods, revision)
        self._report(stateful, revision)

    def _fill(self, stateful: Object, pods: dict[int, Object], revision: str) -> bool:
        """Make what is missing, take away what is too much; whether all are there and ready."""
        spec = stateful["spec"]
        parallel = spec.get("podManagementPolicy") == "Parallel"
        settled = True
        for number in range(spec.get("replicas", 1)):
            pod = pods.get(number)
            if (
                pod is not None
                and phase(pod) in ("Failed", "Succeeded")
                and not pod["metadata"].get("deletionTimestamp")
            ):
                deletion.delete(self.registry, POD, *key_of(pod), {})
                return False
            if pod is None:
                self._create(stateful, number, revision)
            if pod is None or not is_ready(pod) or pod["metadata"].get("deletionTimestamp"):
                settled = False
                if not parallel:
                    return False
        extra = sorted((number for number in pods if number >= spec.get("replicas", 1)), reverse=True)
        for number in extra:
            if not pods[number]["metadata"].get("deletionTimestamp"):
                self._delete(stateful, pods[number])
            settled = False
            if not parallel:
                break
        return settled

    def _create(self, stateful: Object, number: int, revision: str) -> None:
        metadata, spec = stateful["metadata"], stateful["spec"]
        name = f"{metadata['name']}-{number}"
        labels = {
            _REVISION: revision,
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(number),
        }
        pod = pod_from_template(stateful, spec["template"], labels, name=name)
        pod["spec"] |= {"hostname": name, "subdomain": spec.get("serviceName", "")}
        try:
            pod["spec"]["volumes"] = list(pod["spec"].get("volumes", ())) + self._claims(stateful, name)
            self.registry.make(POD, metadata["namespace"], pod)
        except ApiError as error:
            text = f"create Pod {name} in StatefulSet {metadata['name']} failed error: {error.message}"
            self.recorder.warning(stateful, "FailedCreate", text, _COMPONENT)
            raise
        text = f"create Pod {name} in StatefulSet {metadata['name']} successful"
        self.recorder.normal(stateful, "SuccessfulCreate", text, _COMPONENT)

    def _claims(self, stateful: Object, pod: str) -> list[Object]:
        """The claims of a pod's volumes, which outlive it."""
        volumes = []
        namespace = stateful["metadata"]["namespace"]
        for template in stateful["spec"].get("volumeClaimTemplates", ()):
            kind = template["metadata"]["name"]
            name = f"{kind}-{pod}"
            if self.store.get(PERSISTENT_VOLUME_CLAIM, namespace, name) is None:
                labels = dict((stateful["spec"]["selector"].get("matchLabels")) or {})
                body = {"metadata": {"name": name, "labels": labels}, "spec": dict(template["spec"])}
                self.registry.make(PERSISTENT_VOLUME_CLAIM, namespace, body)
            volumes.append({"name": kind, "persistentVolumeClaim": {"claimName": name}})
        return volumes

    def _delete(self, stateful: Object, pod: Object) -> None:
        deletion.delete(self.registry, POD, *key_of(pod), {})
        text = f"delete Pod {pod['metadata']['name']} in StatefulSet {stateful['metadata']['name']} successful"
        self.recorder.normal(stateful, "SuccessfulDelete", text, _COMPONENT)

    def _update(self, stateful: Object, pods: dict[int, Object], revision: str) -> None:
        """Replace the pods of an older template, the highest number first, one at a time."""
        strategy = stateful["spec"].get("updateStrategy") or {}
        if strategy.get("type") == "OnDelete":
            return
        partition = (strategy.get("rollingUpdate") or {}).get("partition", 0)
        for number in sorted(pods, reverse=True):
            if number >= partition and pods[number]["metadata"]["labels"].get(_REVISION) != revision:
                self._delete(stateful, pods[number])
                return

    def _report(self, stateful: Object, revision: str) -> None:
        pods = [pod for pod in self.owned(stateful, POD) if not pod["metadata"].get("deletionTimestamp")]
        updated = [pod for pod in pods if pod["metadata"]["labels"].get(_REVISION) == revision]
        before = stateful.get("status") or {}
        ready = [pod for pod in pods if is_ready(pod)]
        replicas = stateful["spec"].get("replicas", 1)
        done = len(updated) == len(pods) == replicas and len(ready) == replicas
        waits = [available_in(pod, stateful["spec"].get("minReadySeconds", 0)) for pod in pods]
        current = revision if done else before.get("currentRevision", revision)
        status = {
            "observedGeneration": stateful["metadata"]["generation"],
            "replicas": len(pods),
            "readyReplicas": len(ready),
            "availableReplicas": sum(wait == 0 for wait in waits),
            "currentReplicas": sum(pod["metadata"]["labels"].get(_REVISION) == current for pod in pods),
            "updatedReplicas": len(updated),
            "currentRevision": current,
            "updateRevision": revision,
            "collisionCount": 0,
        }
        optional = ("readyReplicas", "currentReplicas", "updatedReplicas")
        kept = {name: value for name, value in status.items() if value or name not in optional}
        live = self.current(key_of(stateful))
        if live is not None:
            self.registry.set_status(STATEFUL_SET, live, kept)
