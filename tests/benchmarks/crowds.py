"""Clusters with many pods for the benchmarks: a sandbox filled by deployments, and somebody who keeps changing it."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from portal.clusters import kubeconfig
from portal.clusters.kube import Client
from tests.conftest import Process, free_port

NAMESPACE = "crowd"
EACH = 50


def start_sandbox(started: list[Process], name: str, *, nodes: int = 3, speed: int = 1) -> Path:
    """A sandbox of its own; answers the path of its kubeconfig."""
    config = Path(tempfile.mkdtemp()) / "kubeconfig"
    argv = [sys.executable, "-m", "portal.sandbox", "--port", str(free_port()), "--kubeconfig", str(config)]
    started.append(Process(name, [*argv, "--nodes", str(nodes), "--speed", str(speed)]))
    started[-1].wait_for("Kubernetes API at")
    return config


def fill(config: Path, pods: int) -> Client:
    """Fills a cluster with deployments until so many pods run."""
    kube = Client("crowd", kubeconfig.parse(config.read_text()))
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    for number in range(0, pods, EACH):
        kube.apply(_deployment(f"crowd-{number}", min(EACH, pods - number)))
    end = time.monotonic() + 300
    while running(kube) < pods:
        if time.monotonic() > end:
            sys.exit(f"only {running(kube)} of {pods} pods run")
        time.sleep(1)
    return kube


def running(kube: Client) -> int:
    """How many of the pods run."""
    found = kube.list("v1", "Pod", NAMESPACE, "crowd=yes")
    return sum(item.get("status", {}).get("phase") == "Running" for item in found)


def _deployment(name: str, replicas: int) -> dict[str, Any]:
    labels = {"app": name, "crowd": "yes"}
    container = {"name": "app", "image": "registry.example/app:1", "resources": {"requests": {"cpu": "10m"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


class Churn:
    """Changes one pod after another, so many times a second, until it is stopped."""

    def __init__(self, kube: Client, per_second: int) -> None:
        self.kube, self.per_second, self.done = kube, per_second, 0
        self.pods = [item["metadata"]["name"] for item in kube.list("v1", "Pod", NAMESPACE, "crowd=yes")]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.begun = time.monotonic()
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(max(self.begun + self.done / self.per_second - time.monotonic(), 0)):
            pod = self.pods[self.done % len(self.pods)]
            path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/status"
            body = {"status": {"reason": f"Churn{self.done}"}}
            self.kube.call("PATCH", path, None, body, "application/merge-patch+json")
            self.done += 1

    def stop(self) -> float:
        """Ends it; answers how many changes a second it came to."""
        self._stop.set()
        self._thread.join(10)
        return self.done / (time.monotonic() - self.begun)
