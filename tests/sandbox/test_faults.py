"""Trouble to order: each image tag shows the trouble that a real kubelet would report."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.manifests import deployment, is_rolled_out, pod
from tests.sandbox.process import Api


def running(tag: str, **more: Any) -> dict[str, Any]:
    return pod("it", containers=[{"name": "main", "image": f"registry.example/web:{tag}"}], **more)


def container(obj: dict[str, Any]) -> dict[str, Any]:
    statuses = obj.get("status", {}).get("containerStatuses") or [{"state": {}, "lastState": {}, "restartCount": 0}]
    return statuses[0]


def waiting(obj: dict[str, Any]) -> str:
    return str(container(obj)["state"].get("waiting", {}).get("reason", ""))


@pytest.fixture
def pods(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods"


def events(api: Api, namespace: str) -> set[str]:
    return {item["reason"] for item in api.json(f"/api/v1/namespaces/{namespace}/events")["items"]}


def test_crash_backs_off(api: Api, namespace: str, pods: str) -> None:
    api.create(pods, running("crash"))
    crashed = api.until(f"{pods}/it", lambda obj: waiting(obj) == "CrashLoopBackOff")
    assert container(crashed)["lastState"]["terminated"]["exitCode"] == 1
    assert container(crashed)["lastState"]["terminated"]["reason"] == "Error"
    assert "back-off 10s restarting failed container=main" in container(crashed)["state"]["waiting"]["message"]
    assert container(crashed)["restartCount"] == 1
    log = api.get(f"{pods}/it/log").text
    assert "KeyError: 'DATABASE_URL'" in log
    assert api.get(f"{pods}/it/log", previous="true").text == log
    assert "BackOff" in events(api, namespace)
    again = api.until(f"{pods}/it", lambda obj: container(obj)["restartCount"] >= 2)
    assert again["status"]["phase"] == "Running"


def test_oom_is_137(api: Api, pods: str) -> None:
    api.create(pods, running("oom"))
    killed = api.until(f"{pods}/it", lambda obj: waiting(obj) == "CrashLoopBackOff")
    ended = container(killed)["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")


def test_a_bad_image_goes_from_error_to_back_off(api: Api, namespace: str, pods: str) -> None:
    api.create(pods, running("bad-image"))
    api.until(f"{pods}/it", lambda obj: waiting(obj) == "ErrImagePull")
    backed = api.until(f"{pods}/it", lambda obj: waiting(obj) == "ImagePullBackOff")
    assert backed["status"]["phase"] == "Pending"
    assert "Back-off pulling image" in container(backed)["state"]["waiting"]["message"]
    assert {"Failed", "Pulling", "BackOff"} <= events(api, namespace)
    answer = api.get(f"{pods}/it/log")
    assert answer.status_code == 400
    assert "is waiting to start: trying and failing to pull image" in answer.json()["message"]


def test_config_error_names_what_is_missing(api: Api, pods: str) -> None:
    api.create(pods, running("config-error"))
    stuck = api.until(f"{pods}/it", lambda obj: waiting(obj) == "CreateContainerConfigError")
    assert container(stuck)["state"]["waiting"]["message"] == 'configmap "main-settings" not found'


def test_a_missing_config_map_heals_when_it_comes(api: Api, namespace: str, pods: str) -> None:
    body = running("1.0")
    body["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "settings"}}]
    api.create(pods, body)
    stuck = api.until(f"{pods}/it", lambda obj: waiting(obj) == "CreateContainerConfigError")
    assert container(stuck)["state"]["waiting"]["message"] == 'configmap "settings" not found'
    api.create(f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "settings"}})
    api.until(f"{pods}/it", lambda obj: container(obj).get("ready"))


def test_a_missing_volume_keeps_the_pod_creating(api: Api, namespace: str, pods: str) -> None:
    body = running("1.0", volumes=[{"name": "files", "secret": {"secretName": "keys"}}])
    api.create(pods, body)
    path = f"/api/v1/namespaces/{namespace}/events"
    with api.watch(path, fieldSelector="reason=FailedMount") as found:
        event = next(found)["object"]
    assert 'secret "keys" not found' in event["message"]
    assert waiting(api.json(f"{pods}/it")) == "ContainerCreating"


def test_not_ready_runs_and_is_never_ready(api: Api, namespace: str, pods: str) -> None:
    api.create(pods, running("not-ready"))
    path = f"/api/v1/namespaces/{namespace}/events"
    with api.watch(path, fieldSelector="reason=Unhealthy") as found:
        assert next(found)["object"]["message"].startswith("Readiness probe failed")
    alive = api.json(f"{pods}/it")
    assert "running" in container(alive)["state"]
    assert container(alive)["ready"] is False


def test_unschedulable_says_how_many_nodes(api: Api, pods: str) -> None:
    api.create(pods, running("unschedulable"))
    stuck = api.until(f"{pods}/it", lambda obj: obj["status"].get("conditions"))
    assert stuck["status"]["conditions"][0]["message"] == "0/3 nodes are available: 3 Insufficient cpu."


def test_a_node_that_frees_room_takes_the_waiting_pod(api: Api, pods: str) -> None:
    greedy = [{"name": "main", "image": "x:1", "resources": {"requests": {"cpu": "7000m"}}}]
    for name in ("a", "b", "c", "d"):
        api.create(pods, pod(name, containers=greedy))
    api.until(f"{pods}/d", lambda obj: obj["status"].get("conditions", [{}])[0].get("reason") == "Unschedulable")
    api.delete(f"{pods}/a")
    api.until(f"{pods}/d", lambda obj: obj["spec"].get("nodeName"))


def test_a_cordoned_node_takes_no_more(api: Api, pods: str) -> None:
    for number in (1, 2, 3):
        api.patch(f"/api/v1/nodes/sandbox-{number}", {"spec": {"unschedulable": True}})
    try:
        api.create(pods, running("1.0"))
        stuck = api.until(f"{pods}/it", lambda obj: obj["status"].get("conditions"))
        assert stuck["status"]["conditions"][0]["message"] == "0/3 nodes are available: 3 node(s) were unschedulable."
    finally:
        for number in (1, 2, 3):
            api.patch(f"/api/v1/nodes/sandbox-{number}", {"spec": {"unschedulable": None}})
    api.until(f"{pods}/it", lambda obj: container(obj).get("ready"))


def test_init_containers_come_first(api: Api, pods: str) -> None:
    inits = [{"name": "migrate", "image": "registry.example/migrate:1.0"}]
    api.create(pods, running("1.0", initContainers=inits))
    with api.watch(pods, fieldSelector="metadata.name=it") as found:
        for event in found:
            status = event["object"].get("status", {})
            done = [item["ready"] for item in status.get("initContainerStatuses", [])]
            if container(event["object"]).get("ready"):
                break
            if done == [False]:
                assert waiting(event["object"]) == "PodInitializing"
    assert done == [True]
    assert status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 0


def test_an_init_container_that_crashes_holds_the_pod(api: Api, pods: str) -> None:
    inits = [{"name": "migrate", "image": "registry.example/migrate:crash"}]
    api.create(pods, running("1.0", initContainers=inits))

    def looping(obj: dict[str, Any]) -> bool:
        (first,) = obj["status"].get("initContainerStatuses") or [{"state": {}}]
        return first["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff"

    stuck = api.until(f"{pods}/it", looping)
    assert stuck["status"]["phase"] == "Pending"
    assert waiting(stuck) == "PodInitializing"


def test_a_good_image_heals_a_broken_rollout(api: Api, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    api.create(path, deployment("web", replicas=2))
    api.until(f"{path}/web", is_rolled_out)
    change = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "registry.example/web:crash"}]}}}}
    api.patch(f"{path}/web", change, "strategic-merge")
    broken = api.until(f"{path}/web", lambda obj: obj["status"].get("unavailableReplicas") == 1)
    # The old pods go on serving while the new one fails.
    assert broken["status"]["availableReplicas"] == 2
    change["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/web:1.1"
    api.patch(f"{path}/web", change, "strategic-merge")
    api.until(f"{path}/web", is_rolled_out)


def test_a_failing_job_gives_up(api: Api, namespace: str) -> None:
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    spec = running("crash", restartPolicy="Never")["spec"]
    api.create(path, {"metadata": {"name": "no"}, "spec": {"backoffLimit": 1, "template": {"spec": spec}}})

    def failed(obj: dict[str, Any]) -> bool:
        conditions = obj.get("status", {}).get("conditions", [])
        return any(item["type"] == "Failed" and item["reason"] == "BackoffLimitExceeded" for item in conditions)

    assert api.until(f"{path}/no", failed)["status"]["failed"] == 2


def test_a_cron_job_runs_on_its_schedule(api: Api, namespace: str) -> None:
    path = f"/apis/batch/v1/namespaces/{namespace}/cronjobs"
    template = {"spec": {"template": {"spec": running("1.0", restartPolicy="OnFailure")["spec"]}}}
    api.create(path, {"metadata": {"name": "tick"}, "spec": {"schedule": "@every 1s", "jobTemplate": template}})
    ran = api.until(f"{path}/tick", lambda obj: obj.get("status", {}).get("lastSuccessfulTime"))
    assert ran["status"]["lastScheduleTime"]
    jobs = api.json(f"/apis/batch/v1/namespaces/{namespace}/jobs")["items"]
    assert all(job["metadata"]["ownerReferences"][0]["name"] == "tick" for job in jobs)
    api.patch(f"{path}/tick", {"spec": {"suspend": True}})


def test_logs_follow_and_take_options(api: Api, pods: str) -> None:
    api.create(pods, running("1.0"))
    api.until(f"{pods}/it", lambda obj: container(obj).get("ready"))
    lines = api.get(f"{pods}/it/log", timestamps="true").text.splitlines()
    assert lines[0].split()[0].endswith("Z")
    assert api.get(f"{pods}/it/log", tailLines=1).text == api.get(f"{pods}/it/log").text.splitlines(keepends=True)[-1]
    assert api.get(f"{pods}/it/log", container="nobody").status_code == 400
    followed = api.session.get(f"{api.server}{pods}/it/log", params={"follow": "true"}, stream=True, timeout=20)
    stream = followed.iter_lines(chunk_size=1)
    seen = [next(stream) for _ in range(3)]
    followed.close()
    assert any(b"HTTP/1.1" in line for line in seen)


def test_an_eviction_asks_the_budget(api: Api, namespace: str, pods: str) -> None:
    api.create(pods, running("1.0"))
    api.until(f"{pods}/it", lambda obj: container(obj).get("ready"))
    budgets = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "it"}}}
    api.create(budgets, {"metadata": {"name": "keep"}, "spec": spec})
    api.until(f"{budgets}/keep", lambda obj: obj.get("status", {}).get("currentHealthy") == 1)
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "it"}}
    refused = api.request("POST", f"{pods}/it/eviction", eviction)
    assert refused.status_code == 429
    assert "disruption budget keep needs 1 healthy pods" in refused.json()["details"]["causes"][0]["message"]
    api.delete(f"{budgets}/keep")
    assert api.request("POST", f"{pods}/it/eviction", eviction).status_code == 201
    api.until_gone(f"{pods}/it")


def test_a_claim_of_an_unknown_class_waits(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    api.create(path, {"metadata": {"name": "good"}, "spec": spec})
    assert (
        api.until(f"{path}/good", lambda obj: obj["status"]["phase"] == "Bound")["spec"]["storageClassName"]
        == "standard"
    )
    api.create(path, {"metadata": {"name": "bad"}, "spec": spec | {"storageClassName": "missing"}})
    with api.watch(f"/api/v1/namespaces/{namespace}/events", fieldSelector="reason=ProvisioningFailed") as found:
        assert next(found)["object"]["message"] == 'storageclass.storage.k8s.io "missing" not found'
