"""scale, log, eviction and binding."""

import asyncio
from typing import Any

import orjson
from aiohttp import web

from portal.sandbox import deletion, requests
from portal.sandbox.auth import User
from portal.sandbox.cluster import Cluster
from portal.sandbox.errors import ApiError, bad_request, invalid, method_not_allowed, no_such_path, stale, wrong
from portal.sandbox.kinds import POD, Resource
from portal.sandbox.patches import json_patch, merge_patch
from portal.sandbox.requests import Target
from portal.sandbox.selectors import selector_text
from portal.sandbox.store import Object

_SCALE = Resource("autoscaling", "v1", "Scale", "scales", "io.k8s.api.autoscaling.v1.Scale")


def _json(document: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")


async def answer(cluster: Cluster, request: web.BaseRequest, target: Target, user: User) -> web.StreamResponse:
    """Route a request to the subresource that its path names."""
    if target.subresource == "scale" and target.resource.scale:
        return await _scale(cluster, request, target, user)
    if target.resource is POD and target.subresource == "log" and request.method == "GET":
        return await _log(cluster, request, target)
    if target.resource is POD and target.subresource == "eviction" and request.method == "POST":
        return await _evict(cluster, request, target)
    if target.resource is POD and target.subresource == "binding" and request.method == "POST":
        return await _bind(cluster, request, target)
    raise no_such_path()


def scale_of(obj: Object) -> Object:
    """The autoscaling/v1 Scale of a workload."""
    metadata = {
        key: obj["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    }
    status: Object = {"replicas": obj.get("status", {}).get("replicas", 0)}
    selector = selector_text(obj["spec"].get("selector"))
    if selector:
        status["selector"] = selector
    replicas = obj["spec"].get("replicas", 0)
    spec = {"replicas": replicas} if replicas else {}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


async def _scale(cluster: Cluster, request: web.BaseRequest, target: Target, user: User) -> web.Response:
    registry, resource = cluster.registry, target.resource
    live = registry.need(resource, target.namespace, target.name)
    current = scale_of(live)
    if request.method == "GET":
        return _json(current)
    if request.method == "PUT":
        wanted = await requests.document(request)
    elif request.method == "PATCH":
        patch = await requests.body(request)
        wanted = json_patch(current, patch) if isinstance(patch, list) else merge_patch(current, patch)
    else:
        raise method_not_allowed()
    version = (wanted.get("metadata") or {}).get("resourceVersion")
    if version not in (None, "", current["metadata"]["resourceVersion"]):
        raise stale(resource, target.name)
    replicas = _replicas(target.name, wanted)
    call = requests.call(request, user.name, "UpdateOptions", "")
    call.subresource = "scale"
    edited = live | {"metadata": dict(live["metadata"]), "spec": live["spec"] | {"replicas": replicas}}
    edited["metadata"].pop("resourceVersion")
    return _json(scale_of(registry.commit(resource, live, edited, call)))


def _replicas(name: str, wanted: Object) -> int:
    replicas = (wanted.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int):
        raise bad_request("json: cannot unmarshal string into Go struct field ScaleSpec.spec.replicas of type int32")
    if replicas < 0:
        raise invalid(_SCALE, name, [wrong("spec.replicas", replicas, "must be greater than or equal to 0")])
    return replicas


async def _log(cluster: Cluster, request: web.BaseRequest, target: Target) -> web.StreamResponse:
    pod = cluster.registry.need(POD, target.namespace, target.name)
    container = _container(pod, request.query.get("container", ""))
    previous = requests.flag(request, "previous")
    _check_started(pod, container, previous=previous)
    lines = cluster.logs.read(pod, container, previous=previous)
    if "sinceSeconds" in request.query:
        lines = cluster.logs.since(lines, requests.number(request, "sinceSeconds"))
    if "tailLines" in request.query:
        count = requests.number(request, "tailLines")
        lines = lines[-count:] if count else []
    timestamps = requests.flag(request, "timestamps")
    data = "".join(line.text(timestamps=timestamps) for line in lines)
    if "limitBytes" in request.query:
        data = data[: requests.number(request, "limitBytes")]
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    await response.write(data.encode())
    if requests.flag(request, "follow") and not previous:
        async for line in cluster.logs.follow(target.namespace, target.name, container):
            await response.write(line.text(timestamps=timestamps).encode())
            await asyncio.sleep(0)
    await response.write_eof()
    return response


def _container(pod: Object, name: str) -> str:
    spec, pod_name = pod["spec"], pod["metadata"]["name"]
    main = [container["name"] for container in spec["containers"]]
    first = [container["name"] for container in spec.get("initContainers", ())]
    if not name:
        if len(main) > 1:
            choices = f"choose one of: [{' '.join(main)}]"
            if first:
                choices += f" or one of the init containers: [{' '.join(first)}]"
            raise bad_request(f"a container name must be specified for pod {pod_name}, {choices}")
        return str(main[0])
    if name not in main + first:
        raise bad_request(f"container {name} is not valid for pod {pod_name}")
    return name


def _check_started(pod: Object, container: str, *, previous: bool) -> None:
    status = pod.get("status", {})
    entries = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    entry = next((item for item in entries if item["name"] == container), None)
    name = pod["metadata"]["name"]
    if previous:
        if not entry or not (entry.get("lastState") or {}).get("terminated"):
            raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
        return
    state = (entry or {}).get("state") or {}
    if "running" in state or "terminated" in state or (entry or {}).get("lastState"):
        return
    waiting = state.get("waiting", {})
    reason = waiting.get("reason", "ContainerCreating")
    texts = {
        "ErrImagePull": "image can't be pulled",
        "ImagePullBackOff": "trying and failing to pull image",
    }
    text = texts.get(reason, reason)
    raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: {text}')


async def _evict(cluster: Cluster, request: web.BaseRequest, target: Target) -> web.Response:
    body = await requests.document(request)
    pod = cluster.registry.need(POD, target.namespace, target.name)
    blocking = cluster.disruptions_left(pod)
    if blocking is not None:
        details = {"causes": [{"reason": "DisruptionBudget", "message": blocking}]}
        text = "Cannot evict pod as it would violate the pod's disruption budget."
        raise ApiError(429, "TooManyRequests", text, details)
    deletion.delete(cluster.registry, POD, target.namespace, target.name, body.get("deleteOptions") or {})
    return _json({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}, 201)


async def _bind(cluster: Cluster, request: web.BaseRequest, target: Target) -> web.Response:
    body = await requests.document(request)
    node = str((body.get("target") or {}).get("name", ""))
    if not node:
        raise bad_request("the binding names no node")
    pod = cluster.registry.need(POD, target.namespace, target.name)
    cluster.scheduler.bind(pod, node)
    return _json({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}, 201)
