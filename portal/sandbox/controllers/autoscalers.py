"""HorizontalPodAutoscalers: believable measurements, and replicas kept within the bounds."""

import hashlib
from collections.abc import Hashable, Iterable

from portal.sandbox import clock
from portal.sandbox.controllers.base import WorkloadController, key_of, set_condition
from portal.sandbox.kinds import BY_KIND, HORIZONTAL_POD_AUTOSCALER, Resource
from portal.sandbox.registry import Call
from portal.sandbox.selectors import selector_text
from portal.sandbox.store import Change, Object

_COMPONENT = "horizontal-pod-autoscaler"
_SCALED = Call(manager="kube-controller-manager", subresource="scale")


class Autoscalers(WorkloadController):
    """Reports on the targets of autoscalers. There is no load in a sandbox, so replicas move only into the bounds."""

    resource = HORIZONTAL_POD_AUTOSCALER

    def keys(self, change: Change) -> Iterable[Hashable]:
        if change.resource.scale:
            name, namespace = change.obj["metadata"]["name"], change.obj["metadata"]["namespace"]
            return [
                key_of(item)
                for item in self.store.each(HORIZONTAL_POD_AUTOSCALER, namespace)
                if item["spec"]["scaleTargetRef"].get("name") == name
                and item["spec"]["scaleTargetRef"].get("kind") == change.resource.kind
            ]
        return super().keys(change)

    def sync(self, key: Hashable) -> None:
        scaler = self.current(key)
        if scaler is None:
            return
        reference = scaler["spec"]["scaleTargetRef"]
        resource = BY_KIND.get((reference.get("apiVersion", "apps/v1"), reference["kind"]))
        namespace = scaler["metadata"]["namespace"]
        target = self.store.get(resource, namespace, reference["name"]) if resource else None
        status = dict(scaler.get("status") or {})
        conditions = list(status.get("conditions") or ())
        if resource is None or target is None:
            lost = f'{reference["kind"].lower()}s.apps "{reference["name"]}" not found'
            text = f"the HPA controller was unable to get the target's current scale: {lost}"
            conditions = _set(conditions, "AbleToScale", "False", "FailedGetScale", text)
            self.recorder.warning(scaler, "FailedGetScale", text, _COMPONENT)
            status |= {"desiredReplicas": 0, "currentReplicas": 0}
        else:
            wanted = self._bounded(scaler, target)
            if wanted != target["spec"].get("replicas", 1):
                self._scale(scaler, resource, target, wanted)
                status["lastScaleTime"] = clock.stamp()
            conditions = self._conditions(scaler, target, conditions)
            status |= {"currentReplicas": target.get("status", {}).get("replicas", 0), "desiredReplicas": wanted}
            status["currentMetrics"] = self._metrics(scaler)
        status["conditions"] = conditions
        self.registry.set_status(HORIZONTAL_POD_AUTOSCALER, self.current(key) or scaler, status)

    @staticmethod
    def _bounded(scaler: Object, target: Object) -> int:
        replicas = int(target["spec"].get("replicas", 1))
        if replicas == 0:
            return 0
        return max(int(scaler["spec"].get("minReplicas", 1)), min(replicas, int(scaler["spec"]["maxReplicas"])))

    def _scale(self, scaler: Object, resource: Resource, target: Object, wanted: int) -> None:
        edited = target | {"metadata": dict(target["metadata"]), "spec": target["spec"] | {"replicas": wanted}}
        self.registry.commit(resource, target, edited, Call(_SCALED.user, _SCALED.manager, subresource="scale"))
        low = wanted == scaler["spec"].get("minReplicas", 1)
        why = (
            "Current number of replicas below Spec.MinReplicas"
            if low
            else "Current number of replicas above Spec.MaxReplicas"
        )
        self.recorder.normal(scaler, "SuccessfulRescale", f"New size: {wanted}; reason: {why}", _COMPONENT)

    @staticmethod
    def _conditions(scaler: Object, target: Object, conditions: list[Object]) -> list[Object]:
        text = "recommended size matches current size"
        conditions = _set(conditions, "AbleToScale", "True", "ReadyForNewScale", text)
        if target["spec"].get("replicas", 1) == 0:
            text = "scaling is disabled since the replica count of the target is zero"
            return _set(conditions, "ScalingActive", "False", "ScalingDisabled", text)
        if not selector_text(target["spec"].get("selector")):
            return _set(conditions, "ScalingActive", "False", "InvalidSelector", "the target has no selector")
        text = (
            "the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of "
            "request)"
        )
        conditions = _set(conditions, "ScalingActive", "True", "ValidMetricFound", text)
        text = "the desired count is within the acceptable range"
        return _set(conditions, "ScalingLimited", "False", "DesiredWithinRange", text)

    @staticmethod
    def _metrics(scaler: Object) -> list[Object]:
        """A quiet load, the same for the same autoscaler."""
        seed = hashlib.sha256(scaler["metadata"]["uid"].encode()).digest()
        out: list[Object] = []
        for index, metric in enumerate(scaler["spec"].get("metrics", ())):
            if metric.get("type") == "Resource":
                share = 12 + seed[index] % 30
                current = {"averageUtilization": share, "averageValue": f"{share}m"}
                out.append({"type": "Resource", "resource": {"name": metric["resource"]["name"], "current": current}})
        return out


def _set(conditions: list[Object], kind: str, status: str, reason: str, message: str) -> list[Object]:
    made = set_condition(conditions, kind, status, reason, message)
    return [{name: value for name, value in item.items() if name != "lastUpdateTime"} for item in made]
