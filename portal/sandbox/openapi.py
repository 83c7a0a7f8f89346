"""OpenAPI documents of the served kinds, version 2 (JSON and protobuf) and version 3."""

import hashlib
from functools import cache
from typing import Any

import orjson
from aiohttp import web

from portal.sandbox import openapi_proto
from portal.sandbox.definitions import VERSION, definitions
from portal.sandbox.discovery import groups
from portal.sandbox.errors import no_such_path
from portal.sandbox.kinds import GROUP_VERSIONS, RESOURCES, Resource

_PROTOBUF = "application/com.github.proto-openapi.spec.v2"
_INFO = {"title": "Kubernetes", "version": VERSION}
_PATCH_PARAMETERS = {
    "dryRun": "string",
    "fieldManager": "string",
    "fieldValidation": "string",
    "force": "boolean",
}
_WRITE_PARAMETERS = {key: kind for key, kind in _PATCH_PARAMETERS.items() if key != "force"}


def _gvk(resource: Resource) -> dict[str, str]:
    return {"group": resource.group, "kind": resource.kind, "version": resource.version}


def _parameters(wanted: dict[str, str], version: int) -> list[dict[str, Any]]:
    out = []
    for name, kind in wanted.items():
        base: dict[str, Any] = {"name": name, "in": "query", "description": ""}
        out.append(base | ({"type": kind} if version == 2 else {"schema": {"type": kind}}))
    return out


def _operation(resource: Resource, action: str, version: int) -> dict[str, Any]:
    wanted = {"patch": _PATCH_PARAMETERS, "put": _WRITE_PARAMETERS, "post": _WRITE_PARAMETERS}.get(action, {})
    return {
        "operationId": f"{action}{resource.group}{resource.version}{resource.kind}",
        "parameters": _parameters(wanted, version),
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _gvk(resource),
    }


def _paths(resources: list[Resource], version: int) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for resource in resources:
        root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
        place = f"{root}/namespaces/{{namespace}}" if resource.namespaced else root
        many, one = f"{place}/{resource.plural}", f"{place}/{resource.plural}/{{name}}"
        out[many] = {action: _operation(resource, action, version) for action in ("get", "post")}
        out[one] = {action: _operation(resource, action, version) for action in ("get", "put", "patch", "delete")}
    return out


@cache
def swagger() -> dict[str, Any]:
    """The version 2 document."""
    return {
        "swagger": "2.0",
        "info": _INFO,
        "paths": _paths(list(RESOURCES), 2),
        "definitions": definitions(),
    }


@cache
def _swagger_json() -> bytes:
    return orjson.dumps(swagger())


@cache
def _swagger_protobuf() -> bytes:
    return openapi_proto.encode(swagger())


def _reachable(names: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    todo = list(names)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found[name] = definitions()[name]
        todo += [part.split('"')[0] for part in orjson.dumps(found[name]).decode().split('"#/definitions/')[1:]]
    return dict(sorted(found.items()))


@cache
def _version3(group: str, version: str) -> bytes:
    served = [resource for resource in RESOURCES if (resource.group, resource.version) == (group, version)]
    names = [resource.definition for resource in served]
    names += [f"{name}List" for name in names] + ["io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"]
    document = {
        "openapi": "3.0.0",
        "info": _INFO,
        "paths": _paths(served, 3),
        "components": {"schemas": _reachable(names)},
    }
    return orjson.dumps(document).replace(b"#/definitions/", b"#/components/schemas/")


@cache
def _index() -> bytes:
    paths = {"api/v1": ("", "v1")} | {
        f"apis/{group}/{GROUP_VERSIONS[group]}": (group, GROUP_VERSIONS[group]) for group in groups()
    }
    listed = {
        path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={hashlib.sha256(_version3(*key)).hexdigest()[:32]}"}
        for path, key in paths.items()
    }
    return orjson.dumps({"paths": listed})


def answer(request: web.BaseRequest, path: str) -> web.Response:
    """Serve a document below /openapi."""
    if path == "/openapi/v2":
        if _PROTOBUF in request.headers.get("Accept", ""):
            return web.Response(body=_swagger_protobuf(), content_type=f"{_PROTOBUF}.v1.0+protobuf")
        return web.Response(body=_swagger_json(), content_type="application/json")
    if path == "/openapi/v3":
        return web.Response(body=_index(), content_type="application/json")
    steps = path.removeprefix("/openapi/v3/").split("/")
    if steps == ["api", "v1"]:
        return web.Response(body=_version3("", "v1"), content_type="application/json")
    if len(steps) == 3 and steps[0] == "apis" and GROUP_VERSIONS.get(steps[1]) == steps[2]:
        return web.Response(body=_version3(steps[1], steps[2]), content_type="application/json")
    raise no_such_path()
