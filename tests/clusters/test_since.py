"""Since when a badge holds: other facts move without moving that."""

from datetime import UTC, datetime, timedelta

import msgspec

from portal.clusters.bindings import Matcher, bounds_of
from portal.clusters.status import EntityRow
from portal.clusters.watching.watch import ClusterWatch, Following
from tests.clusters import test_memory
from tests.clusters.test_memory import history, pod

UID = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


def watch():
    bounds = bounds_of(
        entity_uid=UID,
        entity_ref="component:default/shop",
        kubernetes_id="shop",
        selector="",
        namespace="",
        slipway_id="",
    )
    found = ClusterWatch("test", matcher=Matcher(bounds))
    found.kinds = {"Pod": Following("v1", is_caught_up=True)}
    return found


def told(found, pod_):
    """What is said of the entity after a change of its pod; None when it is the same story."""
    labelled = msgspec.structs.replace(pod_.metadata, labels={"backstage.io/kubernetes-id": "shop"})
    found.put(msgspec.structs.replace(pod_, metadata=labelled))
    found.queue.hurry()
    said, _ = found.due()
    return msgspec.json.decode(said[UID], type=EntityRow) if UID in said else None


def test_a_crash_cycle_is_one_transition_and_its_moment_stands_still(monkeypatch):
    monkeypatch.setattr(test_memory, "BEGIN", datetime.now(UTC))
    found = watch()
    rows = [row for second, now in history([2] * 8, [3]) if (row := told(found, now))]
    words = [change.became for change in found.changes]
    assert words.count("Down") == 1  # from the first crash on
    assert words[-1] == "Down"
    down = [row for row in rows if row.badge == "Down"][-12:]
    assert len({row.health.facts["restarts"] for row in down}) > 2
    assert {row.since for row in down} == {found.since[UID]}
    assert found.since[UID] == found.changes[-1].at


def test_what_an_earlier_watcher_wrote_down_is_gone_on_from():
    found = watch()
    earlier = datetime.now(UTC) - timedelta(hours=3)
    found.badges[UID], found.since[UID] = "Healthy", earlier
    row = told(found, pod(0, runs_since=0))
    assert row is not None
    assert (row.badge, row.since) == ("Healthy", earlier)
    assert not found.changes


async def test_a_pod_that_is_gone_takes_its_past_with_it():
    found = watch()
    for _, now in history([2] * 4, [3]):
        told(found, now)
    assert found.memory._pods
    await found.replace("Pod", {})
    assert not found.memory._pods
