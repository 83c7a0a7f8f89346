"""A crash loop is one thing: said once, held between crashes, over when a run has outlived it or a new pod came."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.clusters.health.judging import Around, badge, judge
from portal.clusters.health.memory import HOLD_LEAST, LONG_RUN, LOOPING_CRASHES, Memory, remember
from portal.clusters.store import Store
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
    quiet = badges(history([5, 5, 5], [10], with_back_off=False))
    assert [word for _, word in quiet][4] == "Healthy"
    told = badges(history([5, 5, 5], [10]))
    assert {word for second, word in told if second >= 22} == {"Down"}


def test_a_watcher_that_has_just_come_sees_the_loop_in_the_restarts():
    now = pod(100, restarts=4, runs_since=100, ended=(80, 85))
    assert _badge(now, Memory(), 101) == "Down"


@pytest.mark.parametrize("restarts", [1, 2])
def test_a_few_restarts_alone_are_no_loop(restarts):
    assert _badge(pod(100, restarts=restarts, runs_since=100, ended=(80, 85)), Memory(), 101) == "Healthy"


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
