"""Lists: selectors, pages with a continue token, and the tables that `kubectl get` asks for."""

import base64
import secrets
from collections import OrderedDict
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


class Pages:
    """The rest of each list that was begun: pages are cut from one state, as on the real server.

    Stored objects never change in place, so a page holds references, not copies.
    """

    limit = 200

    def __init__(self) -> None:
        self._left: OrderedDict[str, tuple[int, list[Object]]] = OrderedDict()

    def keep(self, revision: int, left: list[Object]) -> str:
        """Remember what follows; answers the continue token."""
        mark = secrets.token_urlsafe(12)
        self._left[mark] = (revision, left)
        while len(self._left) > self.limit:
            self._left.popitem(last=False)
        document = {"v": "meta.k8s.io/v1", "rv": revision, "start": mark}
        return base64.urlsafe_b64encode(orjson.dumps(document)).decode()

    def take(self, token: str) -> tuple[int, list[Object] | None]:
        """The version of a begun list, and what follows of it if that is still known."""
        try:
            read = orjson.loads(base64.urlsafe_b64decode(token))
            revision, mark = int(read["rv"]), str(read["start"])
        except (ValueError, KeyError, TypeError) as error:
            raise bad_request("continue key is not valid: illegal base64 data") from error
        known = self._left.get(mark)
        return revision, known[1] if known else None


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


def page(
    request: web.BaseRequest, store: Store, pages: Pages, resource: Resource, namespace: str | None
) -> tuple[list[Object], Object]:
    """The objects of one page, and the list's metadata."""
    token = request.query.get("continue", "")
    _check_version(request, store, token)
    limit = requests.number(request, "limit")
    matches = matcher(request, resource)
    if token:
        revision, left = pages.take(token)
        if left is None or revision < store.compacted:
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. You can start a new "
                "list without the continue parameter."
            )
        found = left
    else:
        revision, found = store.revision, store.sorted(resource, namespace)
        if matches:
            found = [obj for obj in found if matches(obj)]
    metadata: dict[str, Any] = {"resourceVersion": str(revision)}
    if limit and len(found) > limit:
        metadata["continue"] = pages.keep(revision, found[limit:])
        if not matches:
            metadata["remainingItemCount"] = len(found) - limit
        found = found[:limit]
    return found, metadata
