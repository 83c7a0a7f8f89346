"""Services: the Endpoints and EndpointSlices behind them, and an address for load balancers."""

from collections.abc import Hashable, Iterable

from portal.sandbox.controllers.base import is_ready, key_of, phase, pod_from_template
from portal.sandbox.kinds import ENDPOINT_SLICE, ENDPOINTS, POD, SERVICE
from portal.sandbox.registry import Registry, suffix
from portal.sandbox.runtime import Runtime
from portal.sandbox.store import Change, Object

_SERVICE_NAME = "kubernetes.io/service-name"
# Pods change in crowds; endpoints follow the crowd once.
_GATHER = 0.05


class Services:
    """A controller over services and the pods that they select."""

    def __init__(self, registry: Registry, runtime: Runtime) -> None:
        self.registry, self.runtime = registry, runtime
        self.store = registry.store

    def keys(self, change: Change) -> Iterable[Hashable]:
        if change.resource is SERVICE:
            return [key_of(change.obj)]
        if change.resource is POD:
            before = change.before or {"metadata": {}, "spec": {}}
            if change.verb == "MODIFIED" and _face(before) == _face(change.obj):
                return ()
            labels = (change.obj["metadata"].get("labels") or {}).items()
            old = (before["metadata"].get("labels") or {}).items()
            for service in self.store.each(SERVICE, change.obj["metadata"]["namespace"]):
                selector = (service["spec"].get("selector") or {}).items()
                if selector and (selector <= labels or selector <= old):
                    self.runtime.later(_GATHER, self, key_of(service))
        return ()

    def restore(self) -> None:
        for service in self.store.each(SERVICE):
            self.runtime.add(self, key_of(service))

    def sync(self, key: Hashable) -> None:
        assert isinstance(key, tuple)
        namespace, name = key
        service = self.store.get(SERVICE, namespace, name)
        slices = [item for item in self.store.each(ENDPOINT_SLICE, namespace) if _belongs(item, name)]
        if service is None:
            self.store.remove(ENDPOINTS, namespace, name)
            for item in slices:
                self.store.remove(ENDPOINT_SLICE, namespace, item["metadata"]["name"])
            return
        self._balance(service)
        selector = service["spec"].get("selector")
        if not selector or service["spec"].get("type") == "ExternalName":
            return
        pods = [
            pod
            for pod in self.store.sorted(POD, namespace)
            if selector.items() <= (pod["metadata"].get("labels") or {}).items()
            and (pod.get("status") or {}).get("podIP")
            and phase(pod) not in ("Succeeded", "Failed")
        ]
        self._write_slice(service, slices, pods)
        self._write_endpoints(service, pods)

    def _balance(self, service: Object) -> None:
        status = service.get("status") or {}
        if service["spec"].get("type") == "LoadBalancer" and not (status.get("loadBalancer") or {}).get("ingress"):
            last = int(service["metadata"]["uid"][:4], 16) % 250 + 2
            balanced = {"loadBalancer": {"ingress": [{"ip": f"192.0.2.{last}", "ipMode": "VIP"}]}}
            self.registry.set_status(SERVICE, service, balanced)

    def _write_slice(self, service: Object, slices: list[Object], pods: list[Object]) -> None:
        endpoints = [_endpoint(pod, service) for pod in pods]
        ports = [_port(port, pods) for port in service["spec"].get("ports", ())]
        if not slices:
            body = pod_from_template(service, {"spec": {}})["metadata"]
            name = service["metadata"]["name"]
            labels = {_SERVICE_NAME: name, "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
            head = {"name": f"{name}-{suffix()}", "labels": labels, "ownerReferences": body["ownerReferences"]}
            made = {"metadata": head, "addressType": "IPv4", "endpoints": endpoints, "ports": ports}
            self.registry.make(ENDPOINT_SLICE, service["metadata"]["namespace"], made)
            return

        def edit(obj: Object) -> None:
            if obj.get("endpoints") != endpoints or obj.get("ports") != ports:
                obj["endpoints"], obj["ports"] = endpoints, ports
                obj["metadata"]["generation"] = obj["metadata"].get("generation", 0) + 1

        self.registry.change(ENDPOINT_SLICE, slices[0], edit)

    def _write_endpoints(self, service: Object, pods: list[Object]) -> None:
        ready = [_address(pod) for pod in pods if is_ready(pod) and not pod["metadata"].get("deletionTimestamp")]
        unready = [_address(pod) for pod in pods if not is_ready(pod) and not pod["metadata"].get("deletionTimestamp")]
        subset: Object = {"addresses": ready} if ready else {}
        subset |= {"notReadyAddresses": unready} if unready else {}
        ports = [_port(port, pods) for port in service["spec"].get("ports", ())]
        subsets = [subset | ({"ports": ports} if ports else {})] if subset else []
        namespace, name = key_of(service)
        live = self.store.get(ENDPOINTS, namespace, name)
        if live is None:
            self.registry.make(ENDPOINTS, namespace, {"metadata": {"name": name}, "subsets": subsets})
        elif live.get("subsets", []) != subsets:
            self.store.put(ENDPOINTS, live | {"metadata": dict(live["metadata"]), "subsets": subsets})


def _face(pod: Object) -> tuple[object, ...]:
    """What services see of a pod."""
    status, metadata = pod.get("status") or {}, pod["metadata"]
    ready = is_ready(pod)
    return ready, status.get("podIP"), status.get("phase"), metadata.get("labels"), metadata.get("deletionTimestamp")


def _belongs(item: Object, service: str) -> bool:
    return (item["metadata"].get("labels") or {}).get(_SERVICE_NAME) == service


def _endpoint(pod: Object, service: Object) -> Object:
    ending = bool(pod["metadata"].get("deletionTimestamp"))
    serving = is_ready(pod)
    always = bool(service["spec"].get("publishNotReadyAddresses"))
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": always or (serving and not ending), "serving": serving, "terminating": ending},
        "nodeName": pod["spec"].get("nodeName", ""),
        "targetRef": _reference(pod),
    }


def _reference(pod: Object) -> Object:
    metadata = pod["metadata"]
    return {"kind": "Pod", "namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]}


def _address(pod: Object) -> Object:
    return {"ip": pod["status"]["podIP"], "nodeName": pod["spec"].get("nodeName", ""), "targetRef": _reference(pod)}


def _port(port: Object, pods: list[Object]) -> Object:
    """A service's port with its target resolved to a number."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, str):
        named = (
            item["containerPort"]
            for pod in pods
            for container in pod["spec"]["containers"]
            for item in container.get("ports", ())
            if item.get("name") == target
        )
        target = next(named, port["port"])
    out: Object = {"name": port.get("name", ""), "port": target, "protocol": port.get("protocol", "TCP")}
    return out | ({"appProtocol": port["appProtocol"]} if port.get("appProtocol") else {})
