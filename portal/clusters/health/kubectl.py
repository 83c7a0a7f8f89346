"""The words of kubectl's pod table: STATUS, READY and RESTARTS, as its printer (printPod) makes them.

One difference, on purpose: kubectl may write `Init:Error` for a finished pod whose sidecar was killed at its end. Here
what ended beside work that is done is no failed start.
"""

from __future__ import annotations

from portal.clusters.health.containers import has_ended
from portal.clusters.health.memory import is_sidecar
from portal.clusters.health.terms import clip
from portal.clusters.structs import ContainerStatus, Pod, Terminated, condition

LONGEST = 60


def status_word(pod: Pod) -> str:
    """What kubectl writes in its STATUS column."""
    word = pod.status.reason or pod.status.phase
    if any(item.type == "PodScheduled" and item.reason == "SchedulingGated" for item in pod.status.conditions or ()):
        word = "SchedulingGated"
    starting = _starting(pod)
    if starting:
        word = starting
    if not starting or _has(pod, "Initialized"):
        word = _main(pod, word)
    if pod.metadata.deletion_timestamp:
        if pod.status.reason == "NodeLost":
            word = "Unknown"
        elif pod.status.phase not in ("Succeeded", "Failed"):
            word = "Terminating"
    return clip(word)[:LONGEST]


def _has(pod: Pod, kind: str) -> bool:
    found = condition(pod.status.conditions, kind)
    return bool(found and found.is_true)


def _end(ended: Terminated) -> str:
    if ended.reason:
        return ended.reason
    return f"Signal:{ended.signal}" if ended.signal else f"ExitCode:{ended.exit_code}"


def _starting(pod: Pod) -> str:
    """The word while init containers are under way; empty when they are done."""
    specs = {item.name: item for item in pod.spec.init_containers or ()}
    if has_ended(pod):
        return ""
    for number, status in enumerate(pod.status.init_container_statuses or ()):
        ended, waiting = status.state.terminated, status.state.waiting
        if ended and ended.exit_code == 0:
            continue
        if is_sidecar(specs.get(status.name)) and status.started:
            continue
        if ended:
            return f"Init:{_end(ended)}"
        if waiting and waiting.reason and waiting.reason != "PodInitializing":
            return f"Init:{waiting.reason}"
        return f"Init:{number}/{len(specs)}"
    return ""


def _main(pod: Pod, word: str) -> str:
    """The first container that has something to say; Completed beside one that still serves is no word for the pod."""
    is_running = False
    for status in reversed(pod.status.container_statuses or ()):
        ended, waiting = status.state.terminated, status.state.waiting
        if waiting and waiting.reason:
            word = waiting.reason
        elif ended:
            word = _end(ended)
        elif status.ready and status.state.running:
            is_running = True
    if word == "Completed" and is_running:
        return "Running" if _has(pod, "Ready") else "NotReady"
    return word


def container_word(status: ContainerStatus) -> str:
    """One container's state in a word."""
    if status.state.waiting:
        return (status.state.waiting.reason or "Waiting")[:LONGEST]
    if status.state.terminated:
        return _end(status.state.terminated)[:LONGEST]
    return "Running" if status.state.running else "Waiting"
