"""The objects that the contract suite sends."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]


def config(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def deployment(name: str, *, replicas: int = 2, image: str = "registry.example/web:1.0", cpu: str = "10m") -> Object:
    container = {
        "name": "web",
        "image": image,
        "ports": [{"name": "http", "containerPort": 8000, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": cpu, "memory": "16Mi"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        },
    }


def service(name: str) -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    spec = {"selector": {"app": name}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def pod(name: str, **spec: Any) -> Object:
    container = {"name": "main", "image": "registry.example/tool:1.0"}
    body = {"containers": [container]} | spec
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": body}


def is_rolled_out(obj: Object) -> bool:
    status, replicas = obj.get("status", {}), obj["spec"]["replicas"]
    current = status.get("observedGeneration", 0) >= obj["metadata"]["generation"]
    return current and all(
        status.get(name, 0) == replicas for name in ("replicas", "updatedReplicas", "availableReplicas")
    )
