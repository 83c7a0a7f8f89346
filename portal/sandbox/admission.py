"""What the server adds to objects and refuses for reasons outside the object: quotas, limits, service accounts."""

import base64
import hashlib
from typing import Any

import orjson

from portal.sandbox.errors import forbidden
from portal.sandbox.kinds import LIMIT_RANGE, RESOURCE_QUOTA, SERVICE, SERVICE_ACCOUNT, Resource
from portal.sandbox.quantity import ZERO, Quantity
from portal.sandbox.store import Object, Store

Usage = dict[str, Quantity]
_COUNTED = {
    "Pod": "pods",
    "Service": "services",
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "ResourceQuota": "resourcequotas",
}
_COMPUTE = ("cpu", "memory", "ephemeral-storage")


def pod_requests(spec: Object, part: str = "requests") -> Usage:
    """What a pod asks for: the sum of its containers, or its greediest init container."""
    total: Usage = {}
    for container in spec.get("containers", ()):
        for key, value in ((container.get("resources") or {}).get(part) or {}).items():
            total[key] = total.get(key, ZERO) + Quantity.read(value)
    for container in spec.get("initContainers", ()):
        for key, value in ((container.get("resources") or {}).get(part) or {}).items():
            amount = Quantity.read(value)
            if amount.milli > total.get(key, ZERO).milli:
                total[key] = amount
    return total


def usage_of(resource: Resource, obj: Object) -> Usage:
    """What an object counts for against quotas."""
    used: Usage = {f"count/{resource.qualified}": Quantity(1000)}
    if resource.kind in _COUNTED:
        used[_COUNTED[resource.kind]] = Quantity(1000)
    if resource.kind == "Pod":
        if (obj.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return {"count/pods": Quantity(1000)}
        for key, amount in pod_requests(obj["spec"]).items():
            used[f"requests.{key}"] = amount
            if key in _COMPUTE:
                used[key] = amount
        for key, amount in pod_requests(obj["spec"], "limits").items():
            used[f"limits.{key}"] = amount
    if resource.kind == "Service":
        kind = obj["spec"].get("type")
        if kind in ("NodePort", "LoadBalancer"):
            used["services.nodeports"] = Quantity(1000 * len(obj["spec"].get("ports", ())))
        if kind == "LoadBalancer":
            used["services.loadbalancers"] = Quantity(1000)
    if resource.kind == "PersistentVolumeClaim":
        used["requests.storage"] = Quantity.read(obj["spec"]["resources"]["requests"]["storage"])
    return used


class Admission:
    """Completes and judges objects with the rest of the cluster in view."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._next_address = 10
        self._next_port = 30000

    def complete(self, resource: Resource, obj: Object, live: Object | None = None) -> None:
        """Add what the server adds; in place."""
        if resource.kind == "Pod" and live is None:
            self._pod(resource, obj)
        elif resource.kind == "Service" and "spec" in obj:
            self._service(obj, live)
        elif resource.kind == "Secret" and "stringData" in obj:
            text: dict[str, str] = obj.pop("stringData")
            coded = {key: base64.b64encode(value.encode()).decode() for key, value in text.items()}
            obj["data"] = obj.get("data", {}) | coded
        elif resource.kind == "Job" and live is None and "template" in obj.get("spec", {}):
            self._job(obj)

    def _pod(self, resource: Resource, obj: Object) -> None:
        spec = obj.get("spec", {})
        self._limits(obj)
        account = spec.setdefault("serviceAccountName", "default")
        spec.setdefault("serviceAccount", account)
        metadata = obj["metadata"]
        if self.store.get(SERVICE_ACCOUNT, metadata["namespace"], account) is None:
            where = f"{metadata['namespace']}/{account}"
            text = f'error looking up service account {where}: serviceaccount "{account}" not found'
            raise forbidden(resource, metadata.get("name", ""), text)

    def _limits(self, obj: Object) -> None:
        """Container defaults of the namespace's LimitRanges."""
        for ranges in self.store.each(LIMIT_RANGE, obj["metadata"]["namespace"]):
            for item in ranges["spec"].get("limits", ()):
                if item.get("type") != "Container":
                    continue
                for container in obj.get("spec", {}).get("containers", ()):
                    resources = container.setdefault("resources", {})
                    if item.get("default"):
                        resources["limits"] = item["default"] | resources.get("limits", {})
                    wanted = item.get("defaultRequest") or item.get("default")
                    if wanted:
                        resources["requests"] = wanted | resources.get("requests", {})

    def _service(self, obj: Object, live: Object | None) -> None:
        spec = obj["spec"]
        before = (live or {}).get("spec", {})
        if spec.get("type") == "ExternalName":
            return
        if not spec.get("clusterIP"):
            spec["clusterIP"] = before.get("clusterIP") or self._address()
        spec["clusterIPs"] = [spec["clusterIP"]]
        if spec.get("type") in ("NodePort", "LoadBalancer"):
            ports = {(port["port"], port.get("protocol")): port.get("nodePort") for port in before.get("ports", ())}
            for port in spec.get("ports", ()):
                if not port.get("nodePort"):
                    port["nodePort"] = ports.get((port["port"], port.get("protocol"))) or self._node_port()

    def _address(self) -> str:
        taken = {service["spec"].get("clusterIP") for service in self.store.each(SERVICE)}
        while True:
            self._next_address += 1
            number = self._next_address % (1 << 16)
            address = f"10.96.{number >> 8}.{number & 255}"
            if address not in taken:
                return address

    def _node_port(self) -> int:
        taken = {
            port.get("nodePort") for service in self.store.each(SERVICE) for port in service["spec"].get("ports", ())
        }
        while True:
            self._next_port = 30001 + (self._next_port - 30000) % 2767
            if self._next_port not in taken:
                return self._next_port

    @staticmethod
    def _job(obj: Object) -> None:
        spec, metadata = obj["spec"], obj["metadata"]
        if spec.get("manualSelector"):
            return
        uid = metadata["uid"]
        both = {"batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": metadata.get("name", "")}
        both |= {"controller-uid": uid, "job-name": metadata.get("name", "")}
        template = spec["template"].setdefault("metadata", {})
        template["labels"] = template.get("labels", {}) | both
        metadata.setdefault("labels", dict(template["labels"]))
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}

    def check_quota(self, resource: Resource, obj: Object, live: Object | None) -> None:
        """Refuse what would exceed a quota of the namespace."""
        if not resource.namespaced:
            return
        metadata = obj["metadata"]
        quotas = list(self.store.each(RESOURCE_QUOTA, metadata["namespace"]))
        if not quotas:
            return
        wanted, had = usage_of(resource, obj), usage_of(resource, live) if live else {}
        extra = {key: amount - had.get(key, ZERO) for key, amount in wanted.items()}
        for quota in sorted(quotas, key=lambda item: str(item["metadata"]["name"])):
            hard = quota["spec"].get("hard") or {}
            self._need_requests(resource, obj, quota, hard, wanted)
            used = self.usage(metadata["namespace"], set(hard))
            over = [
                key
                for key, limit in sorted(hard.items())
                if extra.get(key, ZERO).milli > 0
                and (used.get(key, ZERO) + extra[key]).milli > Quantity.read(limit).milli
            ]
            if over:
                asked = ",".join(f"{key}={extra[key]}" for key in over)
                taken = ",".join(f"{key}={used.get(key, ZERO)}" for key in over)
                limits = ",".join(f"{key}={Quantity.read(hard[key])}" for key in over)
                text = (
                    f"exceeded quota: {quota['metadata']['name']}, requested: {asked}, used: {taken}, limited: {limits}"
                )
                raise forbidden(resource, metadata.get("name", ""), text)

    @staticmethod
    def _need_requests(resource: Resource, obj: Object, quota: Object, hard: Object, wanted: Usage) -> None:
        """A quota on compute makes every pod say what it needs."""
        if resource.kind != "Pod":
            return
        compute = [key for key in sorted(hard) if key.split(".")[-1] in _COMPUTE]
        missing = [key for key in compute if key not in wanted]
        if missing:
            names = ",".join(missing)
            text = f"failed quota: {quota['metadata']['name']}: must specify {names}"
            raise forbidden(resource, obj["metadata"].get("name", ""), text)

    def usage(self, namespace: str, keys: set[str]) -> Usage:
        """What a namespace uses now of the quota's keys."""
        total: Usage = {}
        for resource, name in self.store.namespace_keys(namespace):
            names = {f"count/{resource.qualified}", _COUNTED.get(resource.kind, "")}
            if resource.kind not in ("Pod", "Service", "PersistentVolumeClaim") and not names & keys:
                continue
            obj = self.store.get(resource, namespace, name)
            for key, amount in usage_of(resource, obj).items() if obj else ():
                if key in keys:
                    total[key] = total.get(key, ZERO) + amount
        return total


def template_hash(template: Any) -> str:
    """The pod-template-hash of a template: short, stable, in the alphabet of generated names."""
    alphabet = "bcdfghjklmnpqrstvwxz2456789"
    digest = hashlib.sha256(orjson.dumps(template, option=orjson.OPT_SORT_KEYS)).digest()
    number = int.from_bytes(digest[:5], "big")
    out = ""
    for _ in range(10):
        number, rest = divmod(number, len(alphabet))
        out += alphabet[rest] if number or rest else ""
    return out[:10]
