"""Everything that kube.py does, on every cluster at hand. What a server lacks is asked of its discovery."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from portal.clusters import kubeconfig
from portal.clusters.actions import examine
from portal.clusters.errors import (
    KubeConflict,
    KubeForbidden,
    KubeInvalid,
    KubeNotFound,
    KubeNotServed,
    KubeUnauthorized,
    KubeUnreachable,
)
from portal.clusters.kube import Kube, connect_target
from tests.contract.planes import ClusterUnderTest


@pytest.fixture
def kube(cluster: ClusterUnderTest) -> Kube:
    return connect_target(cluster.name, kubeconfig.parse(cluster.kubeconfig.read_text()))


def until(check: Callable[[], Any], seconds: float = 30) -> Any:
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, f"not within {seconds} s; last: {found!r}"
        time.sleep(0.05)
    return found


def config(namespace: str, name: str = "settings", **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": {"suite": "kube"}},
        "data": data,
    }


def deployment(namespace: str, name: str = "web", replicas: int | None = 2, image: str = "app:1") -> dict[str, Any]:
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "web", "image": image}]},
        },
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def test_it_tells_its_version(kube: Kube) -> None:
    assert kube.version().startswith("v1.")


def test_discovery_agrees_with_the_server(kube: Kube, cluster: ClusterUnderTest) -> None:
    found = kube.discovery()
    for kind, versions in (
        ("CronJob", ("batch/v1", "batch/v1beta1")),
        ("HorizontalPodAutoscaler", ("autoscaling/v2", "autoscaling/v2beta2")),
        ("EndpointSlice", ("discovery.k8s.io/v1", "discovery.k8s.io/v1beta1")),
        ("PodDisruptionBudget", ("policy/v1", "policy/v1beta1")),
    ):
        served = [version for version in versions if cluster.serves(version, kind)]
        assert found.newest(kind) == served[0]
        assert [version for version in versions if found.serves(version, kind)] == served
    assert found.newest("NoSuchKind") is None
    deployment_ = found.resource("apps/v1", "Deployment")
    assert (deployment_.plural, deployment_.is_namespaced) == ("deployments", True)
    assert "patch" in deployment_.verbs
    assert not found.resource("v1", "Node").is_namespaced


def test_a_kind_that_is_not_served_is_named_with_what_is(kube: Kube, namespace: str) -> None:
    with pytest.raises(
        KubeNotServed, match=r"does not serve Deployment as apps/v9\. It serves Deployment as apps/v1\."
    ):
        kube.apply({**deployment(namespace), "apiVersion": "apps/v9"})


def test_apply_creates_then_changes_and_says_nothing_twice(kube: Kube, namespace: str) -> None:
    first = kube.apply(config(namespace, colour="red"))
    again = kube.apply(config(namespace, colour="red"))
    changed = kube.apply(config(namespace, colour="blue"))
    assert first["metadata"]["uid"] == again["metadata"]["uid"] == changed["metadata"]["uid"]
    assert first["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]
    assert changed["data"] == {"colour": "blue"}
    managers = [item["manager"] for item in changed["metadata"]["managedFields"]]
    assert managers == ["slipway"]


def test_a_dry_run_answers_and_makes_nothing(kube: Kube, namespace: str) -> None:
    assert kube.apply(config(namespace, colour="red"), dry_run=True)["data"] == {"colour": "red"}
    assert kube.get("v1", "ConfigMap", namespace, "settings") is None


def test_a_conflict_names_field_and_manager_and_force_takes_it(
    kube: Kube, cluster: ClusterUnderTest, namespace: str
) -> None:
    kube.apply(deployment(namespace, replicas=1))
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    answer = cluster.api.apply(path, deployment(namespace, replicas=3), manager="somebody", force=True)
    assert answer.status_code == 200
    with pytest.raises(KubeConflict) as caught:
        kube.apply(deployment(namespace, replicas=1))
    assert {"field": ".spec.replicas", "manager": "somebody"} in caught.value.fields
    assert "somebody" in caught.value.text
    assert kube.apply(deployment(namespace, replicas=1), force=True)["spec"]["replicas"] == 1


def test_a_missing_namespace_is_not_found(kube: Kube) -> None:
    with pytest.raises(KubeNotFound, match="not found"):
        kube.apply(config(f"nowhere-{uuid.uuid4().hex[:6]}"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda manifest: manifest["spec"].update(bogus=1),
        lambda manifest: manifest["spec"]["template"]["spec"].update(containers=[]),
        lambda manifest: manifest["metadata"].update(name="Not A Name"),
        lambda manifest: manifest["spec"].update(replicas=-1),
    ],
    ids=["unknown field", "no containers", "bad name", "negative"],
)
def test_what_will_never_be_taken_is_invalid(kube: Kube, namespace: str, spoil: Callable[[Any], None]) -> None:
    manifest = deployment(namespace)
    spoil(manifest)
    with pytest.raises(KubeInvalid):
        kube.apply(manifest)


def test_a_selector_cannot_be_changed(kube: Kube, namespace: str) -> None:
    kube.apply(deployment(namespace))
    changed = deployment(namespace)
    changed["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    changed["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    with pytest.raises(KubeInvalid):
        kube.apply(changed)


def test_get_list_and_selectors(kube: Kube, namespace: str) -> None:
    for name in ("a", "b"):
        kube.apply(config(namespace, name, key=name))
    found = kube.list("v1", "ConfigMap", namespace, "suite=kube")
    assert sorted(item["metadata"]["name"] for item in found) == ["a", "b"]
    assert {item["kind"] for item in found} == {"ConfigMap"}
    assert kube.get("v1", "ConfigMap", namespace, "a")["data"] == {"key": "a"}
    assert kube.get("v1", "ConfigMap", namespace, "c") is None
    assert kube.list("v1", "ConfigMap", namespace, "suite=other") == []
    assert any(item["metadata"]["name"] == namespace for item in kube.list("v1", "Namespace"))


def test_a_list_is_read_through_all_its_pages(kube: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.clusters.kube.PAGE", 2)
    for number in range(5):
        kube.apply(config(namespace, f"item-{number}", key="x"))
    found = kube.list("v1", "ConfigMap", namespace, "suite=kube")
    assert [item["metadata"]["name"] for item in found] == [f"item-{number}" for number in range(5)]


def test_delete_is_of_that_very_object(kube: Kube, namespace: str) -> None:
    made = kube.apply(config(namespace))
    assert kube.delete("v1", "ConfigMap", namespace, "settings", uid=str(uuid.uuid4())) is False
    assert kube.get("v1", "ConfigMap", namespace, "settings") is not None
    assert kube.delete("v1", "ConfigMap", namespace, "settings", uid=made["metadata"]["uid"]) is True
    assert kube.delete("v1", "ConfigMap", namespace, "settings") is False


def test_scale_is_kept_by_an_apply_that_leaves_replicas_out(kube: Kube, namespace: str) -> None:
    kube.apply(deployment(namespace, replicas=None))
    assert kube.patch_scale("apps/v1", "Deployment", namespace, "web", 3) == 3
    assert kube.apply(deployment(namespace, replicas=None))["spec"]["replicas"] == 3


def test_logs_or_the_reason_why_there_are_none(kube: Kube, cluster: ClusterUnderTest, namespace: str) -> None:
    kube.apply(deployment(namespace, replicas=1))

    def running() -> Any:
        pods = kube.list("v1", "Pod", namespace, "app=web")
        return pods if pods and pods[0].get("status", {}).get("phase") == "Running" else None

    [pod] = until(running)
    served = cluster.api.get(f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/log").status_code == 200
    if served:
        assert len(kube.logs(namespace, pod["metadata"]["name"], tail=5).splitlines()) <= 5
    else:  # pretend nodes have no kubelet to ask
        with pytest.raises(KubeUnreachable, match="connection refused"):
            kube.logs(namespace, pod["metadata"]["name"], tail=5)
    with pytest.raises(KubeNotFound):
        kube.logs(namespace, "no-such-pod")
    with pytest.raises(KubeInvalid):
        kube.logs(namespace, pod["metadata"]["name"], container="no-such-container")


def test_a_wrong_token_is_unauthorized(cluster: ClusterUnderTest) -> None:
    target = kubeconfig.parse(cluster.kubeconfig.read_text())
    stranger = replace(target, token="nobody", certificate="", key="")
    with pytest.raises(KubeUnauthorized, match="does not accept Slipway's credential"):
        connect_target(cluster.name, stranger).list("v1", "Pod")


def test_a_viewer_may_look_and_not_touch(cluster: ClusterUnderTest, namespace: str) -> None:
    if cluster.viewer is None:
        pytest.skip(f"{cluster.name} comes without a viewer's kubeconfig")
    viewer = connect_target(cluster.name, kubeconfig.parse(cluster.viewer.read_text()))
    assert isinstance(viewer.list("v1", "ConfigMap", namespace), list)
    with pytest.raises(KubeForbidden, match="does not allow this"):
        viewer.apply(config(namespace))
    assert viewer.may("list", "", "pods")
    assert not viewer.may("delete", "", "pods")


def test_another_authority_is_not_trusted(cluster: ClusterUnderTest, kube: Kube) -> None:
    target = kubeconfig.parse(cluster.kubeconfig.read_text())
    if not target.server.startswith("https://"):
        pytest.skip(f"{cluster.name} speaks plain HTTP")
    with pytest.raises(KubeUnreachable, match="not signed by the authority"):
        connect_target(cluster.name, replace(target, ca="")).version()


def test_nobody_there_is_a_sentence() -> None:
    target = kubeconfig.ClusterTarget(server="https://127.0.0.1:1", token="x")
    with pytest.raises(KubeUnreachable, match=r"does not answer: the connection was refused\."):
        connect_target("nowhere", target).version()


def test_an_administrator_is_warned_of_at_registration(kube: Kube) -> None:
    seen = examine(kube)
    assert seen.version == kube.version()
    assert any("may do everything" in words for words in seen.advice)
