"""ReplicaSet: as many pods as asked for."""

from collections.abc import Hashable

from portal.sandbox import deletion
from portal.sandbox.controllers.base import (
    WorkloadController,
    available_in,
    condition,
    is_active,
    is_ready,
    phase,
    pod_from_template,
)
from portal.sandbox.controllers.base import set_condition as with_condition
from portal.sandbox.errors import ApiError
from portal.sandbox.kinds import POD, REPLICA_SET
from portal.sandbox.store import Object

_COMPONENT = "replicaset-controller"


class ReplicaSets(WorkloadController):
    """Creates and deletes the pods of ReplicaSets and counts them."""

    resource = REPLICA_SET
    owns = (POD,)

    def sync(self, key: Hashable) -> None:
        replica_set = self.current(key)
        if replica_set is None:
            return
        pods = [pod for pod in self.owned(replica_set, POD) if is_active(pod)]
        wanted = replica_set["spec"].get("replicas", 1)
        failure: ApiError | None = None
        if len(pods) < wanted:
            failure = self._create(replica_set, wanted - len(pods))
        elif len(pods) > wanted:
            self._delete(replica_set, pods, len(pods) - wanted)
        current = self.current(key)
        if current is not None:
            self._report(current, failure)
        if failure:
            self.runtime.retry(self, key)
        else:
            self.runtime.forget(self, key)

    def _create(self, replica_set: Object, count: int) -> ApiError | None:
        """Create pods until one is refused; answers the refusal."""
        metadata, template = replica_set["metadata"], replica_set["spec"]["template"]
        for _ in range(count):
            pod = pod_from_template(replica_set, template, generateName=f"{metadata['name']}-")
            try:
                made = self.registry.make(POD, metadata["namespace"], pod)
            except ApiError as error:
                text = f"Error creating: {error.message}"
                self.recorder.warning(replica_set, "FailedCreate", text, _COMPONENT)
                return error
            text = f"Created pod: {made['metadata']['name']}"
            self.recorder.normal(replica_set, "SuccessfulCreate", text, _COMPONENT)
        return None

    def _delete(self, replica_set: Object, pods: list[Object], count: int) -> None:
        """Delete the least useful pods: unplaced, pending, unready, then the youngest."""

        def use(pod: Object) -> tuple[bool, bool, bool, int]:
            placed = bool(pod["spec"].get("nodeName"))
            return placed, phase(pod) == "Running", is_ready(pod), -int(pod["metadata"]["resourceVersion"])

        for pod in sorted(pods, key=use)[:count]:
            metadata = pod["metadata"]
            deletion.delete(self.registry, POD, metadata["namespace"], metadata["name"], {})
            text = f"Deleted pod: {metadata['name']}"
            self.recorder.normal(replica_set, "SuccessfulDelete", text, _COMPONENT)

    def _report(self, replica_set: Object, failure: ApiError | None) -> None:
        spec = replica_set["spec"]
        pods = [pod for pod in self.owned(replica_set, POD) if is_active(pod)]
        labels = (spec["template"].get("metadata") or {}).get("labels") or {}
        waits = [available_in(pod, spec.get("minReadySeconds", 0)) for pod in pods]
        coming = [wait for wait in waits if wait]
        if coming:
            self.runtime.later(
                min(coming) + 0.05, self, (replica_set["metadata"]["namespace"], replica_set["metadata"]["name"])
            )
        status: Object = {
            "replicas": len(pods),
            "fullyLabeledReplicas": sum(
                labels.items() <= (pod["metadata"].get("labels") or {}).items() for pod in pods
            ),
            "readyReplicas": sum(wait is not None for wait in waits),
            "availableReplicas": sum(wait == 0 for wait in waits),
            "observedGeneration": replica_set["metadata"]["generation"],
        }
        status = {name: value for name, value in status.items() if value or name == "replicas"}
        if failure:
            # said once, as a real controller does: each refusal names another pod, and would be news each time
            made = list((replica_set.get("status") or {}).get("conditions") or [])
            if condition({"status": {"conditions": made}}, "ReplicaFailure") is None:
                made = with_condition(made, "ReplicaFailure", "True", "FailedCreate", failure.message)
            status["conditions"] = [
                {name: value for name, value in item.items() if name != "lastUpdateTime"} for item in made
            ]
        self.registry.set_status(REPLICA_SET, replica_set, status)
