"""Why a pod is as it is: the ladder of reasons, top-most first, init containers and sidecars included."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from portal.clusters.health.terms import SERVING, Around, Facts, Health, clip
from portal.clusters.structs import (
    Container,
    ContainerStatus,
    Event,
    Meta,
    Pod,
    Probe,
    Terminated,
    condition,
)

UNSCHEDULABLE_AFTER = 30
MOUNT_HARD_AFTER = 120
EVENT_FRESH = 600
OOM_REMEMBERED = 3600
CRASH_REMEMBERED = 300
STUCK_DELETION_SLACK = 60
STUCK_FINALIZER_AFTER = 300
LOOPING_RESTARTS = 3

NODES_AVAILABLE = re.compile(r"0/(\d+) nodes are available: (.*)", re.DOTALL)
IMAGE_TROUBLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("image-rate-limited", ("toomanyrequests", "rate limit")),
    (
        "image-unauthorized",
        ("unauthorized", "authentication required", "no basic auth", "denied", "forbidden", "not authorized"),
    ),
    ("image-not-found", ("not found", "manifest unknown", "does not exist", "no such image", "no matching manifest")),
    ("image-tls", ("x509", "certificate", "http response to https client")),
    ("image-timeout", ("timeout", "timed out", "deadline exceeded", "no such host", "connection refused")),
)
PULL_REASONS = {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable", "ImageInspectError"}
CREATE_REASONS = {"CreateContainerError", "RunContainerError", "StartError", "PreStartHookError", "PostStartHookError"}
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


def _facts(pod: Pod, **more: str | int) -> Facts:
    facts: Facts = {"pod": pod.metadata.name, **more}
    if pod.spec.node_name:
        facts["node"] = pod.spec.node_name
    return facts


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


def _deleting(pod: Pod, around: Around) -> Health | None:
    return deletion(pod.metadata, around)


def _finished(pod: Pod, around: Around) -> Health | None:
    del around
    if pod.status.phase == "Succeeded":
        return Health("Idle", "Stable", "completed", _facts(pod))
    return None


def _evicted(pod: Pod, around: Around) -> Health | None:
    del around
    if pod.status.reason != "Evicted":
        return None
    message = clip(pod.status.message)
    resource = re.search(r"low on resource: ([\w.-]+)", message)
    return Health(
        "Down",
        "Progressing",
        "evicted",
        _facts(pod, message=message, resource=resource[1].rstrip(".") if resource else "resources"),
    )


def _disrupted(pod: Pod, around: Around) -> Health | None:
    del around
    found = condition(pod.status.conditions, "DisruptionTarget")
    if not (found and found.is_true):
        return None
    return Health(
        "Down", "Progressing", "disrupted", _facts(pod, reason=found.reason or "", message=clip(found.message))
    )


def _gated(pod: Pod, around: Around) -> Health | None:
    del around
    found = condition(pod.status.conditions, "PodScheduled")
    if not (found and found.is_false and found.reason == "SchedulingGated"):
        return None
    gates = ", ".join(gate.name for gate in pod.spec.scheduling_gates or ())
    return Health("Down", "Progressing", "scheduling-gated", _facts(pod, gate=gates or "unnamed"))


def _claims(pod: Pod, around: Around) -> Health | None:
    """A pod that waits for its storage says so, rather than that no node would have it."""
    found = condition(pod.status.conditions, "PodScheduled")
    if pod.spec.node_name or not (found and found.is_false):
        return None
    for volume in pod.spec.volumes or ():
        if not volume.persistent_volume_claim:
            continue
        name = volume.persistent_volume_claim.claim_name
        claim = around.store.claim(pod.metadata.namespace, name)
        if claim and claim.status.phase == "Lost":
            return Health("Down", "Stuck", "claim-lost", _facts(pod, claim=name))
        if claim and claim.status.phase == "Pending":
            events = around.store.events_about(claim.metadata.uid)
            failed = next((event for event in events if event.reason == "ProvisioningFailed"), None)
            if failed:
                return Health("Down", "Stuck", "claim-failed", _facts(pod, claim=name, message=clip(failed.message)))
            if around.seconds_since(found.last_transition_time) > UNSCHEDULABLE_AFTER:
                facts = _facts(pod, claim=name, message=clip(found.message))
                return Health("Down", "Stuck", "claim-failed", facts)
            return Health("Down", "Progressing", "claim-pending", _facts(pod, claim=name))
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
    found = condition(pod.status.conditions, "PodScheduled")
    if not (found and found.is_false and found.reason == "Unschedulable"):
        return None
    facts = _facts(pod, **_shortages(clip(found.message)))
    asked = _asked(pod)
    if asked:
        facts["asked"] = asked
    if around.seconds_since(found.last_transition_time) > UNSCHEDULABLE_AFTER:
        return Health("Down", "Stuck", "unschedulable", facts)
    return Health("Down", "Progressing", "waiting-for-node", facts)


def _on_bad_node(pod: Pod, around: Around) -> Health | None:
    node = around.store.node(pod.spec.node_name or "")
    ready = condition(node.status.conditions, "Ready") if node else None
    if ready is None or ready.is_true:
        return None
    return Health("Down", "Progressing", "node-not-ready", _facts(pod, message=clip(ready.message)))


def _statuses(pod: Pod) -> Iterator[tuple[ContainerStatus, Facts]]:
    """Containers in the order in which the kubelet needs them, with what to say about their place."""
    specs = {item.name: item for item in (*(pod.spec.init_containers or ()), *pod.spec.containers)}
    inits = pod.status.init_container_statuses or ()
    for number, status in enumerate(inits, 1):
        sidecar = is_sidecar(specs.get(status.name))
        done = status.state.terminated is not None and status.state.terminated.exit_code == 0
        if sidecar or not done:
            yield status, {"role": "sidecar" if sidecar else f"init container {number} of {len(inits)}"}
    for status in pod.status.container_statuses or ():
        yield status, {}


def is_sidecar(container: Container | None) -> bool:
    """Whether an init container keeps running beside the others."""
    return bool(container and container.restart_policy == "Always")


def _containers(pod: Pod, around: Around) -> Health | None:
    """The worst container decides; among equals the first one."""
    found = [health for status, place in _statuses(pod) if (health := _container(pod, status, place, around))]
    return min(found, key=lambda health: health.weight, default=None)


def _container(pod: Pod, status: ContainerStatus, place: Facts, around: Around) -> Health | None:
    facts = _facts(pod, container=status.name, **place)
    waiting = status.state.waiting
    if waiting:
        return _waiting(pod, status, waiting.reason or "", clip(waiting.message), facts, around)
    ended = status.state.terminated
    is_served = pod.spec.restart_policy == "Always" and not _is_init(pod, status.name)
    if ended and (ended.exit_code or is_served):
        return _crash(pod, status, ended, facts, is_looping=False)
    last = status.last_state.terminated
    is_looping = not status.ready and status.restart_count >= LOOPING_RESTARTS
    if last and is_looping and around.seconds_since(last.finished_at) < CRASH_REMEMBERED:
        return _crash(pod, status, last, facts, is_looping=True)
    return None


def _is_init(pod: Pod, name: str) -> bool:
    return any(item.name == name and not is_sidecar(item) for item in pod.spec.init_containers or ())


def _waiting(
    pod: Pod, status: ContainerStatus, reason: str, message: str, facts: Facts, around: Around
) -> Health | None:
    if reason == "CrashLoopBackOff":
        return _crash(pod, status, status.last_state.terminated, facts, is_looping=True)
    if reason == "InvalidImageName":
        return _stuck("image-name-invalid", {**facts, "image": _image(pod, status), "message": message})
    if reason in PULL_REASONS:
        return _image_trouble(pod, status, reason, message, facts, around)
    if reason == "CreateContainerConfigError":
        return _stuck("config-missing", {**facts, "message": message})
    if reason in CREATE_REASONS:
        return _stuck("container-create-failed", {**facts, "message": message})
    return None


def _stuck(code: str, facts: Facts) -> Health:
    return Health("Down", "Stuck", code, facts)


def _image(pod: Pod, status: ContainerStatus) -> str:
    specs = (*(pod.spec.init_containers or ()), *pod.spec.containers)
    return next((item.image for item in specs if item.name == status.name), status.image)


def _image_trouble(
    pod: Pod, status: ContainerStatus, reason: str, message: str, facts: Facts, around: Around
) -> Health:
    """Kubernetes says only "back-off" after the first failure; the event of the pull still knows why."""
    events = around.store.events_about(pod.metadata.uid)
    told = next((clip(event.message) for event in events if "Failed to pull image" in (event.message or "")), "")
    text = f"{message} {told}".lower()
    code = next((code for code, signs in IMAGE_TROUBLES if any(sign in text for sign in signs)), "image-pull-failed")
    said = told if message.startswith("Back-off") and told else message or told or reason
    return _stuck(code, {**facts, "image": _image(pod, status), "message": said})


def _limit(pod: Pod, name: str) -> str:
    for item in (*(pod.spec.init_containers or ()), *pod.spec.containers):
        if item.name == name and item.resources:
            return (item.resources.limits or {}).get("memory", "")
    return ""


def _crash(pod: Pod, status: ContainerStatus, ended: Terminated | None, facts: Facts, *, is_looping: bool) -> Health:
    facts = {**facts, "restarts": status.restart_count}
    if ended:
        facts |= {"exit_code": ended.exit_code, "reason": ended.reason or ""}
        if ended.signal:
            facts["signal"] = ended.signal
        if ended.message:
            facts["message"] = clip(ended.message)
        if ended.reason == "OOMKilled":
            facts["limit"] = _limit(pod, status.name)
    if is_looping:
        return _stuck("crash-loop", facts)
    return Health("Down", "Progressing", "crashed", facts)


def _mounts(pod: Pod, around: Around) -> Health | None:
    if is_ready(pod) or any(status.state.running for status in pod.status.container_statuses or ()):
        return None
    event = _fresh(pod, around, MOUNT_REASONS)
    if not event:
        return None
    facts = _facts(pod, reason=event.reason or "", message=clip(event.message))
    if around.seconds_since(event.first_timestamp or pod.status.start_time) > MOUNT_HARD_AFTER:
        return _stuck("mount-failed", facts)
    return Health("Down", "Progressing", "mount-slow", facts)


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
        facts = _facts(pod, message=message, container=container[1] if container else "")
        if code == "liveness-failing":
            return _stuck(code, facts)
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
            return Health("Down", "Progressing", code, _facts(pod, container=status.name, message=""))
    return None


def _patience(probe: Probe) -> int:
    return probe.initial_delay_seconds + probe.period_seconds * probe.failure_threshold + probe.timeout_seconds


def _failed(pod: Pod, around: Around) -> Health | None:
    del around
    if pod.status.phase != "Failed":
        return None
    reason, message = pod.status.reason or "", clip(pod.status.message)
    return Health("Down", "Progressing", "crashed", _facts(pod, reason=reason, message=message))


def _memory(pod: Pod, around: Around) -> Health | None:
    """Ready now, but killed for its memory within the hour: it will happen again."""
    for status in pod.status.container_statuses or ():
        last = status.last_state.terminated
        if last and last.reason == "OOMKilled" and around.seconds_since(last.finished_at) < OOM_REMEMBERED:
            facts = _facts(pod, container=status.name, restarts=status.restart_count)
            return Health("Reduced", "Stable", "oom-restarts", {**facts, "limit": _limit(pod, status.name)})
    return None


def _starting(pod: Pod, around: Around) -> Health | None:
    del around
    return None if is_ready(pod) else Health("Down", "Progressing", "starting", _facts(pod))


LADDER: tuple[Callable[[Pod, Around], Health | None], ...] = (
    _deleting,
    _finished,
    _evicted,
    _disrupted,
    _gated,
    _claims,
    _unschedulable,
    _on_bad_node,
    _containers,
    _failed,
    _mounts,
    _probes,
    _memory,
    _starting,
)
