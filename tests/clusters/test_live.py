"""A real cluster (the sandbox), real PostgreSQL and Valkey: what happens there is what pages read here."""

import uuid

import pytest
import redis
from django.urls import reverse
from django.utils.html import escape

from portal.clusters import actions, podlogs, status
from portal.clusters.models import SYNCED, UNREACHABLE, Cluster, Transition
from portal.clusters.podlogs import Asked
from portal.clusters.watching import leases
from portal.kit.valkey import valkey
from tests.clusters.conftest import until, watchers

ENTITY = uuid.uuid4()
REF = "component:default/shop"


def deployment(name="shop", image="registry.example/shop:1", replicas=2, labels=None, namespace="default"):
    labels = {"app": name, **(labels if labels is not None else {"backstage.io/kubernetes-id": "shop"})}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
        },
    }


@pytest.fixture
def bound(committed_world):
    with committed_world.tenant():
        actions.set_bindings(committed_world.acme, ENTITY, REF, {"backstage.io/kubernetes-id": "shop"})


def of(world):
    with world.tenant():
        return status.of_entity(world.acme.pk, ENTITY)


def wears(world, word):
    def look():
        found = of(world)
        return found if found.badge == word else None

    return look


def history_of(world):
    with world.tenant():
        rows = Transition.objects.for_tenant(world.acme).order_by("pk")
        return [(row.was, row.became) for row in rows]


def settled(world):
    """The history, once it has come to what is shown."""
    rows = history_of(world)
    return rows if rows and rows[-1][1] == of(world).badge else None


def status_fields(world, cluster):
    """What is said of entities in the cluster's hash."""
    names = valkey().hkeys(status.hash_key(world.acme.pk, cluster.uid))
    return [name for name in names if not name.startswith(b"_")]


def test_a_deployment_is_seen_to_become_healthy(committed_world, cluster, bound, kube):
    with watchers():
        kube.apply(deployment())
        found = until(wears(committed_world, "Healthy"), "healthy")
    [workload] = found.workloads
    assert (workload.kind, workload.name, workload.available, workload.wanted) == ("Deployment", "shop", 2, 2)
    assert workload.images == ("registry.example/shop:1",)
    assert [pod.ready for pod in workload.pods] == ["1/1", "1/1"]
    assert {pod.phase for pod in workload.pods} == {"Running"}
    assert found.sentence == "All 2 pods are available."


def test_a_bad_image_is_told_with_its_hint_and_mended_by_a_good_one(committed_world, cluster, bound, kube):
    with watchers():
        kube.apply(deployment(image="registry.example/shop:missing-tag-imagepullbackoff"))
        until(lambda: of(committed_world).workloads, "seen")
        kube.apply(deployment(image="registry.example/shop:2"))
        until(wears(committed_world, "Healthy"), "mended")


def test_what_is_deleted_is_unknown_again_and_the_history_says_so(committed_world, cluster, bound, kube):
    with watchers():
        kube.apply(deployment())
        until(wears(committed_world, "Healthy"), "healthy")
        kube.delete("apps/v1", "Deployment", "default", "shop")
        until(wears(committed_world, "Unknown"), "gone")

        def history():
            with committed_world.tenant():
                rows = Transition.objects.for_tenant(committed_world.acme).order_by("pk")
                return [(row.was, row.became) for row in rows]

        until(lambda: history() and history()[-1][1] == "Unknown", "history")
    assert history()[0][0] == "Unknown"
    assert all(was != became for was, became in history())
    assert all(first[1] == second[0] for first, second in zip(history(), history()[1:], strict=False))


def test_a_binding_made_later_finds_what_already_runs(committed_world, cluster, kube):
    with watchers():
        kube.apply(deployment())
        with committed_world.tenant():
            actions.set_bindings(
                committed_world.acme, ENTITY, REF, {"backstage.io/kubernetes-label-selector": "app in (shop, other)"}
            )
        until(wears(committed_world, "Healthy"), "bound")
        with committed_world.tenant():
            actions.set_bindings(committed_world.acme, ENTITY, REF, {})
        until(wears(committed_world, "Unknown"), "unbound")


def test_the_status_is_written_again_when_valkey_lost_it_and_no_transition_is_invented(
    committed_world, cluster, bound, kube
):
    with watchers():
        kube.apply(deployment())
        until(wears(committed_world, "Healthy"), "healthy")
        before = until(lambda: settled(committed_world), "the history is complete")
        valkey().flushall()
        assert of(committed_world).badge == "Unknown"
        until(wears(committed_world, "Healthy"), "written again")
        kube.delete("apps/v1", "Deployment", "default", "shop")
        # what comes next in the history is the next thing that happened: nothing was invented in between
        after = until(lambda: len(rows := history_of(committed_world)) > len(before) and rows, "the next change")
    assert after[: len(before)] == before
    assert after[len(before)][0] == "Healthy"


def test_a_new_watcher_goes_on_where_the_old_one_ended(committed_world, cluster, bound, kube):
    with watchers():
        kube.apply(deployment())
        until(wears(committed_world, "Healthy"), "healthy")
        before = until(lambda: settled(committed_world), "the history is complete")
    with committed_world.tenant():
        first = Cluster.objects.for_tenant(committed_world.acme).get()
    kube.delete("apps/v1", "Deployment", "default", "shop")
    until(lambda: not kube.list("v1", "Pod", "default", "app=shop"), "nothing runs there any more")
    with watchers():
        until(wears(committed_world, "Unknown"), "the left-over status is swept")
        until(lambda: not status_fields(committed_world, cluster), "nothing is left of it")
        until(lambda: len(history_of(committed_world)) > len(before), "what happened while nobody watched is told")
    with committed_world.tenant():
        again = Cluster.objects.for_tenant(committed_world.acme).get()
        assert again.epoch == first.epoch + 1
    assert history_of(committed_world) == [*before, ("Healthy", "Unknown")]


def test_a_writer_of_an_earlier_epoch_is_refused(committed_world, cluster):
    from portal.clusters.watching.publishing import PUBLISH

    key = status.hash_key(committed_world.acme.pk, cluster.uid)
    script = valkey().register_script(PUBLISH)
    assert script(keys=[key], args=[7, "live:1", 1, "x", "new"]) == 0
    assert script(keys=[key], args=[6, "live:1", 1, "x", "old"]) == -1
    assert valkey().hget(key, "x") == b"new"
    assert script(keys=[key], args=[7, "live:1", 1, "x", ""]) == 1
    assert valkey().hget(key, "x") is None


def test_two_processes_never_hold_the_same_cluster(committed_world, cluster):
    taken = leases.claim("first")
    assert [item.slug for _, item in taken] == ["sandbox"]
    assert leases.claim("second") == []
    held = taken[0][0]
    assert leases.renew("second", [held]) == set()
    assert leases.renew("first", [held]) == {held}
    leases.release("first", [held])
    [(later, _)] = leases.claim("second")
    assert later.epoch == held.epoch + 1
    assert leases.renew("first", [held]) == set()


def test_the_cluster_itself_is_described(committed_world, cluster, kube):
    def described():
        row = status.of_clusters([cluster])[cluster.pk]
        return row if row and row.is_fresh and row.nodes else None

    with watchers():
        row = until(described, "a fresh row")
        with committed_world.tenant():
            until(
                lambda: Cluster.objects.for_tenant(committed_world.acme).get().state == SYNCED, "state in the database"
            )
    assert row.state == SYNCED
    assert row.version.startswith("v1.")
    assert all(node.cpu > 0 and node.memory > 0 and node.badge == "Healthy" for node in row.nodes)
    assert "default" in row.namespaces
    assert {"Pod", "Deployment", "Node"} <= {item.kind for item in row.kinds if item.is_followed}


def test_a_cluster_that_goes_away_is_unknown_in_words_and_comes_back(
    committed_world, cluster, bound, kube, start_process, sandbox_kubeconfig, monkeypatch
):
    monkeypatch.setattr("portal.clusters.watching.watch.BLINK", 0.2)
    with watchers():
        kube.apply(deployment())
        until(wears(committed_world, "Healthy"), "healthy")
        with committed_world.tenant():
            Cluster.objects.for_tenant(committed_world.acme).update(
                lease_until=None, epoch=100, server="https://127.0.0.1:1"
            )

        # the server moved under its sealed credential: it must not open for the new address
        def refused():
            with committed_world.tenant():
                row = Cluster.objects.for_tenant(committed_world.acme).get()
                return row if row.state == UNREACHABLE else None

        row = until(refused, "state says so", 20)
        assert "does not belong to this cluster" in row.state_text
        assert of(committed_world).badge == "Unknown"


def test_whoever_waits_for_a_rollout_is_told(committed_world, cluster, kube):
    heard = []
    with watchers(lambda organisation, key: heard.append((organisation, key))):
        until(lambda: (row := status.of_clusters([cluster])[cluster.pk]) and row.is_fresh, "it is watched")
        kube.apply(deployment())
        until(lambda: len(heard) >= 2, "changes of the rollout")
    assert (committed_world.acme.pk, "rollout:sandbox/default/Deployment/shop") in heard


def test_a_worker_fetches_the_log_that_web_cannot(committed_world, cluster, kube, celery_worker, client_for):
    kube.apply(deployment(replicas=1))

    def running():
        found = kube.list("v1", "Pod", "default", "app=shop")
        return [pod["metadata"]["name"] for pod in found if pod.get("status", {}).get("phase") == "Running"]

    [name] = until(running, "a running pod")
    address = reverse(
        "workload-logs", kwargs={"org": "acme", "cluster": "sandbox", "namespace": "default", "pod": name}
    )
    asked = Asked(cluster.pk, "default", name)
    client = client_for(committed_world.mae)
    assert client.get(address).status_code == 200
    found = until(
        lambda: (logs := podlogs.read(committed_world.acme.pk, asked.key)) and logs.state == "ready" and logs, "the log"
    )
    assert found.lines
    assert escape(found.lines[0]) in client.get(address).content.decode()


def test_announcements_name_the_entity(committed_world, cluster, bound, kube, valkey_url):
    client = redis.Redis.from_url(valkey_url)
    channel = client.pubsub()
    channel.subscribe(f"live:{committed_world.acme.pk}")
    with watchers():
        kube.apply(deployment())
        until(wears(committed_world, "Healthy"), "healthy")
    topics = set()
    while message := channel.get_message(timeout=0.2):
        if message["type"] == "message":
            topics.add(message["data"].decode())
    assert f"workloads:{ENTITY}" in topics
    assert "clusters:all" in topics
    client.close()
