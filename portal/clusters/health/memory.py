"""What is remembered of a container's ends, so that a crash loop is one thing and not a blinking one. Pure.

A container without a readiness probe is ready the moment it runs: between two crashes its status alone looks well. So
the ends of its runs are remembered, and while the newest run could still end like those before it, the loop goes on:

* a first crash is over when the next run has lasted longer than the one that crashed, by HOLD_MARGIN, and after
  HOLD_LEAST seconds at the latest: a container that ends every few seconds never looks well in between;
* it is a loop after LOOPING_CRASHES short runs in a row, or as soon as the kubelet itself says CrashLoopBackOff;
* a run of more than LONG_RUN seconds is no part of a loop: what ended it is news of its own;
* the loop is over when a run has lasted HOLD_TIMES the longest of the remembered ones, and HOLD_LEAST seconds at least;
* a run that passes its readiness probe, where none of the remembered did, has shown at once that it is another one.

The memory belongs to a pod's uid: a new revision makes new pods, which have no past. Whoever watches holds it
(`Memory`); without one, the present status alone is taken up, which knows the restarts and the newest end.
docs/adr/0080-crash-memory.md tells why these numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from portal.clusters.structs import Container, ContainerStatus, Pod, Probe, Terminated

LOOPING_CRASHES = 3
LONG_RUN = 1800.0
HOLD_TIMES = 2.0
HOLD_LEAST = 60.0
HOLD_MARGIN = 5.0
EVER = datetime.min.replace(tzinfo=UTC)


class Runs(msgspec.Struct, frozen=True):
    """A container's past: how long its newest short runs lasted (seconds, the newest last), and how often it ended."""

    lasted: tuple[float, ...] = ()
    ended_at: datetime | None = None
    ends: int = 0
    has_backed_off: bool = False
    # Whether each of those runs passed a readiness probe, and whether the present. One that nobody saw did, unless the
    # pod says that it cannot have.
    were_ready: tuple[bool, ...] = ()
    is_ready: bool = False

    @property
    def is_loop(self) -> bool:
        """Whether this is a crash loop, running or not."""
        return bool(self.lasted) and (self.has_backed_off or len(self.lasted) >= LOOPING_CRASHES)

    @property
    def hold(self) -> float:
        """How many seconds a run has to last until the loop counts as over."""
        return max(HOLD_LEAST, HOLD_TIMES * max(self.lasted, default=0.0))

    @property
    def crash_hold(self) -> float:
        """How many seconds the run after a crash has to last until the crash counts as over; 0 after a long run."""
        return min(self.lasted[-1] + HOLD_MARGIN, HOLD_LEAST) if self.lasted else 0.0

    @property
    def was_ever_ready(self) -> bool:
        """Whether a readiness probe has passed in a run that crashed, for all that is known."""
        return len(self.were_ready) < len(self.lasted) or any(self.were_ready)


PodRuns = Mapping[str, Runs]
NOTHING: PodRuns = {}


def is_sidecar(container: Container | None) -> bool:
    """Whether an init container keeps running beside the others."""
    return bool(container and container.restart_policy == "Always")


def remember(known: PodRuns, pod: Pod, now: datetime) -> PodRuns:
    """The past of a pod's containers after a look at the pod as it is now. Data in, data out."""
    if not known and not has_ended_ever(pod):
        return NOTHING
    found = {}
    unready_since = _unready_since(pod)
    for status, is_any_end in _restarting(pod):
        may_pass = functools.partial(_may_have_passed, _probe(pod, status.name), unready_since)
        runs = _remember(known.get(status.name, Runs()), status, now, is_any_end=is_any_end, may_pass=may_pass)
        if status.state.running and status.ready and _probe(pod, status.name) is not None:
            runs = _passed(runs)
        if runs.ends:
            found[status.name] = runs
    return found or NOTHING


def _probe(pod: Pod, name: str) -> Probe | None:
    """What else than running makes the container ready."""
    specs = (*pod.spec.containers, *(pod.spec.init_containers or ()))
    return next((item.readiness_probe for item in specs if item.name == name), None)


def _unready_since(pod: Pod) -> datetime | None:
    """Since when the pod's one container has not been ready for a moment, as the pod itself says; EVER for always.

    None where it does not say so. Of several containers it says only that one of them was not.
    """
    if len(pod.spec.containers) > 1 or any(is_sidecar(item) for item in pod.spec.init_containers or ()):
        return None
    for item in pod.status.conditions or ():
        if item.type == "ContainersReady" and item.status == "False":
            since, started = item.last_transition_time, pod.status.start_time
            return EVER if since and started and since <= started else since
    return None


def _may_have_passed(probe: Probe | None, unready_since: datetime | None, end: Terminated | None) -> bool:
    """Whether a run that nobody saw may have passed its readiness probe; `end` is None where that is not known either.

    Moments of the API are whole seconds: what began in the second in which the pod became unready is not known.
    """
    if unready_since == EVER:
        return False
    if end is None or end.started_at is None:
        return True
    if unready_since and unready_since < end.started_at:
        return False
    lasted = (end.finished_at - end.started_at).total_seconds() if end.finished_at else float("inf")
    return probe is None or lasted + 1 > probe.initial_delay_seconds


def _passed(runs: Runs) -> Runs:
    """The present run has passed its probe: where none of the remembered ones did, it is none of them."""
    if runs.lasted and not runs.was_ever_ready:
        return Runs(ended_at=runs.ended_at, ends=runs.ends, is_ready=True)
    return msgspec.structs.replace(runs, is_ready=True)


def has_ended_ever(pod: Pod) -> bool:
    """Whether any of a pod's containers has ever ended: most have not, and have no past to look at."""
    statuses = (*(pod.status.container_statuses or ()), *(pod.status.init_container_statuses or ()))
    return any(status.restart_count or status.state.terminated for status in statuses)


def _restarting(pod: Pod) -> Iterator[tuple[ContainerStatus, bool]]:
    """The containers that are started again when they end, and whether any end is one too many, even a good one."""
    if pod.spec.restart_policy == "Never" and not pod.status.init_container_statuses:
        return
    specs = {item.name: item for item in pod.spec.init_containers or ()}
    for status in pod.status.init_container_statuses or ():
        if is_sidecar(specs.get(status.name)):
            yield status, True
        elif pod.spec.restart_policy != "Never":
            yield status, False
    if pod.spec.restart_policy != "Never":
        for status in pod.status.container_statuses or ():
            yield status, pod.spec.restart_policy == "Always"


def _remember(
    known: Runs,
    status: ContainerStatus,
    now: datetime,
    *,
    is_any_end: bool,
    may_pass: Callable[[Terminated | None], bool],
) -> Runs:
    ended = [end for end in (status.last_state.terminated, status.state.terminated) if end and end.finished_at]
    fresh = [end for end in ended if known.ended_at is None or (end.finished_at or now) > known.ended_at]
    ends = status.restart_count + (1 if ended and not status.state.running else 0)
    runs = known
    # ends that nobody saw (a watcher that has just come, two restarts in one look) are taken to be like the first seen
    unseen = min(max(ends - known.ends - len(fresh), 0), LOOPING_CRASHES) if fresh else 0
    was_seen = bool(known.ends) and not unseen  # of the first of these runs: whether it was looked at while it ran
    for number, end in enumerate([*fresh[:1] * unseen, *fresh]):
        was_ready = known.is_ready if was_seen and number == 0 else may_pass(end if number >= unseen else None)
        runs = _ended(runs, end, is_crash=is_any_end or end.exit_code != 0, was_ready=was_ready)
    runs = msgspec.structs.replace(runs, ends=max(ends, known.ends))
    waiting = status.state.waiting
    if waiting and waiting.reason == "CrashLoopBackOff":
        return msgspec.structs.replace(runs, has_backed_off=True)
    running = status.state.running
    patience = runs.hold if runs.is_loop else LONG_RUN
    if running and running.started_at and (now - running.started_at).total_seconds() > patience:
        return Runs(ended_at=runs.ended_at, ends=runs.ends, is_ready=runs.is_ready)
    return runs


def _ended(runs: Runs, end: Terminated, *, is_crash: bool, was_ready: bool) -> Runs:
    finished = end.finished_at
    if finished is None:
        return runs
    lasted = max((finished - end.started_at).total_seconds(), 0.0) if end.started_at else 0.0
    if not is_crash or lasted > LONG_RUN:
        return Runs(ended_at=finished)
    if runs.is_loop and lasted > runs.hold:  # the loop before it was over, though nobody looked in time
        return Runs((lasted,), finished, were_ready=(was_ready,))
    return Runs(
        (*runs.lasted, lasted)[-LOOPING_CRASHES:],
        finished,
        0,
        runs.has_backed_off,
        (*runs.were_ready, was_ready)[-LOOPING_CRASHES:],
    )


class Memory:
    """The past of every pod of a cluster, for whoever watches it: one look at each change of a pod, one at its end."""

    def __init__(self) -> None:
        self._pods: dict[str, PodRuns] = {}

    def look(self, pod: Pod, now: datetime) -> None:
        """Takes up what the pod's status tells."""
        uid = pod.metadata.uid
        runs = remember(self._pods.get(uid, NOTHING), pod, now)
        if runs:
            self._pods[uid] = runs
        else:
            self._pods.pop(uid, None)

    def held(self, uid: str) -> PodRuns:
        """What is remembered of a pod as it was last looked at."""
        return self._pods.get(uid, NOTHING)

    def everything(self) -> dict[str, PodRuns]:
        """What is remembered of every pod, by uid: for whoever keeps it where a restart does not reach."""
        return dict(self._pods)

    def restore(self, kept: Mapping[str, PodRuns]) -> None:
        """Takes up what an earlier watcher kept, of pods that have not been looked at yet."""
        self._pods = {**kept, **self._pods}

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        self._pods.pop(uid, None)

    def of(self, pod: Pod, now: datetime) -> PodRuns:
        """What is remembered of the pod, its present status included."""
        return remember(self._pods.get(pod.metadata.uid, NOTHING), pod, now)
