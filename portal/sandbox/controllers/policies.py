"""Disruption budgets, quotas, claims and ingresses: small controllers that mostly report."""

import math
from collections.abc import Hashable, Iterable

from portal.sandbox import clock
from portal.sandbox.controllers.base import WorkloadController, is_active, is_ready, key_of
from portal.sandbox.kinds import (
    INGRESS,
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    POD_DISRUPTION_BUDGET,
    RESOURCE_QUOTA,
    STORAGE_CLASS,
)
from portal.sandbox.quantity import ZERO
from portal.sandbox.selectors import labels_match, selector_requirements
from portal.sandbox.store import Change, Object

_GATHER = 0.1
_INGRESS_SECONDS = 1.0
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


class Budgets(WorkloadController):
    """Counts how many pods of a disruption budget may go."""

    resource = POD_DISRUPTION_BUDGET

    def keys(self, change: Change) -> Iterable[Hashable]:
        if change.resource is POD:
            for item in self.store.each(POD_DISRUPTION_BUDGET, change.obj["metadata"]["namespace"]):
                if labels_match(selector_requirements(item["spec"].get("selector")), change.obj):
                    self.runtime.later(_GATHER, self, key_of(item))
            return ()
        return super().keys(change)

    def sync(self, key: Hashable) -> None:
        budget = self.current(key)
        if budget is None:
            return
        requirements = selector_requirements(budget["spec"].get("selector"))
        namespace = budget["metadata"]["namespace"]
        pods = [pod for pod in self.store.each(POD, namespace) if is_active(pod) and labels_match(requirements, pod)]
        healthy, total = sum(is_ready(pod) for pod in pods), len(pods)
        desired = self._desired(budget["spec"], total)
        allowed = max(0, healthy - desired) if total else 0
        reason = "SufficientPods" if allowed else "InsufficientPods"
        before: Object = next(iter((budget.get("status") or {}).get("conditions") or ()), {})
        word = "True" if allowed else "False"
        since = before.get("lastTransitionTime") if before.get("status") == word else clock.stamp()
        condition = {
            "type": "DisruptionAllowed",
            "status": word,
            "reason": reason,
            "message": "",
            "lastTransitionTime": since,
            "observedGeneration": budget["metadata"]["generation"],
        }
        status = {
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": total,
            "disruptionsAllowed": allowed,
            "observedGeneration": budget["metadata"]["generation"],
            "conditions": [condition],
        }
        self.registry.set_status(POD_DISRUPTION_BUDGET, budget, status)

    @staticmethod
    def _desired(spec: Object, total: int) -> int:
        def number(value: int | str) -> int:
            return value if isinstance(value, int) else math.ceil(total * int(value.rstrip("%")) / 100)

        if "maxUnavailable" in spec:
            return max(0, total - number(spec["maxUnavailable"]))
        return number(spec.get("minAvailable", 1))


class Quotas(WorkloadController):
    """Writes what a namespace uses into its quotas."""

    resource = RESOURCE_QUOTA

    def keys(self, change: Change) -> Iterable[Hashable]:
        if change.resource is RESOURCE_QUOTA:
            return [key_of(change.obj)]
        namespace = change.obj["metadata"].get("namespace")
        if namespace and change.verb != "MODIFIED":
            for item in self.store.each(RESOURCE_QUOTA, namespace):
                self.runtime.later(_GATHER, self, key_of(item))
        return ()

    def sync(self, key: Hashable) -> None:
        quota = self.current(key)
        if quota is None:
            return
        hard: dict[str, str] = quota["spec"].get("hard") or {}
        used = self.registry.admission.usage(quota["metadata"]["namespace"], set(hard))
        status = {"hard": dict(hard), "used": {name: str(used.get(name, ZERO)) for name in hard}}
        self.registry.set_status(RESOURCE_QUOTA, quota, status)


class Claims(WorkloadController):
    """Binds claims to volumes made for them."""

    resource = PERSISTENT_VOLUME_CLAIM

    def sync(self, key: Hashable) -> None:
        claim = self.current(key)
        if claim is None or (claim.get("status") or {}).get("phase") == "Bound":
            return
        wanted = claim["spec"].get("storageClassName")
        if wanted is None:
            wanted = next(
                (
                    item["metadata"]["name"]
                    for item in self.store.each(STORAGE_CLASS)
                    if (item["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true"
                ),
                "",
            )
        if self.store.get(STORAGE_CLASS, "", wanted) is None:
            text = f'storageclass.storage.k8s.io "{wanted}" not found'
            self.recorder.warning(claim, "ProvisioningFailed", text, "persistentvolume-controller")
            return
        self._bind(claim, wanted)

    def _bind(self, claim: Object, storage_class: str) -> None:
        metadata, spec = claim["metadata"], claim["spec"]
        volume = f"pvc-{metadata['uid']}"
        size = {"storage": spec["resources"]["requests"]["storage"]}
        if self.store.get(PERSISTENT_VOLUME, "", volume) is None:
            made: Object = {
                "metadata": {"name": volume},
                "spec": {
                    "capacity": size,
                    "accessModes": spec["accessModes"],
                    "storageClassName": storage_class,
                    "persistentVolumeReclaimPolicy": "Delete",
                    "claimRef": {"namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]},
                    "hostPath": {"path": "/sandbox"},
                },
            }
            made["metadata"]["ownerReferences"] = []
            written = self.registry.make(PERSISTENT_VOLUME, "", made)
            self.registry.set_status(PERSISTENT_VOLUME, written, {"phase": "Bound"})

        def edit(obj: Object) -> None:
            obj["spec"] |= {"volumeName": volume, "storageClassName": storage_class}

        bound = self.registry.change(PERSISTENT_VOLUME_CLAIM, claim, edit)
        status = {"phase": "Bound", "capacity": size, "accessModes": spec["accessModes"]}
        self.registry.set_status(PERSISTENT_VOLUME_CLAIM, bound, status)
        text = f"Successfully provisioned volume {volume}"
        self.recorder.normal(claim, "ProvisioningSucceeded", text, "sandbox.slipway.io/memory")


class Ingresses(WorkloadController):
    """Gives each ingress an address, as an ingress controller does after a moment."""

    resource = INGRESS

    def keys(self, change: Change) -> Iterable[Hashable]:
        if change.resource is INGRESS and change.verb == "ADDED":
            self.runtime.later(self.pace.seconds(_INGRESS_SECONDS), self, key_of(change.obj))
        return ()

    def sync(self, key: Hashable) -> None:
        ingress = self.current(key)
        if ingress is not None:
            self.registry.set_status(INGRESS, ingress, {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}})
