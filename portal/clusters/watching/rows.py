"""From slim objects to the rows that pages show: an entity with its workloads and pods, a cluster with its nodes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from heapq import nsmallest

from portal.clusters.bindings import KUBERNETES_ID, SLIPWAY_ENTITY
from portal.clusters.health.judging import judge, new_pods, roll_up
from portal.clusters.health.kubectl import container_word, status_word
from portal.clusters.health.memory import is_sidecar
from portal.clusters.health.terms import BADGE_ORDER, Around, Health, badge, clip
from portal.clusters.quantity import millicores, size
from portal.clusters.status import ContainerRow, EntityRow, NodeRow, PodRow, PodsBeside, WorkloadRow
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
from portal.clusters.watching.loads import Load

MOST_PODS = 50
# Of a workload with more pods than this, the logs of the others are for managers alone.
MOST_KNOWN = 5000
LONG_AGO = datetime.min.replace(tzinfo=UTC)
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
    # only what is shown becomes a row: the order needs no more than the badge and the name
    shown = nsmallest(MOST_PODS, pods, key=lambda pod: (_badge_place(pod, around), pod.metadata.name))
    available, wanted = _counts(obj)
    between = [item.metadata.uid for item in around.store.linked("owner", obj.metadata.uid)]
    warning, warned_at = _warning([obj.metadata.uid, *between], around)
    newest = (new_pods(obj, around) or pods) if with_pods else []
    images = dict.fromkeys(item.image[:300] for pod in newest[:1] for item in pod.spec.containers)
    return WorkloadRow(
        health=judge(key.kind, obj, around),
        kind=key.kind,
        namespace=key.namespace,
        name=key.name,
        images=tuple(images),
        available=available,
        wanted=wanted,
        pods=tuple(pod_row(pod, around) for pod in shown),
        more_pods=max(len(pods) - MOST_PODS, 0),
        beside=_beside(pods, shown) if len(pods) > MOST_PODS else (),
        warning=warning,
        warned_at=warned_at,
    )


def _beside(pods: list[Pod], shown: list[Pod]) -> tuple[PodsBeside, ...]:
    """The pods that are not shown, in the few groups that they amount to."""
    told = {pod.metadata.uid for pod in shown}
    groups: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for pod in pods[:MOST_KNOWN]:
        if pod.metadata.uid not in told:
            worn = pod.metadata.labels or {}
            containers = tuple(item.name for item in (*pod.spec.containers, *(pod.spec.init_containers or ())))
            key = (worn.get(SLIPWAY_ENTITY, ""), worn.get(KUBERNETES_ID, ""), containers)
            groups.setdefault(key, []).append(pod.metadata.name)
    return tuple(PodsBeside(*key, tuple(sorted(names))) for key, names in sorted(groups.items()))


def _badge_place(pod: Pod, around: Around) -> int:
    return BADGE_ORDER.index(badge(judge("Pod", pod, around)))


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
    """An entity with everything that is its own; None when there is nothing. When it was so is for others to say."""
    rows = tuple(workload_row(obj, around) for obj in roots(around.store, keys))
    if not rows:
        return None
    health: Health = roll_up([row.health for row in rows])
    return EntityRow(health=health, entity_ref=entity_ref, as_of=LONG_AGO, workloads=rows)


def node_row(node: Node, load: Load, around: Around) -> NodeRow:
    """A node with what it has, and what its pods ask for."""
    has = node.status.allocatable or node.status.capacity or {}
    return NodeRow(
        health=judge("Node", node, around),
        name=node.metadata.name,
        version=node.status.node_info.kubelet_version,
        cpu=millicores(has.get("cpu")),
        memory=size(has.get("memory")),
        pods=int(size(has.get("pods"))),
        cpu_asked=load.cpu,
        memory_asked=load.memory,
        pods_running=load.pods,
    )
