"""Clusters that tests of several folders run against, started once: the sandbox, and a real one where it is at hand.

A real one is, in this order: the cluster of the kubeconfig that `SLIPWAY_TEST_KUBECONFIG` (or `KUBECONFIG`) names; or
one that the suite starts once and ends again, by the `up.sh` that `SLIPWAY_TEST_CONTROL_PLANE` names, or that lies
beside the checkout as `../shared/k8s/up.sh`. What a server lacks is asked of its discovery, never guessed by name.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest
import requests

from portal.embedded import free_port
from tests.sandbox.process import Api, Sandbox

ROOT = Path(__file__).resolve().parents[2]
CONTROL_PLANE = Path(os.environ.get("SLIPWAY_TEST_CONTROL_PLANE") or ROOT.parent / "shared/k8s/up.sh")
# pods live, end and back off so much faster than life on the control plane that the suite starts
SPEED = 3


def _real() -> Path | None:
    named = os.environ.get("SLIPWAY_TEST_KUBECONFIG") or os.environ.get("KUBECONFIG", "")
    path = Path(named.split(os.pathsep)[0]) if named else None
    return path if path and path.is_file() else None


class Silence:
    """A watch in which nothing happens, from the start of the suite on: its first line takes a minute to come."""

    def __init__(self, kubeconfig: Path) -> None:
        self.first: dict[str, object] = {}
        self.seconds = 0.0
        self.error = ""
        self._thread = threading.Thread(target=self._wait, args=(Api(kubeconfig),), daemon=True)
        self._thread.start()

    def _wait(self, api: Api) -> None:
        name = f"contract-{uuid.uuid4().hex[:8]}"
        try:
            api.create("/api/v1/namespaces", {"metadata": {"name": name}})
            path = f"/api/v1/namespaces/{name}/configmaps"
            version = api.json(path)["metadata"]["resourceVersion"]
            options = {"resourceVersion": version, "labelSelector": "suite=silence", "allowWatchBookmarks": "true"}
            with api.watch(path, seconds=120, **options) as events:
                began = time.monotonic()
                api.create(path, {"metadata": {"name": "unseen"}})
                self.first = next(events)
                self.seconds = time.monotonic() - began
            api.delete(f"/api/v1/namespaces/{name}")
        except (requests.RequestException, AssertionError, StopIteration) as error:
            self.error = repr(error)  # told by the test that waits for it; a suite that ends sooner breaks it off

    def join(self) -> Silence:
        self._thread.join(120)
        assert not self.error, self.error
        return self


@dataclass
class ClusterUnderTest:
    """One cluster: its kubeconfig files and an administrator's client."""

    name: str
    kubeconfig: Path
    viewer: Path | None = None
    silence: Silence | None = None

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


@pytest.fixture(scope="session")
def real_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterUnderTest]:
    """A real API server, scheduler and controllers: the one that is named, or one of the suite's own while it runs."""
    named = _real()
    if named is not None:
        yield _real_at(named)
        return
    if not CONTROL_PLANE.is_file():
        pytest.skip(
            "no real control plane: neither SLIPWAY_TEST_KUBECONFIG, nor SLIPWAY_TEST_CONTROL_PLANE, nor ../shared/k8s"
        )
    data = tmp_path_factory.mktemp("control-plane")
    environment = {**os.environ, "K8S_DATA": str(data), "K8S_PORT": str(free_port()), "FAKE_ARGS": f"--speed {SPEED}"}
    try:
        done = subprocess.run(
            [str(CONTROL_PLANE)], env=environment, capture_output=True, text=True, timeout=240, check=False
        )
        if done.returncode != 0:
            pytest.fail(f"{CONTROL_PLANE} did not come up: {done.stderr[-2000:]}")
        yield _real_at(Path(done.stdout.split()[-1]))
    finally:
        subprocess.run(
            [str(CONTROL_PLANE.with_name("down.sh")), str(data)], capture_output=True, timeout=60, check=False
        )


def _real_at(path: Path) -> ClusterUnderTest:
    viewer = path.with_name("viewer.kubeconfig")
    return ClusterUnderTest("real", path, viewer if viewer.is_file() else None)
