"""The HTTP side of resources: one handler that reads the path, asks the gate, and calls the verb."""

from typing import Any

import orjson
from aiohttp import web

from portal.sandbox import deletion, listing, requests, subresources, tables
from portal.sandbox.auth import User
from portal.sandbox.cluster import Cluster
from portal.sandbox.errors import (
    ApiError,
    bad_request,
    invalid_options,
    method_not_allowed,
    no_such_path,
    unsupported_media,
)
from portal.sandbox.kinds import NAMESPACE, Resource
from portal.sandbox.patches import json_patch, merge_patch, strategic
from portal.sandbox.registry import Call
from portal.sandbox.requests import APPLY, Target
from portal.sandbox.schema import of
from portal.sandbox.store import Object
from portal.sandbox.watching import Watch

_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_DEFAULT_WATCH_SECONDS = 2700
_PATCHES = {
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    APPLY,
}


def reply(document: Any, status: int = 200, warnings: list[str] | None = None) -> web.Response:
    response = web.Response(body=orjson.dumps(document), status=status, content_type="application/json")
    for text in warnings or ():
        response.headers.add("Warning", f'299 - "{text}"'.replace("\n", " "))
    return response


def verb_of(request: web.BaseRequest, target: Target) -> str:
    """The word that access rules use for a request."""
    method = "GET" if request.method == "HEAD" else request.method
    verb = _VERBS.get(method)
    if verb is None:
        raise method_not_allowed()
    if verb == "get" and not target.name:
        return "watch" if requests.flag(request, "watch") else "list"
    if verb == "delete" and not target.name:
        return "deletecollection"
    return verb


def check_access(user: User, verb: str, target: Target) -> None:
    resource, namespace = target.resource, target.namespace
    if resource is NAMESPACE:
        namespace = target.name
    if user.may(verb, resource.plural, target.subresource, namespace):
        return
    plural = f"{resource.plural}/{target.subresource}" if target.subresource else resource.plural
    where = f'in the namespace "{namespace}"' if namespace and resource.namespaced else "at the cluster scope"
    subject = (
        f'{resource.qualified} "{target.name}" is forbidden' if target.name else f"{resource.qualified} is forbidden"
    )
    text = f'{subject}: User "{user.name}" cannot {verb} resource "{plural}" in API group "{resource.group}" {where}'
    details = ({"name": target.name} if target.name else {}) | ({"group": resource.group} if resource.group else {})
    raise ApiError(403, "Forbidden", text, details | {"kind": resource.plural})


class ResourceApi:
    """Answers every path that names a resource."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.store = cluster.store
        self.registry = cluster.registry
        self.pages = listing.Pages()

    async def answer(self, request: web.BaseRequest, target: Target, user: User) -> web.StreamResponse:
        verb = verb_of(request, target)
        check_access(user, verb, target)
        if target.subresource and target.subresource != "status":
            return await subresources.answer(self.cluster, request, target, user)
        if target.subresource and not target.resource.status:
            raise no_such_path()
        if verb == "list":
            return self._list(request, target)
        if verb == "watch" or (verb == "get" and requests.flag(request, "watch")):
            return await self._watch(request, target)
        if verb == "get":
            obj = self.registry.need(target.resource, target.namespace, target.name)
            return self._shaped(request, target.resource, obj)
        if verb == "create":
            return await self._create(request, target, user)
        if verb == "update":
            return await self._update(request, target, user)
        if verb == "patch":
            return await self._patch(request, target, user)
        return await self._delete(request, target, user)

    # -- reading ------------------------------------------------------------------------------------------------

    def _shaped(self, request: web.BaseRequest, resource: Resource, obj: Object, status: int = 200) -> web.Response:
        shape = tables.wanted(request)
        if shape == "table":
            return reply(
                tables.table(resource, [obj], {"resourceVersion": obj["metadata"]["resourceVersion"]}, request)
            )
        if shape == "partial":
            return reply(tables.partial(obj))
        return reply(obj, status)

    def _list(self, request: web.BaseRequest, target: Target) -> web.Response:
        resource = target.resource
        namespace = None if target.everywhere or not resource.namespaced else target.namespace
        found, metadata = listing.page(request, self.store, self.pages, resource, namespace)
        shape = tables.wanted(request)
        if shape == "table":
            return reply(tables.table(resource, found, metadata, request))
        if shape == "partial":
            items = [tables.partial(obj) for obj in found]
            return reply(
                {
                    "kind": "PartialObjectMetadataList",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": metadata,
                    "items": items,
                }
            )
        items = [{key: value for key, value in obj.items() if key not in ("kind", "apiVersion")} for obj in found]
        head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata}
        return reply(head | {"items": items})

    async def _watch(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        resource = target.resource
        namespace = None if target.everywhere or not resource.namespaced else target.namespace
        bookmarks = requests.flag(request, "allowWatchBookmarks")
        initial = requests.flag(request, "sendInitialEvents")
        self._check_initial(request, initial)
        watch = Watch(
            self.store,
            resource,
            namespace,
            listing.matcher(request, resource, target.name),
            tables.watch_transform(request, resource),
            bookmarks,
        )
        seconds = requests.number(request, "timeoutSeconds") or _DEFAULT_WATCH_SECONDS
        version = request.query.get("resourceVersion", "")
        revision = requests.number(request, "resourceVersion")
        # Joining before the first line is sent loses no change between.
        self.store.listeners.append(watch.offer)
        try:
            lines = self._opening(watch, version, revision, initial=initial)
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            await response.prepare(request)
            await self._pump(response, watch, lines, seconds, revision)
        finally:
            self.store.listeners.remove(watch.offer)
        return response

    @staticmethod
    def _check_initial(request: web.BaseRequest, initial: bool) -> None:
        match = request.query.get("resourceVersionMatch", "")
        if initial and match != "NotOlderThan":
            text = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            raise invalid_options("ListOptions", "resourceVersionMatch", "FieldValueForbidden", text)
        if match and "sendInitialEvents" not in request.query:
            text = "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            raise invalid_options("ListOptions", "resourceVersionMatch", "FieldValueForbidden", text)

    def _opening(self, watch: Watch, version: str, revision: int, *, initial: bool) -> list[bytes]:
        """The first lines: the present state, or what was missed, or the news that too much was missed."""
        if initial or version in ("", "0"):
            if revision > self.store.revision:
                raise listing.too_large(revision, self.store.revision)
            return [*watch.initial(), watch.bookmark(initial=True)] if initial else watch.initial()
        try:
            return watch.backlog(revision)
        except ApiError as error:
            return [watch.line("ERROR", error.status()), b""]

    async def _pump(
        self, response: web.StreamResponse, watch: Watch, lines: list[bytes], seconds: float, revision: int
    ) -> None:
        ended = bool(lines) and lines[-1] == b""
        for start in range(0, len(lines), 200):
            await response.write(b"".join(lines[start : start + 200]))
        if not ended:
            async for chunk in watch.follow(seconds):
                await response.write(chunk)
        await response.write_eof()

    # -- writing ------------------------------------------------------------------------------------------------

    async def _create(self, request: web.BaseRequest, target: Target, user: User) -> web.Response:
        if target.name or target.everywhere:
            raise method_not_allowed()
        call = requests.call(request, user.name, "CreateOptions", "")
        body = await requests.document(request)
        obj = self.registry.create(target.resource, target.namespace, body, call)
        return reply(obj, 201, call.warnings)

    async def _update(self, request: web.BaseRequest, target: Target, user: User) -> web.Response:
        if not target.name:
            raise method_not_allowed()
        call = requests.call(request, user.name, "UpdateOptions", target.subresource)
        body = await requests.document(request)
        obj = self.registry.update(target.resource, target.namespace, target.name, body, call)
        return reply(obj, 200, call.warnings)

    async def _patch(self, request: web.BaseRequest, target: Target, user: User) -> web.Response:
        if not target.name:
            raise method_not_allowed()
        media = request.headers.get("Content-Type", "").split(";")[0].strip()
        if media not in _PATCHES:
            raise unsupported_media(", ".join(sorted(_PATCHES)))
        call = requests.call(request, user.name, "PatchOptions", target.subresource)
        patch = await requests.body(request)
        if media == APPLY:
            return self._apply(request, target, patch, call)
        if requests.flag(request, "force"):
            text = "Forbidden: may not be specified for non-apply patch"
            raise invalid_options("PatchOptions", "force", "FieldValueForbidden", text)
        live = self.registry.need(target.resource, target.namespace, target.name)
        patched = self._patched(target.resource, live, patch, media)
        obj = self.registry.decode(target.resource, patched, call)
        obj = self.registry.commit(target.resource, live, obj, call, patched=True)
        return reply(obj, 200, call.warnings)

    @staticmethod
    def _patched(resource: Resource, live: Object, patch: Any, media: str) -> Object:
        if media == "application/json-patch+json":
            if not isinstance(patch, list):
                raise bad_request("a JSON patch is a list of operations")
            return json_patch(live, patch)
        if not isinstance(patch, dict):
            raise bad_request("a merge patch is an object")
        merged: Object = (
            merge_patch(live, patch)
            if media == "application/merge-patch+json"
            else strategic(of(resource), live, patch)
        )
        return merged

    def _apply(self, request: web.BaseRequest, target: Target, body: Any, call: Call) -> web.Response:
        if not request.query.get("fieldManager"):
            text = "Required value: is required for apply patch"
            raise invalid_options("PatchOptions", "fieldManager", "FieldValueRequired", text)
        if not isinstance(body, dict):
            raise bad_request("the applied configuration is not an object")
        force = requests.flag(request, "force")
        obj, created = self.registry.apply(target.resource, target.namespace, target.name, body, call, force=force)
        return reply(obj, 201 if created else 200, call.warnings)

    async def _delete(self, request: web.BaseRequest, target: Target, user: User) -> web.Response:
        call = requests.call(request, user.name, "DeleteOptions", "")
        options = await requests.document(request)
        for name in ("propagationPolicy", "gracePeriodSeconds"):
            if name in request.query:
                text = request.query[name]
                options[name] = requests.number(request, name) if name == "gracePeriodSeconds" else text
        if target.name:
            obj = deletion.delete(
                self.registry, target.resource, target.namespace, target.name, options, dry_run=call.dry_run
            )
            return reply(obj)
        if target.resource is NAMESPACE or target.everywhere:
            raise method_not_allowed()
        found, metadata = listing.page(request, self.store, self.pages, target.resource, target.namespace)
        for obj in found:
            deletion.delete(
                self.registry,
                target.resource,
                target.namespace,
                obj["metadata"]["name"],
                options,
                dry_run=call.dry_run,
            )
        head = {"kind": f"{target.resource.kind}List", "apiVersion": target.resource.api_version, "metadata": metadata}
        return reply(head | {"items": found})
