"""A run takes over nothing that is not its own: refused before anything is touched, adopted only by those who may."""

from __future__ import annotations

import html
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse

from portal.accounts.models import AuditEvent, Membership
from portal.accounts.tenancy import tenant
from portal.clusters import labels
from portal.clusters.actions import register_cluster
from portal.clusters.kube import Kube, connect
from portal.clusters.models import AllowedKind
from portal.provisioning import actions
from portal.provisioning.models import Effect, Run
from tests.conftest import by
from tests.contract.conftest import cluster as cluster
from tests.contract.manifests import config, deployment, service
from tests.contract.planes import ClusterUnderTest
from tests.provisioning.conftest import make_version, reload, rows, texts

pytestmark = pytest.mark.django_db(transaction=True)

CATALOG = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: "${{ values.name }}"}
spec: {type: service, lifecycle: experimental, owner: group:default/payments}
"""


@pytest.fixture
def shared(committed_world: Any, cluster: ClusterUnderTest) -> Any:
    """One cluster that Acme and Rival have both connected, each as `shared`."""
    text = cluster.kubeconfig.read_text()
    found = {}
    for organisation, person in (
        (committed_world.acme, committed_world.ada),
        (committed_world.rival, committed_world.eve),
    ):
        with tenant(organisation):
            made = register_cluster(organisation=organisation, actor=by(person), name="shared", kubeconfig=text)
            found[organisation.slug] = made
    return found


@pytest.fixture
def kube(shared: Any) -> Kube:
    return connect(shared["acme"])


@pytest.fixture
def space(kube: Kube) -> Iterator[str]:
    """A namespace of the test's own that anybody may have made."""
    name = f"payments-{uuid.uuid4().hex[:6]}"
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, manager="suite")
    yield name
    kube.delete("v1", "Namespace", None, name)


@pytest.fixture
def open_to_all(shared: Any) -> None:
    """Both organisations' admins have opened every namespace."""
    for row in shared.values():
        with tenant(row.organisation_id):
            row.namespaces = "*"
            row.save(update_fields=["namespaces"])


def path_of(world: Any, manifests: list[dict[str, Any]], space: str, organisation: Any = None) -> Any:
    """A path that describes an entity and applies these manifests."""
    steps = [
        {"id": "fetch", "name": "Fetch", "action": "fetch:template",
         "input": {"url": "./skeleton", "values": {"name": "${{ parameters.name }}"}}},
        {"id": "apply", "name": "Apply", "action": "kubernetes:apply",
         "input": {"cluster": "shared", "namespace": space, "manifests": manifests}},
    ]  # fmt: skip
    texts_asked = {"properties": {"name": {"type": "string"}, "owner": {"type": "string"}}}
    files = {"skeleton/catalog-info.yaml": CATALOG.encode()}
    return make_version(world, steps, files=files, parameters=texts_asked, organisation=organisation)


def launch(world: Any, manifests: list[dict[str, Any]], space: str, *, name: str = "orders", **more: Any) -> Run:
    """A run that describes an entity and applies these manifests."""
    organisation = more.pop("organisation", world.acme)
    actor = more.pop("actor", world.dev if organisation is world.acme else world.eve)
    version = path_of(world, manifests, space, organisation)
    with tenant(organisation):
        return actions.launch(
            organisation=organisation,
            actor=by(actor),
            version=version,
            values={"name": name, "owner": more.pop("owner", "group:default/payments")},
            idempotency_key=uuid.uuid4().hex,
            adoptions=more.pop("adoptions", ()),
        )


def undo(world: Any, run: Run, finish: Any) -> Run:
    with tenant(run.organisation_id):
        actions.undo(organisation=run.organisation, actor=by(run.requester), run=run)
    return finish(run)


def test_another_organisations_service_is_not_repointed(
    committed_world, shared, kube, space, open_to_all, silent, finish
):
    assert (
        finish(launch(committed_world, [service("web")], space, organisation=committed_world.rival)).status
        == "succeeded"
    )
    before = kube.get("v1", "Service", space, "web")
    stolen = service("web")
    stolen["spec"]["selector"] = {"app": "attacker"}
    run = finish(launch(committed_world, [config("settings", a="1"), stolen], space))
    assert (run.status, run.error_code) == ("failed", "object-claimed")
    assert f"Service web in namespace {space} belongs to another organisation" in run.error_text
    assert "Rival" not in run.error_text
    assert kube.get("v1", "Service", space, "web") == before
    assert kube.get("v1", "ConfigMap", space, "settings") is None, "nothing is applied when one is refused"
    assert rows(Effect, run) == []
    [theirs] = [entry["manager"] for entry in before["metadata"]["managedFields"] if entry["operation"] == "Apply"]
    assert theirs == labels.manager_of(labels.mark_of(committed_world.rival.pk, committed_world.rival.created_at))


def test_another_entitys_and_another_runs_objects_are_refused_in_words(
    committed_world, shared, kube, space, open_to_all, silent, finish
):
    first = finish(launch(committed_world, [config("settings", a="1")], space, name="billing"))
    other = finish(launch(committed_world, [config("settings", a="2")], space, name="orders"))
    assert f"made by run {first.pk} for component.default.billing" in other.error_text
    assert "owned by Team Payments" in other.error_text
    again = finish(launch(committed_world, [config("settings", a="2")], space, name="billing"))
    assert f"made by run {first.pk}, owned by Team Payments" in again.error_text
    assert kube.get("v1", "ConfigMap", space, "settings")["data"] == {"a": "1"}


def keys_of(run: Run) -> list[str]:
    from portal.provisioning.models import Step

    failed = next(step for step in rows(Step, run) if step.status == "failed")
    return [claim["adopt"] for claim in failed.error_detail["claims"]]


def test_adopting_needs_the_right_to_and_is_written_down_and_undone(
    committed_world, shared, kube, space, open_to_all, silent, finish
):
    theirs = deployment("web", replicas=0)
    theirs["metadata"]["namespace"] = space
    theirs["metadata"]["labels"] = {"app": "web", "app.kubernetes.io/managed-by": "Helm"}
    theirs["metadata"]["annotations"] = {"meta.helm.sh/release-name": "shop"}
    kube.create(theirs, manager="helm")
    wanted = [deployment("web", replicas=0, image="registry.example/web:2.0")]
    run = finish(launch(committed_world, wanted, space, actor=committed_world.mae))
    assert (
        f"Deployment web in namespace {space} stands there already and is made by Helm release shop" in run.error_text
    )
    [key] = keys_of(run)
    # Dev owns nothing of it: a confirmation in his name is none
    denied = finish(launch(committed_world, wanted, space, adoptions=[key]))
    assert (denied.status, denied.error_code) == ("failed", "object-claimed")
    assert "Ask the owning team, or a manager" in denied.error_text
    adopted = finish(launch(committed_world, wanted, space, actor=committed_world.mae, adoptions=[key]))
    assert (adopted.status, adopted.error_text) == ("succeeded", "")
    assert [effect.outcome for effect in rows(Effect, adopted)] == ["adopted"]
    with committed_world.tenant():
        events = AuditEvent.objects.for_tenant(committed_world.acme)
        assert events.filter(verb="object.adopted", actor=committed_world.mae).count() == 1
        assert events.filter(verb="run.launched", data__adopts__0=key.partition("@")[2]).exists()
    assert _image(kube, space) == "registry.example/web:2.0"
    undone = undo(committed_world, adopted, finish)
    assert undone.status == "undone"
    assert f"Deployment web in {space} is again what it was before this run." in texts(undone)
    back = kube.get("apps/v1", "Deployment", space, "web")
    assert _image(kube, space) == "registry.example/web:1.0"
    assert back["metadata"]["labels"] == theirs["metadata"]["labels"]
    assert {entry["manager"] for entry in back["metadata"]["managedFields"]} <= {"helm", "kube-controller-manager"}


def _image(kube: Kube, space: str) -> str:
    found = kube.get("apps/v1", "Deployment", space, "web")
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


def test_a_run_is_retried_with_an_adoption_by_whoever_may(
    committed_world, shared, kube, space, open_to_all, silent, finish, client_for
):
    """Dev's run stands before what somebody made by hand; Mae looks at the difference and confirms it in her name."""
    standing = {**config("settings", a="1", password="correct-horse"), "metadata": {"name": "settings"}}
    standing["metadata"]["namespace"] = space
    kube.create(standing, manager="hand")
    wanted = [config("settings", a="2", password="new-horse"), config("more", b="1")]
    run = finish(launch(committed_world, wanted, space))
    assert (run.status, run.error_code) == ("failed", "object-claimed")
    assert "Adopt it in the review or when you retry" in run.error_text
    place = reverse("run-retry", kwargs={"org": "acme", "run": run.pk})
    assert "Adopt ConfigMap settings" not in client_for(committed_world.dev).get(place).content.decode()
    mae = client_for(committed_world.mae)
    shown = html.unescape(mae.get(place).content.decode())
    assert "-  a: '1'" in shown
    assert "+  a: '2'" in shown
    assert "•••••• (another value)" in shown
    assert "correct-horse" not in shown
    assert "new-horse" not in shown
    told = mae.get(f"/api/o/acme/runs/{run.pk}/").json()
    assert ["diff" in claim for step in told["steps"] for claim in step["error_detail"].get("claims", ())] == [False]
    # a word that was never asked for is none
    assert mae.post(place, {"adopt": f"x@shared/v1/ConfigMap/{space}/other"}).status_code == 422
    # without the confirmation it is refused again, and Dev's own confirmation opens nothing
    [key] = keys_of(run)
    assert client_for(committed_world.dev).post(place, {"adopt": key}).status_code == 302
    assert finish(run).status == "failed"
    assert kube.get("v1", "ConfigMap", space, "settings")["data"]["a"] == "1"
    [key] = keys_of(run)
    assert mae.post(place, {"adopt": key}).status_code == 302
    done = finish(run)
    assert (done.status, done.error_text) == ("succeeded", "")
    assert kube.get("v1", "ConfigMap", space, "settings")["data"]["a"] == "2"
    assert sorted(effect.outcome for effect in rows(Effect, done)) == ["adopted", "created"]
    with committed_world.tenant():
        events = AuditEvent.objects.for_tenant(committed_world.acme)
        assert events.filter(verb="object.adopted", actor=committed_world.mae).count() == 1
        retried = events.filter(verb="run.retried", actor=committed_world.mae).get()
        assert retried.data["adopts"] == [key.partition("@")[2]]
    undo(committed_world, done, finish)
    assert kube.get("v1", "ConfigMap", space, "settings")["data"] == {"a": "1", "password": "correct-horse"}


def test_what_changed_since_the_confirmation_is_asked_again(
    committed_world, shared, kube, space, open_to_all, silent, finish
):
    standing = {**config("settings", a="1"), "metadata": {"name": "settings", "namespace": space}}
    made = kube.create(standing, manager="hand")
    mae = committed_world.mae
    [key] = keys_of(finish(launch(committed_world, [config("settings", a="2")], space, actor=mae)))
    kube.replace({**made, "data": {"a": "changed"}}, manager="hand")
    run = finish(launch(committed_world, [config("settings", a="2")], space, actor=mae, adoptions=[key]))
    assert (run.status, run.error_code) == ("failed", "object-claimed")
    assert "has changed since: look at it again" in run.error_text
    assert kube.get("v1", "ConfigMap", space, "settings")["data"] == {"a": "changed"}


def test_a_confirmation_is_for_the_shown_change_and_no_other(
    committed_world, shared, kube, space, open_to_all, silent, finish
):
    """The object stands as it was; what would be written over it is not what was shown."""
    kube.create({**config("settings", a="1"), "metadata": {"name": "settings", "namespace": space}}, manager="hand")
    mae = committed_world.mae
    [key] = keys_of(finish(launch(committed_world, [config("settings", a="2")], space, actor=mae)))
    [same] = keys_of(finish(launch(committed_world, [config("settings", a="2")], space, actor=mae)))
    assert key == same, "the same change in another run is the same change"
    run = finish(launch(committed_world, [config("settings", a="3")], space, actor=mae, adoptions=[key]))
    assert (run.status, run.error_code) == ("failed", "object-claimed")
    assert "has changed since: look at it again" in run.error_text
    assert kube.get("v1", "ConfigMap", space, "settings")["data"] == {"a": "1"}
    worn = {**config("settings", a="2"), "metadata": {"name": "settings", "labels": {"team": "other"}}}
    assert finish(launch(committed_world, [worn], space, actor=mae, adoptions=[key])).status == "failed"
    assert finish(launch(committed_world, [config("settings", a="2")], space, actor=mae, adoptions=[key])).status == (
        "succeeded"
    )


NAMES = ["../../kube-system/secrets/x", "..", ".", "a/b", "a%2fb", "Settings", "a b", "-a", "a..b", "a" * 254, "", "ä"]


@pytest.mark.parametrize("name", NAMES)
def test_the_review_says_of_a_name_what_the_run_says(
    committed_world, shared, silent, finish, open_to_all, client_for, do_jobs, name
):
    world = committed_world
    for manifest, space in (
        ({**config("settings", a="1"), "metadata": {"name": name}}, "payments"),
        ({**config("settings", a="1"), "metadata": {"name": "settings", "namespace": name or "/"}}, "payments"),
        (config("settings", a="1"), name or "/"),
    ):
        run = finish(launch(world, [manifest], space, actor=world.mae))
        assert (run.status, run.error_code) == ("failed", "bad-name"), (manifest, space)
        told, page = review(world, world.mae, path_of(world, [manifest], space), client_for, do_jobs)
        said = [problem["sentence"] for problem in told["problems"] if problem["blocks"]]
        assert told["launchable"] is False
        assert any(run.error_text.rstrip(".") in sentence for sentence in said), (run.error_text, said)
        assert "is none" in page


def test_no_confirmation_opens_another_organisations_object(
    committed_world, shared, kube, space, open_to_all, silent, finish
):
    finish(launch(committed_world, [config("settings", a="1")], space, organisation=committed_world.rival))
    from portal.clusters.writing import token_of

    token = token_of(kube.get("v1", "ConfigMap", space, "settings"), config("settings", a="2"))
    key = f"{token}@shared/v1/ConfigMap/{space}/settings"
    run = finish(
        launch(committed_world, [config("settings", a="2")], space, actor=committed_world.ada, adoptions=[key])
    )
    assert (run.status, run.error_code) == ("failed", "object-claimed")
    assert kube.get("v1", "ConfigMap", space, "settings")["data"] == {"a": "1"}


def test_a_secret_that_stood_there_is_kept_sealed(committed_world, shared, kube, space, open_to_all, silent, finish):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": space},
              "stringData": {"password": "correct-horse"}}  # fmt: skip
    kube.create(secret, manager="hand")
    wanted = [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"password": "new"}}]
    mae = committed_world.mae
    keys = keys_of(finish(launch(committed_world, wanted, space, actor=mae)))
    run = finish(launch(committed_world, wanted, space, actor=mae, adoptions=keys))
    assert run.status == "succeeded", run.error_text
    [effect] = rows(Effect, run)
    kept = json.dumps(effect.before)
    assert "kept" in effect.before
    assert "Y29ycmVjdC1ob3JzZQ" not in kept
    assert "correct-horse" not in kept
    undo(committed_world, run, finish)
    assert kube.get("v1", "Secret", space, "key")["data"] == {"password": "Y29ycmVjdC1ob3JzZQ=="}


def test_undo_deletes_what_it_made_unless_another_run_has_it_by_now(
    committed_world, shared, kube, space, open_to_all, silent, finish
):
    first = finish(launch(committed_world, [config("settings", a="1")], space))
    keys = keys_of(finish(launch(committed_world, [config("settings", a="2")], space)))
    second = finish(launch(committed_world, [config("settings", a="2")], space, adoptions=keys))
    assert second.status == "succeeded", second.error_text
    undo(committed_world, first, finish)
    assert f"ConfigMap settings in {space} belongs to somebody else by now; it stays." in texts(first)
    undo(committed_world, second, finish)
    assert kube.get("v1", "ConfigMap", space, "settings")["data"] == {"a": "1"}


def test_a_namespace_is_open_to_the_team_and_to_the_entity_it_was_made_for(
    committed_world, shared, kube, space, silent, finish
):
    """As a cluster is when it has just been connected."""
    run = finish(launch(committed_world, [config("settings", a="1")], space))
    assert (run.status, run.error_code) == ("failed", "out-of-reach")
    assert f"Namespace {space} is not open to this run on shared: open are payments, orders." in run.error_text
    # an entity that is named like somebody's namespace
    run = finish(launch(committed_world, [config("settings", a="1")], space, name=space))
    assert "stands there already and was not made for this entity" in run.error_text
    for name in ("kube-system", "default"):
        run = finish(launch(committed_world, [config("settings", a="1")], name, name=name))
        assert f"Namespace {name} is shared's own" in run.error_text
        assert kube.get("v1", "ConfigMap", name, "settings") is None


def test_naming_another_team_as_owner_opens_nothing(committed_world, shared, kube, silent, finish):
    from portal.accounts.models import Team

    with committed_world.tenant():
        Team.objects.create(
            organisation=committed_world.acme, slug="platform", name="Platform", ref="group:default/platform"
        )
    run = finish(launch(committed_world, [config("a", a="1")], "platform", owner="group:default/platform"))
    assert "Dev is not in Platform, so its namespaces stay shut." in run.error_text


NAMED = {"apiVersion": "v1", "kind": "Namespace"}


def test_a_team_that_is_called_like_a_namespace_does_not_get_it(
    committed_world, shared, kube, space, silent, finish, client_for
):
    """A lead may make a team below their own and call it as they like."""
    from portal.accounts.models import Team, TeamMembership

    with committed_world.tenant():
        team = Team.objects.create(
            organisation=committed_world.acme, slug=space, name="Self-made", ref=f"group:default/{space}"
        )
        TeamMembership.objects.create(organisation=committed_world.acme, team=team, user=committed_world.dev)
    owner = f"group:default/{space}"
    run = finish(launch(committed_world, [config("settings", a="1")], space, owner=owner))
    assert f"Namespace {space} stands there already and was not made for team {space}" in run.error_text
    assert kube.get("v1", "ConfigMap", space, "settings") is None
    # the keepers of the cluster give it to the team
    kube.apply({**NAMED, "metadata": {"name": space, "labels": {labels.TEAM: space}}}, manager="kubectl")
    again = finish(launch(committed_world, [config("settings", a="1")], space, owner=owner))
    assert again.status == "succeeded", again.error_text


def test_a_namespace_is_marked_for_its_team_and_its_organisation_alone(committed_world, shared, kube, silent, finish):
    """A path's author cannot say another team, and another organisation cannot come in by a team of the same name."""
    from portal.accounts.models import Team

    world, name = committed_world, f"pay-{uuid.uuid4().hex[:6]}"
    for organisation, person in ((world.acme, world.dev), (world.rival, world.eve)):
        with tenant(organisation):
            team = Team.objects.create(organisation=organisation, slug=name, name=name, ref=f"group:default/{name}")
            team.memberships.create(organisation=organisation, user=person)
    made = {**NAMED, "metadata": {"name": name, "labels": {labels.TEAM: "billing"}}}
    owner = f"group:default/{name}"
    first = finish(launch(world, [made, config("a", a="1")], name, owner=owner))
    assert first.status == "succeeded", first.error_text
    assert kube.get("v1", "Namespace", None, name)["metadata"]["labels"][labels.TEAM] == name
    second = finish(launch(world, [config("b", a="1")], name, name="other", owner=owner))
    assert second.status == "succeeded", second.error_text
    theirs = finish(launch(world, [config("c", a="1")], name, owner=owner, organisation=world.rival))
    assert f"Namespace {name} belongs to another organisation on shared" in theirs.error_text
    assert kube.get("v1", "ConfigMap", name, "c") is None
    # made before namespaces said for which team: its run does
    plain = kube.get("v1", "Namespace", None, name)
    del plain["metadata"]["labels"][labels.TEAM]
    kube.replace(plain, manager="suite")
    third = finish(launch(world, [config("d", a="1")], name, name="third", owner=owner))
    assert third.status == "succeeded", third.error_text
    kube.delete("v1", "Namespace", None, name)


def test_pods_say_whose_they_are_even_without_an_entity(
    committed_world, shared, kube, space, open_to_all, silent, finish
):
    """Else another organisation's selector or Service would take them for its own."""
    version = make_version(
        committed_world,
        [{"id": "apply", "name": "Apply", "action": "kubernetes:apply",
          "input": {"cluster": "shared", "namespace": space, "manifests": [deployment("web")]}}],
        organisation=committed_world.rival,
    )  # fmt: skip
    with tenant(committed_world.rival):
        run = actions.launch(
            organisation=committed_world.rival, actor=by(committed_world.eve), version=version, values={},
            idempotency_key=uuid.uuid4().hex,
        )  # fmt: skip
    assert finish(run).status == "succeeded"
    made = kube.get("apps/v1", "Deployment", space, "web")
    worn = made["spec"]["template"]["metadata"]["labels"]
    assert worn[labels.ORGANISATION] == labels.mark_of(committed_world.rival.pk, committed_world.rival.created_at)
    assert labels.ENTITY not in worn


@pytest.mark.parametrize(
    "guest",
    [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "guest"}, "stringData": {"a": "b"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "guest"}, "data": {"a": "b"}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "guest"}},
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "guest"},
         "spec": {"podSelector": {}}},
    ],
    ids=lambda guest: guest["kind"],
)  # fmt: skip
def test_undo_leaves_a_namespace_that_holds_anything_of_others(committed_world, shared, kube, silent, finish, guest):
    name = f"orders-{uuid.uuid4().hex[:6]}"
    run = finish(
        launch(committed_world, [{**NAMED, "metadata": {"name": name}}, config("mine", a="1")], name, name=name)
    )
    assert run.status == "succeeded", run.error_text
    kube.create({**guest, "metadata": {"name": "guest", "namespace": name}}, manager="kubectl")
    undo(committed_world, run, finish)
    kept = next(effect for effect in rows(Effect, run) if effect.label.startswith("Namespace"))
    assert kept.undo == "left"
    assert kept.undo_text == f"Namespace {name} holds {guest['kind']} guest, which this run did not make; it stays."
    assert kube.get(guest["apiVersion"], guest["kind"], name, "guest") is not None
    assert kube.get("v1", "ConfigMap", name, "mine") is None
    kube.delete("v1", "Namespace", None, name)


def test_undo_does_not_touch_what_a_later_run_took_over(
    committed_world, shared, kube, space, open_to_all, silent, finish
):
    """And the later one's Undo gives back what stood before both."""
    world, mae = committed_world, committed_world.mae
    kube.create({**config("legacy", a="1", b="2"), "metadata": {"name": "legacy", "namespace": space}}, manager="hand")

    def adopt(**data: str) -> Run:
        wanted = [config("legacy", **data)]
        keys = keys_of(finish(launch(world, wanted, space, name=f"o{len(data)}{data['a']}", actor=mae)))
        run = launch(world, wanted, space, name=f"o{len(data)}{data['a']}", actor=mae, adoptions=keys)
        assert finish(run).status == "succeeded", reload(run).error_text
        return reload(run)

    first, second = adopt(a="8", c="3"), adopt(a="77", c="3")
    before = kube.get("v1", "ConfigMap", space, "legacy")
    undo(world, first, finish)
    [left] = [effect for effect in rows(Effect, first) if effect.label.startswith("ConfigMap")]
    assert left.undo == "left"
    assert f"was taken over by run {second.pk} since" in left.undo_text
    assert kube.get("v1", "ConfigMap", space, "legacy")["metadata"] == before["metadata"]
    undo(world, second, finish)
    now = kube.get("v1", "ConfigMap", space, "legacy")
    assert now["data"] == {"a": "1", "b": "2"}
    assert not {labels.RUN, labels.ORGANISATION, labels.MANAGED_BY} & set(now["metadata"].get("labels") or {})


def test_a_namespace_that_the_path_makes_is_its_own_and_gone_with_undo(committed_world, shared, kube, silent, finish):
    name = f"orders-{uuid.uuid4().hex[:6]}"
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    run = finish(launch(committed_world, [config("settings", a="1"), made], name, name=name))
    assert run.status == "succeeded", run.error_text
    elsewhere = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{name}-too"}}
    refused = finish(launch(committed_world, [elsewhere], name, name=name))
    assert f"Namespace {name}-too is not open" in refused.error_text
    undo(committed_world, run, finish)
    assert all(effect.undo == "undone" for effect in rows(Effect, run))


GRANT = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory"}],
}


def test_cluster_admin_is_not_granted_without_an_admins_word(committed_world, shared, kube, silent, finish):
    name = f"grant-{uuid.uuid4().hex[:6]}"
    grant = {**GRANT, "metadata": {"name": name}}
    hidden = {"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "List", "items": [grant]}]}
    for manifest in (grant, {"apiVersion": "v1", "kind": "List", "items": [grant]}, hidden):
        run = finish(launch(committed_world, [manifest], "orders"))
        assert run.status == "failed"
        assert kube.get(grant["apiVersion"], grant["kind"], None, name) is None
    assert "this is no manifest" in run.error_text
    with committed_world.tenant():
        run = launch(committed_world, [grant], "orders")
        kind = "ClusterRoleBinding.rbac.authorization.k8s.io"
        path = run.version.path.slug
        AllowedKind.objects.create(organisation=committed_world.acme, cluster=shared["acme"], path=path, kind=kind)
    assert finish(run).status == "succeeded"
    kube.delete(grant["apiVersion"], grant["kind"], None, name)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"generateName": "a-"}, "generateName"),
        ({"generateName": "a-", "name": "a"}, "generateName"),
        ({"name": "a", "uid": "1"}, "metadata.uid"),
        ({"name": "a", "resourceVersion": "1"}, "metadata.resourceVersion"),
        ({"name": "a", "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "1"}]},
         "ownerReferences"),
    ],
)  # fmt: skip
def test_a_manifest_says_nothing_that_only_the_cluster_says(
    committed_world, shared, silent, finish, open_to_all, metadata, words
):
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {}}
    assert words in finish(launch(committed_world, [manifest], "payments")).error_text


def test_somebody_who_left_adopts_nothing(committed_world, shared, kube, space, open_to_all, silent, finish):
    kube.create({**config("settings", a="1"), "metadata": {"name": "settings", "namespace": space}}, manager="hand")
    mae = committed_world.mae
    keys = keys_of(finish(launch(committed_world, [config("settings", a="2")], space, actor=mae)))
    run = launch(committed_world, [config("settings", a="2")], space, actor=mae, adoptions=keys)
    with committed_world.tenant():
        Membership.objects.for_tenant(committed_world.acme).filter(user=mae).update(role="viewer")
    assert finish(run).status == "failed"
    assert kube.get("v1", "ConfigMap", space, "settings")["data"] == {"a": "1"}
    assert reload(run).error_code == "object-claimed"


def review(world: Any, person: Any, version: Any, client_for: Any, do_jobs: Any, name: str = "orders") -> Any:
    """The review as programs read it and as a page, as that person."""
    client, where = client_for(person), {"org": "acme", "path": version.path.slug}
    fields = {"f.name": name, "f.owner": "group:default/payments"}
    assert client.post(reverse("path-review", kwargs=where), fields).status_code == 302
    [job] = do_jobs(world.acme)
    assert job.state == "succeeded", job.refusal
    page = client.get(reverse("path-reviewed", kwargs={**where, "uid": job.uid}))
    return job.result, html.unescape(page.content.decode())


def test_the_review_refuses_what_the_run_would_refuse(
    committed_world, shared, kube, space, open_to_all, silent, finish, client_for, do_jobs
):
    world = committed_world
    finish(launch(world, [config("settings", a="1")], space, organisation=world.rival))
    version = path_of(world, [config("settings", a="2")], space)
    told, page = review(world, world.ada, version, client_for, do_jobs)
    sentence = f"ConfigMap settings in namespace {space} belongs to another organisation on this cluster."
    assert told["launchable"] is False
    assert any(sentence in problem["sentence"] for problem in told["problems"])
    assert sentence in page
    assert "Rival" not in page
    assert [(one["adoptable"], one["adopt"], one["diff"]) for one in told["claims"]] == [(False, "", [])]


def test_the_review_says_where_a_run_may_not_write(committed_world, shared, kube, space, silent, client_for, do_jobs):
    version = path_of(committed_world, [config("settings", a="2"), {**GRANT, "metadata": {"name": "all"}}], space)
    told, page = review(committed_world, committed_world.dev, version, client_for, do_jobs)
    said = " ".join(problem["sentence"] for problem in told["problems"] if problem["blocks"])
    assert told["launchable"] is False
    assert f"Namespace {space} is not open to this run on shared" in said
    assert "ClusterRoleBinding all lies in no namespace, so it is for everybody on shared." in said
    assert "is not open to this run on shared" in page


def test_adopting_in_the_review_shows_the_difference_and_is_offered_to_those_who_may(
    committed_world, shared, kube, space, open_to_all, silent, finish, client_for, do_jobs
):
    world = committed_world
    kube.create({**config("settings", a="1"), "metadata": {"name": "settings", "namespace": space}}, manager="hand")
    version = path_of(world, [config("settings", a="2")], space)
    told, page = review(world, world.dev, version, client_for, do_jobs)
    assert told["launchable"] is False
    assert "Ask the owning team, or a manager" in told["claims"][0]["whyNot"]
    assert 'name="adopt"' not in page
    told, page = review(world, world.mae, version, client_for, do_jobs)
    assert told["launchable"] is True
    [claim] = told["claims"]
    assert "-  a: '1'" in claim["diff"]
    assert "+  a: '2'" in claim["diff"]
    assert f'name="adopt" value="{claim["adopt"]}"' in page
    assert "+  a: '2'" in page
    assert kube.get("v1", "ConfigMap", space, "settings")["data"] == {"a": "1"}, "a review makes nothing"
    hidden = re.findall(r'<input type="hidden" name="(values|version|key|digest|review)" value="([^\n]*?)">', page)
    body = {**dict(hidden), "adopt": claim["adopt"]}
    assert set(body) == {"values", "version", "key", "digest", "review", "adopt"}
    launched = client_for(world.mae).post(
        reverse("path-launch", kwargs={"org": "acme", "path": version.path.slug}), body
    )
    assert launched.status_code == 302, launched.content
    with world.tenant():
        run = Run.objects.for_tenant(world.acme).get(version=version)
    assert finish(run).status == "succeeded"
    assert kube.get("v1", "ConfigMap", space, "settings")["data"] == {"a": "2"}
    over_api = {"path": version.path.slug, "values": {"name": "orders"}, "adopt": ["x" * 801]}
    answer = client_for(world.mae).post(reverse("api-runs", kwargs={"org": "acme"}), over_api, "application/json")
    assert answer.status_code == 400
