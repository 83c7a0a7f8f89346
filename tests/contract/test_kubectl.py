"""A round of real kubectl commands, with every client at hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.contract.manifests import deployment, is_rolled_out, service
from tests.contract.planes import ClusterUnderTest

Kubectl = Callable[..., subprocess.CompletedProcess[str]]


def _clients() -> list[str]:
    """kubectl on the path, and those that `SLIPWAY_TEST_KUBECTL` names (colon-separated)."""
    named = [path for path in os.environ.get("SLIPWAY_TEST_KUBECTL", "").split(os.pathsep) if path]
    found = shutil.which("kubectl")
    return [*([found] if found else []), *named] or [""]


@pytest.fixture(params=_clients(), ids=lambda path: Path(path).name or "absent")
def kubectl(request: pytest.FixtureRequest, cluster: ClusterUnderTest, namespace: str) -> Kubectl:
    """Runs kubectl in the test's namespace; a failure shows what it said."""
    if not request.param:
        pytest.skip("kubectl is not installed")

    def run(*arguments: str, text: str = "", code: int = 0, timeout: float = 90) -> subprocess.CompletedProcess[str]:
        command = [request.param, f"--kubeconfig={cluster.kubeconfig}", f"--namespace={namespace}", *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout, check=False)
        assert done.returncode == code, f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done

    return run


@pytest.fixture
def web(kubectl: Kubectl) -> str:
    """A deployment and its service, applied and rolled out."""
    text = yaml.safe_dump_all([deployment("web"), service("web")])
    done = kubectl("apply", "--server-side", "-f", "-", text=text)
    assert "deployment.apps/web serverside-applied" in done.stdout
    assert "service/web serverside-applied" in done.stdout
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    return "web"


def test_version(kubectl: Kubectl, cluster: ClusterUnderTest) -> None:
    answer = json.loads(kubectl("version", "--output=json").stdout)
    assert answer["serverVersion"]["gitVersion"] == cluster.version


def test_api_resources_and_versions(kubectl: Kubectl) -> None:
    assert "deployments" in kubectl("api-resources").stdout
    assert "apps/v1" in kubectl("api-versions").stdout.splitlines()


def test_get_prints_tables(kubectl: Kubectl, web: str) -> None:
    lines = kubectl("get", "deployments").stdout.splitlines()
    assert lines[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert lines[1].split()[:4] == ["web", "2/2", "2", "2"]
    wide = kubectl("get", "pods", "-o", "wide").stdout.splitlines()
    assert wide[0].split()[:7] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"]
    assert [line.split()[1:3] for line in wide[1:]] == [["1/1", "Running"], ["1/1", "Running"]]
    services = kubectl("get", "service", "web", "--no-headers").stdout.split()
    assert services[1] == "ClusterIP"
    assert services[4] == "80/TCP"
    assert "Ready" in kubectl("get", "nodes").stdout
    everything = kubectl("get", "all").stdout
    assert "replicaset.apps/web-" in everything
    assert "deployment.apps/web" in everything


def test_get_as_json_and_by_label(kubectl: Kubectl, web: str) -> None:
    found = json.loads(kubectl("get", "pods", "-l", "app=web", "-o", "json").stdout)
    assert len(found["items"]) == 2
    assert kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}").stdout == "2"


def test_get_of_nothing_says_so(kubectl: Kubectl) -> None:
    assert 'deployments.apps "none" not found' in kubectl("get", "deployment", "none", code=1).stderr
    assert "No resources found" in kubectl("get", "deployments").stderr


def test_applying_again_is_quiet_and_conflicts_are_told(kubectl: Kubectl, web: str) -> None:
    text = yaml.safe_dump_all([deployment("web"), service("web")])
    kubectl("apply", "--server-side", "-f", "-", text=text)
    other = yaml.safe_dump(deployment("web", image="registry.example/web:3.0"))
    refused = kubectl("apply", "--server-side", "--field-manager=other", "-f", "-", text=other, code=1)
    assert 'conflict with "kubectl"' in refused.stderr
    assert '.spec.template.spec.containers[name="web"].image' in refused.stderr
    kubectl("apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", "-", text=other)


def test_client_side_apply_creates_and_changes(kubectl: Kubectl) -> None:
    text = yaml.safe_dump(deployment("plain", replicas=1))
    assert "deployment.apps/plain created" in kubectl("apply", "-f", "-", text=text).stdout
    assert "deployment.apps/plain unchanged" in kubectl("apply", "-f", "-", text=text).stdout
    changed = yaml.safe_dump(deployment("plain", replicas=1, image="registry.example/web:9"))
    assert "deployment.apps/plain configured" in kubectl("apply", "-f", "-", text=changed).stdout
    image = "jsonpath={.spec.template.spec.containers[0].image}"
    assert kubectl("get", "deploy", "plain", "-o", image).stdout == "registry.example/web:9"


def test_a_misspelt_field_is_refused(kubectl: Kubectl) -> None:
    body = deployment("typo")
    body["spec"]["replcas"] = 2
    refused = kubectl("apply", "-f", "-", text=yaml.safe_dump(body), code=1)
    assert "replcas" in refused.stderr


def test_diff_shows_what_would_change(kubectl: Kubectl, web: str) -> None:
    changed = yaml.safe_dump(deployment("web", image="registry.example/web:2.0"))
    shown = kubectl("diff", "--server-side", "-f", "-", text=changed, code=1).stdout
    assert "+        image: registry.example/web:2.0" in shown or "+      - image: registry.example/web:2.0" in shown


def test_scale_and_rollout(kubectl: Kubectl, web: str, cluster: ClusterUnderTest, namespace: str) -> None:
    assert "deployment.apps/web scaled" in kubectl("scale", "deployment/web", "--replicas=3").stdout
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    kubectl("set", "image", "deployment/web", "web=registry.example/web:2.0")
    done = kubectl("rollout", "status", "deployment/web", "--timeout=60s").stdout
    assert 'deployment "web" successfully rolled out' in done
    assert len(kubectl("rollout", "history", "deployment/web").stdout.strip().splitlines()) == 4
    kubectl("rollout", "undo", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    current = cluster.api.json(f"/apis/apps/v1/namespaces/{namespace}/deployments/web")
    assert current["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/web:1.0"
    assert is_rolled_out(current)
    kubectl("rollout", "restart", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")


def test_a_watch_shows_the_change(kubectl: Kubectl, web: str) -> None:
    kubectl("scale", "deployment/web", "--replicas=1")
    done = kubectl("wait", "deployment/web", "--for=condition=Available", "--timeout=60s")
    assert "condition met" in done.stdout
    # A watch ends at the time that is asked for; kubectl then says what it saw.
    seen = kubectl("get", "deployment", "web", "--watch", "--request-timeout=3s").stdout
    assert "web" in seen


def test_describe_tells_the_story(kubectl: Kubectl, web: str) -> None:
    told = kubectl("describe", "deployment/web").stdout
    assert "2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in told
    assert "ScalingReplicaSet" in told
    pods = kubectl("describe", "pods", "-l", "app=web").stdout
    assert "Successfully assigned" in pods
    assert "Started container web" in pods
    assert "registry.example/web:1.0" in pods
    nodes = kubectl("describe", "nodes").stdout
    assert "Allocatable:" in nodes


def test_events_are_listed(kubectl: Kubectl, web: str) -> None:
    listed = kubectl("get", "events", "--field-selector=reason=Scheduled").stdout
    assert "Successfully assigned" in listed


def test_label_annotate_edit_by_patch(kubectl: Kubectl, web: str) -> None:
    assert "labeled" in kubectl("label", "deployment/web", "tier=front").stdout
    assert "annotate" in kubectl("annotate", "deployment/web", "note=yes").stdout
    patch = '{"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"A","value":"1"}]}]}}}}'
    assert "patched" in kubectl("patch", "deployment", "web", "-p", patch).stdout
    assert kubectl("get", "deploy", "-l", "tier=front", "-o", "name").stdout.strip() == "deployment.apps/web"


def test_explain(kubectl: Kubectl) -> None:
    told = kubectl("explain", "deployment.spec.strategy").stdout
    assert "rollingUpdate" in told
    assert "DeploymentStrategy" in told or "strategy" in told


def test_logs(kubectl: Kubectl, web: str, cluster: ClusterUnderTest, namespace: str) -> None:
    pods = cluster.api.json(f"/api/v1/namespaces/{namespace}/pods", labelSelector="app=web")["items"]
    name = pods[0]["metadata"]["name"]
    if cluster.api.get(f"/api/v1/namespaces/{namespace}/pods/{name}/log").status_code == 500:
        pytest.skip(f"the nodes of {cluster.name} keep no logs")
    assert len(kubectl("logs", name, "--tail=2").stdout.splitlines()) == 2
    stamped = kubectl("logs", "deployment/web", "--timestamps", "--tail=1").stdout
    assert stamped[:4].isdigit()
    kubectl("logs", name, "--previous", code=1)


def test_delete(kubectl: Kubectl, web: str) -> None:
    text = yaml.safe_dump_all([deployment("web"), service("web")])
    gone = kubectl("delete", "-f", "-", text=text).stdout
    assert 'deployment.apps "web" deleted' in gone
    assert "No resources found" in kubectl("get", "deployments,services").stderr


def test_deleting_in_the_foreground_waits(kubectl: Kubectl, web: str) -> None:
    kubectl("delete", "deployment", "web", "--cascade=foreground", "--timeout=60s")
    assert "No resources found" in kubectl("get", "replicasets").stderr


def test_drain_moves_pods_away(kubectl: Kubectl, cluster: ClusterUnderTest) -> None:
    node = cluster.api.json("/api/v1/nodes")["items"][0]["metadata"]["name"]
    assert "cordoned" in kubectl("cordon", node).stdout
    assert "SchedulingDisabled" in kubectl("get", "node", node).stdout
    assert "uncordoned" in kubectl("uncordon", node).stdout
