"""Pages and API of clusters as Ada, Vic and a neighbour see them."""

import uuid
from datetime import UTC, datetime

import msgspec
import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from portal.accounts.models import AuditEvent
from portal.clusters import actions, panels, podlogs, status
from portal.clusters.credentials import CredentialPlace, fingerprint, seal, unseal
from portal.clusters.health.terms import Health
from portal.clusters.models import SYNCED, Cluster, Transition
from portal.clusters.podlogs import Asked
from portal.clusters.status import ClusterRow, ContainerRow, EntityRow, NodeRow, PodRow, WorkloadRow
from portal.clusters.tasks import fetch_logs
from portal.kit.announcing import TOPICS
from portal.kit.valkey import valkey
from tests.catalog.rows import entity_row, put

SERVING = Health("Serving", "Stable", "serving", {"wanted": 1})
CRASH = Health("Down", "Stuck", "crash-loop", {"container": "api", "exit_code": 1, "restarts": 7, "pod": "api-1"})


def make_cluster(organisation, slug="prod", **more):
    uid = uuid.uuid4()
    place = CredentialPlace(organisation.pk, str(uid), "https://cluster.example:6443", "")
    values = {
        "uid": uid,
        "slug": slug,
        "name": slug.title(),
        "server": place.server,
        "credential_kind": "token",
        "credential_fingerprint": fingerprint("secret-token"),
        "sealed": seal({"token": "secret-token"}, place),
        **more,
    }
    return Cluster.objects.create(organisation=organisation, **values)


def entity(health=SERVING, **pod):
    row = PodRow(
        health=health,
        namespace="shop",
        name="api-1",
        phase="Running",
        containers=(ContainerRow("api", True, "Running", 0, "registry.example/api:1"),),
        node="node-a",
        **pod,
    )
    workload = WorkloadRow(
        health=health, kind="Deployment", namespace="shop", name="api", available=1, wanted=1, pods=(row,)
    )
    return EntityRow(
        health=health,
        entity_ref="component:default/api",
        as_of=datetime(2026, 3, 2, tzinfo=UTC),
        workloads=(workload,),
    )


def publish(cluster, entities=None, *, state=SYNCED, is_watched=True, **more):
    row = ClusterRow(state=state, version="v1.33.1", **more)
    mapping = {"_cluster": msgspec.json.encode(row)}
    mapping |= {str(uid): msgspec.json.encode(value) for uid, value in (entities or {}).items()}
    valkey().hset(status.hash_key(cluster.organisation_id, cluster.uid), mapping=mapping)
    badges = status.badges_of({uid: raw for uid, raw in mapping.items() if not uid.startswith("_")})
    valkey().hset(status.badges_key(cluster.organisation_id, cluster.uid), mapping={"_epoch": 1, **badges})
    fresh = status.fresh_key(cluster.organisation_id, cluster.uid)
    if is_watched:
        valkey().set(fresh, state, px=60_000)
    else:
        valkey().delete(fresh)


@pytest.fixture
def prod(world):
    with world.tenant():
        cluster = make_cluster(world.acme, state=SYNCED)
    yield cluster
    for key in (status.hash_key, status.badges_key, status.fresh_key):
        valkey().delete(key(world.acme.pk, cluster.uid))


def page(name, org="acme", **kwargs):
    return reverse(name, kwargs={"org": org, **kwargs})


PAGES = [
    ("clusters", {}, {"vic": 200, "dev": 200, "ada": 200}),
    ("cluster", {"cluster": "prod"}, {"vic": 200, "dev": 200, "ada": 200}),
    ("cluster-new", {}, {"vic": 403, "mae": 403, "ada": 200}),
    ("cluster-forget", {"cluster": "prod"}, {"vic": 403, "mae": 403, "ada": 200}),
    ("workload-logs", {"cluster": "prod", "namespace": "shop", "pod": "api-1"}, {"vic": 403, "dev": 403, "mae": 200}),
    ("cluster-credential", {"cluster": "prod"}, {"vic": 403, "mae": 403, "ada": 200}),
    ("cluster-reach", {"cluster": "prod"}, {"vic": 403, "mae": 403, "ada": 200}),
    ("api-cluster-reach", {"cluster": "prod"}, {"vic": 200}),
    ("api-clusters", {}, {"vic": 200}),
    ("api-cluster", {"cluster": "prod"}, {"vic": 200}),
    ("api-entity-status", {"uid": uuid.uuid4()}, {"vic": 404}),
]


@pytest.mark.parametrize(("name", "kwargs", "expected"), PAGES, ids=[item[0] for item in PAGES])
def test_who_may_open_what(world, prod, client_for, name, kwargs, expected):
    for person, wanted in expected.items():
        answer = client_for(getattr(world, person)).get(page(name, **kwargs))
        assert answer.status_code == wanted, person
    assert client_for(world.eve).get(page(name, **kwargs)).status_code == 404
    # at home with full rights, the neighbour finds nothing of ours
    if "cluster" in kwargs:
        assert client_for(world.eve).get(page(name, org="rival", **kwargs)).status_code == 404


def test_the_list_teaches_when_it_is_empty_and_offers_only_what_one_may(world, client_for):
    text = client_for(world.ada).get(page("clusters")).content.decode()
    assert "No cluster is connected" in text
    assert page("cluster-new") in text
    assert page("cluster-new") not in client_for(world.vic).get(page("clusters")).content.decode()


def test_a_cluster_shows_its_nodes_and_its_troubled_workloads_first(world, prod, client_for):
    node = NodeRow(
        health=SERVING, name="node-a", cpu=4000, memory=8 << 30, pods=110, cpu_asked=1000, memory_asked=1 << 30
    )
    listed = (
        WorkloadRow(health=CRASH, kind="Deployment", namespace="shop", name="broken", available=0, wanted=1),
        WorkloadRow(health=SERVING, kind="Deployment", namespace="shop", name="fine", available=1, wanted=1),
    )
    publish(prod, nodes=(node,), listed=listed, workloads=2, pods=2, namespaces=("shop",))
    text = client_for(world.vic).get(page("cluster", cluster="prod")).content.decode()
    assert text.index("broken") < text.index("fine")
    assert "1 of 4 cores asked for" in text
    assert "exit code 1" in text
    assert "style=" not in text.replace("stylesheet", "")


def test_the_list_pins_its_queries(world, prod, client_for, django_assert_max_num_queries):
    with world.tenant():
        for number in range(5):
            make_cluster(world.acme, f"more-{number}")
    client = client_for(world.vic)
    client.get(page("clusters"))
    with django_assert_max_num_queries(14):
        assert client.get(page("clusters")).status_code == 200


def test_a_silent_live_process_makes_everything_unknown(world, prod, client_for):
    uid = uuid.uuid4()
    publish(prod, {uid: entity()})
    with world.tenant():
        assert status.of_entity(world.acme.pk, uid).badge == "Healthy"
        publish(prod, {uid: entity()}, is_watched=False)
        assert status.of_entity(world.acme.pk, uid).badge == "Unknown"
        assert "no current view" in panels.workloads_html(world.acme, uid)
    assert "Stale" in client_for(world.vic).get(page("clusters")).content.decode()


def test_an_entity_shows_pods_with_sentence_hint_and_warning(world, prod):
    uid = uuid.uuid4()
    publish(prod, {uid: entity(CRASH, warning="BackOff: <b>restarting</b> failed container", warned_at=None)})
    with world.tenant():
        html = panels.workloads_html(world.acme, uid)
    assert "Container api keeps crashing: exit code 1" in html
    assert "Read the log of its previous run" in html
    assert "&lt;b&gt;restarting" in html
    assert page("workload-logs", cluster="prod", namespace="shop", pod="api-1") in html


def test_a_status_that_is_lost_is_unknown_and_not_nothing(world, prod):
    uid = uuid.uuid4()
    with world.tenant():
        actions.set_bindings(world.acme, uid, "component:default/checkout", {}, "component.default.checkout")
        html = panels.workloads_html(world.acme, uid)
        assert "Unknown" in html
        assert "Slipway has no current view of Prod" in html
        assert "Nothing runs" not in html
        assert "Unknown" in panels.health_html(world.acme, str(uid))
        assert panels.health_html(world.acme, str(uuid.uuid4())) == ""


def test_an_entity_without_workloads_is_told_what_to_write(world, prod):
    uid = uuid.uuid4()
    publish(prod)
    with world.tenant():
        actions.set_bindings(world.acme, uid, "component:default/checkout", {}, "component.default.checkout")
        html = panels.workloads_html(world.acme, uid)
    assert "backstage.io/kubernetes-id: checkout" in html
    assert "kubectl label deployment NAME backstage.io/kubernetes-id=checkout" in html


def test_no_fragment_of_another_organisation_is_rendered(world, prod):
    uid = uuid.uuid4()
    publish(prod, {uid: entity(CRASH)})
    with world.tenant(world.rival):
        assert "crashing" not in panels.workloads_html(world.rival, uid)
        assert panels.cluster_html(world.rival, "prod") is None
        assert "Prod" not in panels.clusters_html(world.rival, "all")
        assert TOPICS["logs"].render(world.rival, "x") is None
        assert TOPICS["workloads"].render(world.rival, "not-a-uid") is None


def test_forgetting_needs_a_post_and_is_written_down(world, prod, client_for):
    client = client_for(world.ada)
    assert "Nothing in the cluster is touched" in client.get(page("cluster-forget", cluster="prod")).content.decode()
    assert client.post(page("cluster-forget", cluster="prod")).status_code == 302
    with world.tenant():
        assert not Cluster.objects.for_tenant(world.acme).exists()
        assert AuditEvent.objects.for_tenant(world.acme).filter(verb="cluster.forgotten", actor=world.ada).exists()


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: a
contexts: [{name: a, context: {cluster: a, user: a}}]
clusters: [{name: a, cluster: {server: "https://%s"}}]
users: [{name: a, user: {token: abc}}]
"""


@pytest.mark.parametrize(
    ("kubeconfig", "words"),
    [
        ("", "Paste a kubeconfig, or upload one."),
        ("a: [", "This is not YAML"),
        ("hello", "This is not a kubeconfig"),
        ("x" * 300_000, "at most 256 KiB"),
    ],
)
def test_what_cannot_be_connected_is_said_beside_the_field(world, client_for, kubeconfig, words):
    answer = client_for(world.ada).post(page("cluster-new"), {"name": "Prod", "kubeconfig": kubeconfig})
    assert answer.status_code == 400
    text = answer.content.decode()
    assert words in text
    assert 'value="Prod"' in text
    with world.tenant():
        assert not Cluster.objects.for_tenant(world.acme).exists()


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ("169.254.169.254", "lies on a private network"),
        ("10.0.0.1", "lies on a private network"),
        ("127.0.0.1:1", "the connection was refused"),
        ("no-such-host.invalid", "does not resolve"),
    ],
)
def test_what_only_asking_can_tell_leads_back_to_the_field(committed_world, client_for, do_jobs, server, words):
    """The request asks for a job and waits for nobody; the job's page leads back to the form."""
    client = client_for(committed_world.ada)
    answer = client.post(page("cluster-new"), {"name": "Prod", "kubeconfig": KUBECONFIG % server})
    assert answer.status_code == 302
    [job] = do_jobs(committed_world.acme)
    assert (job.state, job.payload) == ("refused", None)
    led = client.get(answer.url)
    assert led.status_code == 302
    text = client.get(led.url).content.decode()
    assert words in text
    assert 'value="Prod"' in text
    assert "token: abc" not in text
    with committed_world.tenant():
        assert not Cluster.objects.for_tenant(committed_world.acme).exists()


def test_a_name_that_is_taken_is_refused(world, prod, client_for):
    answer = client_for(world.ada).post(page("cluster-new"), {"name": "PROD", "kubeconfig": KUBECONFIG % "x.example"})
    assert answer.status_code == 400
    assert "There is a cluster called “prod” already" in answer.content.decode()


def test_the_api_tells_state_but_never_the_credential(world, prod, client_for):
    publish(prod)
    answer = client_for(world.vic).get(page("api-cluster", cluster="prod"))
    assert answer.json()["state"] == "synced"
    assert answer.json()["credential"]["fingerprint"] == fingerprint("secret-token")
    assert "secret-token" not in answer.content.decode()
    assert "sealed" not in answer.content.decode()


def test_the_api_tells_the_status_of_an_entity(world, prod, client_for):
    uid = uuid.uuid4()
    publish(prod, {uid: entity(CRASH)})
    answer = client_for(world.vic).get(page("api-entity-status", uid=uid)).json()
    assert answer["badge"] == "Down"
    assert answer["workloads"][0]["pods"][0]["sentence"].startswith("Container api keeps crashing")


def test_the_status_of_an_entity_that_is_not_there_is_404(world, prod, client_for):
    """Unknown is said of what the catalog knows and no cluster does."""
    client = client_for(world.vic)
    assert client.get(page("api-entity-status", uid=uuid.uuid4())).status_code == 404
    with world.tenant():
        known = put(world.acme, entity_row(world.acme, "api"))
    answer = client.get(page("api-entity-status", uid=known.uid))
    assert (answer.status_code, answer.json()["badge"]) == (200, "Unknown")


def test_a_sealed_credential_opens_only_where_it_belongs(world, prod, settings):
    from portal.kit.errors import Unavailable

    assert unseal(prod.sealed, prod.place) == {"token": "secret-token"}
    for moved in (
        CredentialPlace(world.rival.pk, str(prod.uid), prod.server, prod.ca),
        CredentialPlace(world.acme.pk, str(uuid.uuid4()), prod.server, prod.ca),
        CredentialPlace(world.acme.pk, str(prod.uid), "https://elsewhere.example", prod.ca),
        CredentialPlace(world.acme.pk, str(prod.uid), prod.server, "another authority"),
    ):
        with pytest.raises(Unavailable, match="does not belong"):
            unseal(prod.sealed, moved)
    settings.CLUSTER_PRIVATE_KEY = ""
    with pytest.raises(Unavailable, match="cannot open"):
        unseal(prod.sealed, prod.place)


def test_logs_say_in_words_why_there_are_none(world, prod):
    asked = Asked(prod.pk, "shop", "api-1")
    with world.tenant():
        Cluster.objects.for_tenant(world.acme).filter(pk=prod.pk).update(server="https://127.0.0.1:1")
    question = asked.question(world.acme.pk)
    fetch_logs(question.organisation_id, question.key, *question.arguments)
    found = podlogs.read(world.acme.pk, asked.key)
    assert found.state == "refused"
    assert "does not belong to this cluster" in found.text
    assert podlogs.read(world.rival.pk, asked.key) is None


def test_bindings_write_only_what_changed(world, django_assert_num_queries):
    uid = uuid.uuid4()
    with world.tenant():
        actions.set_bindings(world.acme, uid, "component:default/a", {"backstage.io/kubernetes-id": "a"}, "x")
        with django_assert_num_queries(1):
            actions.set_bindings(world.acme, uid, "component:default/a", {"backstage.io/kubernetes-id": "a"}, "x")
        actions.set_bindings(world.acme, uid, "component:default/a", {}, "")
        assert not actions.Binding.objects.for_tenant(world.acme).exists()


def test_the_command_says_what_is_wrong(world, tmp_path):
    with pytest.raises(CommandError, match="no organisation"):
        call_command("register_cluster", organisation="nobody", name="x", kubeconfig=tmp_path)
    bad = tmp_path / "kubeconfig"
    bad.write_text("hello")
    with pytest.raises(CommandError, match="not a kubeconfig"):
        call_command("register_cluster", organisation="acme", name="x", kubeconfig=bad)


def test_the_command_can_be_run_twice(committed_world, sandbox_kubeconfig, capsys):
    for _ in range(2):
        call_command("register_cluster", organisation="acme", name="Sandbox", kubeconfig=sandbox_kubeconfig)
    with committed_world.tenant():
        cluster = Cluster.objects.for_tenant(committed_world.acme).get()
        events = AuditEvent.objects.for_tenant(committed_world.acme).filter(verb__startswith="cluster.")
        assert [event.verb for event in events] == ["cluster.registered"]
    assert cluster.version.startswith("v1.")
    assert "may do everything" in cluster.advice
    assert Transition.objects.count() == 0


def test_a_cluster_that_nobody_watches_has_no_green_in_it(world, prod, client_for):
    node = NodeRow(health=SERVING, name="node-a", cpu=4000, memory=8 << 30, pods=110, cpu_asked=1000)
    listed = (WorkloadRow(health=SERVING, kind="Deployment", namespace="shop", name="fine", available=1, wanted=1),)
    client = client_for(world.vic)
    where = {"nodes": (node,), "listed": listed, "workloads": 1, "pods": 1}
    publish(prod, **where)
    for name, more in (("clusters", {}), ("cluster", {"cluster": "prod"})):
        assert "is-stale" not in client.get(page(name, **more)).content.decode()
    publish(prod, is_watched=False, **where)
    for name, more in (("clusters", {}), ("cluster", {"cluster": "prod"})):
        text = client.get(page(name, **more)).content.decode()
        assert text.count("<progress") == text.count("is-stale") > 0
        assert "Healthy" not in text
    answer = client.get(page("api-cluster", cluster="prod")).json()
    assert [item["badge"] for item in (*answer["nodeList"], *answer["workloadList"])] == ["Unknown", "Unknown"]


def test_what_is_known_in_one_cluster_stays_known_when_another_is_lost(world, prod, client_for):
    uid = uuid.uuid4()
    with world.tenant():
        other = make_cluster(world.acme, "staging")
        publish(prod, {uid: entity()})
        publish(other, {uid: entity(CRASH)}, is_watched=False)
        found = status.of_entity(world.acme.pk, uid)
        assert (found.badge, found.lost) == ("Healthy", [other.name])
        html = panels.workloads_html(world.acme, uid)
        assert f'no current view of <a href="{page("cluster", cluster="staging")}">{other.name}</a>' in html
        publish(prod, {uid: entity()}, is_watched=False)
        assert status.of_entity(world.acme.pk, uid).badge == "Unknown"
    answer = client_for(world.vic).get(page("api-entity-status", uid=uid)).json()
    assert {item["badge"] for item in answer["workloads"]} == {"Unknown"}
    valkey().delete(status.hash_key(world.acme.pk, other.uid))


def test_since_is_since_when_the_badge_holds(world, prod):
    uid, since = uuid.uuid4(), datetime(2026, 3, 1, tzinfo=UTC)
    publish(prod, {uid: msgspec.structs.replace(entity(CRASH), since=since)})
    with world.tenant():
        assert status.of_entity(world.acme.pk, uid).since == since
        assert '<time datetime="2026-03-01T00:00:00+00:00"' in panels.workloads_html(world.acme, uid)


def test_every_page_goes_by_the_same_small_key(world, prod):
    """The pulse of a page reads one key for each cluster, however large the cluster is."""
    publish(prod, {uuid.uuid4(): entity() for _ in range(3)})
    with world.tenant():
        valkey().config_resetstat()
        assert status.freshness(world.acme.pk) == {"prod"}
        asked = {name for name in valkey().info("commandstats") if name.startswith("cmdstat_")}
    assert "cmdstat_mget" in asked
    assert not {"cmdstat_hget", "cmdstat_hmget", "cmdstat_hgetall"} & asked
