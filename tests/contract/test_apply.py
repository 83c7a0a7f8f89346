"""Server-side apply: creating, owning, conflicting, pruning."""

from __future__ import annotations

import copy

import pytest

from tests.contract.manifests import config, deployment, service
from tests.sandbox.process import Api


@pytest.fixture
def path(api: Api, namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/web"


def owners(obj: dict[str, object]) -> dict[tuple[str, str], dict[str, object]]:
    entries = obj["metadata"]["managedFields"]  # type: ignore[index]
    return {(entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in entries}


def test_applying_creates_and_records_the_manager(api: Api, path: str) -> None:
    answer = api.apply(path, deployment("web", replicas=0), manager="slipway")
    assert answer.status_code == 201
    fields = owners(answer.json())["slipway", "Apply"]
    assert fields["f:spec"]["f:replicas"] == {}
    containers = fields["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert set(containers) == {'k:{"name":"web"}'}
    assert containers['k:{"name":"web"}']["."] == {}
    assert containers['k:{"name":"web"}']["f:image"] == {}
    assert 'k:{"containerPort":8000,"protocol":"TCP"}' in containers['k:{"name":"web"}']["f:ports"]
    assert fields["f:metadata"] == {"f:labels": {"f:app": {}}}


def test_applying_the_same_again_changes_nothing(api: Api, path: str) -> None:
    first = api.apply(path, deployment("web", replicas=0)).json()
    # The controller writes too: wait until it has said all it has to say.
    settled = api.until(path, lambda obj: obj.get("status", {}).get("observedGeneration") == 1)
    again = api.apply(path, deployment("web", replicas=0))
    assert again.status_code == 200
    newest = api.json(path)
    assert again.json()["metadata"]["generation"] == first["metadata"]["generation"]
    assert newest["metadata"]["resourceVersion"] == again.json()["metadata"]["resourceVersion"]
    assert settled["spec"] == newest["spec"]
    third = api.apply(path, deployment("web", replicas=0)).json()
    assert third["metadata"]["resourceVersion"] == newest["metadata"]["resourceVersion"]


def test_a_field_of_another_manager_is_a_conflict(api: Api, path: str) -> None:
    api.apply(path, deployment("web", replicas=0), manager="slipway")
    body = deployment("web", replicas=0, image="registry.example/web:2.0")
    answer = api.apply(path, body, manager="someone-else")
    assert answer.status_code == 409
    status = answer.json()
    assert status["reason"] == "Conflict"
    assert status["details"]["causes"] == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "slipway"',
            "field": '.spec.template.spec.containers[name="web"].image',
        }
    ] or status["details"]["causes"] == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "slipway" using apps/v1',
            "field": '.spec.template.spec.containers[name="web"].image',
        }
    ]
    assert status["message"].startswith('Apply failed with 1 conflict: conflict with "slipway"')
    assert api.json(path)["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/web:1.0"


def test_several_conflicts_are_all_named(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/settings"
    api.apply(path, config("settings", a="1", b="1"), manager="one")
    answer = api.apply(path, config("settings", a="2", b="2"), manager="two")
    assert answer.status_code == 409
    assert answer.json()["message"].startswith('Apply failed with 2 conflicts: conflicts with "one"')
    assert sorted(cause["field"] for cause in answer.json()["details"]["causes"]) == [".data.a", ".data.b"]


def test_force_takes_the_field_over(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/settings"
    api.apply(path, config("settings", a="1", b="1"), manager="one")
    taken = api.apply(path, config("settings", a="2"), manager="two", force="true").json()
    assert taken["data"] == {"a": "2", "b": "1"}
    assert owners(taken)["two", "Apply"] == {"f:data": {"f:a": {}}}
    assert owners(taken)["one", "Apply"] == {"f:data": {"f:b": {}}}


def test_the_same_value_is_shared_without_conflict(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/settings"
    api.apply(path, config("settings", a="1"), manager="one")
    both = api.apply(path, config("settings", a="1"), manager="two")
    assert both.status_code == 200
    assert owners(both.json())["one", "Apply"] == owners(both.json())["two", "Apply"] == {"f:data": {"f:a": {}}}


def test_what_is_applied_no_longer_goes(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/settings"
    api.apply(path, config("settings", a="1", b="1"))
    api.patch(path, {"data": {"c": "1"}}, fieldManager="hand")
    left = api.apply(path, config("settings", a="1")).json()
    assert left["data"] == {"a": "1", "c": "1"}


def test_lists_are_merged_by_their_keys(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/services/web"
    api.apply(path, service("web"), manager="one")
    more = service("web")
    more["spec"] = {"ports": [{"name": "metrics", "port": 9090, "targetPort": 9090, "protocol": "TCP"}]}
    both = api.apply(path, more, manager="two").json()
    assert {port["port"] for port in both["spec"]["ports"]} == {80, 9090}
    without = copy.deepcopy(more)
    del without["spec"]["ports"]
    assert {port["port"] for port in api.apply(path, without, manager="two").json()["spec"]["ports"]} == {80}


def test_an_edit_by_hand_conflicts_with_the_next_apply(api: Api, path: str) -> None:
    api.apply(path, deployment("web", replicas=0), manager="slipway")
    api.patch(path, {"spec": {"template": {"metadata": {"labels": {"team": "a"}}}}}, fieldManager="hand")
    api.patch(path, {"spec": {"replicas": 1}}, fieldManager="hand")
    answer = api.apply(path, deployment("web", replicas=0), manager="slipway")
    assert answer.status_code == 409
    causes = answer.json()["details"]["causes"]
    assert [cause["field"] for cause in causes] == [".spec.replicas"]
    assert causes[0]["message"].startswith('conflict with "hand" using apps/v1')


def test_a_manager_is_required(api: Api, path: str) -> None:
    answer = api.request("PATCH", path, deployment("web"), headers={"Content-Type": "application/apply-patch+yaml"})
    assert answer.status_code == 422
    assert "fieldManager: Required value: is required for apply patch" in answer.json()["message"]


def test_fields_that_the_schema_lacks_are_refused(api: Api, path: str) -> None:
    body = deployment("web", replicas=0)
    body["spec"]["colour"] = "blue"
    answer = api.apply(path, body)
    assert answer.status_code in (400, 500)
    assert ".spec.colour: field not declared in schema" in answer.json()["message"]


def test_managed_fields_may_not_be_applied(api: Api, path: str) -> None:
    body = deployment("web", replicas=0)
    body["metadata"]["managedFields"] = [{"manager": "me", "operation": "Apply"}]
    assert api.apply(path, body).status_code == 400


def test_a_dry_run_reports_conflicts_and_changes_nothing(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/settings"
    assert api.apply(path, config("settings", a="1"), manager="one", dryRun="All").status_code == 201
    assert api.get(path).status_code == 404
    api.apply(path, config("settings", a="1"), manager="one")
    assert api.apply(path, config("settings", a="2"), manager="two", dryRun="All").status_code == 409
    forced = api.apply(path, config("settings", a="2"), manager="two", dryRun="All", force="true").json()
    assert forced["data"] == {"a": "2"}
    assert api.json(path)["data"] == {"a": "1"}


def test_a_wrong_uid_is_refused(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/settings"
    api.apply(path, config("settings", a="1"))
    body = config("settings", a="2")
    body["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    answer = api.apply(path, body)
    assert answer.status_code == 422
    assert answer.json()["details"]["causes"][0]["field"] == "metadata.uid"
    by_put = api.request("PUT", path, body)
    assert by_put.status_code == 409
    assert "Precondition failed: UID in precondition" in by_put.json()["message"]


def test_invalid_values_are_422(api: Api, path: str) -> None:
    answer = api.apply(path, deployment("web", replicas=-1))
    assert answer.status_code == 422
    assert answer.json()["details"]["causes"][0]["field"] == "spec.replicas"
