"""A cluster's credential is tried by a job and replaced only when it works; nothing else of the cluster is lost."""

from __future__ import annotations

import socket
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from portal.accounts.models import AuditEvent
from portal.clusters.credentials import unseal
from portal.clusters.models import (
    SYNCED,
    UNAUTHORIZED,
    AllowedKind,
    Binding,
    Cluster,
    Transition,
)  # fmt: skip
from portal.clusters.watching import leases
from portal.jobs.models import Job
from tests.clusters.test_pages import KUBECONFIG, make_cluster, page

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def prod(committed_world: Any, sandbox_kubeconfig: Any) -> Cluster:
    """A cluster whose credential the cluster does not know any more, with everything that hangs on it."""
    world = committed_world
    with world.tenant():
        cluster = make_cluster(world.acme, state=UNAUTHORIZED, state_since=timezone.now() - timedelta(hours=3))
        entity = {"entity_uid": "0" * 31 + "1", "entity_ref": "component:default/api"}
        Transition.objects.create(
            organisation=world.acme, cluster=cluster, was="", became="Healthy", code="serving", sentence="x", **entity
        )
        Binding.objects.create(organisation=world.acme, kubernetes_id="api", **entity)
        AllowedKind.objects.create(organisation=world.acme, cluster=cluster, path="web", kind="ClusterRole.x")
    return cluster


def test_a_refused_credential_is_replaced_and_history_stays(
    committed_world, prod, sandbox_kubeconfig, client_for, do_jobs
):
    world, client = committed_world, client_for(committed_world.ada)
    shown = client.get(page("cluster", cluster="prod")).content.decode()
    assert "has refused the credential since" in shown
    assert "3 h ago" in shown
    assert page("cluster-credential", cluster="prod") in shown
    text = sandbox_kubeconfig.read_text()
    answer = client.post(page("cluster-credential", cluster="prod"), {"kubeconfig": text})
    assert answer.status_code == 302
    with world.tenant():
        before = Cluster.objects.for_tenant(world.acme).get()
        assert before.credential_fingerprint == prod.credential_fingerprint, "the old one stays until the new one works"
        job = Job.objects.for_tenant(world.acme).get()
        assert "token" not in str(job.arguments)
    [done] = do_jobs(world.acme)
    assert (done.state, done.payload) == ("succeeded", None)
    assert client.get(answer.url).url == page("cluster", cluster="prod")
    with world.tenant():
        after = Cluster.objects.for_tenant(world.acme).get()
        assert (after.pk, after.uid, after.state) == (prod.pk, prod.uid, "connecting")
        assert after.credential_fingerprint != prod.credential_fingerprint
        assert unseal(after.sealed, after.place)
        assert Transition.objects.for_tenant(world.acme).filter(cluster=after).count() == 1
        assert Binding.objects.for_tenant(world.acme).count() == 1
        assert AllowedKind.objects.for_tenant(world.acme).filter(cluster=after).count() == 1
        event = AuditEvent.objects.for_tenant(world.acme).get(verb="cluster.credential-replaced")
        assert event.actor == world.ada
    again = client.post(page("cluster-credential", cluster="prod"), {"kubeconfig": text})
    assert again.status_code == 400
    assert "has already" in again.content.decode()


def test_one_that_does_not_work_leaves_the_old_one(committed_world, prod, client_for, do_jobs):
    client = client_for(committed_world.ada)
    answer = client.post(page("cluster-credential", cluster="prod"), {"kubeconfig": KUBECONFIG % "127.0.0.1:1"})
    [job] = do_jobs(committed_world.acme)
    assert job.state == "refused"
    led = client.get(client.get(answer.url).url).content.decode()
    assert "the connection was refused" in led
    with committed_world.tenant():
        assert Cluster.objects.for_tenant(committed_world.acme).get().sealed == prod.sealed


def test_connecting_is_a_job_whose_page_leads_to_the_cluster(
    committed_world, sandbox_kubeconfig, client_for, do_jobs, monkeypatch
):
    client = client_for(committed_world.ada)
    answer = client.post(page("cluster-new"), {"name": "Southern", "kubeconfig": sandbox_kubeconfig.read_text()})
    assert "Connect Southern" in client.get(f"{answer.url}?stay").content.decode()
    do_jobs(committed_world.acme)
    assert client.get(answer.url).url == page("cluster", cluster="southern")
    # a worker that died after it had kept the cluster: the next one finds it kept
    with committed_world.tenant():
        job = Job.objects.for_tenant(committed_world.acme).get()
        assert job.notes == {"slug": "southern"}


def test_a_silent_address_holds_no_request_and_no_connection(committed_world, client_for, do_jobs, monkeypatch):
    """A server that takes the connection and never says a word."""
    monkeypatch.setattr("portal.clusters.kube.TIMEOUT", (0.5, 0.5))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        held: list[socket.socket] = []
        threading.Thread(target=lambda: held.append(silent.accept()[0]), daemon=True).start()
        client = client_for(committed_world.ada)
        started = time.monotonic()
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        answer = client.post(page("cluster-new"), {"name": "Silent", "kubeconfig": KUBECONFIG % server})
        assert time.monotonic() - started < 0.5
        assert answer.status_code == 302
        assert held == [], "the request itself spoke to nobody"
        [job] = do_jobs(committed_world.acme)
    for connection in held:
        connection.close()
    assert job.state == "refused"
    assert "does not answer" in job.refusal["text"]


def test_since_when_counts_from_the_change_of_state(committed_world, prod):
    with committed_world.tenant():
        prod.lease_owner, prod.epoch = "me", 5
        prod.save()
    held = leases.Held(committed_world.acme.pk, prod.pk, 5)

    def state() -> Cluster:
        with committed_world.tenant():
            return Cluster.objects.for_tenant(committed_world.acme).get()

    leases.note_state(held, leases.Noted(UNAUTHORIZED, "again", "", is_synced=False))
    assert state().state_since == prod.state_since
    leases.note_state(held, leases.Noted(SYNCED, "", "", is_synced=True))
    assert timezone.now() - state().state_since < timedelta(minutes=1)


def test_an_admin_says_where_runs_may_write_and_sees_what_it_means(committed_world, prod, client_for):
    world, client = committed_world, client_for(committed_world.ada)
    address = page("cluster-reach", cluster="prod")
    shown = client.get(address).content.decode()
    assert "<code>payments</code>, <code>my-service</code>" in shown
    tried = client.post(address, {"namespaces": "{team}-dev\nshared", "preview": "1"}).content.decode()
    assert "<code>payments-dev</code>, <code>shared</code>" in tried
    with world.tenant():
        assert Cluster.objects.for_tenant(world.acme).get().patterns == ("{team}", "{entity}"), (
            "a preview keeps nothing"
        )
    wrong = client.post(address, {"namespaces": "kube-system"})
    assert wrong.status_code == 400
    assert "own namespaces" in wrong.content.decode()
    assert client.post(address, {"namespaces": "{team}-dev\nshared"}).status_code == 302
    kind = {"path": "web", "kind": "ConfigMap", "namespace": "kube-system"}
    assert client.post(page("cluster-kind-allow", cluster="prod"), kind).status_code == 302
    assert client.post(page("cluster-kind-allow", cluster="prod"), {**kind, "kind": "config map"}).status_code == 400
    answer = client.get(page("api-cluster-reach", cluster="prod")).json()
    assert answer["namespaces"] == ["{team}-dev", "shared"]
    assert kind in answer["kinds"]
    with world.tenant():
        row = AllowedKind.objects.for_tenant(world.acme).get(kind="ConfigMap")
        verbs = set(AuditEvent.objects.for_tenant(world.acme).values_list("verb", flat=True))
        assert {"cluster.namespaces-changed", "cluster.kind-allowed"} <= verbs
    assert client.post(page("cluster-kind-remove", cluster="prod", allowed=row.pk)).status_code == 302
    put = client.put(page("api-cluster-reach", cluster="prod"), {"namespaces": ["Default"]}, "application/json")
    assert put.status_code == 400
    for person in (world.mae, world.vic):
        assert client_for(person).post(address, {"namespaces": "*"}).status_code == 403
