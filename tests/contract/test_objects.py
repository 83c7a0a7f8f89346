"""Creating, reading, changing and deleting single objects."""

from __future__ import annotations

import pytest
import requests

from tests.contract.manifests import config, deployment, is_rolled_out, pod, service
from tests.contract.planes import ClusterUnderTest
from tests.sandbox.process import Api


def test_version_names_a_release(cluster: ClusterUnderTest) -> None:
    assert cluster.version.startswith("v1.")


def test_discovery_lists_the_kinds_that_the_portal_writes(cluster: ClusterUnderTest) -> None:
    for api_version, kind in (("v1", "Pod"), ("v1", "Service"), ("apps/v1", "Deployment"), ("batch/v1", "Job")):
        assert cluster.serves(api_version, kind)
    assert cluster.kinds["apps/v1", "Deployment"]["namespaced"] is True
    assert cluster.kinds["v1", "Node"]["namespaced"] is False


def test_no_token_is_401(api: Api) -> None:
    session = requests.Session()
    session.trust_env = False
    response = session.get(
        f"{api.server}/api/v1/pods", verify=api.session.verify, headers={"Authorization": "Bearer wrong"}, timeout=10
    )
    assert response.status_code == 401
    assert response.json()["reason"] == "Unauthorized"


def test_the_viewer_reads_and_may_not_write(cluster: ClusterUnderTest, namespace: str) -> None:
    if cluster.viewer is None:
        pytest.skip(f"no viewer kubeconfig beside that of {cluster.name}")
    viewer = Api(cluster.viewer)
    assert viewer.get(f"/api/v1/namespaces/{namespace}/pods").status_code == 200
    refused = viewer.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", config("a"))
    assert refused.status_code == 403
    status = refused.json()
    assert status["reason"] == "Forbidden"
    assert 'cannot create resource "configmaps" in API group "" in the namespace' in status["message"]
    assert viewer.get(f"/api/v1/namespaces/{namespace}/secrets").status_code == 403
    assert viewer.get("/api/v1/nodes").json()["message"].endswith("at the cluster scope")


def test_created_objects_carry_the_servers_metadata(api: Api, namespace: str) -> None:
    made = api.create(f"/api/v1/namespaces/{namespace}/configmaps", config("settings", colour="blue"))
    metadata = made["metadata"]
    assert metadata["namespace"] == namespace
    assert metadata["uid"]
    assert metadata["creationTimestamp"].endswith("Z")
    assert int(metadata["resourceVersion"]) > 0
    assert made == api.json(f"/api/v1/namespaces/{namespace}/configmaps/settings")


def test_a_name_that_is_taken_is_409(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    api.create(path, config("settings"))
    again = api.request("POST", path, config("settings"))
    assert again.status_code == 409
    assert again.json()["reason"] == "AlreadyExists"
    assert again.json()["message"] == 'configmaps "settings" already exists'
    assert again.json()["details"] == {"name": "settings", "kind": "configmaps"}


def test_generated_names_are_unique(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    body = {"metadata": {"generateName": "made-"}}
    names = {api.create(path, body)["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("made-") and len(name) == 10 for name in names)


def test_what_is_not_there_is_404(api: Api, namespace: str) -> None:
    answer = api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/none")
    assert answer.status_code == 404
    status = answer.json()
    assert status["message"] == 'deployments.apps "none" not found'
    assert status["details"] == {"name": "none", "group": "apps", "kind": "deployments"}


def test_an_unknown_path_is_404(api: Api) -> None:
    assert api.get("/apis/apps/v1/spaceships").status_code == 404


def test_a_namespace_that_is_not_there_is_404(api: Api) -> None:
    answer = api.request("POST", "/api/v1/namespaces/nowhere/configmaps", config("a"))
    assert answer.status_code == 404
    assert answer.json()["message"] == 'namespaces "nowhere" not found'


def test_bad_names_and_labels_are_422_with_their_fields(api: Api, namespace: str) -> None:
    body = config("Bad_Name")
    body["metadata"]["labels"] = {"owner": "team/payments"}
    answer = api.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", body)
    assert answer.status_code == 422
    status = answer.json()
    assert status["reason"] == "Invalid"
    assert status["details"]["kind"] == "ConfigMap"
    assert {cause["field"] for cause in status["details"]["causes"]} == {"metadata.name", "metadata.labels"}
    assert {cause["reason"] for cause in status["details"]["causes"]} == {"FieldValueInvalid"}


def test_required_fields_are_named(api: Api, namespace: str) -> None:
    body = deployment("web")
    del body["spec"]["template"]["spec"]["containers"][0]["image"]
    answer = api.request("POST", f"/apis/apps/v1/namespaces/{namespace}/deployments", body)
    assert answer.status_code == 422
    causes = answer.json()["details"]["causes"]
    assert [(cause["field"], cause["reason"]) for cause in causes] == [
        ("spec.template.spec.containers[0].image", "FieldValueRequired")
    ]


def test_a_selector_must_match_its_template(api: Api, namespace: str) -> None:
    body = deployment("web")
    body["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    answer = api.request("POST", f"/apis/apps/v1/namespaces/{namespace}/deployments", body)
    assert answer.status_code == 422
    assert "`selector` does not match template `labels`" in answer.json()["message"]


def test_a_wrong_type_is_400(api: Api, namespace: str) -> None:
    body = deployment("web")
    body["spec"]["replicas"] = "two"
    answer = api.request("POST", f"/apis/apps/v1/namespaces/{namespace}/deployments", body)
    assert answer.status_code == 400
    assert answer.json()["reason"] == "BadRequest"


def test_the_selector_of_a_deployment_is_immutable(api: Api, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    api.create(path, deployment("web", replicas=0))
    change = {
        "spec": {
            "selector": {"matchLabels": {"app": "web", "tier": "front"}},
            "template": {"metadata": {"labels": {"app": "web", "tier": "front"}}},
        }
    }
    answer = api.patch(f"{path}/web", change)
    assert answer.status_code == 422
    assert answer.json()["details"]["causes"][0]["field"] == "spec.selector"
    assert answer.json()["message"].endswith("field is immutable")


def test_an_update_of_an_old_version_is_409(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    old = api.create(path, config("settings", colour="blue"))
    api.patch(f"{path}/settings", {"data": {"colour": "red"}})
    old["data"]["colour"] = "green"
    answer = api.request("PUT", f"{path}/settings", old)
    assert answer.status_code == 409
    assert answer.json()["reason"] == "Conflict"
    assert "the object has been modified; please apply your changes to the latest version" in answer.json()["message"]


def test_an_update_that_changes_nothing_keeps_the_version(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    made = api.create(path, config("settings", colour="blue"))
    same = api.patch(f"{path}/settings", {"data": {"colour": "blue"}}).json()
    assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_the_three_patches(api: Api, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    api.create(path, deployment("web", replicas=0))
    merged = api.patch(f"{path}/web", {"metadata": {"annotations": {"a": "1", "b": "2"}}}).json()
    assert merged["metadata"]["annotations"]["b"] == "2"
    removed = api.patch(f"{path}/web", [{"op": "remove", "path": "/metadata/annotations/b"}], "json").json()
    assert "b" not in removed["metadata"]["annotations"]
    side = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "registry.example/side:1"}]}}}}
    both = api.patch(f"{path}/web", side, "strategic-merge").json()
    names = {item["name"] for item in both["spec"]["template"]["spec"]["containers"]}
    assert names == {"web", "side"}


def test_the_generation_counts_changes_of_the_spec_only(api: Api, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    assert api.create(path, deployment("web", replicas=0))["metadata"]["generation"] == 1
    labelled = api.patch(f"{path}/web", {"metadata": {"labels": {"x": "y"}}}).json()
    assert labelled["metadata"]["generation"] == 1
    paused = api.patch(f"{path}/web", {"spec": {"paused": True}}).json()
    assert paused["metadata"]["generation"] == 2


def test_the_status_is_written_through_its_own_door(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    api.create(path, pod("idle", nodeSelector={"no": "such-node"}))
    side_door = api.patch(f"{path}/idle", {"status": {"message": "hello"}}).json()
    assert side_door["status"].get("message") is None
    front_door = api.patch(f"{path}/idle/status", {"status": {"message": "hello"}}).json()
    assert front_door["status"]["message"] == "hello"


def test_scaling(api: Api, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    api.create(path, deployment("web", replicas=0))
    scale = api.json(f"{path}/web/scale")
    assert scale["kind"] == "Scale"
    assert scale["apiVersion"] == "autoscaling/v1"
    scaled = api.patch(f"{path}/web/scale", {"spec": {"replicas": 2}}).json()
    assert scaled["spec"] == {"replicas": 2}
    done = api.until(f"{path}/web", is_rolled_out)
    assert done["status"]["readyReplicas"] == 2
    assert api.json(f"{path}/web/scale")["status"] == {"replicas": 2, "selector": "app=web"}


def test_a_dry_run_makes_nothing(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    assert api.create(path, config("ghost", a="b"), dryRun="All")["metadata"]["uid"]
    assert api.get(f"{path}/ghost").status_code == 404
    api.create(path, config("real", a="b"))
    changed = api.patch(f"{path}/real", {"data": {"a": "c"}}, dryRun="All").json()
    assert changed["data"] == {"a": "c"}
    assert api.json(f"{path}/real")["data"] == {"a": "b"}
    assert api.delete(f"{path}/real", dryRun="All").status_code == 200
    assert api.get(f"{path}/real").status_code == 200


def test_unknown_fields_are_dropped_or_refused_as_asked(cluster: ClusterUnderTest, namespace: str) -> None:
    api, path = cluster.api, f"/apis/apps/v1/namespaces/{namespace}/deployments"
    body = deployment("web", replicas=0)
    body["spec"]["colour"] = "blue"
    made = api.create(path, body, fieldValidation="Ignore")
    assert "colour" not in made["spec"]
    # Servers from 1.25 on have this check, and publish OpenAPI 3.
    cluster.need_path("/openapi/v3")
    body["metadata"]["name"] = "strict"
    refused = api.request("POST", path, body, params={"fieldValidation": "Strict"})
    assert refused.status_code == 400
    assert 'unknown field "spec.colour"' in refused.json()["message"]


def test_secrets_take_text_and_keep_base64(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets"
    made = api.create(path, {"metadata": {"name": "key"}, "stringData": {"password": "hunter2"}})
    assert made["data"] == {"password": "aHVudGVyMg=="}
    assert made["type"] == "Opaque"
    assert "stringData" not in made


def test_a_service_gets_an_address_and_keeps_it(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/services"
    made = api.create(path, service("web"))
    address = made["spec"]["clusterIP"]
    assert address.count(".") == 3
    assert made["spec"]["type"] == "ClusterIP"
    moved = api.patch(f"{path}/web", {"spec": {"clusterIP": "10.0.0.99"}})
    assert moved.status_code == 422
    assert api.json(f"{path}/web")["spec"]["clusterIP"] == address


def test_deletion_asks_for_the_right_uid(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    made = api.create(path, config("settings"))
    wrong = api.delete(f"{path}/settings", {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}})
    assert wrong.status_code == 409
    assert (
        "the UID in the precondition (00000000-0000-0000-0000-000000000000) does not match" in wrong.json()["message"]
    )
    right = api.delete(f"{path}/settings", {"preconditions": {"uid": made["metadata"]["uid"]}})
    assert right.status_code == 200
    assert right.json()["status"] == "Success"
    assert right.json()["details"]["uid"] == made["metadata"]["uid"]
    assert api.delete(f"{path}/settings").status_code == 404


def test_finalizers_hold_an_object_until_they_are_gone(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    body = config("held")
    body["metadata"]["finalizers"] = ["slipway.io/hold"]
    api.create(path, body)
    deleted = api.delete(f"{path}/held").json()
    assert deleted["metadata"]["deletionTimestamp"]
    assert api.json(f"{path}/held")["metadata"]["deletionTimestamp"]
    freed = api.patch(f"{path}/held", {"metadata": {"finalizers": None}})
    assert freed.status_code == 200
    assert api.get(f"{path}/held").status_code == 404


def test_deleting_a_collection_obeys_the_selector(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for name in ("a", "b", "c"):
        body = config(name)
        body["metadata"]["labels"] = {"go": "yes" if name != "c" else "no"}
        api.create(path, body)
    assert api.delete(path, labelSelector="go=yes").status_code == 200
    left = {item["metadata"]["name"] for item in api.json(path)["items"]}
    assert left & {"a", "b", "c"} == {"c"}


def test_an_access_review_tells_what_one_may(cluster: ClusterUnderTest) -> None:
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "create", "group": "apps", "resource": "deployments"}},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert cluster.api.create(path, body)["status"]["allowed"] is True
    if cluster.viewer:
        assert Api(cluster.viewer).create(path, body)["status"]["allowed"] is False
