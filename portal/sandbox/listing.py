"""Lists: selectors, pages with a continue token, and the tables that `kubectl get` asks for."""

import base64
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from portal.sandbox import requests
from portal.sandbox.errors import ApiError, bad_request, expired, invalid_options
from portal.sandbox.kinds import Resource
from portal.sandbox.selectors import field_matcher, label_requirements, labels_match
from portal.sandbox.store import Object, Store


def matcher(request: web.BaseRequest, resource: Resource, name: str = "") -> Callable[[Object], bool] | None:
    """What the selectors of a query ask; None when they ask nothing."""
    labels = label_requirements(request.query.get("labelSelector", ""))
    fields = field_matcher(resource, request.query.get("fieldSelector", ""))
    if not labels and not fields and not name:
        return None
    return lambda obj: (
        (not name or obj["metadata"]["name"] == name)
        and (not labels or labels_match(labels, obj))
        and (fields is None or fields(obj))
    )


def _token(revision: int, key: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": key})).decode()


def _start(token: str) -> tuple[int, tuple[str, str]]:
    try:
        read = orjson.loads(base64.urlsafe_b64decode(token))
        return int(read["rv"]), (str(read["start"][0]), str(read["start"][1]))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise bad_request("continue key is not valid: illegal base64 data") from error


def too_large(revision: int, current: int) -> ApiError:
    details = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}
    details |= {"retryAfterSeconds": 1}  # type: ignore[dict-item]
    return ApiError(504, "Timeout", f"Timeout: Too large resource version: {revision}, current: {current}", details)


def _check_version(request: web.BaseRequest, store: Store, token: str) -> None:
    wanted = requests.number(request, "resourceVersion")
    match = request.query.get("resourceVersionMatch", "")
    if match and "resourceVersion" not in request.query:
        text = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise invalid_options("ListOptions", "resourceVersionMatch", "FieldValueForbidden", text)
    if token and wanted:
        raise bad_request("specifying resource version is not allowed when using continue")
    if wanted > store.revision:
        raise too_large(wanted, store.revision)
    if match == "Exact" and wanted < store.compacted:
        raise expired(f"The provided resource version is too old: {wanted}")


def _key(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def page(
    request: web.BaseRequest, store: Store, resource: Resource, namespace: str | None
) -> tuple[list[Object], Object]:
    """The objects of one page, and the list's metadata."""
    token = request.query.get("continue", "")
    _check_version(request, store, token)
    limit = requests.number(request, "limit")
    matches = matcher(request, resource)
    found = store.sorted(resource, namespace)
    if matches:
        found = [obj for obj in found if matches(obj)]
    revision = store.revision
    if token:
        revision, start = _start(token)
        if revision < store.compacted:
            error = expired(
                "The provided continue parameter is too old to display a consistent list result. You can start a new "
                "list without the continue parameter, or use the continue token in this response to retrieve the "
                "remainder of the results. Continuing with the provided token results in an inconsistent list - "
                "objects that were created, modified, or deleted between the time the first chunk was returned and "
                "now may show up in the list."
            )
            raise error
        found = [obj for obj in found if _key(obj) >= start]
    metadata: dict[str, Any] = {"resourceVersion": str(revision)}
    if limit and len(found) > limit:
        metadata["continue"] = _token(revision, _key(found[limit]))
        if not matches:
            metadata["remainingItemCount"] = len(found) - limit
        found = found[:limit]
    return found, metadata
