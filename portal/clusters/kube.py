"""The one module that speaks Kubernetes on the cold path: discovery, apply, get, list, delete, scale, logs.

The official client carries the requests (its configuration, pooling and TLS); plain dicts go in and come out, and every
failure is one of errors.py. The hot path, watching, is reflector.py.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode

import urllib3
from urllib3 import exceptions as failing

from portal.clusters.credentials import unseal
from portal.clusters.errors import (
    KubeConflict,
    KubeError,
    KubeExists,
    KubeForbidden,
    KubeInvalid,
    KubeNotFound,
    KubeNotServed,
    KubeUnauthorized,
    KubeUnreachable,
)
from portal.clusters.kubeconfig import ClusterTarget
from portal.clusters.network import resolve, tls_context
from portal.clusters.objectnames import is_segment
from portal.clusters.structs import BY_KIND

if TYPE_CHECKING:
    from portal.clusters.models import Cluster

FIELD_MANAGER = "slipway"
TIMEOUT = (5.0, 10.0)  # connect, read
# What the transport raises where nobody answers, or breaks off; anything else that it raises is a mistake of ours.
AWAY = (
    failing.TimeoutError,
    failing.NewConnectionError,
    failing.ProtocolError,
    failing.SSLError,
    failing.DecodeError,
)
PAGE = 500
MAX_BODY = 32 * 1024 * 1024
MAX_LOG_BYTES = 1024 * 1024
MAX_SAID = 500

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Resource:
    """A kind as a cluster serves it."""

    api_version: str
    kind: str
    plural: str
    is_namespaced: bool
    verbs: frozenset[str]

    @property
    def root(self) -> str:
        """The path of its group and version."""
        return f"/api/{self.api_version}" if "/" not in self.api_version else f"/apis/{self.api_version}"

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """The path of an object, or of the collection when there is no name. Raises KubeInvalid for a name that would
        lead to another one."""
        if misnamed := [part for part in (namespace, name) if part and not is_segment(part)]:
            raise KubeInvalid(f"“{misnamed[0][:80]}” is no name of a {self.kind}.")
        parts = [self.root]
        if self.is_namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        parts += [quote(part, safe="") for part in (name, subresource) if part]
        return "/".join(parts)


def _resource(api_version: str, item: dict[str, Any]) -> Resource:
    verbs = frozenset(item.get("verbs") or ())
    return Resource(api_version, item["kind"], item["name"], bool(item["namespaced"]), verbs)


class Discovery(Protocol):
    """What a cluster serves."""

    def serves(self, api_version: str, kind: str) -> bool:
        """Whether this kind is served in this group and version."""

    def newest(self, kind: str) -> str | None:
        """The newest group and version that a kind is served in, or None."""

    def resource(self, api_version: str, kind: str) -> Resource:
        """How a kind is addressed. Raises KubeNotServed."""

    def in_namespaces(self) -> list[Resource]:
        """Every kind that lies in namespaces and can be listed, each in the version that its group prefers."""


class Kube(Protocol):
    """A cluster, as the rest of the product sees it. Everything raises errors of errors.py."""

    def version(self) -> str:
        """The server's version, such as v1.33.1."""

    def discovery(self) -> Discovery:
        """What it serves; fetched as asked for and kept for as long as this connection."""

    def apply(
        self, manifest: Manifest, *, manager: str = FIELD_MANAGER, dry_run: bool = False, force: bool = False
    ) -> Manifest:
        """Server-side apply; answers the object as it is now.

        metadata.uid and metadata.resourceVersion in the manifest are conditions: that very object, as it was then.
        """

    def create(self, manifest: Manifest, *, manager: str) -> Manifest:
        """Makes an object where none stands. Raises KubeExists when one does."""

    def replace(self, manifest: Manifest, *, manager: str) -> Manifest:
        """Writes a whole object, as read and changed. Raises KubeConflict when it changed since it was read."""

    def get(self, api_version: str, kind: str, namespace: str | None, name: str) -> Manifest | None:
        """The object, or None."""

    def list(
        self, api_version: str, kind: str, namespace: str | None = None, label_selector: str = ""
    ) -> list[Manifest]:
        """Every object of a kind, page by page."""

    def delete(
        self,
        api_version: str,
        kind: str,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        version: str = "",
    ) -> bool:
        """Deletes the object (that very one, when uid is given); False when it is not there.

        version: only as it was at that resourceVersion. Raises KubeConflict when it changed since.
        """

    def patch_scale(self, api_version: str, kind: str, namespace: str, name: str, replicas: int) -> int:
        """Sets the wanted replicas; answers what the server then wants."""

    def logs(
        self, namespace: str, pod: str, *, container: str | None = None, tail: int = 200, previous: bool = False
    ) -> str:
        """The last lines of a container's log."""

    def may(self, verb: str, group: str, resource: str, namespace: str = "") -> bool:
        """Whether our credential may do that."""


@dataclass
class ServedKinds:
    """Discovery of one cluster, one group and version at a time."""

    client: Client
    _versions: dict[str, dict[str, Resource]] = field(default_factory=dict)
    _groups: dict[str, list[str]] | None = None

    def _kinds(self, api_version: str) -> dict[str, Resource]:
        if api_version not in self._versions:
            root = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
            try:
                found = self.client.call("GET", root).get("resources") or []
            except KubeNotFound:
                found = []
            self._versions[api_version] = {
                item["kind"]: _resource(api_version, item) for item in found if "/" not in item["name"]
            }
        return self._versions[api_version]

    def _all_groups(self) -> dict[str, list[str]]:
        """Group -> its versions, the server's preferred one first."""
        if self._groups is None:
            self._groups = {"": ["v1"]}
            for group in self.client.call("GET", "/apis").get("groups") or []:
                preferred = (group.get("preferredVersion") or {}).get("groupVersion", "")
                versions = [item["groupVersion"] for item in group.get("versions") or []]
                self._groups[group["name"]] = list(dict.fromkeys([preferred, *versions] if preferred else versions))
        return self._groups

    def serves(self, api_version: str, kind: str) -> bool:
        return kind in self._kinds(api_version)

    def newest(self, kind: str) -> str | None:
        if kind in BY_KIND:
            return next((version for version in BY_KIND[kind].served_as if self.serves(version, kind)), None)
        versions = (version for group in self._all_groups().values() for version in group)
        return next((version for version in versions if self.serves(version, kind)), None)

    def resource(self, api_version: str, kind: str) -> Resource:
        found = self._kinds(api_version).get(kind)
        if found:
            return found
        other = self.newest(kind)
        instead = f" It serves {kind} as {other}." if other else ""
        raise KubeNotServed(f"The cluster {self.client.name} does not serve {kind} as {api_version}.{instead}")

    def in_namespaces(self) -> list[Resource]:
        kept: dict[tuple[str, str], Resource] = {}
        for group, versions in self._all_groups().items():
            for version in versions:
                for kind, found in self._kinds(version).items():
                    if found.is_namespaced and "list" in found.verbs:
                        kept.setdefault((group, kind), found)
        return list(kept.values())


def preload() -> None:
    """Imports the official client now: for a process from which others are forked, which then share it."""
    import kubernetes.client  # noqa: F401


class Client:
    """One cluster over the official client's transport."""

    def __init__(self, name: str, target: ClusterTarget) -> None:
        # importing it costs a second and 40 MiB, which web should pay only if it ever registers a cluster
        from kubernetes.client import ApiClient, Configuration
        from kubernetes.client.exceptions import ApiException

        endpoint = resolve(target.server)
        self.name = name
        self._failures = (ApiException, *AWAY)  # it wraps what TLS refuses in an ApiException without a status
        # an empty proxy is a decision: with None the client would take one from the environment
        configuration = Configuration(host=endpoint.url, proxy="")
        self._api = ApiClient(configuration)
        self._base = endpoint.url
        self._headers = {"Host": endpoint.authority, "User-Agent": "slipway", "Accept": "application/json"}
        if target.token:
            self._headers["Authorization"] = f"Bearer {target.token}"
        # total=False: no retries, and a redirect is an answer, never followed with our credential
        pool: dict[str, Any] = {"retries": urllib3.Retry(total=False), "maxsize": 4}
        if endpoint.is_tls:
            server_name = target.tls_server_name or endpoint.host
            pool |= {"ssl_context": tls_context(target), "server_hostname": server_name, "assert_hostname": server_name}
        self._api.rest_client.pool_manager = urllib3.PoolManager(**pool)
        self._discovery = ServedKinds(self)

    def __repr__(self) -> str:
        return f"<Client {self.name}>"

    def close(self) -> None:
        """Lets the connections go."""
        self._api.rest_client.pool_manager.clear()

    def send(
        self, method: str, path: str, query: dict[str, str] | None = None, body: Any = None, content_type: str = ""
    ) -> tuple[int, bytes]:
        """One request; the status and the body as bytes. Raises KubeUnreachable."""
        url = f"{self._base}{path}{f'?{urlencode(query)}' if query else ''}"
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = content_type or "application/json"
        try:
            answer = self._api.call_api(method, url, headers, body, _request_timeout=TIMEOUT)
            raw = answer.response.read(MAX_BODY + 1)
            answer.response.release_conn()
        except self._failures as error:
            words = f"The cluster {self.name} does not answer: {_reason(error)}."
            raise KubeUnreachable(words, what=self.name, why=error) from error
        if len(raw) > MAX_BODY:
            raise KubeUnreachable(f"The cluster {self.name} answered with more than 32 MiB.")
        return int(answer.status), bytes(raw)

    def call(
        self, method: str, path: str, query: dict[str, str] | None = None, body: Any = None, content_type: str = ""
    ) -> dict[str, Any]:
        """One request whose answer is a JSON object. Raises what the status means."""
        status, raw = self.send(method, path, query, body, content_type)
        try:
            answer = json.loads(raw)
        except ValueError:
            answer = {"message": raw[:MAX_SAID].decode(errors="replace")}
        if not isinstance(answer, dict):
            answer = {"message": "an answer that is not an object"}
        if status >= 300:
            raise failure(self.name, status, answer)
        return answer

    def version(self) -> str:
        return str(self.call("GET", "/version").get("gitVersion") or "unknown")[:60]

    def discovery(self) -> Discovery:
        return self._discovery

    def apply(
        self, manifest: Manifest, *, manager: str = FIELD_MANAGER, dry_run: bool = False, force: bool = False
    ) -> Manifest:
        query = {"fieldManager": manager, "fieldValidation": "Strict"}
        query |= {"dryRun": "All"} if dry_run else {}
        query |= {"force": "true"} if force else {}
        return self._write("PATCH", manifest, query, "application/apply-patch+yaml")

    def create(self, manifest: Manifest, *, manager: str) -> Manifest:
        return self._write("POST", manifest, {"fieldManager": manager, "fieldValidation": "Strict"}, "application/json")

    def replace(self, manifest: Manifest, *, manager: str) -> Manifest:
        return self._write("PUT", manifest, {"fieldManager": manager}, "application/json")

    def _write(self, method: str, manifest: Manifest, query: dict[str, str], content_type: str) -> Manifest:
        meta = manifest.get("metadata") or {}
        if not (manifest.get("apiVersion") and manifest.get("kind") and meta.get("name")):
            raise KubeInvalid("A manifest needs apiVersion, kind and metadata.name.")
        resource = self._discovery.resource(manifest["apiVersion"], manifest["kind"])
        namespace = meta.get("namespace") or ("default" if resource.is_namespaced else None)
        path = resource.path(namespace, "" if method == "POST" else meta["name"])
        try:
            return self.call(method, path, query, manifest, content_type)
        except KubeError as error:
            error.detail.setdefault("object", f"{manifest['kind']} {meta['name']}")
            raise

    def get(self, api_version: str, kind: str, namespace: str | None, name: str) -> Manifest | None:
        resource = self._discovery.resource(api_version, kind)
        try:
            return self.call("GET", resource.path(namespace, name))
        except KubeNotFound:
            return None

    def list(
        self, api_version: str, kind: str, namespace: str | None = None, label_selector: str = ""
    ) -> list[Manifest]:
        path = self._discovery.resource(api_version, kind).path(namespace)
        query = {"limit": str(PAGE)}
        if label_selector:
            query["labelSelector"] = label_selector
        found: list[Manifest] = []
        while True:
            page = self.call("GET", path, query)
            # items of a list carry neither, though each object on its own does
            found += [{"apiVersion": api_version, "kind": kind, **item} for item in page.get("items") or []]
            query["continue"] = (page.get("metadata") or {}).get("continue") or ""
            if not query["continue"]:
                return found

    def delete(
        self,
        api_version: str,
        kind: str,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        version: str = "",
    ) -> bool:
        path = self._discovery.resource(api_version, kind).path(namespace, name)
        options: dict[str, Any] = {"propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid} | ({"resourceVersion": version} if version else {})
        try:
            self.call("DELETE", path, None, options, "application/json")
        except KubeNotFound:
            return False
        except KubeConflict as conflict:
            # the name is taken by another object now: ours is gone
            if uid and re.search("UID in (the )?precondition", conflict.text):
                return False
            raise
        return True

    def patch_scale(self, api_version: str, kind: str, namespace: str, name: str, replicas: int) -> int:
        path = self._discovery.resource(api_version, kind).path(namespace, name, "scale")
        body = {"spec": {"replicas": replicas}}
        answer = self.call("PATCH", path, {"fieldManager": FIELD_MANAGER}, body, "application/merge-patch+json")
        return int((answer.get("spec") or {}).get("replicas") or 0)

    def logs(
        self, namespace: str, pod: str, *, container: str | None = None, tail: int = 200, previous: bool = False
    ) -> str:
        path = Resource("v1", "Pod", "pods", True, frozenset()).path(namespace, pod, "log")
        query = {"tailLines": str(tail), "limitBytes": str(MAX_LOG_BYTES)}
        query |= {"container": container} if container else {}
        query |= {"previous": "true"} if previous else {}
        status, raw = self.send("GET", path, query)
        text = raw.decode(errors="replace")
        if status < 300:
            return text
        try:
            answer = json.loads(text)
        except ValueError:
            answer = {"message": text[:MAX_SAID]}
        raise failure(self.name, status, answer)

    def may(self, verb: str, group: str, resource: str, namespace: str = "") -> bool:
        attributes = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = self.call("POST", path, None, review, "application/json")
        return bool((answer.get("status") or {}).get("allowed"))


def _reason(error: Exception) -> str:
    """A transport failure in words, without the address and object names that libraries put in."""
    text = str(error)
    signs = (
        ("CERTIFICATE_VERIFY_FAILED", "its certificate is not signed by the authority in the kubeconfig"),
        ("Hostname mismatch", "its certificate is for another name"),
        ("IP address mismatch", "its certificate is for another address"),
        ("timed out", "no answer within ten seconds"),
        ("Connection refused", "the connection was refused"),
        ("WRONG_VERSION_NUMBER", "it does not speak TLS there"),
    )
    return next((words for sign, words in signs if sign.lower() in text.lower()), "the connection failed")


def _fields(details: dict[str, Any]) -> list[dict[str, str]]:
    """Which fields conflict, and who holds them: the manager's name stands in the message only."""
    found = []
    for cause in details.get("causes") or []:
        message = str(cause.get("message") or "")
        manager = message.split('"')[1] if message.count('"') >= 2 else ""
        found.append({"field": str(cause.get("field") or ""), "manager": manager})
    return found


def failure(name: str, status: int, answer: dict[str, Any]) -> KubeError:
    """The error that a status and the server's own words amount to."""
    said = " ".join(str(answer.get("message") or "").split())[:MAX_SAID].rstrip(".")
    details = answer.get("details") or {}
    if status == 401:
        return KubeUnauthorized(f"The cluster {name} does not accept Slipway's credential. Connect it again.")
    if status == 403 and "exceeded quota" in said:
        return KubeInvalid(f"The cluster {name} refuses: {said}.")
    if status == 403:
        return KubeForbidden(f"The cluster {name} does not allow this: {said}.")
    if status == 404:
        return KubeNotFound(f"The cluster {name} does not have it: {said}.")
    if status == 409:
        fields = _fields(details)
        if fields:
            held = ", ".join(f"{item['field']} (held by {item['manager'] or 'another manager'})" for item in fields)
            return KubeConflict(f"Other managers hold fields that this would change: {held}.", fields=fields)
        kind = KubeExists if answer.get("reason") == "AlreadyExists" else KubeConflict
        return kind(f"The cluster {name} refuses: {said}.")
    # an unknown field in server-side apply is a 500 on every version up to 1.36, yet no retry will mend it
    if status in (400, 405, 413, 415, 422) or "field not declared in schema" in said:
        return KubeInvalid(f"The cluster {name} refuses: {said}.")
    if 300 <= status < 400:
        return KubeUnreachable(f"The cluster {name} answers with a redirect, which Slipway does not follow.")
    return KubeUnreachable(f"The cluster {name} could not do it ({status}): {said or 'no reason given'}.")


def connect_target(name: str, target: ClusterTarget) -> Kube:
    """A cluster whose credential is at hand. Raises Invalid for addresses that Slipway may not connect to."""
    return Client(name, target)


def target_of(cluster: Cluster) -> ClusterTarget:
    """Opens a cluster's credential: only in a process that has the private key."""
    secret = unseal(cluster.sealed, cluster.place)
    return ClusterTarget(
        server=cluster.server,
        ca=cluster.ca,
        tls_server_name=cluster.tls_server_name,
        token=secret.get("token", ""),
        certificate=secret.get("certificate", ""),
        key=secret.get("key", ""),
    )


def connect(cluster: Cluster) -> Kube:
    """A connection to a registered cluster, for worker and live. Nothing is sent until it is used."""
    return Client(cluster.name, target_of(cluster))
