"""What one cluster costs another, in counted work: nothing here looks at a watch on the wall."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from portal.clusters.bindings import Bound, Matcher, Term
from portal.clusters.structs import WATCHED, KubeObject
from portal.clusters.watching import turns
from portal.clusters.watching.leases import Held
from portal.clusters.watching.publishing import WRITTEN
from portal.clusters.watching.queue import Queue
from portal.clusters.watching.session import Session
from portal.clusters.watching.turns import Turns
from portal.clusters.watching.watch import WANTED, ClusterWatch, Following
from tests.clusters.objects import decode

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def pod(name: str, version: int = 1, *, ready: bool = True, app: str = "") -> KubeObject:
    return decode(
        {
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": "shop",
                "uid": f"uid-{name}",
                "resourceVersion": str(version),
                "creationTimestamp": "2026-03-01T00:00:00Z",
                "labels": {"app": app or name},
            },
            "spec": {"nodeName": "node-1", "containers": [{"name": "app", "resources": {"requests": {"cpu": "10m"}}}]},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
                "containerStatuses": [
                    {"name": "app", "ready": ready, "state": {"running": {"startedAt": "2026-03-01T00:00:00Z"}}}
                ],
            },
        }
    )


def watch(pods: int, clock: SimpleNamespace | None = None) -> ClusterWatch:
    """A cluster of so many pods, each an entity's own, all told."""
    time = clock or SimpleNamespace(now=START)
    queue = Queue(WANTED, clock=lambda: time.now.timestamp())
    found = ClusterWatch("prod", clock=lambda: time.now, queue=queue)
    found.kinds = {item.kind: Following(item.served_as[0], is_caught_up=True) for item in WATCHED}
    names = [f"pod-{number}" for number in range(pods)]
    found.matcher = Matcher(
        Bound(f"e-{name}", f"component:default/{name}", (Term("app", frozenset({name})),)) for name in names
    )
    for name in names:
        found.put(pod(name))
    found.due()
    found.row()
    return found


@pytest.mark.parametrize("change", ["pod", "heartbeat", "nothing"])
def test_a_change_costs_the_same_in_a_small_cluster_and_in_a_large_one(change: str) -> None:
    asked = []
    for size in (50, 2000):
        clock = SimpleNamespace(now=START)
        found = watch(size, clock)
        clock.now += timedelta(minutes=5)
        before = found.memo.asked
        if change == "pod":
            found.put(pod("pod-7", 2, ready=False))
        elif change == "heartbeat":
            found.put(pod("pod-7", 2))
        said, _ = found.due()
        found.row()
        assert set(said) == ({"e-pod-7"} if change == "pod" else set())
        asked.append(found.memo.asked - before)
    assert asked[0] == asked[1]
    # the pod, its entity, its place in the list and its line there
    assert asked[0] <= (4 if change == "pod" else 0)


def test_a_quiet_cluster_is_not_looked_at_however_much_time_passes() -> None:
    """Pods that are well hold for ever; one that starts up is looked at when its patience ends, and nobody else is."""
    clock = SimpleNamespace(now=START)
    found = watch(1000, clock)
    before = found.memo.asked
    for _ in range(600):
        clock.now += timedelta(seconds=1)
        found.due()
    assert found.memo.asked == before


class Heard:
    """Where the sessions publish to: it takes everything at once and knows in which order it came."""

    def __init__(self) -> None:
        self.entities: list[str] = []

    async def publish(self, hash_key, epoch, organisation_id, fields, topics):
        self.entities += [name for name in fields if not name.startswith("_")]
        return WRITTEN

    async def beat(self, beats):
        return [WRITTEN for _ in beats]

    async def fields(self, hash_key):
        return []


class Work:
    """A clock that goes on by one thousandth for each unit that anybody works out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: dict[str, int] = {}
        real = ClusterWatch._work

        def counted(watch: ClusterWatch, unit):
            self.done[watch.slug] = self.done.get(watch.slug, 0) + 1
            return real(watch, unit)

        monkeypatch.setattr(ClusterWatch, "_work", counted)

    def clock(self) -> float:
        return sum(self.done.values()) / 1000


def session(slug: str, heard: Heard, work: Work, pods: int) -> Session:
    cluster = SimpleNamespace(slug=slug, uid=slug, organisation_id=1)
    found = Session(Held(1, 1, 1), cluster, heard, asyncio.Semaphore(1), lambda *_: None, lambda: None)
    found.turns = Turns(work.clock)
    found.watch.rest = found.turns.rest
    found.watch.kinds = {item.kind: Following(item.served_as[0], is_caught_up=True) for item in WATCHED}
    bounds = [
        Bound(f"{slug}-{n}", f"component:default/{n}", (Term("app", frozenset({f"pod-{n}"})),)) for n in range(pods)
    ]
    found.watch.matcher = Matcher(bounds)
    found._bounds, found._is_bound = bounds, True
    return found


async def test_a_busy_neighbour_delays_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """While thousands of a neighbour's units are due, a quiet cluster's change waits for a few of them only."""
    many = 4000
    work, heard = Work(monkeypatch), Heard()
    busy, quiet = session("busy", heard, work, many), session("quiet", heard, work, 1)
    quiet.watch.put(pod("pod-0"))
    telling = [asyncio.create_task(busy._tell()), asyncio.create_task(quiet._tell())]
    try:
        while "quiet-0" not in heard.entities:
            await asyncio.sleep(0)
        for number in range(many):
            busy.watch.put(pod(f"pod-{number}"))
        while work.done.get("busy", 0) < 100:
            await asyncio.sleep(0)
        heard.entities.clear()
        quiet.watch.queue.hurry()
        begun = work.done["busy"]
        quiet.watch.put(pod("pod-0", 2, ready=False))
        while "quiet-0" not in heard.entities:
            await asyncio.sleep(0)
        waited = work.done["busy"] - begun
    finally:
        for task in telling:
            task.cancel()
        await asyncio.gather(*telling, return_exceptions=True)
    rounds_of_the_loop = 12
    assert waited <= rounds_of_the_loop * (turns.SLICE * 1000 + 1)
    assert len(busy.watch.queue) > many  # entities and workloads: most of the neighbour's work was still to come


async def test_a_list_that_is_taken_in_lets_others_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = SimpleNamespace(at=0.0)
    share = Turns(lambda: ticks.at)
    found = ClusterWatch("busy", rest=share.rest)
    found.kinds = {"Pod": Following("v1")}
    real = ClusterWatch.put

    def put(watch: ClusterWatch, obj: KubeObject) -> None:
        ticks.at += 0.001
        real(watch, obj)

    monkeypatch.setattr(ClusterWatch, "put", put)
    rounds = 0

    async def count() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    objects = [pod(f"pod-{number}") for number in range(300)]
    await found.replace("Pod", dict(enumerate(objects)))
    counting.cancel()
    assert rounds >= 300 / (turns.SLICE * 1000 + 2)
