"""A crash loop is one thing: said once, held between crashes, over when a run has outlived it or a new pod came."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.clusters.health.judging import Around, badge, judge
from portal.clusters.health.memory import HOLD_LEAST, HOLD_MARGIN, LONG_RUN, LOOPING_CRASHES, Memory, remember
from portal.clusters.store import Store
from portal.clusters.structs import Condition, OwnerReference, Probe
from tests.clusters.objects import decode

BEGIN = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)


def stamp(second):
    return (BEGIN + timedelta(seconds=second)).isoformat()


def pod(second, *, restarts=0, runs_since=None, ended=None, waits="", policy="Always", uid="p1", code=1):
    """A pod at a second: running since, or waiting after; `ended` is the last run as (began, ended)."""
    began, finished = ended or (0, 0)
    end = {"exitCode": code, "reason": "Error", "startedAt": stamp(began), "finishedAt": stamp(finished)}
    last = {"terminated": end}
    state = {"running": {"startedAt": stamp(runs_since)}} if runs_since is not None else {"waiting": {"reason": waits}}
    if not waits and runs_since is None:
        state, last = last, {}
    ready = runs_since is not None
    status = {
        "name": "app",
        "ready": ready,
        "restartCount": restarts,
        "state": state,
        "lastState": last if ended else {},
    }
    return decode(
        {
            "kind": "Pod",
            "metadata": {"name": "api-1", "namespace": "shop", "uid": uid, "resourceVersion": str(second)},
            "spec": {"restartPolicy": policy, "nodeName": "n1", "containers": [{"name": "app", "image": "app:1"}]},
            "status": {
                "phase": "Running",
                "startTime": stamp(0),
                "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
                "containerStatuses": [status],
            },
        }
    )


def history(runs, pauses, *, with_back_off=True):
    """What a kubelet reports of a container whose runs last so long: (second, pod) at each change of its status."""
    second, ended = 0.0, None
    for number, lasts in enumerate(runs):
        yield second, pod(second, restarts=number, runs_since=second, ended=ended)
        ended = (second, second + lasts)
        second += lasts
        yield second, pod(second, restarts=number, ended=ended)
        pause = pauses[number % len(pauses)]
        if number and with_back_off:
            yield second + 1, pod(second + 1, restarts=number, ended=ended, waits="CrashLoopBackOff")
        second += 1 + pause


def badges(history, *, memory=None, step=0.0):
    """The badges that the pod wears, at each change and, with `step`, in between."""
    memory = memory or Memory()
    worn, before = [], None
    for second, now in history:
        if step and before:
            at = before[0] + step
            while at < second:
                worn.append((at, _badge(before[1], memory, at)))
                at += step
        memory.look(now, BEGIN + timedelta(seconds=second))
        worn.append((second, _badge(now, memory, second)))
        before = (second, now)
    return worn


def _badge(now, memory, second):
    return badge(judge("Pod", now, Around(Store([now]), BEGIN + timedelta(seconds=second), memory)))


LENGTHS = st.floats(1.0, LONG_RUN - 1)


@given(
    st.floats(1.0, LONG_RUN - 1),
    st.integers(LOOPING_CRASHES + 1, 12),
    st.lists(st.floats(0, 300), min_size=1, max_size=4),
    st.booleans(),
)
def test_a_constant_crash_cycle_never_looks_well_again(length, cycles, pauses, with_back_off):
    worn = badges(history([length] * cycles, pauses, with_back_off=with_back_off), step=max(length / 3, 7.0))
    third_crash = [second for second, _ in history([length] * cycles, pauses, with_back_off=False)][5]
    assert {word for second, word in worn if second >= third_crash} == {"Down"}


@given(st.lists(LENGTHS, min_size=4, max_size=10), st.lists(st.floats(0, 300), min_size=1, max_size=4))
def test_runs_of_any_length_stay_one_loop_unless_one_of_them_outlives_it(lengths, pauses):
    points = list(history(lengths, pauses, with_back_off=False))
    worn = badges(iter(points))
    third = points[5][0]
    longest_hold = [max(HOLD_LEAST, 2 * max(lengths[max(0, n - LOOPING_CRASHES) : n])) for n in range(1, len(lengths))]
    outlived = any(lengths[n] > longest_hold[n - 1] for n in range(LOOPING_CRASHES, len(lengths)))
    after = [word for second, word in worn if second >= third]
    if not outlived:
        assert set(after) == {"Down"}


@given(st.floats(1.0, 120.0), st.integers(LOOPING_CRASHES, 8))
def test_a_run_that_lasts_clears_it_once_and_for_good(length, crashes):
    memory = Memory()
    points = list(history([length] * crashes, [10]))
    badges(iter(points), memory=memory)
    began = points[-1][0] + 20
    last = (began - 20 - length, began - 20)
    mended = pod(began, restarts=crashes, runs_since=began, ended=last)
    hold = max(HOLD_LEAST, 2 * length)
    memory.look(mended, BEGIN + timedelta(seconds=began))
    assert _badge(mended, memory, began + hold / 2) == "Down"
    assert _badge(mended, memory, began + hold + 1) == "Healthy"
    memory.look(mended, BEGIN + timedelta(seconds=began + hold + 1))
    assert {_badge(mended, memory, began + hold + more) for more in (2, 60, 3600)} == {"Healthy"}


def test_a_new_pod_has_no_past():
    memory = Memory()
    badges(history([2] * 5, [10]), memory=memory)
    fresh = pod(200, runs_since=200, uid="p2")
    memory.look(fresh, BEGIN + timedelta(seconds=200))
    assert _badge(fresh, memory, 200) == "Healthy"


def test_what_is_gone_is_forgotten():
    memory = Memory()
    badges(history([2] * 5, [10]), memory=memory)
    memory.forget("p1")
    assert memory._pods == {}


def test_two_crashes_are_not_yet_a_loop_unless_the_kubelet_says_so():
    points = list(history([5, 5, 5], [10], with_back_off=False))
    memory = Memory()
    badges(iter(points[:5]), memory=memory)
    second, third_run = points[4]
    assert [_badge(third_run, memory, second + age) for age in (0, 5, 9.9, 10.1, 60)] == [
        "Down", "Down", "Down", "Healthy", "Healthy",
    ]  # fmt: skip
    told = badges(history([5, 5, 5], [10]))
    assert {word for second, word in told if second >= 22} == {"Down"}


def test_a_watcher_that_has_just_come_sees_the_loop_in_the_restarts():
    now = pod(100, restarts=4, runs_since=100, ended=(80, 85))
    assert _badge(now, Memory(), 101) == "Down"


@pytest.mark.parametrize("restarts", [1, 2])
def test_a_few_restarts_alone_are_no_loop(restarts):
    now = pod(100, restarts=restarts, runs_since=100, ended=(80, 85))
    assert [_badge(now, Memory(), second) for second in (101, 109, 111)] == ["Down", "Down", "Healthy"]


@given(st.floats(1.0, HOLD_LEAST - HOLD_MARGIN), st.integers(1, 10), st.floats(0, 300), st.booleans())
def test_a_container_that_crashes_at_once_is_down_from_the_first_crash_on(length, crashes, pause, with_back_off):
    """One transition, not one at each cycle, however quickly it is started again."""
    points = list(history([length] * (crashes + 1), [pause], with_back_off=with_back_off))
    worn = badges(iter(points), step=max(length / 3, 1.0))
    assert {word for second, word in worn if second < length} <= {"Healthy"}
    assert {word for second, word in worn if second > points[1][0]} == {"Down"}


def test_a_crash_after_a_longer_run_is_over_within_a_minute():
    """A process that lived for minutes is not likely to die in the same second again."""
    now = pod(1000, restarts=1, runs_since=1000, ended=(0, 990))
    memory = Memory()
    memory.look(now, BEGIN + timedelta(seconds=1000))
    assert _badge(now, memory, 1059) == "Down"
    assert _badge(now, memory, 1061) == "Healthy"


def probed(second, *, ready, unready_since=None, delay=0, **more):
    """The same pod with a readiness probe that says so."""
    found = pod(second, **more)
    [container] = found.spec.containers
    [status] = found.status.container_statuses
    probe = msgspec.structs.replace(container, readiness_probe=Probe(initial_delay_seconds=delay))
    conditions = [Condition(type="Ready", status="True" if ready else "False")]
    if unready_since is not None:
        conditions.append(Condition(type="ContainersReady", status="False", last_transition_time=_at(unready_since)))
    return msgspec.structs.replace(
        found,
        spec=msgspec.structs.replace(found.spec, containers=[probe]),
        status=msgspec.structs.replace(
            found.status, conditions=conditions, container_statuses=[msgspec.structs.replace(status, ready=ready)]
        ),
    )


def crashing(memory, crashes, *, ready):
    """A container with a probe that crashes again and again after 5 s; returns when the last run ended."""
    second, ended = 0, None
    for number in range(crashes):
        memory.look(probed(second, ready=False, restarts=number, runs_since=second, ended=ended), _at(second))
        if ready:
            memory.look(
                probed(second + 3, ready=True, restarts=number, runs_since=second, ended=ended), _at(second + 3)
            )
        ended = (second, second + 5)
        memory.look(probed(second + 5, ready=False, restarts=number, ended=ended), _at(second + 5))
        second += 15
    return ended


def _at(second):
    return BEGIN + timedelta(seconds=second)


def test_mended_in_place_a_probe_that_passes_for_the_first_time_clears_it_at_once():
    memory = Memory()
    ended = crashing(memory, 6, ready=False)
    back = {"restarts": 6, "runs_since": 100, "ended": ended}
    memory.look(probed(100, ready=False, **back), _at(100))
    assert _badge(probed(102, ready=False, **back), memory, 102) == "Down"
    well = probed(103, ready=True, **back)
    memory.look(well, _at(103))
    assert {_badge(well, memory, second) for second in (103, 104, 130, 500)} == {"Healthy"}


def test_a_probe_that_passed_before_each_crash_proves_nothing():
    memory = Memory()
    ended = crashing(memory, 6, ready=True)
    well = probed(103, ready=True, restarts=6, runs_since=100, ended=ended)
    memory.look(well, _at(103))
    assert _badge(well, memory, 104) == "Down"
    assert _badge(well, memory, 161) == "Healthy"


def test_a_watcher_that_has_just_come_does_not_believe_a_probe_whose_past_it_does_not_know():
    well = probed(103, ready=True, restarts=6, runs_since=100, ended=(80, 85))
    assert _badge(well, Memory(), 104) == "Down"


@pytest.mark.parametrize(
    ("says", "word"),
    [
        ({"unready_since": 0}, "Healthy"),  # since the pod began
        ({"unready_since": 79}, "Healthy"),  # since before the run
        ({"unready_since": 80}, "Down"),  # in the second in which it began: before or after, nobody knows
        ({"unready_since": 85}, "Down"),  # it was ready until it crashed
        ({"delay": 6}, "Healthy"),  # it crashed before its probe began
        ({"delay": 5}, "Down"),
        ({}, "Down"),
    ],
)
def test_of_a_run_that_nobody_saw_the_pod_itself_says_that_its_probe_never_passed(says, word):
    """Mended in place after its first crash: what is not remembered of the run before that is read off the pod."""
    memory = Memory()
    memory.look(probed(85, ready=False, ended=(80, 85), **says), _at(85))
    memory.look(probed(100, ready=True, restarts=1, runs_since=97, ended=(80, 85)), _at(100))
    assert _badge(probed(100, ready=True, restarts=1, runs_since=97, ended=(80, 85)), memory, 101) == word


def test_of_several_restarts_at_once_only_a_pod_that_was_never_ready_says_that_none_passed():
    for since, word in ((0, "Healthy"), (79, "Down")):
        memory = Memory()
        told = {"restarts": 3, "ended": (80, 85), "unready_since": since}
        memory.look(probed(86, ready=False, waits="CrashLoopBackOff", **told), _at(86))
        well = probed(100, ready=True, restarts=4, runs_since=97, ended=(80, 85))
        memory.look(well, _at(100))
        assert _badge(well, memory, 101) == word


def rollout(second, memory, *, old_ready, new_ready, old_leaves=False):
    """A deployment of one between two revisions: the old pod loops, the new one has never crashed."""
    owner = {"kind": "Deployment", "uid": "d1", "name": "api", "controller": True}
    sets = [
        decode({
            "kind": "ReplicaSet",
            "metadata": {"name": f"api-{n}", "namespace": "shop", "uid": f"rs{n}", "ownerReferences": [owner],
                         "annotations": {"deployment.kubernetes.io/revision": str(n)},
                         "creationTimestamp": stamp(n)},
            "spec": {"replicas": 1},
        })
        for n in (1, 2)
    ]  # fmt: skip
    pods = [
        (pod(second, restarts=6, runs_since=second - 1, ended=(second - 20, second - 15), uid="old"), "rs1"),
        (pod(second, runs_since=second - 1, uid="new"), "rs2"),
    ]
    owned = [
        msgspec.structs.replace(
            one,
            metadata=msgspec.structs.replace(
                one.metadata,
                name=one.metadata.uid,
                owner_references=[OwnerReference(kind="ReplicaSet", uid=uid, name=uid, controller=True)],
                deletion_timestamp=_at(second) if uid == "rs1" and old_leaves else None,
            ),
        )
        for one, uid in pods
    ]
    status = {
        "observedGeneration": 2, "replicas": 1 if old_leaves else 2, "updatedReplicas": 1,
        "availableReplicas": (1 if old_ready and not old_leaves else 0) + (1 if new_ready else 0),
        "conditions": [{"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}],
    }  # fmt: skip
    deployment = decode({
        "kind": "Deployment",
        "metadata": {"name": "api", "namespace": "shop", "uid": "d1", "generation": 2},
        "spec": {"replicas": 1},
        "status": status,
    })  # fmt: skip
    for one in owned:
        memory.look(one, _at(second))
    around = Around(Store([deployment, *sets, *owned]), _at(second), memory)
    return badge(judge("Deployment", deployment, around))


def test_a_new_revision_is_not_held_by_the_past_of_the_old_ones_pods():
    memory = Memory()
    assert rollout(200, memory, old_ready=True, new_ready=True) == "Progressing", "the old pod has still to go"
    assert rollout(201, memory, old_ready=False, new_ready=True) == "Progressing"
    assert rollout(202, memory, old_ready=False, new_ready=True, old_leaves=True) == "Healthy"


def test_a_restart_after_a_long_run_is_no_loop_however_many_there_were():
    now = pod(100_000, restarts=9, runs_since=100_000, ended=(10, 99_990))
    assert _badge(now, Memory(), 100_001) == "Healthy"


def test_a_job_that_ends_well_has_not_crashed():
    now = pod(100, restarts=3, runs_since=100, ended=(80, 85), policy="OnFailure", code=0)
    assert not any(runs.is_loop for runs in remember({}, now, BEGIN + timedelta(seconds=101)).values())


def test_one_look_at_the_same_status_or_ten_are_the_same():
    memory = Memory()
    now = pod(100, restarts=1, ended=(80, 85))
    for second in range(10):
        memory.look(now, BEGIN + timedelta(seconds=100 + second))
    assert memory.of(now, BEGIN + timedelta(seconds=111)) == remember({}, now, BEGIN + timedelta(seconds=111))
