"""The clusters that the contract suite runs against: the sandbox always, a real control plane when one is named.

`SLIPWAY_TEST_KUBECONFIG` (or `KUBECONFIG`) names the kubeconfig of a real cluster. What a server lacks is asked of its
discovery, never guessed from its name.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from tests.sandbox.process import Api, Sandbox


def _real() -> Path | None:
    named = os.environ.get("SLIPWAY_TEST_KUBECONFIG") or os.environ.get("KUBECONFIG", "")
    path = Path(named.split(os.pathsep)[0]) if named else None
    return path if path and path.is_file() else None


@dataclass
class ClusterUnderTest:
    """One cluster: its kubeconfig files and an administrator's client."""

    name: str
    kubeconfig: Path
    viewer: Path | None = None

    @cached_property
    def api(self) -> Api:
        return Api(self.kubeconfig)

    @cached_property
    def version(self) -> str:
        return str(self.api.json("/version")["gitVersion"])

    @cached_property
    def kinds(self) -> dict[tuple[str, str], dict[str, object]]:
        """Every served kind by apiVersion and kind, as discovery tells it."""
        found: dict[tuple[str, str], dict[str, object]] = {}
        versions = ["/api/v1"]
        for group in self.api.json("/apis")["groups"]:
            versions += [f"/apis/{version['groupVersion']}" for version in group["versions"]]
        for path in versions:
            listed = self.api.json(path)
            for resource in listed["resources"]:
                if "/" not in resource["name"]:
                    found[listed["groupVersion"], resource["kind"]] = resource
        return found

    def serves(self, api_version: str, kind: str) -> bool:
        return (api_version, kind) in self.kinds

    def need(self, api_version: str, kind: str) -> None:
        """Skip the test where a kind is not served."""
        if not self.serves(api_version, kind):
            pytest.skip(f"{self.name} ({self.version}) does not serve {api_version} {kind}")

    def newest(self, kind: str, *api_versions: str) -> str:
        """The path of the newest of these versions that serves the kind; skips the test where none does."""
        served = next((version for version in api_versions if self.serves(version, kind)), None)
        if served is None:
            pytest.skip(f"{self.name} ({self.version}) does not serve {kind} as {' or '.join(api_versions)}")
        return f"/apis/{served}"

    def need_path(self, path: str) -> None:
        """Skip the test where a path of the API is not served."""
        if self.api.get(path).status_code == 404:
            pytest.skip(f"{self.name} ({self.version}) does not serve {path}")


@pytest.fixture(scope="session")
def sandbox_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterUnderTest]:
    running = Sandbox(tmp_path_factory.mktemp("contract"), ("--speed", "2")).start()
    yield ClusterUnderTest("sandbox", running.kubeconfig, running.viewer)
    running.stop()


@pytest.fixture(scope="session", params=["sandbox", *(["real"] if _real() else [])])
def cluster(request: pytest.FixtureRequest) -> ClusterUnderTest:
    """Each cluster at hand in turn."""
    if request.param == "sandbox":
        return request.getfixturevalue("sandbox_cluster")
    path = _real()
    assert path is not None
    viewer = path.with_name("viewer.kubeconfig")
    return ClusterUnderTest("real", path, viewer if viewer.is_file() else None)


@pytest.fixture(scope="session")
def api(cluster: ClusterUnderTest) -> Api:
    return cluster.api


@pytest.fixture
def namespace(api: Api) -> Iterator[str]:
    """A namespace of the test's own, ready for pods."""
    name = f"contract-{uuid.uuid4().hex[:8]}"
    api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    api.until(f"/api/v1/namespaces/{name}/serviceaccounts/default", lambda _: True)
    yield name
    api.delete(f"/api/v1/namespaces/{name}")
