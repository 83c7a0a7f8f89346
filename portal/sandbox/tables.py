"""The tables that `kubectl get` prints: which shape a request wants, and the columns of each kind."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from portal.sandbox.columns import COLUMNS, PLAIN
from portal.sandbox.kinds import Resource
from portal.sandbox.store import Object


def wanted(request: web.BaseRequest) -> str:
    """`table`, `partial` (metadata only) or `object`, from the Accept header."""
    accept = request.headers.get("Accept", "")
    for media in accept.split(","):
        if "as=Table" in media:
            return "table"
        if "as=PartialObjectMetadata" in media:
            return "partial"
        if media.split(";")[0].strip() in ("application/json", "*/*"):
            break
    return "object"


def partial(obj: Object) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def _definitions(resource: Resource) -> list[dict[str, Any]]:
    out = []
    for column in COLUMNS.get(resource.kind, PLAIN):
        kind = "integer" if column.number else "string"
        out.append(
            {
                "name": column.name,
                "type": kind,
                "format": "name" if column.name == "Name" else "",
                "description": "",
                "priority": 1 if column.wide else 0,
            }
        )
    return out


def _row(resource: Resource, obj: Object, include: str) -> dict[str, Any]:
    cells = [column.read(obj) for column in COLUMNS.get(resource.kind, PLAIN)]
    row: dict[str, Any] = {"cells": cells}
    if include != "None":
        row["object"] = obj if include == "Object" else partial(obj)
    return row


def table(resource: Resource, found: list[Object], metadata: Object, request: web.BaseRequest) -> Object:
    """A meta.k8s.io/v1 Table."""
    include = request.query.get("includeObject", "Metadata")
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": _definitions(resource),
        "rows": [_row(resource, obj, include) for obj in found],
    }


def watch_transform(request: web.BaseRequest, resource: Resource) -> Callable[[Object], Object] | None:
    """How a watch shows its objects; None leaves them as they are."""
    shape = wanted(request)
    if shape == "partial":
        return partial
    if shape != "table":
        return None
    include = request.query.get("includeObject", "Metadata")

    def one_row(obj: Object) -> Object:
        return {
            "kind": "Table",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": {"resourceVersion": obj["metadata"]["resourceVersion"]},
            "columnDefinitions": _definitions(resource),
            "rows": [_row(resource, obj, include)],
        }

    return one_row
