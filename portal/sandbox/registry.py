"""What happens to an object between the request and the store: create, update, delete."""

import copy
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from portal.sandbox import apply as applying
from portal.sandbox import clock, defaults, immutability, schema, validation
from portal.sandbox.admission import Admission
from portal.sandbox.errors import (
    ApiError,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    not_found,
    stale,
    wrong,
)
from portal.sandbox.kinds import ENDPOINT_SLICE, EVENT, LEASE, NAMESPACE, POD, Resource
from portal.sandbox.store import Object, Store

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_GENERATION = {
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "PodDisruptionBudget",
    "Ingress",
    "NetworkPolicy",
    "EndpointSlice",
    "IngressClass",
    "Pod",
}
# Written so often by the sandbox's own controllers that keeping their managedFields is not worth its time.
_UNTRACKED = {POD, EVENT, ENDPOINT_SLICE, LEASE}


@dataclass(slots=True)
class Call:
    """The circumstances of one request."""

    user: str = "system:kube-controller-manager"
    manager: str = "kube-controller-manager"
    dry_run: bool = False
    field_validation: str = "Warn"
    subresource: str = ""
    warnings: list[str] = field(default_factory=list)


INTERNAL = Call()


def suffix(length: int = 5) -> str:
    return "".join(random.choices(_ALPHABET, k=length))  # noqa: S311 (names, not secrets)


class Registry:
    """The write side of the API; everything that changes an object passes through here."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.admission = Admission(store)

    # -- reading ------------------------------------------------------------------------------------------------

    def need(self, resource: Resource, namespace: str, name: str) -> Object:
        obj = self.store.get(resource, namespace, name)
        if obj is None:
            raise not_found(resource, name)
        return obj

    def decode(self, resource: Resource, body: Object, call: Call) -> Object:
        """A request's body as a typed object; unknown fields are refused, warned about or dropped, as asked."""
        self._check_kind(resource, body)
        decoder = schema.Decoder(resource)
        obj = decoder.decode(body)
        if decoder.unknown:
            texts = [f'unknown field "{path}"' for path in decoder.unknown]
            if call.field_validation == "Strict":
                raise bad_request(
                    f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: strict '
                    f"decoding error: {', '.join(texts)}"
                )
            if call.field_validation == "Warn":
                call.warnings.extend(texts)
        metadata = obj.setdefault("metadata", {})
        return {"apiVersion": resource.api_version, "kind": resource.kind} | obj | {"metadata": metadata}

    @staticmethod
    def _check_kind(resource: Resource, body: Object) -> None:
        wanted = resource.api_version
        if body.get("apiVersion", wanted) != wanted:
            raise bad_request(
                f"the API version in the data ({body['apiVersion']}) does not match the expected API version ({wanted})"
            )
        if body.get("kind", resource.kind) != resource.kind:
            head = f'{body["kind"]} in version "{resource.version}" cannot be handled as a {resource.kind}'
            raise bad_request(f"{head}: unknown conversion")

    # -- creating -----------------------------------------------------------------------------------------------

    def create(self, resource: Resource, namespace: str, body: Object, call: Call) -> Object:
        """Create an object from a request's body."""
        obj = self.decode(resource, copy.deepcopy(body), call)
        return self._admit_new(resource, namespace, obj, call)

    def _admit_new(self, resource: Resource, namespace: str, obj: Object, call: Call) -> Object:
        obj = self.prepare(resource, namespace, obj, call)
        found = validation.problems(resource, obj)
        name = obj["metadata"].get("name", "")
        if found:
            raise invalid(resource, name or obj["metadata"].get("generateName", ""), found)
        if "managedFields" not in obj["metadata"]:
            self._track(resource, None, obj, call)
        return self.insert(resource, obj, dry_run=call.dry_run)

    def prepare(self, resource: Resource, namespace: str, obj: Object, call: Call) -> Object:
        """Metadata, defaults and admission for a new object; changes and returns it."""
        metadata = obj["metadata"]
        if metadata.get("namespace", namespace) != namespace and resource.namespaced:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        for key in ("uid", "resourceVersion", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds"):
            metadata.pop(key, None)
        if resource.namespaced:
            metadata["namespace"] = namespace
            self._need_namespace(resource, namespace, metadata.get("name", ""))
        else:
            metadata.pop("namespace", None)
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"][:58] + suffix()
        if resource.status:
            obj.pop("status", None)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = clock.stamp()
        if resource.kind in _GENERATION:
            metadata["generation"] = 1
        defaults.fill(resource, obj)
        self.admission.complete(resource, obj)
        return obj

    def _need_namespace(self, resource: Resource, namespace: str, name: str) -> None:
        found = self.store.get(NAMESPACE, "", namespace)
        if found is None:
            raise not_found(NAMESPACE, namespace)
        if found["metadata"].get("deletionTimestamp") and resource is not EVENT:
            text = f"unable to create new content in namespace {namespace} because it is being terminated"
            error = forbidden(resource, name, text)
            cause = {"reason": "NamespaceTerminating", "message": f"namespace {namespace} is being terminated"}
            error.details = (error.details or {}) | {"causes": [cause | {"field": "metadata.namespace"}]}
            raise error

    def insert(self, resource: Resource, obj: Object, *, dry_run: bool = False) -> Object:
        """Store a prepared object, if its name is free and the quotas allow it."""
        metadata = obj["metadata"]
        if self.store.get(resource, metadata.get("namespace", ""), metadata["name"]):
            raise already_exists(resource, metadata["name"])
        self.admission.check_quota(resource, obj, None)
        return obj if dry_run else self.store.put(resource, obj)

    def make(self, resource: Resource, namespace: str, obj: Object) -> Object:
        """Create an object on a controller's behalf: admitted, but its form is trusted."""
        full = {"apiVersion": resource.api_version, "kind": resource.kind} | obj
        prepared = self.prepare(resource, namespace, full, INTERNAL)
        if resource not in _UNTRACKED:
            self._track(resource, None, prepared, INTERNAL)
        return self.insert(resource, prepared)

    def _track(self, resource: Resource, live: Object | None, obj: Object, call: Call) -> None:
        writer = applying.Writer(call.manager, "Update", resource.api_version, call.subresource)
        entries = applying.track(schema.of(resource), live, obj, writer, time=clock.stamp())
        obj["metadata"]["managedFields"] = entries
        if not entries:
            obj["metadata"].pop("managedFields")

    # -- changing -----------------------------------------------------------------------------------------------

    def update(self, resource: Resource, namespace: str, name: str, body: Object, call: Call) -> Object:
        """Replace an object (or its status)."""
        obj = self.decode(resource, copy.deepcopy(body), call)
        metadata = obj["metadata"]
        if metadata.get("name", name) != name:
            raise bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
            )
        metadata["name"] = name
        if resource.namespaced and metadata.setdefault("namespace", namespace) != namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        live = self.need(resource, namespace, name)
        return self.commit(resource, live, obj, call)

    def commit(
        self,
        resource: Resource,
        live: Object,
        obj: Object,
        call: Call,
        *,
        patched: bool = False,
        applied: bool = False,
    ) -> Object:
        """Write a decoded object over the live one, with all the rules of an update."""
        self._preconditions(resource, live, obj, patched=patched)
        obj = self._only_allowed_parts(resource, live, obj, call)
        defaults.fill(resource, obj)
        self.admission.complete(resource, obj, live)
        name = live["metadata"]["name"]
        found = validation.problems(resource, obj) if call.subresource != "status" else []
        found = found or immutability.problems(resource, live, obj)
        if found:
            raise invalid(resource, name, found)
        if not applied:
            self._track(resource, live, obj, call)
        if resource.kind in _GENERATION and live.get("spec") != obj.get("spec"):
            obj["metadata"]["generation"] = live["metadata"].get("generation", 0) + 1
        if self._same(live, obj):
            return live
        self.admission.check_quota(resource, obj, live)
        return obj if call.dry_run else self._store(resource, obj)

    @staticmethod
    def _same(live: Object, obj: Object) -> bool:
        """Equal but for the times in managedFields: then nothing is written and the resourceVersion stays."""

        def timeless(value: Object) -> Object:
            metadata = dict(value["metadata"])
            entries = [entry | {"time": ""} for entry in metadata.get("managedFields") or ()]
            return value | {"metadata": metadata | {"managedFields": entries}}

        return timeless(live) == timeless(obj)

    @staticmethod
    def _preconditions(resource: Resource, live: Object, obj: Object, *, patched: bool = False) -> None:
        """The uid and the version that a writer believes in must be those of the live object."""
        metadata, current = obj["metadata"], live["metadata"]
        if patched and metadata.get("resourceVersion") not in (None, "", current["resourceVersion"]):
            raise stale(resource, current["name"])
        if metadata.get("uid", current["uid"]) != current["uid"]:
            if patched:
                cause = wrong("metadata.uid", metadata["uid"], "field is immutable")
                raise invalid(resource, current["name"], [cause])
            key = f"/registry/{resource.plural}/{current.get('namespace', '')}/{current['name']}"
            text = (
                f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
                f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {current['uid']}"
            )
            raise conflict(resource, current["name"], text)
        if metadata.get("resourceVersion") not in (None, "", current["resourceVersion"]):
            raise stale(resource, current["name"])

    @staticmethod
    def _only_allowed_parts(resource: Resource, live: Object, obj: Object, call: Call) -> Object:
        """Status is written through its subresource only, everything else only without."""
        current = live["metadata"]
        if call.subresource == "status":
            metadata = dict(current)
            if "managedFields" in obj["metadata"]:
                metadata["managedFields"] = obj["metadata"]["managedFields"]
            out = dict(live) | {"metadata": metadata}
            out.pop("status", None)
            return out | ({"status": obj["status"]} if "status" in obj else {})
        metadata = dict(obj["metadata"])
        for key in (
            "uid",
            "creationTimestamp",
            "generation",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "resourceVersion",
            "generateName",
        ):
            metadata.pop(key, None)
            if key in current:
                metadata[key] = current[key]
        out = obj | {"metadata": metadata}
        if resource.status:
            out.pop("status", None)
            if "status" in live:
                out["status"] = live["status"]
        return out

    def _store(self, resource: Resource, obj: Object) -> Object:
        metadata = obj["metadata"]
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
            done = resource is not NAMESPACE and metadata.get("deletionGracePeriodSeconds", 0) == 0
            if done:
                self.store.put(resource, obj)
                removed = self.store.remove(resource, metadata.get("namespace", ""), metadata["name"])
                return removed or obj
        return self.store.put(resource, obj)

    def change(
        self, resource: Resource, live: Object, edit: Callable[[Object], None], *, status: bool = False
    ) -> Object:
        """Change an object on a controller's behalf; writes only if something differs."""
        obj = copy.deepcopy(live)
        edit(obj)
        if obj == live:
            return live
        if resource.kind in _GENERATION and live.get("spec") != obj.get("spec"):
            obj["metadata"]["generation"] = live["metadata"].get("generation", 0) + 1
        if resource not in _UNTRACKED:
            call = Call(subresource="status") if status else INTERNAL
            self._track(resource, live, obj, call)
        return self._store(resource, obj)

    def set_status(self, resource: Resource, live: Object, status: Object) -> Object:
        """Write an object's status, without copying the rest (nothing else changes)."""
        if live.get("status") == status:
            return live
        obj = live | {"metadata": dict(live["metadata"]), "status": status}
        if resource not in _UNTRACKED:
            self._track(resource, live, obj, Call(subresource="status"))
        return self.store.put(resource, obj)

    # -- server-side apply --------------------------------------------------------------------------------------

    def apply(
        self, resource: Resource, namespace: str, name: str, body: Object, call: Call, *, force: bool
    ) -> tuple[Object, bool]:
        """Server-side apply; answers the object and whether it was created."""
        config = self._apply_config(resource, namespace, name, body, call)
        live = self.store.get(resource, namespace, name)
        node = schema.of(resource)
        if live is None and call.subresource:
            raise not_found(resource, name)
        writer = applying.Writer(call.manager, "Apply", resource.api_version, call.subresource)
        if live is None:
            self._refuse_uid(resource, name, config)
            obj = applying.apply(node, None, config, writer, force=force, time=clock.stamp())
            return self._admit_new(resource, namespace, obj, call), True
        self._preconditions(resource, live, config, patched=True)
        merged = applying.apply(node, copy.deepcopy(live), config, writer, force=force, time=clock.stamp())
        return self.commit(resource, live, merged, call, patched=True, applied=True), False

    @staticmethod
    def _refuse_uid(resource: Resource, name: str, config: Object) -> None:
        """Whoever names a uid means an object that stands; there is none."""
        if uid := config["metadata"].get("uid"):
            text = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise conflict(resource, name, text)

    def _apply_config(self, resource: Resource, namespace: str, name: str, body: Object, call: Call) -> Object:
        """The applied configuration: typed, complete in its name, and without the parts that this door ignores."""
        strict = Call(field_validation="Ignore")
        self._check_typed(resource, namespace, name, body)
        if (body.get("metadata") or {}).get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        config = self.decode(resource, copy.deepcopy(body), strict)
        metadata = config["metadata"]
        if metadata.setdefault("name", name) != name:
            raise bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
            )
        if resource.namespaced:
            metadata.setdefault("namespace", namespace)
        if call.subresource == "status":
            return {key: config[key] for key in ("apiVersion", "kind", "status") if key in config} | {
                "metadata": {key: metadata[key] for key in ("name", "namespace", "resourceVersion") if key in metadata}
            }
        if resource.status:
            config.pop("status", None)
        return config

    @staticmethod
    def _check_typed(resource: Resource, namespace: str, name: str, body: Object) -> None:
        """An applied configuration must fit the schema to the last field."""
        where = f"{namespace}/{name}" if namespace else name
        head = f"failed to create typed patch object ({where}; {resource.api_version}, Kind={resource.kind}): "
        decoder = schema.Decoder(resource)
        try:
            decoder.decode(body)
        except ApiError as error:
            raise ApiError(500, "", head + error.message.rpartition(": ")[2]) from error
        if decoder.unknown:
            raise ApiError(
                500, "", head + "\n".join(f".{path}: field not declared in schema" for path in decoder.unknown)
            )
