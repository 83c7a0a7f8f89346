"""What controllers make of objects: rollouts, jobs, endpoints, quotas, garbage, namespaces."""

from __future__ import annotations

import pytest

from tests.contract.manifests import config, deployment, is_rolled_out, pod, service
from tests.contract.planes import ClusterUnderTest
from tests.sandbox.process import Api


def condition(obj: dict[str, object], kind: str) -> dict[str, str]:
    listed = obj.get("status", {}).get("conditions") or []  # type: ignore[attr-defined]
    return next((item for item in listed if item["type"] == kind), {})


@pytest.fixture
def apps(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}"


@pytest.fixture
def core(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}"


def test_a_deployment_becomes_pods(api: Api, apps: str, core: str) -> None:
    api.create(f"{apps}/deployments", deployment("web", replicas=2))
    done = api.until(f"{apps}/deployments/web", is_rolled_out)
    assert condition(done, "Available")["reason"] == "MinimumReplicasAvailable"
    progressing = api.until(
        f"{apps}/deployments/web", lambda obj: condition(obj, "Progressing").get("reason") == "NewReplicaSetAvailable"
    )
    assert condition(progressing, "Progressing")["status"] == "True"
    assert done["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    (replica_set,) = api.json(f"{apps}/replicasets")["items"]
    mark = replica_set["metadata"]["labels"]["pod-template-hash"]
    assert replica_set["metadata"]["name"] == f"web-{mark}"
    assert replica_set["metadata"]["ownerReferences"][0]["uid"] == done["metadata"]["uid"]
    pods = api.json(f"{core}/pods", labelSelector=f"pod-template-hash={mark}")["items"]
    assert len(pods) == 2
    for item in pods:
        assert item["metadata"]["ownerReferences"][0]["name"] == f"web-{mark}"
        assert item["spec"]["nodeName"]
        assert item["status"]["phase"] == "Running"
        assert {entry["type"]: entry["status"] for entry in item["status"]["conditions"]}["Ready"] == "True"
        (container,) = item["status"]["containerStatuses"]
        assert container["ready"] is True
        assert "running" in container["state"]


def test_a_new_image_rolls_and_keeps_the_old_revision(api: Api, apps: str) -> None:
    api.create(f"{apps}/deployments", deployment("web", replicas=3))
    api.until(f"{apps}/deployments/web", is_rolled_out)
    version = api.json(f"{apps}/deployments")["metadata"]["resourceVersion"]
    change = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "registry.example/web:2.0"}]
    api.patch(f"{apps}/deployments/web", change, "json")
    least = 3
    with api.watch(f"{apps}/deployments", resourceVersion=version) as events:
        for event in events:
            least = min(least, event["object"]["status"].get("availableReplicas", 0))
            if is_rolled_out(event["object"]) and event["object"]["metadata"]["generation"] == 2:
                break
    # 25 % of three may be missing: none, rounded down.
    assert least == 3
    sets = {
        item["metadata"]["annotations"]["deployment.kubernetes.io/revision"]: item
        for item in api.json(f"{apps}/replicasets")["items"]
    }
    assert sets["1"]["spec"]["replicas"] == 0
    assert sets["2"]["spec"]["replicas"] == 3
    # 25 % of three may be too many: one, rounded up. The bound is on what the sets are asked for, as the controller
    # counts it (NewRSNewReplicas); `status.replicas` adds up counts that each set reports in its own time.
    asked: dict[str, int] = {}
    with api.watch(f"{apps}/replicasets", resourceVersion=version) as events:
        for event in events:
            asked[event["object"]["metadata"]["name"]] = event["object"]["spec"]["replicas"]
            assert sum(asked.values()) <= 4
            if [asked.get(item["metadata"]["name"]) for item in (sets["1"], sets["2"])] == [0, 3]:
                break


def test_a_stuck_rollout_says_so_after_its_deadline(api: Api, apps: str) -> None:
    body = deployment("web", replicas=1, cpu="9000")
    body["spec"]["progressDeadlineSeconds"] = 3
    api.create(f"{apps}/deployments", body)
    stuck = api.until(
        f"{apps}/deployments/web", lambda obj: condition(obj, "Progressing").get("reason") == "ProgressDeadlineExceeded"
    )
    assert condition(stuck, "Progressing")["status"] == "False"
    assert condition(stuck, "Progressing")["message"].endswith("has timed out progressing.")
    assert condition(stuck, "Available")["reason"] == "MinimumReplicasUnavailable"


def test_a_pod_without_room_says_why(api: Api, core: str) -> None:
    greedy = pod(
        "greedy",
        containers=[{"name": "main", "image": "registry.example/x:1", "resources": {"requests": {"cpu": "9000"}}}],
    )
    api.create(f"{core}/pods", greedy)
    waiting = api.until(f"{core}/pods/greedy", lambda obj: condition(obj, "PodScheduled").get("status") == "False")
    found = condition(waiting, "PodScheduled")
    nodes = len(api.json("/api/v1/nodes")["items"])
    assert found["reason"] == "Unschedulable"
    assert found["message"].startswith(f"0/{nodes} nodes are available: {nodes} Insufficient cpu.")
    assert waiting["status"]["phase"] == "Pending"


def test_pausing_stops_a_rollout(api: Api, apps: str) -> None:
    api.create(f"{apps}/deployments", deployment("web", replicas=1))
    api.until(f"{apps}/deployments/web", is_rolled_out)
    template = {"spec": {"containers": [{"name": "web", "image": "registry.example/web:2.0"}]}}
    api.patch(f"{apps}/deployments/web", {"spec": {"paused": True, "template": template}}, "strategic-merge")
    api.until(
        f"{apps}/deployments/web",
        lambda obj: (
            obj["status"]["observedGeneration"] == obj["metadata"]["generation"]
            and condition(obj, "Progressing")["reason"] == "DeploymentPaused"
        ),
    )
    assert len(api.json(f"{apps}/replicasets")["items"]) == 1


def test_a_quota_refuses_with_numbers(api: Api, core: str) -> None:
    quota = {"metadata": {"name": "small"}, "spec": {"hard": {"count/configmaps": "3"}}}
    api.create(f"{core}/resourcequotas", quota)
    api.until(f"{core}/resourcequotas/small", lambda obj: "count/configmaps" in obj.get("status", {}).get("used", {}))
    refused = None
    for number in range(4):
        refused = api.request("POST", f"{core}/configmaps", config(f"c-{number}"))
        if refused.status_code != 201:
            break
    assert refused is not None
    assert refused.status_code == 403
    message = refused.json()["message"]
    assert "is forbidden: exceeded quota: small, requested: count/configmaps=1, used: count/configmaps=3" in message
    assert message.endswith("limited: count/configmaps=3")


def test_a_quota_shows_on_the_deployment(api: Api, apps: str, core: str) -> None:
    api.create(f"{core}/resourcequotas", {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}})
    api.until(f"{core}/resourcequotas/few", lambda obj: "pods" in obj.get("status", {}).get("used", {}))
    api.create(f"{apps}/deployments", deployment("web", replicas=2))
    held = api.until(f"{apps}/deployments/web", lambda obj: condition(obj, "ReplicaFailure").get("status") == "True")
    assert condition(held, "ReplicaFailure")["reason"] == "FailedCreate"
    assert "exceeded quota: few" in condition(held, "ReplicaFailure")["message"]


def test_dependents_go_with_their_owner(api: Api, apps: str, core: str) -> None:
    api.create(f"{apps}/deployments", deployment("web", replicas=1))
    api.until(f"{apps}/deployments/web", is_rolled_out)
    (replica_set,) = [item["metadata"]["name"] for item in api.json(f"{apps}/replicasets")["items"]]
    api.delete(f"{apps}/deployments/web", {"propagationPolicy": "Background"})
    assert api.get(f"{apps}/deployments/web").status_code == 404
    api.until_gone(f"{apps}/replicasets/{replica_set}")


def test_foreground_deletion_waits_for_the_dependents(api: Api, apps: str) -> None:
    api.create(f"{apps}/deployments", deployment("web", replicas=1))
    api.until(f"{apps}/deployments/web", is_rolled_out)
    deleted = api.delete(f"{apps}/deployments/web", {"propagationPolicy": "Foreground"}).json()
    assert deleted["metadata"]["finalizers"] == ["foregroundDeletion"]
    api.until_gone(f"{apps}/deployments/web")
    assert api.json(f"{apps}/replicasets")["items"] == []


def test_orphaned_dependents_stay(api: Api, apps: str) -> None:
    api.create(f"{apps}/deployments", deployment("web", replicas=0))
    api.until(f"{apps}/deployments/web", lambda obj: obj.get("status", {}).get("observedGeneration") == 1)
    (name,) = [item["metadata"]["name"] for item in api.json(f"{apps}/replicasets")["items"]]
    api.delete(f"{apps}/deployments/web", {"propagationPolicy": "Orphan"})
    api.until_gone(f"{apps}/deployments/web")
    assert "ownerReferences" not in api.json(f"{apps}/replicasets/{name}")["metadata"]


def test_a_dependent_of_a_stranger_is_collected(api: Api, core: str) -> None:
    owner = api.create(f"{core}/configmaps", config("owner"))
    child = config("child")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    child["metadata"]["ownerReferences"] = [reference]
    api.create(f"{core}/configmaps", child)
    api.delete(f"{core}/configmaps/owner")
    api.until_gone(f"{core}/configmaps/child")


def test_a_deleted_namespace_takes_everything_with_it(api: Api, apps: str, core: str, namespace: str) -> None:
    api.create(f"{apps}/deployments", deployment("web", replicas=1))
    api.until(f"{apps}/deployments/web", is_rolled_out)
    answer = api.delete(f"/api/v1/namespaces/{namespace}").json()
    assert answer["status"]["phase"] == "Terminating"
    refused = api.request("POST", f"{core}/configmaps", config("late"))
    assert refused.status_code in (403, 404)
    if refused.status_code == 403:
        assert "because it is being terminated" in refused.json()["message"]
    api.until_gone(f"/api/v1/namespaces/{namespace}")
    assert api.json(f"{core}/pods")["items"] == []


def test_a_job_completes(api: Api, core: str, namespace: str) -> None:
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    template = {"spec": pod("x", restartPolicy="Never")["spec"]}
    api.create(path, {"metadata": {"name": "once"}, "spec": {"template": template}})
    done = api.until(f"{path}/once", lambda obj: condition(obj, "Complete").get("status") == "True")
    assert done["status"]["succeeded"] == 1
    assert done["status"]["startTime"]
    assert done["status"]["completionTime"]
    (finished,) = api.json(f"{core}/pods", labelSelector="job-name=once")["items"]
    assert finished["status"]["phase"] == "Succeeded"
    assert finished["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0


def test_cron_jobs_know_their_schedule(cluster: ClusterUnderTest, namespace: str) -> None:
    root = cluster.newest("CronJob", "batch/v1", "batch/v1beta1")
    api, path = cluster.api, f"{root}/namespaces/{namespace}/cronjobs"
    template = {"spec": {"template": {"spec": pod("x", restartPolicy="OnFailure")["spec"]}}}
    body = {"metadata": {"name": "nightly"}, "spec": {"schedule": "0 3 * * *", "jobTemplate": template}}
    made = api.create(path, body)
    assert made["spec"]["concurrencyPolicy"] == "Allow"
    assert made["spec"]["suspend"] is False
    body["metadata"] = {"name": "never"}
    body["spec"] = body["spec"] | {"schedule": "every night"}
    refused = api.request("POST", path, body)
    assert refused.status_code == 422
    assert refused.json()["details"]["causes"][0]["field"] == "spec.schedule"


def test_endpoints_follow_the_ready_pods(api: Api, apps: str, core: str) -> None:
    api.create(f"{core}/services", service("web"))
    api.create(f"{apps}/deployments", deployment("web", replicas=2))
    full = api.until(
        f"{core}/endpoints/web",
        lambda obj: sum(len(subset.get("addresses", [])) for subset in obj.get("subsets", [])) == 2,
    )
    (subset,) = full["subsets"]
    assert subset["ports"] == [{"name": "http", "port": 8000, "protocol": "TCP"}]
    assert {address["targetRef"]["kind"] for address in subset["addresses"]} == {"Pod"}


def test_endpoint_slices_follow_the_ready_pods(cluster: ClusterUnderTest, apps: str, core: str, namespace: str) -> None:
    root = cluster.newest("EndpointSlice", "discovery.k8s.io/v1", "discovery.k8s.io/v1beta1")
    api = cluster.api
    api.create(f"{core}/services", service("web"))
    api.create(f"{apps}/deployments", deployment("web", replicas=2))
    path = f"{root}/namespaces/{namespace}/endpointslices"
    with api.watch(path, labelSelector="kubernetes.io/service-name=web") as events:
        for event in events:
            ready = [item for item in event["object"]["endpoints"] or [] if item["conditions"]["ready"]]
            if len(ready) == 2:
                break
    assert event["object"]["addressType"] == "IPv4"


def test_autoscalers_and_budgets_report(cluster: ClusterUnderTest, apps: str, namespace: str) -> None:
    scaling = cluster.newest("HorizontalPodAutoscaler", "autoscaling/v2", "autoscaling/v2beta2")
    policy = cluster.newest("PodDisruptionBudget", "policy/v1", "policy/v1beta1")
    api = cluster.api
    api.create(f"{apps}/deployments", deployment("web", replicas=2))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    scaler = {"metadata": {"name": "web"}, "spec": {"scaleTargetRef": target, "minReplicas": 3, "maxReplicas": 5}}
    path = f"{scaling}/namespaces/{namespace}/horizontalpodautoscalers"
    api.create(path, scaler)
    api.until(f"{path}/web", lambda obj: condition(obj, "AbleToScale").get("status") == "True")
    api.until(f"{apps}/deployments/web", lambda obj: obj["spec"]["replicas"] == 3 and is_rolled_out(obj))
    budgets = f"{policy}/namespaces/{namespace}/poddisruptionbudgets"
    budget = {"metadata": {"name": "web"}, "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}}
    api.create(budgets, budget)
    counted = api.until(f"{budgets}/web", lambda obj: obj.get("status", {}).get("currentHealthy") == 3)
    assert counted["status"]["disruptionsAllowed"] == 1


def test_a_deleted_pod_is_replaced_and_ends_gracefully(api: Api, apps: str, core: str) -> None:
    api.create(f"{apps}/deployments", deployment("web", replicas=1))
    api.until(f"{apps}/deployments/web", is_rolled_out)
    (name,) = [item["metadata"]["name"] for item in api.json(f"{core}/pods")["items"]]
    answer = api.delete(f"{core}/pods/{name}").json()
    assert answer["kind"] == "Pod"
    assert answer["metadata"]["deletionGracePeriodSeconds"] == 30
    assert answer["metadata"]["deletionTimestamp"]
    api.until_gone(f"{core}/pods/{name}")
    api.until(f"{apps}/deployments/web", is_rolled_out)
    assert name not in [item["metadata"]["name"] for item in api.json(f"{core}/pods")["items"]]


def test_a_stateful_set_numbers_its_pods(api: Api, apps: str, core: str) -> None:
    body = deployment("db", replicas=2)
    body["kind"] = "StatefulSet"
    body["spec"]["serviceName"] = "db"
    api.create(f"{apps}/statefulsets", body)
    done = api.until(f"{apps}/statefulsets/db", lambda obj: obj.get("status", {}).get("readyReplicas") == 2)
    assert done["status"]["currentRevision"] == done["status"]["updateRevision"]
    assert sorted(item["metadata"]["name"] for item in api.json(f"{core}/pods")["items"]) == ["db-0", "db-1"]


def test_an_image_that_is_not_there_backs_off(api: Api, core: str) -> None:
    """Both kinds of pretend node have an image tag for it; another cluster would truly pull."""
    tags = {"registry.example/web:bad-image", "registry.example/web:sim-imagepullbackoff"}
    for index, image in enumerate(sorted(tags)):
        api.create(f"{core}/pods", pod(f"broken-{index}", containers=[{"name": "main", "image": image}]))

    def waits(obj: dict[str, object]) -> bool:
        (status,) = obj["status"].get("containerStatuses") or [{}]  # type: ignore[attr-defined]
        return status.get("state", {}).get("waiting", {}).get("reason") in ("ErrImagePull", "ImagePullBackOff")

    with api.watch(f"{core}/pods") as events:
        for event in events:
            if waits(event["object"]):
                return
    raise AssertionError("no pod reported that its image cannot be pulled")
