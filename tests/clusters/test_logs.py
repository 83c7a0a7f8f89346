"""Whose logs a person may read: the same answer on the page, over the API and for the live topic."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from portal.accounts import stream
from portal.accounts.models import Team, TeamMembership
from portal.clusters import actions, logrights, podlogs
from portal.clusters.health.judging import Around
from portal.clusters.models import SYNCED
from portal.clusters.podlogs import Asked
from portal.clusters.status import ContainerRow, EntityRow, PodRow, PodsBeside, WorkloadRow
from portal.clusters.store import Store
from portal.clusters.watching.rows import workload_row
from portal.kit.errors import Forbidden, Refusal
from tests.catalog.rows import entity_row, put
from tests.clusters.objects import decode
from tests.clusters.test_pages import SERVING, make_cluster, page, publish

# The check of a stream closes its connections, as a thread of its own should.
pytestmark = pytest.mark.django_db(transaction=True)
POD = "api-1"


def row(ref: str, namespace: str, *, is_shown: bool = True, **wears: str) -> EntityRow:
    pod = PodRow(
        health=SERVING, namespace=namespace, name=POD, phase="Running",
        containers=(ContainerRow("api", True, "Running", 0, "registry.example/api:1"),), **wears,
    )  # fmt: skip
    workload = WorkloadRow(health=SERVING, kind="Deployment", namespace=namespace, name="api", pods=(pod,))
    if not is_shown:
        beside = PodsBeside(containers=("api",), names=("api-0", POD), **wears)
        others = msgspec.structs.replace(pod, name="api-9", entity_label="", kubernetes_id="")
        workload = msgspec.structs.replace(workload, pods=(others,), beside=(beside,))
    return EntityRow(health=SERVING, entity_ref=ref, as_of=datetime(2026, 3, 2, tzinfo=UTC), workloads=(workload,))


@pytest.fixture
def shop(committed_world: Any) -> Any:
    """A cluster with one pod; shop(namespace, name=owner, …) binds entities to it."""
    world = committed_world
    with world.tenant():
        cluster = make_cluster(world.acme, state=SYNCED)
        platform = Team.objects.create(
            organisation=world.acme, slug="platform", name="Platform", ref="group:default/platform"
        )
        TeamMembership.objects.create(organisation=world.acme, team=platform, user=world.mae)

    def bind(
        namespace: str,
        owners: dict[str, str],
        annotations: Any = None,
        *,
        is_shown: bool = True,
        is_given: bool = True,
        **wears: str,
    ) -> Any:
        entities = {}
        with world.tenant():
            for name, owner in owners.items():
                ref = f"component:default/{name}"
                entity = put(
                    world.acme, entity_row(world.acme, name, owner_ref=f"group:default/{owner}" if owner else "")
                )
                said = {"backstage.io/kubernetes-id": name} if annotations is None else annotations
                actions.set_bindings(world.acme, entity.uid, ref, said, f"component.default.{name}")
                entities[entity.uid] = row(ref, namespace, is_shown=is_shown, **wears)
        publish(cluster, entities, teams={"payments": "payments"} if is_given else {})
        return cluster

    return bind


def viewer(client: Any, key: str) -> stream.Viewer:
    """The reader of a log's topic, by the session of a signed-in browser."""
    return stream.Viewer(client.cookies["slipway_session"].value, "acme", frozenset({f"logs:{key}"}))


def doors(world: Any, client_for: Any, cluster: Any, namespace: str, person: str) -> dict[str, int]:
    """What each way in answers."""
    user = getattr(world, person)
    where = {"cluster": cluster.slug, "namespace": namespace, "pod": POD}
    client = client_for(user)
    found = {
        "page": client.get(page("workload-logs", **where)).status_code,
        "api": client.get(page("api-pod-logs", **where)).status_code,
    }
    asked = Asked(cluster.pk, namespace, POD)
    with world.tenant():
        podlogs.ask(cluster, asked)
    try:
        stream.admit(viewer(client, asked.key))
        found["topic"] = 200
    except Refusal as refusal:
        found["topic"] = refusal.status
    return found


NAMED = {"kubernetes_id": "api"}
# namespace, owners of the entities that the pod is bound to, their annotations, what the pod wears, who may
MATRIX = [
    ("the owner's team", "shop", {"api": "payments"}, None, NAMED, {"dev", "mae", "ada"}),
    ("its own namespace", "payments", {"api": "payments"}, None, {}, {"dev", "mae", "ada"}),
    ("Slipway's own label", "shop", {"api": "payments"}, None, {"entity_label": "component.default.api"},
     {"dev", "mae", "ada"}),
    ("another team's", "shop", {"api": "platform"}, None, NAMED, {"mae", "ada"}),
    ("nobody's", "shop", {"api": ""}, None, NAMED, {"mae", "ada"}),
    ("bound to nothing", "kube-system", {}, None, {}, {"mae", "ada"}),
    ("a selector that catches everything", "kube-system", {"api": "payments"},
     {"backstage.io/kubernetes-label-selector": "!nothing"}, {}, {"mae", "ada"}),
    ("a selector, and a pod that names it by chance", "shop", {"api": "payments"},
     {"backstage.io/kubernetes-label-selector": "!nothing"}, NAMED, {"mae", "ada"}),
    ("claimed by two teams", "shop", {"api": "payments", "other": "platform"}, None, NAMED, {"mae", "ada"}),
    ("an entity named like a namespace", "api", {"api": "payments"}, None, {}, {"mae", "ada"}),
]  # fmt: skip


def test_a_namespace_that_only_has_a_teams_name_is_not_the_teams(committed_world, client_for, shop):
    """Whoever makes a team chooses its name; a selector then catches whatever runs in a namespace of that name."""
    cluster = shop("payments", {"api": "payments"}, is_given=False)
    assert doors(committed_world, client_for, cluster, "payments", "dev") == {"page": 403, "api": 403, "topic": 403}


@pytest.mark.parametrize(
    ("namespace", "owners", "annotations", "wears", "may"), [one[1:] for one in MATRIX], ids=[one[0] for one in MATRIX]
)
@pytest.mark.parametrize("is_shown", [True, False], ids=["shown", "beyond those shown"])
def test_the_same_people_at_every_door(
    committed_world, client_for, shop, namespace, owners, annotations, wears, may, is_shown
):
    world = committed_world
    cluster = shop(namespace, owners, annotations, is_shown=is_shown, **wears)
    for person in ("vic", "dev", "mae", "ada"):
        answers = doors(world, client_for, cluster, namespace, person)
        if person in may:
            assert answers == {"page": 200, "api": 202, "topic": 200}, person
        else:
            assert answers == {"page": 403, "api": 403, "topic": 403}, person
    assert doors(world, client_for, cluster, namespace, "eve") == {"page": 404, "api": 404, "topic": 404}


def test_the_refusal_says_whose_it_is(committed_world, client_for, shop):
    world = committed_world
    cluster = shop("shop", {"api": "platform"}, **NAMED)
    text = client_for(world.dev).get(
        page("workload-logs", cluster=cluster.slug, namespace="shop", pod=POD)
    ).content.decode()  # fmt: skip
    assert "belongs to component:default/api. Its owner&#x27;s team may read its log, or a manager." in text


def test_who_can_help_is_whom_the_sentence_names(committed_world, client_for, shop):
    """The owner's team and managers, not the admin alone; where only a manager may, no team."""
    world = committed_world

    def helpers(cluster, namespace):
        answer = client_for(world.dev).get(page("workload-logs", cluster=cluster.slug, namespace=namespace, pod=POD))
        assert answer.status_code == 403
        return [(helper.name, helper.why) for helper in answer.context["helpers"]]

    cluster = shop("shop", {"api": "platform"}, **NAMED)
    assert helpers(cluster, "shop") == [("Mae", "is in Platform"), ("Ada", "admin")]
    shop("kube-system", {"other": "payments"}, {"backstage.io/kubernetes-label-selector": "!nothing"})
    assert helpers(cluster, "kube-system") == [("Mae", "manager"), ("Ada", "admin")]


def test_a_topic_that_nobody_asked_for_is_no_way_round(committed_world, client_for, shop):
    world = committed_world
    shop("shop", {"api": "payments"}, **NAMED)
    with pytest.raises(Forbidden):
        stream.admit(viewer(client_for(world.dev), "0" * 32))


def test_a_right_that_was_lost_closes_the_stream(committed_world, client_for, shop):
    world = committed_world
    cluster = shop("shop", {"api": "payments"}, **NAMED)
    asked = Asked(cluster.pk, "shop", POD)
    with world.tenant():
        podlogs.ask(cluster, asked)
    reader = viewer(client_for(world.dev), asked.key)
    stream.admit(reader)
    with world.tenant():
        TeamMembership.objects.for_tenant(world.acme).filter(user=world.dev).delete()
    with pytest.raises(Forbidden):
        stream.admit(reader)


def test_two_organisations_with_the_same_names_do_not_show_each_others_pods(committed_world):
    world = committed_world
    from portal.clusters.bindings import Matcher, bounds_of
    from portal.clusters.labels import ENTITY, ORGANISATION, mark_of

    acme, rival = (mark_of(one.pk, one.created_at) for one in (world.acme, world.rival))
    matcher = Matcher(
        bounds_of(
            entity_uid="u", entity_ref="component:default/api", kubernetes_id="api", selector="", namespace="",
            slipway_id="component.default.api", organisation=acme,
        )
    )  # fmt: skip
    worn = {ENTITY: "component.default.api", "backstage.io/kubernetes-id": "api"}
    assert matcher.entities({**worn, ORGANISATION: acme}, "n") == {"u"}
    assert matcher.entities(worn, "n") == {"u"}
    assert matcher.entities({**worn, ORGANISATION: rival}, "n") == frozenset()


def test_every_pod_of_a_large_workload_is_known_with_what_it_wears_itself():
    owner = {"kind": "Deployment", "uid": "d1", "name": "api", "controller": True}
    sets = [
        decode({"kind": "ReplicaSet", "metadata": {"name": uid, "namespace": "shop", "uid": uid,
                "ownerReferences": [owner]}, "spec": {"replicas": 60}})
        for uid in ("old", "new")
    ]  # fmt: skip
    pods = [
        decode({
            "kind": "Pod",
            "metadata": {
                "name": f"api-{uid}-{number:02}", "namespace": "shop", "uid": f"{uid}{number}",
                "labels": {"backstage.io/kubernetes-id": uid},
                "ownerReferences": [{"kind": "ReplicaSet", "uid": uid, "name": uid, "controller": True}],
            },
            "spec": {"containers": [{"name": "api"}, {"name": "side"}], "initContainers": [{"name": "first"}]},
        })
        for uid in ("old", "new") for number in range(60)
    ]  # fmt: skip
    deployment = decode({"kind": "Deployment", "metadata": {"name": "api", "namespace": "shop", "uid": "d1"},
                         "spec": {"replicas": 120}})  # fmt: skip
    found = workload_row(deployment, Around(Store([deployment, *sets, *pods]), datetime.now(UTC)))
    known = [(name, group.kubernetes_id, group.containers) for group in found.beside for name in group.names]
    shown = {pod.name for pod in found.pods}
    assert (len(shown), found.more_pods, len(known)) == (50, 70, 70)
    assert shown | {name for name, _, _ in known} == {pod.metadata.name for pod in pods}
    assert len(found.beside) <= 2
    for name, worn, containers in known:
        assert worn == name.split("-")[1]
        assert containers == ("api", "side", "first")


def test_without_a_catalog_only_managers_read(committed_world, client_for, shop, monkeypatch):
    world = committed_world
    cluster = shop("shop", {"api": "payments"}, **NAMED)
    monkeypatch.setattr(logrights, "_owners", [])
    assert doors(world, client_for, cluster, "shop", "dev")["page"] == 403
