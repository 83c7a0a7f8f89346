"""Why a pod is as it is: the ladder of reasons, top-most first, init containers and sidecars included."""

from __future__ import annotations

import re
from collections.abc import Callable

from portal.clusters.health.containers import ended_badly, judge_containers, memory_limit, missing, pod_facts, stuck
from portal.clusters.health.terms import SERVING, Around, Facts, Health, clip
from portal.clusters.structs import (
    Event,
    Meta,
    Pod,
    Probe,
    condition,
)

CLAIM_PATIENCE = 30
MOUNT_HARD_AFTER = 120
CREATING_PATIENCE = 120
GATE_PATIENCE = 60
EVENT_FRESH = 600
OOM_REMEMBERED = 3600
STUCK_DELETION_SLACK = 60
STUCK_FINALIZER_AFTER = 300

NODES_AVAILABLE = re.compile(r"0/(\d+) nodes are available: (.*)", re.DOTALL)
MOUNT_REASONS = {"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedMapVolume"}
PROBE_CODES = {"Liveness": "liveness-failing", "Startup": "startup-failing", "Readiness": "readiness-failing"}


def judge_pod(pod: Pod, around: Around) -> Health:
    """The health of one pod; its facts name the pod, so that they still make sense on its workload."""
    return around.kept(pod, _climb)


def _climb(pod: Pod, around: Around) -> Health:
    for rule in LADDER:
        health = rule(pod, around)
        if health:
            return health
    return SERVING


def is_ready(pod: Pod) -> bool:
    """Whether the pod takes traffic."""
    ready = condition(pod.status.conditions, "Ready")
    return bool(ready and ready.is_true)


def is_over(pod: Pod) -> bool:
    """Whether the pod has ended for good: Evicted, lost with its node, failed or done."""
    return pod.status.phase in ("Succeeded", "Failed")


def deletion(meta: Meta, around: Around) -> Health | None:
    """The rule for anything that is being deleted; None when it is not."""
    if not meta.deletion_timestamp:
        return None
    waited = around.seconds_since(meta.deletion_timestamp)  # the timestamp already contains the grace period
    facts: Facts = {"name": meta.name, "since": meta.deletion_timestamp.isoformat()}
    if meta.finalizers:
        facts["finalizer"] = meta.finalizers[0]
    if waited > (STUCK_FINALIZER_AFTER if meta.finalizers else STUCK_DELETION_SLACK):
        return Health("Idle", "Stuck", "finalizer-stuck", facts)
    return Health("Idle", "Terminating", "terminating", facts)


def _left_over(pod: Pod, around: Around) -> Health | None:
    """What a controller has replaced, or will try again, explains nothing about what runs now."""
    del around
    if pod.status.phase != "Failed" or not pod.metadata.controller:
        return None
    end, message = ended_badly(pod), clip(pod.status.message)
    facts = pod_facts(pod, reason=clip(pod.status.reason or (end.reason if end else "")), message=message)
    if end:
        facts["exit_code"] = end.exit_code
    if pod.status.reason == "Evicted":
        facts["resource"] = _short_of(message)
    return Health("Idle", "Stable", "leftover", facts)


def _short_of(message: str) -> str:
    resource = re.search(r"low on resource: ([\w.-]+)", message)
    return resource[1].rstrip(".") if resource else "resources"


def _deleting(pod: Pod, around: Around) -> Health | None:
    return deletion(pod.metadata, around)


def _finished(pod: Pod, around: Around) -> Health | None:
    del around
    if pod.status.phase == "Succeeded":
        return Health("Idle", "Stable", "completed", pod_facts(pod))
    return None


def _evicted(pod: Pod, around: Around) -> Health | None:
    del around
    if pod.status.reason != "Evicted":
        return None
    message = clip(pod.status.message)
    return Health("Down", "Progressing", "evicted", pod_facts(pod, message=message, resource=_short_of(message)))


def _disrupted(pod: Pod, around: Around) -> Health | None:
    del around
    found = condition(pod.status.conditions, "DisruptionTarget")
    if not (found and found.is_true):
        return None
    return Health(
        "Down", "Progressing", "disrupted", pod_facts(pod, reason=found.reason or "", message=clip(found.message))
    )


def _gated(pod: Pod, around: Around) -> Health | None:
    del around
    found = condition(pod.status.conditions, "PodScheduled")
    if not (found and found.is_false and found.reason == "SchedulingGated"):
        return None
    gates = ", ".join(gate.name for gate in pod.spec.scheduling_gates or ())
    return Health("Down", "Progressing", "scheduling-gated", pod_facts(pod, gate=gates or "unnamed"))


def _claims(pod: Pod, around: Around) -> Health | None:
    """A pod that waits for its storage says so, rather than that no node would have it."""
    found = condition(pod.status.conditions, "PodScheduled")
    if pod.spec.node_name or not (found and found.is_false):
        return None
    for volume in pod.spec.volumes or ():
        if not volume.persistent_volume_claim:
            continue
        name = volume.persistent_volume_claim.claim_name
        facts = pod_facts(pod, claim=name)
        claim = around.store.claim(pod.metadata.namespace, name)
        if claim is None:
            if f'persistentvolumeclaim "{name}" not found' in (found.message or ""):
                return Health("Down", "Stuck", "claim-missing", facts)
        elif claim.status.phase == "Lost":
            return Health("Down", "Stuck", "claim-lost", facts)
        elif claim.status.phase == "Pending":
            events = around.store.events_about(claim.metadata.uid)
            failed = next((event for event in events if event.reason == "ProvisioningFailed"), None)
            if failed:
                return Health("Down", "Stuck", "claim-failed", {**facts, "message": clip(failed.message)})
            facts["message"] = clip(found.message)
            if around.seconds_since(found.last_transition_time) > CLAIM_PATIENCE:
                return Health("Down", "Stuck", "claim-failed", facts)
            return Health("Down", "Progressing", "claim-pending", facts)
    return None


def _shortages(message: str) -> Facts:
    """The scheduler's sentence taken apart: how many nodes there are and what each group of them lacked."""
    match = NODES_AVAILABLE.search(message)
    if not match:
        return {"why": message}
    why = re.split(r"\.?\s*preemption:", match[2])[0].strip().rstrip(".")
    return {"nodes": int(match[1]), "why": why}


def _asked(pod: Pod) -> str:
    parts = []
    for item in pod.spec.containers:
        requests = (item.resources.requests if item.resources else None) or {}
        if requests:
            parts.append(f"{item.name}: " + ", ".join(f"{name} {value}" for name, value in sorted(requests.items())))
    return "; ".join(parts)


def _unschedulable(pod: Pod, around: Around) -> Health | None:
    """The scheduler has looked at every node and said no; waiting mends that only by somebody else's doing."""
    del around
    found = condition(pod.status.conditions, "PodScheduled")
    if not (found and found.is_false and found.reason == "Unschedulable"):
        return None
    facts = pod_facts(pod, **_shortages(clip(found.message)))
    asked = _asked(pod)
    if asked:
        facts["asked"] = asked
    if pod.status.nominated_node_name:  # others are being moved away for it
        return Health("Down", "Progressing", "waiting-for-node", facts)
    return Health("Down", "Stuck", "unschedulable", facts)


def _on_bad_node(pod: Pod, around: Around) -> Health | None:
    node = around.store.node(pod.spec.node_name or "")
    ready = condition(node.status.conditions, "Ready") if node else None
    if ready is None or ready.is_true:
        return None
    return Health("Down", "Progressing", "node-not-ready", pod_facts(pod, message=clip(ready.message)))


def _mounts(pod: Pod, around: Around) -> Health | None:
    if is_ready(pod) or any(status.state.running for status in pod.status.container_statuses or ()):
        return None
    event = _fresh(pod, around, MOUNT_REASONS)
    if not event:
        return None
    message = clip(event.message)
    facts = pod_facts(pod, reason=event.reason or "", message=message, **missing(message))
    is_old = around.seconds_since(event.first_timestamp or pod.status.start_time) > MOUNT_HARD_AFTER
    if is_old or "missing_kind" in facts:
        return stuck("mount-failed", facts)
    return Health("Down", "Progressing", "mount-slow", facts)


def _creating(pod: Pod, around: Around) -> Health | None:
    """A node that is silent about a container which does not come to be: an image, a volume or the node hangs."""
    if is_ready(pod) or not pod.spec.node_name:
        return None
    for status in pod.status.container_statuses or ():
        waiting = status.state.waiting
        if waiting and waiting.reason == "ContainerCreating":
            initialized = condition(pod.status.conditions, "Initialized")
            scheduled = condition(pod.status.conditions, "PodScheduled")
            moments = [item.last_transition_time for item in (initialized, scheduled) if item and item.is_true]
            began = max((moment for moment in (*moments, pod.status.start_time) if moment), default=None)
            if around.seconds_since(began) > CREATING_PATIENCE:
                return Health("Down", "Progressing", "creating-slow", pod_facts(pod, container=status.name))
    return None


def _fresh(pod: Pod, around: Around, reasons: set[str]) -> Event | None:
    for event in around.store.events_about(pod.metadata.uid):
        if event.reason in reasons and around.seconds_since(event.seen_at) < EVENT_FRESH:
            return event
    return None


def _probes(pod: Pod, around: Around) -> Health | None:
    """A failing probe, from its event when there is one, else from a container that runs and never turns ready."""
    event = _fresh(pod, around, {"Unhealthy"})
    if is_ready(pod):
        return None
    if event:
        message = clip(event.message)
        code = PROBE_CODES.get(message.split(" ", 1)[0], "readiness-failing")
        container = re.search(r"\{(.+?)\}", event.involved_object.field_path)
        facts = pod_facts(pod, message=message, container=container[1] if container else "")
        if code == "liveness-failing":
            return stuck(code, facts)
        return Health("Down", "Progressing", code, facts)
    return _never_ready(pod, around)


def _never_ready(pod: Pod, around: Around) -> Health | None:
    specs = {item.name: item for item in pod.spec.containers}
    for status in pod.status.container_statuses or ():
        running, spec = status.state.running, specs.get(status.name)
        if status.ready or not running or not spec:
            continue
        probes = [(spec.startup_probe, "startup-failing"), (spec.readiness_probe, "readiness-failing")]
        patience = sum(_patience(probe) for probe, _ in probes if probe)
        if patience and around.seconds_since(running.started_at) > patience:
            code = "startup-failing" if spec.startup_probe and status.started is False else "readiness-failing"
            return Health("Down", "Progressing", code, pod_facts(pod, container=status.name, message=""))
    return None


def _patience(probe: Probe) -> int:
    return probe.initial_delay_seconds + probe.period_seconds * probe.failure_threshold + probe.timeout_seconds


def _failed(pod: Pod, around: Around) -> Health | None:
    del around
    if pod.status.phase != "Failed":
        return None
    reason, message = pod.status.reason or "", clip(pod.status.message)
    return Health("Down", "Progressing", "crashed", pod_facts(pod, reason=reason, message=message))


def _memory(pod: Pod, around: Around) -> Health | None:
    """Ready now, but killed for its memory within the hour: it will happen again."""
    for status in pod.status.container_statuses or ():
        last = status.last_state.terminated
        if last and last.reason == "OOMKilled" and around.seconds_since(last.finished_at) < OOM_REMEMBERED:
            facts = pod_facts(pod, container=status.name, restarts=status.restart_count)
            return Health("Reduced", "Stable", "oom-restarts", {**facts, "limit": memory_limit(pod, status.name)})
    return None


def _gates(pod: Pod, around: Around) -> Health | None:
    """Every container is ready, and the pod still takes no traffic: somebody else has to say that it may."""
    contained = condition(pod.status.conditions, "ContainersReady")
    if is_ready(pod) or not pod.spec.readiness_gates or not (contained and contained.is_true):
        return None
    for gate in pod.spec.readiness_gates:
        found = condition(pod.status.conditions, gate.condition_type)
        if found and found.is_true:
            continue
        facts = pod_facts(pod, gate=clip(gate.condition_type), message=clip(found.message) if found else "")
        if around.seconds_since(contained.last_transition_time) > GATE_PATIENCE:
            return Health("Down", "Progressing", "readiness-gate", facts)
        return Health("Down", "Progressing", "gate-pending", facts)
    return None


def _finishing(pod: Pod, around: Around) -> Health | None:
    """A job's pod whose containers have begun to end well is not one that is starting."""
    del around
    ends = [status.state.terminated for status in pod.status.container_statuses or ()]
    if pod.spec.restart_policy == "Always" or not any(ends):
        return None
    return Health(
        "Serving", "Progressing", "finishing", pod_facts(pod, done=sum(map(bool, ends)), containers=len(ends))
    )


def _starting(pod: Pod, around: Around) -> Health | None:
    del around
    return None if is_ready(pod) else Health("Down", "Progressing", "starting", pod_facts(pod))


LADDER: tuple[Callable[[Pod, Around], Health | None], ...] = (
    _deleting,
    _finished,
    _left_over,
    _evicted,
    _disrupted,
    _gated,
    _claims,
    _unschedulable,
    _on_bad_node,
    judge_containers,
    _failed,
    _mounts,
    _probes,
    _gates,
    _memory,
    _finishing,
    _creating,
    _starting,
)
