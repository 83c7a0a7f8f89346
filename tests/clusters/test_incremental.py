"""What is worked out change by change is what would be worked out from everything at once, after any history."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.clusters.bindings import Bound, Matcher, Term
from portal.clusters.health.judging import judge
from portal.clusters.health.terms import BADGE_ORDER, Around, badge
from portal.clusters.status import Judged
from portal.clusters.store import Key, Store, key_of
from portal.clusters.structs import WATCHED, KubeObject
from portal.clusters.watching.loads import Load, load_of
from portal.clusters.watching.overview import MOST_LISTED
from portal.clusters.watching.queue import Queue
from portal.clusters.watching.rows import WORKLOADS, entity_row, node_row, workload_row
from portal.clusters.watching.watch import ENCODER, WANTED, ClusterWatch, Following
from tests.clusters.objects import MANIFESTS, decode

# half a second beside every moment that an object names: a rule's edge is then on one side of it or the other
START = datetime(2026, 3, 2, 12, 0, 0, 500_000, tzinfo=UTC)
STEPS = (1, 7, 31, 61, 121, 301, 601, 1801, 3601)
NAMES = ("api", "web")
OWNED_BY = {
    "Pod": ("ReplicaSet", "StatefulSet", "DaemonSet", "Job"),
    "ReplicaSet": ("Deployment",),
    "Job": ("CronJob",),
}


def _bodies() -> dict[str, list[dict[str, Any]]]:
    """Every object of every health case, by kind: what a cluster may say of an object of that kind."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(MANIFESTS.glob("*.yaml")):
        for document in list(yaml.safe_load_all(path.read_text()))[1:]:
            found.setdefault(document["kind"], []).append(document)
    return found


BODIES = _bodies()
KINDS = sorted(BODIES.keys() & {item.kind for item in WATCHED})


# what stands in relation to one another, so that a short history is dense enough for it to matter
GROUPS = (
    ("Deployment", "ReplicaSet", "Pod"),
    ("Pod", "Event", "Node"),
    ("Pod", "PersistentVolumeClaim", "Event"),
    ("Service", "EndpointSlice", "Ingress"),
    ("CronJob", "Job", "Pod"),
    ("StatefulSet", "DaemonSet", "Event", "Pod"),
    tuple(KINDS),
)


@st.composite
def objects(draw: st.DrawFn) -> KubeObject:
    """An object under one of few names, with the rest of one that a case describes, owned by one of few or none."""
    kind = draw(st.sampled_from(draw(st.sampled_from(GROUPS))))
    document = json.loads(json.dumps(draw(st.sampled_from(BODIES[kind])), default=str))
    name = draw(st.sampled_from(NAMES))
    meta = document["metadata"] = {**document.get("metadata", {}), "name": name, "uid": f"{kind}-{name}"}
    if kind not in ("Node", "Namespace"):
        meta["namespace"] = "shop"
    label = draw(st.sampled_from(("", "a", "b")))
    labels = {**({"app": label} if label else {})}
    owner = draw(st.sampled_from(("", *OWNED_BY.get(kind, ()))))
    meta["ownerReferences"] = (
        [{"kind": owner, "name": name, "uid": f"{owner}-{name}", "controller": draw(st.booleans())}] if owner else []
    )
    target = draw(st.sampled_from(NAMES))
    if kind == "EndpointSlice":
        labels["kubernetes.io/service-name"] = target
    if kind == "Event":
        about = draw(st.sampled_from(("Pod", "ReplicaSet", "PersistentVolumeClaim", "Job", "Service", "StatefulSet")))
        document["involvedObject"] = {"kind": about, "name": target, "namespace": "shop", "uid": f"{about}-{target}"}
    if kind == "Pod":
        spec = document.setdefault("spec", {})
        spec["nodeName"] = draw(st.sampled_from(("", *NAMES)))
        for volume in spec.get("volumes") or ():
            if volume.get("persistentVolumeClaim"):
                volume["persistentVolumeClaim"]["claimName"] = target
    if kind == "HorizontalPodAutoscaler":
        document["spec"]["scaleTargetRef"] = {"kind": "Deployment", "name": target}
    meta["labels"] = labels
    return decode(document)


def matcher(values: dict[str, str]) -> Matcher:
    """Entities by the label values that they take."""
    return Matcher(
        Bound(f"entity-{name}", f"component:default/{name}-{value}", (Term("app", frozenset({value})),))
        for name, value in values.items()
    )


MATCHERS = st.sampled_from(({"one": "a"}, {"one": "a", "two": "b"}, {"two": "a"}, {"one": "b", "two": "b"}, {}))
PUT = st.tuples(st.just("put"), objects())
OPERATIONS = st.one_of(
    # mostly changes, and mostly of what there is already
    *[PUT] * 8,
    st.tuples(st.just("drop"), st.sampled_from([Key(kind, "shop", name) for kind in KINDS for name in NAMES])),
    st.tuples(st.just("wait"), st.sampled_from(STEPS)),
    st.tuples(st.just("look"), st.none()),
    st.tuples(st.just("bind"), MATCHERS),
)


class World:
    """A watch with a clock of its own."""

    def __init__(self) -> None:
        self.now = START
        self.version = 0
        queue = Queue(WANTED, clock=lambda: self.now.timestamp())
        self.watch = ClusterWatch("prod", clock=lambda: self.now, queue=queue)
        self.watch.kinds = {item.kind: Following(item.served_as[0], is_caught_up=True) for item in WATCHED}
        self.said: dict[str, bytes] = {}
        self.rollouts: list[str] = []
        self.watch.on_rollout = self.rollouts.append

    async def play(self, operation: str, value: Any) -> None:
        if operation == "put":
            self.version += 1
            meta = msgspec.structs.replace(value.metadata, resource_version=str(self.version))
            self.watch.put(msgspec.structs.replace(value, metadata=meta))
        elif operation == "drop":
            self.watch.drop(Key(value.kind, "", value.name) if value.kind in ("Node", "Namespace") else value)
        elif operation == "wait":
            self.now += timedelta(seconds=value)
        elif operation == "bind":
            await self.watch.rebind(matcher(value))
        self.look()

    def look(self) -> None:
        found, _ = self.watch.due()
        for uid, payload in found.items():
            if payload:
                self.said[uid] = payload
            else:
                self.said.pop(uid, None)

    def settle(self) -> None:
        """Lets every pause between two looks pass, and no more."""
        self.watch.queue.hurry()
        self.look()


def everything(watch: ClusterWatch, now: datetime) -> dict[str, Any]:
    """The same from nothing: every object, judged once, with no memory of how it came about."""
    store = Store(obj for item in WATCHED for obj in watch.store.of_kind(item.kind))
    around = Around(store, now, watch.memory)
    members: dict[str, set[Key]] = {}
    for item in WATCHED:
        for obj in store.of_kind(item.kind):
            for uid in watch.matcher.entities(obj.metadata.labels or {}, obj.metadata.namespace):
                members.setdefault(uid, set()).add(key_of(obj))
    rows = {uid: entity_row(watch.matcher.refs.get(uid, ""), keys, around) for uid, keys in members.items()}
    workloads = []
    for kind in (*WORKLOADS, "Pod"):
        for obj in store.of_kind(kind):
            if kind not in ("Job", "Pod") or obj.metadata.controller is None:
                workloads.append((BADGE_ORDER.index(badge(judge(kind, obj, around))), key_of(obj), obj))
    workloads.sort(key=lambda item: item[:2])
    nodes = []
    for node in store.of_kind("Node"):
        loads = [load_of(pod) for pod in store.of_kind("Pod") if pod.spec.node_name == node.metadata.name]
        total = Load(*(sum(column) for column in zip(*loads, strict=True))) if loads else Load()
        nodes.append(node_row(node, total, around))
    return {
        "entities": {uid: ENCODER.encode(row) for uid, row in rows.items() if row},
        "listed": tuple(workload_row(obj, around, with_pods=False) for *_, obj in workloads[:MOST_LISTED]),
        "nodes": tuple(sorted(nodes, key=lambda row: (BADGE_ORDER.index(row.badge), row.name))),
        "healths": {key_of(obj): judge(kind, obj, around) for kind in WORKLOADS for obj in store.of_kind(kind)},
    }


def kept(world: World) -> dict[str, Any]:
    row = world.watch.row()
    return {
        "entities": dict(world.watch._said),
        "listed": row.listed,
        "nodes": row.nodes,
        "healths": dict(world.watch._healths),
    }


def story(payload: bytes) -> dict[str, Any]:
    return {name: value for name, value in msgspec.json.decode(payload).items() if name not in ("as_of", "since")}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(OPERATIONS, min_size=1, max_size=60))
async def test_any_history_ends_where_a_fresh_look_begins(history: list[tuple[str, Any]]) -> None:
    world = World()
    await world.play("bind", {"one": "a", "two": "b"})
    for operation, value in history:
        await world.play(operation, value)
    world.settle()

    expected = everything(world.watch, world.now)
    assert kept(world) == expected
    # and what was said to the outside is no other story
    assert {uid: story(payload) for uid, payload in world.said.items()} == {
        uid: story(payload) for uid, payload in expected["entities"].items()
    }
    assert world.watch.badges == {
        uid: badge(msgspec.json.decode(expected["entities"][uid], type=Judged).health)
        if uid in expected["entities"]
        else "Unknown"
        for uid in world.watch.badges
    }
