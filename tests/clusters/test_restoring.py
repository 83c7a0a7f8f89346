"""Undo puts back what a change changed, and nothing that others have changed since."""

import json

import pytest

from portal.clusters.restoring import content_of, difference, restored, returned_managers, speaks_of_secret


def deployment(image="a:1", replicas=2, labels=None, env=None, **spec):
    containers = [{"name": "web", "image": image, "env": env or []}, {"name": "side", "image": "s:1"}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": labels or {"app": "web"}},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": containers}}, **spec},
    }


def test_what_was_changed_goes_back_and_the_rest_stays_as_it_is_now():
    before = deployment()
    after = deployment("a:2", labels={"app": "web", "slipway.io/run": "7"}, paused=True)
    now = deployment("a:2", 5, labels={"app": "web", "slipway.io/run": "7", "team": "x"}, paused=True)
    result = restored(before, after, now)
    assert result.content == deployment("a:1", 5, labels={"app": "web", "team": "x"})
    assert result.kept == []
    assert set(result.returned) == {
        "spec.template.spec.containers[web].image", "metadata.labels.slipway.io/run", "spec.paused",
    }  # fmt: skip


def test_what_others_changed_since_stays_and_is_named():
    result = restored(deployment("a:1"), deployment("a:2", 3), deployment("a:3", 3))
    assert result.content == deployment("a:3", 2)
    assert result.kept == ["spec.template.spec.containers[web].image"]
    assert result.returned == ["spec.replicas"]


def test_putting_back_twice_is_putting_back_once():
    before, after = deployment("a:1", 1), deployment("a:2", 2)
    once = restored(before, after, after).content
    again = restored(before, after, once)
    assert once == again.content == before
    assert (again.returned, again.kept) == ([], [])


def test_items_that_were_removed_come_back_and_added_ones_go():
    before = deployment(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "1"}])
    after = deployment(env=[{"name": "A", "value": "1"}, {"name": "C", "value": "1"}])
    assert restored(before, after, after).content == before


def test_a_list_without_names_goes_back_only_whole():
    before, after = {"metadata": {}, "args": ["a"]}, {"metadata": {}, "args": ["b"]}
    assert restored(before, after, after).content == before
    assert restored(before, after, {"metadata": {}, "args": ["c"]}).kept == ["args"]


def test_null_is_a_value_and_absence_is_not():
    before, after = {"metadata": {}, "spec": {"a": None}}, {"metadata": {}, "spec": {}}
    assert restored(before, after, after).content == before
    assert restored(after, before, before).content == after


def test_a_secret_shows_that_it_differs_and_not_how():
    last = {"kubectl.kubernetes.io/last-applied-configuration": '{"data":{"a":"aHVudGVyMg=="}}'}
    old = {"kind": "Secret", "metadata": {"name": "s", "annotations": last}, "data": {"a": "aHVudGVyMg==", "b": "eA=="}}
    new = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "b3RoZXI=", "b": "eA=="}}
    text = "\n".join(difference(old, new))
    assert "another value" in text
    for secret in ("aHVudGVyMg==", "b3RoZXI=", "eA=="):
        assert secret not in text


KEPT = "hunter2-of-old"


@pytest.mark.parametrize(
    "spec",
    [
        {"env": [{"name": "DB_PASSWORD", "value": KEPT}]},
        {"env": [{"name": "apiToken", "value": KEPT}]},
        {"env": [{"name": "SENTRY_DSN", "value": KEPT}]},
        {"env": [{"name": "DATABASE_URL", "value": f"postgres://shop:{KEPT}@db/shop"}]},
        {"data": {"db.password": KEPT}},
        {"data": {"aws_secret_access_key": KEPT}},
        {"data": {"application.properties": f"db.user=shop\ndb.password = {KEPT}\nport=1"}},
        {"data": {"config.json": f'{{"user": "shop", "privateKey": "{KEPT}"}}'}},
        {"data": {"settings.yaml": f"user: shop\nclient-secret: '{KEPT}'\n"}},
        {"metadata": {"annotations": {"shop.example/api-token": KEPT}}},
        {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": KEPT}}},
        {"args": [f"--api-token={KEPT}"]},
        {"command": ["serve", "--password", KEPT]},
    ],
)
def test_what_is_likely_to_be_secret_shows_that_it_differs_and_not_how(spec):
    def manifest(value: str) -> dict:
        text = json.dumps({"kind": "ConfigMap", "metadata": {}, "spec": {}, **spec}).replace(KEPT, value)
        return json.loads(text) | {"spec": {"around": json.loads(text), "replicas": 1 if value == KEPT else 2}}

    text = "\n".join(difference(manifest(KEPT), manifest("correct-horse")))
    assert KEPT not in text
    assert "correct-horse" not in text
    assert "+  replicas: 2" in text
    same = "\n".join(difference(manifest(KEPT), {**manifest(KEPT), "more": 1}))
    assert "another value" not in same


@pytest.mark.parametrize(
    "name",
    ["secretName", "tokenPath", "PASSWORD_FILE", "monkey", "keyboard", "path", "passenger", "tokenExpirationSeconds"],
)
def test_a_name_that_only_points_to_a_secret_hides_nothing(name):
    assert not speaks_of_secret(name)
    old = {"kind": "X", "metadata": {}, "spec": {name: "before"}}
    assert "before" in "\n".join(difference(old, {"kind": "X", "metadata": {}, "spec": {name: "after"}}))


def test_what_the_server_writes_is_no_content():
    obj = {"kind": "X", "metadata": {"name": "a", "uid": "u", "managedFields": []}, "status": {"x": 1}, "spec": {}}
    assert content_of(obj) == {"kind": "X", "metadata": {"name": "a"}, "spec": {}}


def test_the_book_of_managers_is_again_as_it_was():
    helm = {"manager": "helm", "operation": "Update", "fieldsV1": {"f:spec": {}}}
    ours = {"manager": "slipway-x", "operation": "Apply", "fieldsV1": {"f:spec": {}}}
    status = {"manager": "kcm", "operation": "Update", "subresource": "status"}
    thinner = {**helm, "fieldsV1": {}}
    assert returned_managers([helm], [thinner, ours, status], "slipway-x") == [helm, status]
