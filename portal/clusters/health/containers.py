"""Why a container is as it is: waiting, ended, ending again and again."""

from __future__ import annotations

import re
from collections.abc import Iterator

from portal.clusters.health.memory import Runs, is_sidecar
from portal.clusters.health.terms import Around, Facts, Health, clip
from portal.clusters.structs import ContainerStatus, Pod, Terminated

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
# in the kubelet's words: what is not there, so that the next step can name it
MISSING = (
    re.compile(r'(?P<kind>secret|configmap) "(?P<name>[^"]+)" not found', re.IGNORECASE),
    re.compile(r"couldn't find key (?P<key>\S+) in (?P<kind>Secret|ConfigMap) \S*?/?(?P<name>[^/\s]+)$", re.IGNORECASE),
    re.compile(r"references non-existent (?P<kind>secret|config) key: (?P<key>\S+)", re.IGNORECASE),
)
KIND_NAMES = {"secret": "Secret", "configmap": "ConfigMap", "config": "ConfigMap"}


def missing(message: str) -> Facts:
    """Which object or key a message says is not there; empty when it says no such thing."""
    for pattern in MISSING:
        if match := pattern.search(message):
            found = match.groupdict()
            facts: Facts = {"missing_kind": KIND_NAMES[found["kind"].lower()]}
            facts |= {f"missing_{name}": found[name] for name in ("name", "key") if found.get(name)}
            return facts
    return {}


def pod_facts(pod: Pod, **more: str | int) -> Facts:
    """What every sentence about a pod may name."""
    facts: Facts = {"pod": pod.metadata.name, **more}
    if pod.spec.node_name:
        facts["node"] = pod.spec.node_name
    return facts


def ended_badly(pod: Pod) -> Terminated | None:
    """How the first container ended that ended badly and for good."""
    statuses = (*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ()))
    ends = (status.state.terminated for status in statuses)
    return next((end for end in ends if end and end.exit_code), None)


def has_ended(pod: Pod) -> bool:
    """Whether all main containers of a job's pod have ended: what ends beside them has been told to."""
    ends = [status.state.terminated for status in pod.status.container_statuses or ()]
    return pod.spec.restart_policy != "Always" and bool(ends) and all(ends)


def _statuses(pod: Pod) -> Iterator[tuple[ContainerStatus, Facts]]:
    """Containers in the order in which the kubelet needs them, with what to say about their place."""
    specs = {item.name: item for item in (*(pod.spec.init_containers or ()), *pod.spec.containers)}
    inits = () if has_ended(pod) else pod.status.init_container_statuses or ()
    for number, status in enumerate(inits, 1):
        sidecar = is_sidecar(specs.get(status.name))
        done = status.state.terminated is not None and status.state.terminated.exit_code == 0
        if sidecar or not done:
            yield status, {"role": "sidecar" if sidecar else f"init container {number} of {len(inits)}"}
    for status in pod.status.container_statuses or ():
        yield status, {}


def judge_containers(pod: Pod, around: Around) -> Health | None:
    """The worst container decides; among equals the first one."""
    runs = around.memory.of(pod, around.now)
    found = [
        health
        for status, place in _statuses(pod)
        if (health := _container(pod, status, place, runs.get(status.name), around))
    ]
    return min(found, key=lambda health: health.weight, default=None)


def _container(pod: Pod, status: ContainerStatus, place: Facts, runs: Runs | None, around: Around) -> Health | None:
    facts = pod_facts(pod, container=status.name, **place)
    ended, waiting = status.state.terminated, status.state.waiting
    if waiting:
        found = _waiting(pod, status, waiting.reason or "", clip(waiting.message), facts, around)
        if found:
            return found
    if runs and runs.is_loop:
        return _crash(pod, status, ended or status.last_state.terminated, facts, is_looping=True)
    is_served = pod.spec.restart_policy == "Always" and not is_init(pod, status.name)
    if ended and (ended.exit_code or is_served):
        return _crash(pod, status, ended, facts, is_looping=False)
    if runs and is_served and _has_just_come_back(status, runs, around):
        return _crash(pod, status, status.last_state.terminated, facts, is_looping=False)
    return None


def _has_just_come_back(status: ContainerStatus, runs: Runs, around: Around) -> bool:
    """Whether the container runs again after a crash, and not yet for longer than the run that crashed."""
    running = status.state.running
    if not (running and running.started_at and runs.lasted):
        return False
    return around.seconds_since(running.started_at) <= runs.crash_hold


def is_init(pod: Pod, name: str) -> bool:
    return any(item.name == name and not is_sidecar(item) for item in pod.spec.init_containers or ())


def _waiting(
    pod: Pod, status: ContainerStatus, reason: str, message: str, facts: Facts, around: Around
) -> Health | None:
    if reason == "CrashLoopBackOff":
        return _crash(pod, status, status.last_state.terminated, facts, is_looping=True)
    if reason == "InvalidImageName":
        return stuck("image-name-invalid", {**facts, "image": _image(pod, status), "message": message})
    if reason in PULL_REASONS:
        return _image_trouble(pod, status, reason, message, facts, around)
    if reason == "CreateContainerConfigError":
        return stuck("config-missing", {**facts, "message": message, **missing(message)})
    if reason in CREATE_REASONS:
        return stuck("container-create-failed", {**facts, "message": message})
    return None


def stuck(code: str, facts: Facts) -> Health:
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
    return stuck(code, {**facts, "image": _image(pod, status), "message": said})


def memory_limit(pod: Pod, name: str) -> str:
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
            facts["limit"] = memory_limit(pod, status.name)
    if is_looping:
        return stuck("crash-loop", facts)
    return Health("Down", "Progressing", "crashed", facts)
