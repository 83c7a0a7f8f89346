"""The guarded door, on every cluster at hand: takes nothing over, loses no race, puts back what it changed."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from portal.clusters import claims, kubeconfig, labels, restoring, writing
from portal.clusters.claims import Claimant, Remembered
from portal.clusters.errors import KubeConflict, KubeError
from portal.clusters.kube import Kube, connect_target
from portal.clusters.reach import Reach
from portal.clusters.writing import Guard, KeptObject, Seen
from tests.contract.manifests import config, deployment, service
from tests.contract.planes import ClusterUnderTest
from tests.sandbox.process import Api

ENTITY = "component:default/orders"


class Refused(Exception):
    """What the confirmation of these tests raises."""


def refuse(seen: Seen) -> None:
    raise Refused(claims.sentence(seen.standing))


def adopt(seen: Seen) -> None:
    assert seen.standing.is_adoptable, seen.standing


def guard(organisation: int = 1, lineage: str = "7", entity: str = ENTITY, **more: Any) -> Guard:
    mark = labels.mark_of(organisation, datetime(2026, 1, 1, tzinfo=UTC))
    return Guard(Claimant(mark, labels.recognised(entity), lineage), Reach(("*",)), **more)


ACME, RIVAL = guard(1), guard(2, "8")


@pytest.fixture
def kube(cluster: ClusterUnderTest) -> Kube:
    return connect_target(cluster.name, kubeconfig.parse(cluster.kubeconfig.read_text()))


def placed(manifest: dict[str, Any], namespace: str, who: Guard = ACME) -> dict[str, Any]:
    made = copy.deepcopy(manifest)
    made["metadata"]["namespace"] = namespace
    entity = next(iter(who.claimant.entities), "")
    return claims.marked(made, who.claimant, run=who.claimant.lineage, entity=entity)


def write(
    kube: Kube,
    manifest: dict[str, Any],
    namespace: str,
    who: Guard = ACME,
    confirmed: Callable[[Seen], None] = refuse,
) -> tuple[writing.Written, list[dict[str, Any]]]:
    kept: list[dict[str, Any]] = []
    wanted = placed(manifest, namespace, who)
    return writing.write(kube, who, wanted, confirmed=confirmed, remember_before=kept.append), kept


def managers(obj: dict[str, Any]) -> set[tuple[str, str]]:
    return {(entry["manager"], entry["operation"]) for entry in obj["metadata"].get("managedFields") or []}


def settings(kube: Kube, namespace: str) -> dict[str, Any]:
    found = kube.get("v1", "ConfigMap", namespace, "settings")
    assert found is not None
    return found


def test_a_new_object_is_held_by_its_organisation_alone(kube: Kube, namespace: str) -> None:
    written, kept = write(kube, config("settings", a="1"), namespace)
    assert (written.outcome, kept) == ("created", [])
    found = settings(kube, namespace)
    assert managers(found) == {(ACME.claimant.manager, "Apply")}
    assert found["metadata"]["labels"] | {} == {
        labels.MANAGED_BY: "slipway",
        labels.ORGANISATION: ACME.claimant.organisation,
        labels.ENTITY: "component.default.orders",
        labels.LINEAGE: "7",
        labels.RUN: "7",
    }


def test_the_same_again_changes_nothing_and_less_takes_away(kube: Kube, namespace: str) -> None:
    write(kube, config("settings", a="1", b="1"), namespace)
    again, _ = write(kube, config("settings", a="1", b="1"), namespace)
    assert again.outcome == "unchanged"
    write(kube, config("settings", a="2"), namespace)
    assert settings(kube, namespace)["data"] == {"a": "2"}


def test_another_organisations_service_is_not_repointed(kube: Kube, namespace: str) -> None:
    write(kube, service("web"), namespace, RIVAL)
    before = kube.get("v1", "Service", namespace, "web")
    stolen = service("web")
    stolen["spec"]["selector"] = {"app": "attacker"}
    with pytest.raises(Refused, match="belongs to another organisation"):
        write(kube, stolen, namespace)
    assert kube.get("v1", "Service", namespace, "web") == before


def test_an_image_of_somebody_elses_deployment_is_not_replaced(kube: Kube, api: Api, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    api.create(path, deployment("web", replicas=0), fieldManager="helm")
    with pytest.raises(Refused, match="is made by helm"):
        write(kube, deployment("web", replicas=0, image="registry.example/evil:1"), namespace)
    standing = api.json(f"{path}/web")
    assert standing["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/web:1.0"
    assert labels.RUN not in standing["metadata"]["labels"]


def test_objects_of_the_shared_manager_pass_to_the_organisation_that_made_them(kube: Kube, namespace: str) -> None:
    """As older versions left them: no mark, one manager for everybody."""
    old = placed(config("settings", a="1", b="1"), namespace)
    for label in (labels.ORGANISATION, labels.LINEAGE):
        del old["metadata"]["labels"][label]
    kube.apply(old, manager=labels.SHARED_MANAGER)
    with pytest.raises(Refused, match="another organisation"):
        write(kube, config("settings", a="2"), namespace, RIVAL)
    assert managers(settings(kube, namespace)) == {(labels.SHARED_MANAGER, "Apply")}
    knows = guard(
        1, remember=lambda uid: Remembered("7") if uid == settings(kube, namespace)["metadata"]["uid"] else None
    )
    written, _ = write(kube, config("settings", a="2"), namespace, knows)
    assert managers(written.now) == {(ACME.claimant.manager, "Apply")}
    assert written.now["data"] == {"a": "2"}, "what it owned and applies no longer goes"
    assert written.now["metadata"]["labels"][labels.ORGANISATION] == ACME.claimant.organisation


def test_somebody_who_is_quicker_between_look_and_write_keeps_their_object(
    kube: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look finds nothing; then the other creates; then we write."""
    look = writing.look

    def slow_look(kube: Kube, who: Guard, wanted: dict[str, Any], **more: Any) -> Seen:
        seen = look(kube, who, wanted, **more)
        if seen.found is None and who is ACME:
            write(kube, config("settings", a="theirs"), namespace, RIVAL)
        return seen

    monkeypatch.setattr(writing, "look", slow_look)
    with pytest.raises(Refused, match="another organisation"):
        write(kube, config("settings", a="ours"), namespace)
    assert settings(kube, namespace)["data"] == {"a": "theirs"}
    assert managers(settings(kube, namespace)) == {(RIVAL.claimant.manager, "Apply")}


def test_an_object_that_is_made_anew_between_look_and_write_is_looked_at_again(
    kube: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(kube, config("settings", a="1"), namespace)
    look = writing.look
    looks: list[Seen] = []

    def slow_look(kube: Kube, who: Guard, wanted: dict[str, Any], **more: Any) -> Seen:
        seen = look(kube, who, wanted, **more)
        looks.append(seen)
        if len(looks) == 1:
            kube.delete("v1", "ConfigMap", namespace, "settings")
            theirs = placed(config("settings", a="theirs"), namespace, RIVAL)
            kube.create(theirs, manager=RIVAL.claimant.manager)
        return seen

    monkeypatch.setattr(writing, "look", slow_look)
    with pytest.raises(Refused, match="another organisation"):
        write(kube, config("settings", a="2"), namespace)
    assert settings(kube, namespace)["data"] == {"a": "theirs"}


def test_a_race_of_two_organisations_has_one_winner_and_no_mixture(kube: Kube, namespace: str) -> None:
    for number in range(6):
        start = threading.Barrier(2)
        outcomes: dict[str, str] = {}

        def go(name: str, who: Guard, at: str, start: threading.Barrier, outcomes: dict[str, str]) -> None:
            start.wait()
            try:
                outcomes[name] = write(kube, config(at, who=name, **{name: "1"}), namespace, who)[0].outcome
            except Refused:
                outcomes[name] = "refused"

        threads = [
            threading.Thread(target=go, args=(name, who, f"race-{number}", start, outcomes))
            for name, who in (("acme", ACME), ("rival", RIVAL))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(outcomes.values()) == ["created", "refused"]
        winner = next(name for name, outcome in outcomes.items() if outcome == "created")
        found = kube.get("v1", "ConfigMap", namespace, f"race-{number}")
        assert found is not None
        assert found["data"] == {"who": winner, winner: "1"}
        assert len(managers(found)) == 1


def test_adopting_is_of_exactly_what_was_seen_and_undo_gives_it_back(kube: Kube, api: Api, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    api.create(path, deployment("web", replicas=0), fieldManager="helm")
    settled = api.until(f"{path}/web", lambda obj: obj.get("status", {}).get("observedGeneration") == 1)
    theirs = restoring.content_of(settled)
    wanted = deployment("web", replicas=0, image="registry.example/web:2.0")
    seen = writing.look(kube, ACME, placed(wanted, namespace), with_diff=True)
    assert seen.standing.kind == "foreign"
    assert any(line.startswith("-") and "web:1.0" in line for line in seen.diff)
    assert any(line.startswith("+") and "web:2.0" in line for line in seen.diff)
    written, kept = write(kube, wanted, namespace, confirmed=adopt)
    assert written.outcome == "adopted"
    assert restoring.content_of(kept[0]) == theirs
    assert written.now["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/web:2.0"
    now = kube.get("apps/v1", "Deployment", namespace, "web")
    while (done := writing.put_back(kube, ACME.claimant, KeptObject(kept[0], written.now), now)) is None:
        now = kube.get("apps/v1", "Deployment", namespace, "web")
    assert done.kept == ()
    back = kube.get("apps/v1", "Deployment", namespace, "web")
    assert _still(back) == _still(theirs)
    held = {entry["manager"]: entry["fieldsV1"] for entry in back["metadata"]["managedFields"]}
    assert ACME.claimant.manager not in held
    assert "f:spec" in held["helm"]
    # whoever it belongs to goes on as if nothing had been
    mine = deployment("web", replicas=0, image="registry.example/web:1.1")
    assert api.apply(f"{path}/web", mine, manager="helm").status_code in (200, 409)


def _still(obj: dict[str, Any]) -> dict[str, Any]:
    """The content without what a controller notes on the object as time passes."""
    content = restoring.content_of(obj)
    notes = content["metadata"].get("annotations") or {}
    kept = {key: value for key, value in notes.items() if key != "deployment.kubernetes.io/revision"}
    content["metadata"]["annotations"] = kept
    return content


def test_undo_leaves_what_others_changed_meanwhile(kube: Kube, api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    api.create(path, config("settings", a="1", b="1", c="1"), fieldManager="hand")
    written, kept = write(kube, config("settings", a="2", b="2"), namespace, confirmed=adopt)
    api.patch(f"{path}/settings", {"data": {"b": "theirs", "d": "theirs"}}, fieldManager="hand")
    done = writing.put_back(kube, ACME.claimant, KeptObject(kept[0], written.now), settings(kube, namespace))
    assert done is not None
    assert done.kept == ("data.b",)
    back = settings(kube, namespace)
    assert back["data"] == {"a": "1", "b": "theirs", "c": "1", "d": "theirs"}
    assert labels.RUN not in (back["metadata"].get("labels") or {})
    assert all(manager != ACME.claimant.manager for manager, _ in managers(back))


def test_an_edit_by_hand_of_our_own_object_is_a_conflict_and_not_forced(kube: Kube, api: Api, namespace: str) -> None:
    write(kube, config("settings", a="1"), namespace)
    api.patch(
        f"/api/v1/namespaces/{namespace}/configmaps/settings", {"data": {"a": "hand"}}, fieldManager="kubectl-edit"
    )
    with pytest.raises(KubeConflict) as caught:
        write(kube, config("settings", a="2"), namespace)
    assert caught.value.fields == [{"field": ".data.a", "manager": "kubectl-edit"}]
    assert settings(kube, namespace)["data"] == {"a": "hand"}


def test_an_autoscalers_number_stays(kube: Kube, api: Api, cluster: ClusterUnderTest, namespace: str) -> None:
    write(kube, deployment("web", replicas=1), namespace)
    path = cluster.newest("HorizontalPodAutoscaler", "autoscaling/v2", "autoscaling/v1")
    scaler = {
        "apiVersion": path.removeprefix("/apis/"),
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 1,
            "maxReplicas": 9,
        },
    }
    api.create(f"{path}/namespaces/{namespace}/horizontalpodautoscalers", scaler)
    scaled = {"spec": {"replicas": 4}}
    deployments = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    api.patch(f"{deployments}/scale", scaled, fieldManager="kube-controller-manager")
    written, _ = write(kube, deployment("web", replicas=1, image="registry.example/web:1.1"), namespace)
    assert written.now["spec"]["replicas"] == 4
    assert written.is_scaled
    assert written.now["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/web:1.1"


def test_an_object_that_waits_for_its_finalizer_is_not_written_over(kube: Kube, api: Api, namespace: str) -> None:
    held = config("settings", a="1")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    write(kube, held, namespace)
    path = f"/api/v1/namespaces/{namespace}/configmaps/settings"
    api.delete(path)
    try:
        with pytest.raises(Refused, match=r"is being deleted; it waits for example.com/hold"):
            write(kube, config("settings", a="2"), namespace)
    finally:
        api.patch(path, {"metadata": {"finalizers": None}})


def test_a_namespace_that_others_made_is_not_opened_by_an_entitys_name(kube: Kube, namespace: str) -> None:
    named = Guard(ACME.claimant, Reach(("{entity}",), entity=namespace, cluster="Prod"))
    wanted = placed(config("settings", a="1"), namespace)
    assert "was not made for this entity" in writing.refusals(kube, named, [wanted])[0]
    literal = Guard(ACME.claimant, Reach((namespace,), cluster="Prod"))
    assert writing.refusals(kube, literal, [wanted]) == []
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "everything"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    }
    assert "lies in no namespace" in writing.refusals(kube, literal, [binding])[0]


def test_a_job_from_before_its_pods_were_marked_is_applied_again(kube: Kube, namespace: str) -> None:
    """Its template can never be changed: the marks that came later stand on the Job alone."""
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate"},
        "spec": {
            "template": {
                "metadata": {"labels": {"app": "migrate"}},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "migrate", "image": "registry.example/migrate:1.0"}],
                },
            },
        },
    }
    before = claims.marked(job, ACME.claimant, run=ACME.claimant.lineage)  # as it went in before pods were marked
    before["metadata"]["namespace"] = namespace
    kube.apply(before, manager=ACME.claimant.manager)
    wanted = claims.marked(
        copy.deepcopy(job), ACME.claimant, run="8", entity="orders", pods=("spec", "template", "metadata")
    )
    wanted["metadata"]["namespace"] = namespace
    with pytest.raises(KubeError):
        kube.apply(wanted, manager=ACME.claimant.manager, dry_run=True)
    written = writing.write(kube, ACME, wanted, confirmed=refuse, remember_before=lambda _: None)
    assert written.outcome == "updated"
    now = kube.get("batch/v1", "Job", namespace, "migrate")
    assert now is not None
    assert now["metadata"]["labels"][labels.RUN] == "8"
    assert labels.ORGANISATION not in now["spec"]["template"]["metadata"]["labels"]
    # a new one has them, and is applied again as it stands
    wanted["metadata"]["name"] = "migrate-2"
    for outcome in ("created", "unchanged"):
        assert writing.write(kube, ACME, wanted, confirmed=refuse, remember_before=lambda _: None).outcome == outcome
    again = kube.get("batch/v1", "Job", namespace, "migrate-2")
    assert again is not None
    assert again["spec"]["template"]["metadata"]["labels"][labels.ORGANISATION] == ACME.claimant.organisation
