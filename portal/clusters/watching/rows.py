"""From slim objects to the rows that pages show: an entity with its workloads and pods, a cluster with its nodes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from portal.clusters.bindings import KUBERNETES_ID, SLIPWAY_ENTITY
from portal.clusters.health.judging import judge, new_pods, roll_up
from portal.clusters.health.kubectl import container_word, status_word
from portal.clusters.health.memory import is_sidecar
from portal.clusters.health.terms import BADGE_ORDER, Around, Health, badge, clip
from portal.clusters.quantity import millicores, size
from portal.clusters.status import ContainerRow, EntityRow, NodeRow, PodRow, WorkloadRow
from portal.clusters.store import Key, Store, key_of
from portal.clusters.structs import (
    DaemonSet,
    Deployment,
    Job,
    KubeObject,
    Node,
    Pod,
    ReplicaSet,
    StatefulSet,
)

MOST_PODS = 50
WARNING_SECONDS = 3600
# what a person thinks of first, first
KIND_ORDER = (
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "CronJob",
    "Job",
    "ReplicaSet",
    "Pod",
    "Service",
    "Ingress",
    "HorizontalPodAutoscaler",
    "PersistentVolumeClaim",
)
WORKLOADS = KIND_ORDER[:5]


def root_of(store: Store, obj: KubeObject) -> KubeObject:
    """The object at the top of an object's chain of controllers."""
    for _ in range(5):
        owner = obj.metadata.controller
        above = store.by_uid(owner.uid) if owner else None
        if above is None:
            return obj
        obj = above
    return obj


def pods_of(store: Store, obj: KubeObject) -> list[Pod]:
    """Every pod under a workload, through replica sets and jobs."""
    if isinstance(obj, Pod):
        return [obj]
    uid = obj.metadata.uid
    found = store.pods_of(uid)
    for between in (*store.linked("owner", uid, "ReplicaSet"), *store.linked("owner", uid, "Job")):
        found += store.pods_of(between.metadata.uid)
    return found


def _containers(pod: Pod) -> tuple[ContainerRow, ...]:
    rows = []
    specs = {item.name: item for item in (*(pod.spec.init_containers or ()), *pod.spec.containers)}
    for is_init, statuses in ((True, pod.status.init_container_statuses), (False, pod.status.container_statuses)):
        for status in statuses or ():
            spec = specs.get(status.name)
            image = spec.image if spec else status.image
            before = is_init and not is_sidecar(spec)  # a sidecar counts beside the main containers, as for kubectl
            rows.append(
                ContainerRow(
                    status.name, status.ready, container_word(status), status.restart_count, image[:300], before
                )
            )
    seen = {row.name for row in rows}
    rows += [
        ContainerRow(item.name, False, "Waiting", 0, item.image[:300])
        for item in pod.spec.containers
        if item.name not in seen
    ]
    return tuple(rows)


def _warning(uids: Iterable[str], around: Around) -> tuple[str, datetime | None]:
    """The newest warning about any of these objects, unless it is old news."""
    events = [event for uid in uids for event in around.store.events_about(uid)[:1]]
    newest = max(events, key=lambda event: -around.seconds_since(event.seen_at), default=None)
    if newest is None or around.seconds_since(newest.seen_at) > WARNING_SECONDS:
        return "", None
    return clip(f"{newest.reason}: {newest.message}"), newest.seen_at


def pod_row(pod: Pod, around: Around) -> PodRow:
    """A pod as the table shows it."""
    warning, warned_at = _warning([pod.metadata.uid], around)
    worn = pod.metadata.labels or {}
    return PodRow(
        health=judge("Pod", pod, around),
        namespace=pod.metadata.namespace,
        name=pod.metadata.name,
        phase=status_word(pod),
        containers=_containers(pod),
        started_at=pod.status.start_time or pod.metadata.creation_timestamp,
        node=pod.spec.node_name or "",
        warning=warning,
        warned_at=warned_at,
        entity_label=worn.get(SLIPWAY_ENTITY, ""),
        kubernetes_id=worn.get(KUBERNETES_ID, ""),
    )


def _counts(obj: KubeObject) -> tuple[int | None, int | None]:
    if isinstance(obj, Deployment | ReplicaSet):
        return obj.status.available_replicas, obj.spec.replicas
    if isinstance(obj, StatefulSet):
        return obj.available, obj.spec.replicas
    if isinstance(obj, DaemonSet):
        return obj.status.number_available, obj.status.desired_number_scheduled
    if isinstance(obj, Job):
        return obj.status.succeeded, obj.spec.completions or obj.spec.parallelism or 1
    return None, None


def workload_row(obj: KubeObject, around: Around, *, with_pods: bool = True) -> WorkloadRow:
    """A workload with its pods, the troubled ones first."""
    key = key_of(obj)
    pods = pods_of(around.store, obj) if with_pods and key.kind in (*WORKLOADS, "ReplicaSet", "Pod") else []
    rows = sorted((pod_row(pod, around) for pod in pods), key=lambda row: (BADGE_ORDER.index(row.badge), row.name))
    available, wanted = _counts(obj)
    between = [item.metadata.uid for item in around.store.linked("owner", obj.metadata.uid)]
    warning, warned_at = _warning([obj.metadata.uid, *between], around)
    newest = new_pods(obj, around) or pods
    images = dict.fromkeys(item.image[:300] for pod in newest[:1] for item in pod.spec.containers)
    return WorkloadRow(
        health=judge(key.kind, obj, around),
        kind=key.kind,
        namespace=key.namespace,
        name=key.name,
        images=tuple(images) if with_pods else (),
        available=available,
        wanted=wanted,
        pods=tuple(rows[:MOST_PODS]),
        more_pods=max(len(rows) - MOST_PODS, 0),
        warning=warning,
        warned_at=warned_at,
    )


def roots(store: Store, keys: Iterable[Key]) -> list[KubeObject]:
    """The workloads that an entity's objects amount to: pods and replica sets count as what controls them."""
    found: dict[Key, KubeObject] = {}
    for key in keys:
        obj = store.get(key)
        if obj is None:
            continue
        top = root_of(store, obj)
        if not _is_leftover(top):
            found[key_of(top)] = top
    for key in list(found):
        target = f"{key.namespace}/{key.kind}/{key.name}"
        found |= {key_of(scaler): scaler for scaler in store.linked("target", target)}
    return sorted(found.values(), key=lambda obj: (_kind_place(key_of(obj).kind), key_of(obj)))


def _is_leftover(obj: KubeObject) -> bool:
    """An old replica set without pods, or one whose deployment has not been seen yet."""
    return isinstance(obj, ReplicaSet) and obj.spec.replicas == 0


def _kind_place(kind: str) -> int:
    return KIND_ORDER.index(kind) if kind in KIND_ORDER else len(KIND_ORDER)


def entity_row(entity_ref: str, keys: Iterable[Key], around: Around) -> EntityRow | None:
    """An entity with everything that is its own; None when there is nothing."""
    rows = tuple(workload_row(obj, around) for obj in roots(around.store, keys))
    if not rows:
        return None
    health: Health = roll_up([row.health for row in rows])
    return EntityRow(health=health, entity_ref=entity_ref, as_of=around.now, workloads=rows)


def node_rows(around: Around) -> tuple[NodeRow, ...]:
    """Every node with what it has and what its pods ask for."""
    rows = []
    for node in around.store.of_kind("Node"):
        assert isinstance(node, Node)
        rows.append(_node_row(node, around))
    return tuple(sorted(rows, key=lambda row: (BADGE_ORDER.index(row.badge), row.name)))


def _node_row(node: Node, around: Around) -> NodeRow:
    has = node.status.allocatable or node.status.capacity or {}
    pods = [
        pod
        for pod in around.store.linked("node", node.metadata.name, "Pod")
        if isinstance(pod, Pod) and pod.status.phase not in ("Succeeded", "Failed")
    ]
    asked = [
        (item.resources.requests if item.resources else None) or {} for pod in pods for item in pod.spec.containers
    ]
    return NodeRow(
        health=judge("Node", node, around),
        name=node.metadata.name,
        version=node.status.node_info.kubelet_version,
        cpu=millicores(has.get("cpu")),
        memory=size(has.get("memory")),
        pods=int(size(has.get("pods"))),
        cpu_asked=sum(millicores(item.get("cpu")) for item in asked),
        memory_asked=sum(size(item.get("memory")) for item in asked),
        pods_running=len(pods),
    )


def listed(around: Around, most: int = 200) -> tuple[WorkloadRow, ...]:
    """The workloads of a cluster, the troubled ones first; without their pods."""
    found: list[tuple[int, Key, KubeObject]] = []
    for kind in (*WORKLOADS, "Pod"):
        for obj in around.store.of_kind(kind):
            if kind in ("Job", "Pod") and obj.metadata.controller:
                continue
            found.append((BADGE_ORDER.index(badge(judge(kind, obj, around))), key_of(obj), obj))
    found.sort(key=lambda item: item[:2])
    return tuple(workload_row(obj, around, with_pods=False) for _, _, obj in found[:most])
