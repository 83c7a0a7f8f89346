"""The sandbox's nodes: objects with a capacity, no machines."""

import uuid

from portal.sandbox import clock
from portal.sandbox.store import Object

_CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)
_ROOM = {"cpu": "8", "memory": "32Gi", "ephemeral-storage": "100Gi", "pods": "110"}
_ALLOCATABLE = {"cpu": "7800m", "memory": "31Gi", "ephemeral-storage": "92Gi", "pods": "110"}


def new_node(number: int, version: str) -> Object:
    """A node that is ready."""
    name, time = f"sandbox-{number}", clock.stamp()
    conditions = [
        {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": time,
            "lastTransitionTime": time,
        }
        for kind, status, reason, message in _CONDITIONS
    ]
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/region": "sandbox",
        "topology.kubernetes.io/zone": f"sandbox-{'abc'[(number - 1) % 3]}",
    }
    addresses = [
        {"type": "InternalIP", "address": f"172.18.0.{number + 2}"},
        {"type": "Hostname", "address": name},
    ]
    info = {
        "kubeletVersion": version,
        "kubeProxyVersion": "",
        "containerRuntimeVersion": "sandbox://1",
        "osImage": "Slipway sandbox",
        "kernelVersion": "none",
        "operatingSystem": "linux",
        "architecture": "amd64",
        "machineID": "",
        "systemUUID": "",
        "bootID": "",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "uid": str(uuid.uuid4()), "creationTimestamp": time},
        "spec": {"podCIDR": f"10.244.{number}.0/24", "podCIDRs": [f"10.244.{number}.0/24"]},
        "status": {
            "capacity": dict(_ROOM),
            "allocatable": dict(_ALLOCATABLE),
            "conditions": conditions,
            "addresses": addresses,
            "nodeInfo": info,
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        },
    }
