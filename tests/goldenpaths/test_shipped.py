"""What the shipped paths make: it passes its own tests, Kubernetes' schemas, the catalog's rules."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from catalog.descriptors.parsing import parse
from portal.goldenpaths import shipped_paths, workspace
from portal.goldenpaths.files import File, tree_digest
from portal.goldenpaths.language.rendering import render_value
from portal.goldenpaths.questions.schemas import completed
from portal.goldenpaths.templates import examine
from portal.kit.yamltext import load_all

ANSWERS: dict[str, list[dict[str, Any]]] = {
    "python-web-service": [
        {
            "name": "checkout-api",
            "description": 'Takes a "basket": through payment.', "owner": "group:default/payments",
            "system": "system:default/shop", "cluster": "sandbox", "namespace": "shop", "size": "small",
            "domain": "apps.example.internal", "port": 8080, "image": "ghcr.io/stefanprodan/podinfo:6.7.1",
        },
        {
            "name": "json", "description": "Named like a module of Python itself.", "owner": "payments",
            "cluster": "sandbox", "size": "large", "domain": "x", "port": 9000, "image": "registry.example/json:1",
        },
    ],
    "scheduled-job": [
        {
            "name": "nightly-report", "description": "Sends each shop its takings: daily.",
            "owner": "group:default/payments",
            "schedule": "15 3 * * *", "overlap": "Forbid", "cluster": "sandbox", "size": "medium",
            "retries": 2, "limit": 30, "image": "docker.io/library/hello-world:linux",
        },
        {
            "name": "calendar", "description": "Named like a module of Python itself.", "owner": "payments",
            "system": "shop", "schedule": "@hourly", "overlap": "Allow", "cluster": "sandbox", "namespace": "jobs",
            "size": "large", "retries": 0, "limit": 1440, "image": "registry.example/calendar:1",
        },
    ],
}  # fmt: skip
CASES = [(name, index) for name, cases in ANSWERS.items() for index in range(len(cases))]


def rendered(name: str, index: int) -> dict[str, File]:
    """What the path's first step writes for these answers."""
    files = shipped_paths.read(name)
    document = examine(files).document
    assert document is not None
    context = {"parameters": completed(document, ANSWERS[name][index])}
    return workspace.fetch_template({}, render_value(document["spec"]["steps"][0]["input"], context), files)


def manifests(tree: dict[str, File]) -> list[dict[str, Any]]:
    return [
        document.data
        for path, file in tree.items()
        if path.startswith("deploy/")
        for document in load_all(file.content.decode(), path)
    ]


@pytest.mark.parametrize("name", shipped_paths.names())
def test_a_shipped_path_has_no_fault(name: str) -> None:
    assert examine(shipped_paths.read(name)).findings == []


@pytest.mark.parametrize(("name", "index"), CASES)
def test_what_it_makes_passes_its_own_tests(name: str, index: int, tmp_path: Path) -> None:
    for path, file in rendered(name, index).items():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("DJANGO_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:django", "-p", "no:cacheprovider", "tests"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


@pytest.mark.parametrize(("name", "index"), CASES)
@pytest.mark.parametrize("release", ["1.27", "1.34"])
def test_its_manifests_pass_the_schemas_of_kubernetes(name: str, index: int, release: str) -> None:
    found = manifests(rendered(name, index))
    assert found
    for manifest in found:
        kubernetes_validate.validate(manifest, release, strict=True)


def test_the_web_service_has_every_part_of_a_workload() -> None:
    found = {manifest["kind"]: manifest for manifest in manifests(rendered("python-web-service", 0))}
    assert set(found) == {
        "Namespace", "ServiceAccount", "Deployment", "Service", "Ingress", "HorizontalPodAutoscaler",
        "PodDisruptionBudget", "NetworkPolicy",
    }  # fmt: skip
    optional = {kind for kind, m in found.items() if m["metadata"].get("annotations", {}).get("slipway.io/optional")}
    assert optional == {"Ingress", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy"}
    spec = found["Deployment"]["spec"]
    assert "replicas" not in spec
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"startupProbe", "readinessProbe", "livenessProbe", "resources"} <= set(container)
    assert all(port["protocol"] for port in found["Service"]["spec"]["ports"])
    assert found["Ingress"]["spec"]["rules"][0]["host"] == "checkout-api.apps.example.internal"
    for kind, manifest in found.items():
        if kind != "Namespace":
            assert manifest["metadata"]["namespace"] == "shop"
            assert manifest["metadata"]["labels"]["backstage.io/kubernetes-id"] == "checkout-api"


def test_an_existing_namespace_is_given_nothing_to_conflict_about() -> None:
    for name, index in CASES:
        (namespace,) = [m for m in manifests(rendered(name, index)) if m["kind"] == "Namespace"]
        assert set(namespace["metadata"]) == {"name", "annotations"}
        assert namespace["metadata"]["annotations"] == {"slipway.io/if-absent": "true"}


def test_the_job_keeps_its_answers() -> None:
    (cron,) = [m for m in manifests(rendered("scheduled-job", 0)) if m["kind"] == "CronJob"]
    assert (cron["apiVersion"], cron["spec"]["schedule"]) == ("batch/v1", "15 3 * * *")
    assert cron["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"] == 1800
    assert cron["metadata"]["namespace"] == "nightly-report"


@pytest.mark.parametrize(("name", "index"), CASES)
def test_its_catalog_file_is_valid(name: str, index: int) -> None:
    text = rendered(name, index)["catalog-info.yaml"].content.decode()
    parsed = parse(text, "catalog-info.yaml")
    assert [str(problem) for problem in parsed.problems] == []
    kinds = [entity.document["kind"] for entity in parsed.entities]
    assert kinds == (["Component", "API"] if name == "python-web-service" else ["Component"])
    component = parsed.entities[0].document
    assert component["metadata"]["description"] == ANSWERS[name][index]["description"]
    if kinds[-1] == "API":
        definition = yaml.safe_load(parsed.entities[1].document["spec"]["definition"])
        assert definition["openapi"] == "3.1.0"
        assert set(definition["paths"]) == {"/", "/api/greetings/{name}"}


@pytest.mark.parametrize(("name", "index"), CASES)
def test_its_other_files_parse(name: str, index: int) -> None:
    tree = rendered(name, index)
    project = tomllib.loads(tree["pyproject.toml"].content.decode())
    assert project["project"]["description"] == ANSWERS[name][index]["description"]
    assert yaml.safe_load(tree["mkdocs.yml"].content)["site_name"] == ANSWERS[name][index]["name"]
    flow = tree[".github/workflows/ci.yml"].content.decode()
    assert "${{ github.repository }}" in flow
    assert set(yaml.safe_load(flow)["jobs"]) == {"test", "image"}
    assert b"USER 10001:10001" in tree["Dockerfile"].content
    assert not any("${{" in file.content.decode() for path, file in tree.items() if not path.startswith(".github/"))


@pytest.mark.parametrize(("name", "index"), CASES)
def test_it_is_the_same_every_time(name: str, index: int) -> None:
    assert tree_digest(rendered(name, index)) == tree_digest(rendered(name, index))
