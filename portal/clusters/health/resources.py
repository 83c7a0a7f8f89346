"""How everything that is not a workload is judged: services, ingresses, claims, autoscalers, nodes, namespaces."""

from __future__ import annotations

from portal.clusters.health.pods import deletion
from portal.clusters.health.terms import SERVING, Around, Facts, Health, Note, clip
from portal.clusters.structs import (
    HorizontalPodAutoscaler,
    Ingress,
    Namespace,
    Node,
    PersistentVolumeClaim,
    Service,
    condition,
)

LOAD_BALANCER_PATIENCE = 300
CLAIM_PATIENCE = 60
AUTOSCALER_PATIENCE = 120
AUTOSCALER_AT_MAXIMUM_AFTER = 600


def judge_service(obj: Service, around: Around) -> Health:
    spec, meta = obj.spec, obj.metadata
    if spec.type == "ExternalName" or not spec.selector:
        return Health("Idle", "Stable", "no-selector")
    if spec.type == "LoadBalancer" and not obj.status.load_balancer.ingress:
        event = next(iter(around.store.events_about(meta.uid)), None)
        facts: Facts = {"service": meta.name, "message": clip(event.message) if event else ""}
        if around.seconds_since(meta.creation_timestamp) > LOAD_BALANCER_PATIENCE:
            return Health("Down", "Stuck", "load-balancer-stuck", facts)
        return Health("Down", "Progressing", "load-balancer-pending", facts)
    if _is_deserted(meta.namespace, meta.name, around):
        return Health("Down", "Stable", "no-endpoints", {"service": meta.name})
    addresses = around.store.ready_addresses(meta.namespace, meta.name)
    return Health("Serving", "Stable", "serving", {"addresses": addresses or 0})


def _is_deserted(namespace: str, service: str, around: Around) -> bool:
    """Whether nothing answers behind a service; where no slice at all can be seen, nobody knows."""
    addresses = around.store.ready_addresses(namespace, service)
    return addresses == 0 or (addresses is None and around.store.count("EndpointSlice") > 0)


def _backends(obj: Ingress) -> list[str]:
    paths = [path.backend for rule in obj.spec.rules or () if rule.http for path in rule.http.paths]
    if obj.spec.default_backend:
        paths.append(obj.spec.default_backend)
    return sorted({backend.target for backend in paths if backend.target})


def judge_ingress(obj: Ingress, around: Around) -> Health:
    if obj.status.load_balancer.ingress:
        return SERVING
    if around.seconds_since(obj.metadata.creation_timestamp) <= LOAD_BALANCER_PATIENCE:
        return Health("Serving", "Progressing", "address-pending", {"ingress": obj.metadata.name})
    for name in _backends(obj):
        if _is_deserted(obj.metadata.namespace, name, around):
            return Health("Down", "Stable", "backend-down", {"service": name})
    # many controllers never publish an address: with ready backends there is nothing to worry about
    return Health("Serving", "Stable", "serving", {}, (Note("address-unpublished"),))


def judge_claim(obj: PersistentVolumeClaim, around: Around) -> Health:
    name, phase = obj.metadata.name, obj.status.phase
    if phase == "Bound":
        return SERVING
    if phase == "Lost":
        return Health("Down", "Stuck", "claim-lost", {"claim": name})
    events = around.store.events_about(obj.metadata.uid)
    failed = next((event for event in events if event.reason == "ProvisioningFailed"), None)
    if failed:
        is_old = around.seconds_since(obj.metadata.creation_timestamp) > CLAIM_PATIENCE
        facts: Facts = {"claim": name, "message": clip(failed.message)}
        if is_old:
            return Health("Down", "Stuck", "claim-failed", facts)
        return Health("Down", "Progressing", "claim-pending", facts)
    if not around.store.linked("claim", f"{obj.metadata.namespace}/{name}", "Pod"):
        return Health("Idle", "Stable", "claim-unused", {"claim": name})
    return Health("Down", "Progressing", "claim-pending", {"claim": name})


def judge_autoscaler(obj: HorizontalPodAutoscaler, around: Around) -> Health:
    conditions = obj.status.conditions
    for kind in ("AbleToScale", "ScalingActive"):
        found = condition(conditions, kind)
        if found and found.is_false and found.reason != "ScalingDisabled":
            facts: Facts = {"reason": found.reason or "", "message": clip(found.message)}
            if around.seconds_since(found.last_transition_time) > AUTOSCALER_PATIENCE:
                return Health("Reduced", "Stable", "autoscaler-failing", {**facts, "autoscaler": obj.metadata.name})
    limited = condition(conditions, "ScalingLimited")
    is_capped = limited is not None and limited.is_true and limited.reason == "TooManyReplicas"
    if limited and is_capped and around.seconds_since(limited.last_transition_time) > AUTOSCALER_AT_MAXIMUM_AFTER:
        note = Note("autoscaler-at-maximum", {"maximum": obj.spec.max_replicas})
        return Health("Serving", "Stable", "serving", {}, (note,))
    return SERVING


def judge_node(obj: Node, around: Around) -> Health:
    del around
    name = obj.metadata.name
    ready = condition(obj.status.conditions, "Ready")
    if ready is None or not ready.is_true:
        message = clip(ready.message) if ready else ""
        return Health("Down", "Stable", "node-not-ready", {"node": name, "message": message})
    pressures = [item.type for item in obj.status.conditions or () if item.type.endswith("Pressure") and item.is_true]
    if pressures:
        return Health("Reduced", "Stable", "node-pressure", {"node": name, "pressure": ", ".join(pressures)})
    if obj.spec.unschedulable:
        return Health("Serving", "Paused", "cordoned", {"node": name})
    return SERVING


def judge_namespace(obj: Namespace, around: Around) -> Health:
    for kind in ("NamespaceFinalizersRemaining", "NamespaceContentRemaining", "NamespaceDeletionContentFailure"):
        found = condition(obj.status.conditions, kind)
        if found and found.is_true:
            facts: Facts = {"name": obj.metadata.name, "message": clip(found.message)}
            return Health("Idle", "Stuck", "namespace-stuck", facts)
    return deletion(obj.metadata, around) or SERVING
