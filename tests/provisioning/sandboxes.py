"""A sandbox cluster for a test session, and a small service to run on it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.conftest import Process, by

CATALOG = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: ${{ values.name }}
  annotations:
    backstage.io/kubernetes-id: ${{ values.name }}
spec: {type: service, lifecycle: experimental, owner: group:default/payments}
"""
DEPLOY = """\
apiVersion: v1
kind: Namespace
metadata: {name: "${{ values.name }}"}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${{ values.name }}
  labels: {app: "${{ values.name }}"}
spec:
  replicas: 1
  selector: {matchLabels: {app: "${{ values.name }}"}}
  template:
    metadata: {labels: {app: "${{ values.name }}"}}
    spec:
      containers:
        - {name: web, image: "registry.example.com/web:${{ values.tag }}"}
---
apiVersion: v1
kind: Service
metadata: {name: "${{ values.name }}"}
spec:
  selector: {app: "${{ values.name }}"}
  ports: [{port: 80, targetPort: 8080, protocol: TCP}]
---
apiVersion: example.com/v1
kind: Gadget
metadata:
  name: ${{ values.name }}
  annotations: {slipway.io/optional: "true"}
"""
BUNDLE = {
    "skeleton/README.md": b"# ${{ values.name }}\n",
    "skeleton/spare.txt": b"spare\n",
    "skeleton/catalog-info.yaml": CATALOG.encode(),
    "skeleton/deploy/all.yaml": DEPLOY.encode(),
    "static/LICENSE": b"free\n",
}


def service_steps(cluster: str) -> list[dict[str, Any]]:
    """Every action there is, in the order of a real path."""
    values = {"name": "${{ parameters.name }}", "tag": "${{ parameters.tag }}"}
    return [
        {"id": "fetch", "name": "Fetch", "action": "fetch:template", "input": {"url": "./skeleton", "values": values}},
        {"id": "plain", "name": "Copy", "action": "fetch:plain", "input": {"url": "./static"}},
        {"id": "rename", "name": "Rename", "action": "fs:rename",
         "input": {"files": [{"from": "README.md", "to": "docs/README.md"}]}},
        {"id": "delete", "name": "Delete", "action": "fs:delete", "input": {"files": ["spare.txt"]}},
        {"id": "log", "name": "Log", "action": "debug:log", "input": {"message": "hello", "listWorkspace": True}},
        {"id": "publish", "name": "Publish", "action": "publish:slipway",
         "input": {"repoUrl": "slipway?repo=${{ parameters.name }}"}},
        {"id": "apply", "name": "Apply", "action": "kubernetes:apply",
         "input": {"cluster": cluster, "namespace": "${{ parameters.name }}", "path": "deploy/"}},
        {"id": "wait", "name": "Wait", "action": "kubernetes:wait",
         "input": {"cluster": cluster, "objects": "${{ steps.apply.output.objects }}", "timeout": "40s"}},
        {"id": "register", "name": "Register", "action": "catalog:register",
         "input": {"repo": "${{ steps.publish.output.repo }}"}},
    ]  # fmt: skip


class Sandbox:
    """A running sandbox; `connect` registers it with an organisation."""

    def __init__(self, speed: float = 20.0) -> None:
        self.kubeconfig = Path(tempfile.mkdtemp(prefix="sandbox-")) / "kubeconfig"
        self.process = Process(
            "runs-sandbox",
            [sys.executable, "-m", "portal.sandbox", "--port", "0", "--kubeconfig", str(self.kubeconfig),
             "--speed", str(speed)],
        )  # fmt: skip

    def connect(self, world: Any, name: str = "harbour") -> Any:
        from portal.clusters.actions import register_cluster

        with world.tenant():
            return register_cluster(
                organisation=world.acme, actor=by(world.ada), name=name, kubeconfig=self.kubeconfig.read_text()
            )

    def stop(self) -> None:
        self.process.stop()
