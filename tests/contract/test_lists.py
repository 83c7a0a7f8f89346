"""Lists, pages, selectors, tables and watches."""

from __future__ import annotations

import time

import pytest

from tests.contract.manifests import config, deployment, is_rolled_out, pod
from tests.contract.planes import ClusterUnderTest
from tests.sandbox.process import Api

TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}


@pytest.fixture
def configs(api: Api, namespace: str) -> str:
    """The path of seven ConfigMaps, three of them blue."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for number in range(7):
        body = config(f"item-{number}")
        body["metadata"]["labels"] = {"suite": "lists", "colour": "blue" if number < 3 else "red"}
        api.create(path, body)
    return path


def names(listed: dict[str, object]) -> list[str]:
    return [item["metadata"]["name"] for item in listed["items"]]  # type: ignore[attr-defined]


def test_pages_add_up_to_the_whole(api: Api, configs: str) -> None:
    found: list[str] = []
    token = ""
    versions = set()
    for _ in range(10):
        page = api.json(configs, limit=3, labelSelector="suite=lists", **({"continue": token} if token else {}))
        assert len(page["items"]) <= 3
        found += names(page)
        versions.add(page["metadata"]["resourceVersion"])
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert found == [f"item-{number}" for number in range(7)]
    assert len(versions) == 1


def test_pages_show_the_state_of_the_first_one(api: Api, configs: str) -> None:
    first = api.json(configs, limit=3, labelSelector="suite=lists")
    api.delete(f"{configs}/item-5")
    api.create(configs, config("item-50") | {"metadata": {"name": "item-50", "labels": {"suite": "lists"}}})
    rest = api.json(configs, limit=10, labelSelector="suite=lists", **{"continue": first["metadata"]["continue"]})
    assert names(rest) == ["item-3", "item-4", "item-5", "item-6"]


def test_the_first_page_says_how_many_remain(api: Api, configs: str) -> None:
    whole = len(api.json(configs)["items"])
    page = api.json(configs, limit=2)
    assert page["metadata"]["remainingItemCount"] == whole - 2


def test_a_spoilt_continue_token_is_400(api: Api, configs: str) -> None:
    assert api.get(configs, limit=2, **{"continue": "nonsense"}).status_code == 400


@pytest.mark.parametrize(
    ("selector", "count"),
    [
        ("colour=blue", 3),
        ("colour!=blue,suite", 4),
        ("colour in (blue, red)", 7),
        ("suite,colour notin (red)", 3),
        ("!suite,colour", 0),
    ],
)
def test_label_selectors(api: Api, configs: str, selector: str, count: int) -> None:
    assert len(api.json(configs, labelSelector=selector)["items"]) == count


def test_a_bad_label_selector_is_400(api: Api, configs: str) -> None:
    answer = api.get(configs, labelSelector="colour in blue")
    assert answer.status_code == 400
    assert "unable to parse requirement" in answer.json()["message"]


def test_field_selectors(api: Api, configs: str) -> None:
    assert names(api.json(configs, fieldSelector="metadata.name=item-4")) == ["item-4"]
    answer = api.get(configs, fieldSelector="data.colour=blue")
    assert answer.status_code == 400
    assert '"data.colour" is not a known field selector' in answer.json()["message"]
    of_pods = api.get(configs.replace("configmaps", "pods"), fieldSelector="spec.colour=blue")
    assert of_pods.status_code == 400
    assert of_pods.json()["message"] == "field label not supported: spec.colour"


def test_a_version_from_the_future_is_504(api: Api, configs: str) -> None:
    now = int(api.json(configs)["metadata"]["resourceVersion"])
    answer = api.get(configs, resourceVersion=str(now + 1_000_000))
    assert answer.status_code == 504
    assert answer.json()["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


def test_tables_are_what_kubectl_prints(api: Api, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    api.create(path, deployment("web", replicas=0))
    answer = api.request("GET", path, headers=TABLE).json()
    assert answer["kind"] == "Table"
    shown = [column["name"] for column in answer["columnDefinitions"] if not column["priority"]]
    assert shown == ["Name", "Ready", "Up-to-date", "Available", "Age"]
    row = answer["rows"][0]
    assert row["cells"][:4] == ["web", "0/0", 0, 0]
    assert row["object"]["kind"] == "PartialObjectMetadata"


def test_metadata_alone_can_be_asked_for(api: Api, configs: str) -> None:
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
    answer = api.request("GET", configs, headers={"Accept": accept}).json()
    assert answer["kind"] == "PartialObjectMetadataList"
    assert all("data" not in item for item in answer["items"])


def test_a_watch_from_a_list_shows_what_comes_after(api: Api, configs: str) -> None:
    version = api.json(configs)["metadata"]["resourceVersion"]
    api.create(configs, config("later", a="1"))
    api.patch(f"{configs}/later", {"data": {"a": "2"}})
    api.delete(f"{configs}/later")
    with api.watch(configs, resourceVersion=version) as events:
        seen = [next(events) for _ in range(3)]
    assert [event["type"] for event in seen] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in seen]
    assert versions == sorted(versions)
    assert versions[0] > int(version)
    assert seen[2]["object"]["kind"] == "ConfigMap"


def test_a_watch_without_a_version_begins_with_what_there_is(api: Api, configs: str) -> None:
    with api.watch(configs, labelSelector="suite=lists") as events:
        seen = [next(events) for _ in range(7)]
    assert {event["type"] for event in seen} == {"ADDED"}


def test_objects_enter_and_leave_the_sight_of_a_selector(api: Api, configs: str) -> None:
    version = api.json(configs)["metadata"]["resourceVersion"]
    with api.watch(configs, resourceVersion=version, labelSelector="colour=blue") as events:
        api.patch(f"{configs}/item-5", {"metadata": {"labels": {"colour": "blue"}}})
        assert next(events)["type"] == "ADDED"
        api.patch(f"{configs}/item-5", {"metadata": {"labels": {"colour": "red"}}})
        left = next(events)
    assert left["type"] == "DELETED"
    assert left["object"]["metadata"]["name"] == "item-5"


def test_a_watch_ends_when_its_time_is_up(api: Api, configs: str) -> None:
    version = api.json(configs)["metadata"]["resourceVersion"]
    begun = time.monotonic()
    with api.watch(configs, seconds=2, resourceVersion=version) as events:
        assert list(events) == []
    assert 1.5 < time.monotonic() - begun < 8


def test_too_old_a_version_is_410_within_the_stream(api: Api, configs: str) -> None:
    with api.watch(configs, resourceVersion="1") as events:
        first = next(events)
    assert first["type"] == "ERROR"
    assert first["object"]["code"] == 410
    assert first["object"]["reason"] in ("Expired", "Gone")
    assert "too old resource version" in first["object"]["message"]


def test_initial_events_end_with_a_bookmark(cluster: ClusterUnderTest, configs: str) -> None:
    cluster.need_path("/openapi/v3")
    options = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    with cluster.api.watch(configs, labelSelector="suite=lists", **options) as events:
        seen = [next(events) for _ in range(8)]
    assert [event["type"] for event in seen] == ["ADDED"] * 7 + ["BOOKMARK"]
    metadata = seen[-1]["object"]["metadata"]
    assert metadata["annotations"] == {"k8s.io/initial-events-end": "true"}
    with cluster.api.watch(configs, seconds=1, resourceVersion=metadata["resourceVersion"]) as events:
        assert list(events) == []


def test_warnings_alone_can_be_watched(api: Api, namespace: str) -> None:
    api.create(f"/api/v1/namespaces/{namespace}/pods", pod("lost", nodeSelector={"no": "such-node"}))
    with api.watch(f"/api/v1/namespaces/{namespace}/events", fieldSelector="type!=Normal") as events:
        event = next(events)["object"]
    assert event["reason"] == "FailedScheduling"
    assert event["type"] == "Warning"
    assert event["involvedObject"]["kind"] == "Pod"
    assert event["involvedObject"]["name"] == "lost"
    assert event["message"].startswith("0/")


def test_a_whole_kind_can_be_listed_over_all_namespaces(api: Api, namespace: str) -> None:
    api.create(f"/apis/apps/v1/namespaces/{namespace}/deployments", deployment("web", replicas=1))
    api.until(f"/apis/apps/v1/namespaces/{namespace}/deployments/web", is_rolled_out)
    pods = api.json("/api/v1/pods", fieldSelector=f"metadata.namespace={namespace},status.phase=Running")
    assert len(pods["items"]) == 1
    assert pods["kind"] == "PodList"
    assert "kind" not in pods["items"][0]


def test_a_watch_tells_its_version_before_it_ends(api: Api, configs: str) -> None:
    version = api.json(configs)["metadata"]["resourceVersion"]
    options = {"resourceVersion": version, "labelSelector": "suite=lists", "allowWatchBookmarks": "true"}
    with api.watch(configs, seconds=6, **options) as events:
        unseen = api.create(configs, config("unseen"))
        seen = list(events)
    assert {event["type"] for event in seen} == {"BOOKMARK"}
    assert seen[-1]["object"]["kind"] == "ConfigMap"
    assert int(seen[-1]["object"]["metadata"]["resourceVersion"]) >= int(unseen["metadata"]["resourceVersion"])


@pytest.mark.slow
def test_silence_is_broken_by_a_bookmark_every_minute(cluster: ClusterUnderTest) -> None:
    assert cluster.silence is not None
    silence = cluster.silence.join()
    assert silence.first["type"] == "BOOKMARK"
    assert 45 < silence.seconds < 75
