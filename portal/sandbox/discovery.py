"""What the server serves: /api, /apis, the resource lists, and the aggregated form of both."""

from typing import Any

from portal.sandbox.kinds import GROUP_VERSIONS, GROUPS, RESOURCES, VERBS, Resource

VERSION: dict[str, str] = {
    "major": "1",
    "minor": "34",
    "gitVersion": "v1.34.0",
    "gitCommit": "0000000000000000000000000000000000000000",
    "gitTreeState": "clean",
    "buildDate": "2025-08-27T00:00:00Z",
    "goVersion": "none",
    "compiler": "slipway-sandbox",
    "platform": "linux/amd64",
}
AGGREGATED = "g=apidiscovery.k8s.io"
_POST_ONLY = {
    "authorization.k8s.io": (("selfsubjectaccessreviews", "SelfSubjectAccessReview"),),
    "authentication.k8s.io": (("selfsubjectreviews", "SelfSubjectReview"),),
}


def groups() -> list[str]:
    return [group for group in GROUPS if group in _POST_ONLY or any(r.group == group for r in RESOURCES)]


def core_versions() -> dict[str, Any]:
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}],
    }


def _group(name: str) -> dict[str, Any]:
    version = {"groupVersion": f"{name}/{GROUP_VERSIONS[name]}", "version": GROUP_VERSIONS[name]}
    return {"name": name, "versions": [version], "preferredVersion": version}


def group_list() -> dict[str, Any]:
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in groups()]}


def group(name: str) -> dict[str, Any] | None:
    return {"kind": "APIGroup", "apiVersion": "v1"} | _group(name) if name in groups() else None


def _subresources(resource: Resource) -> list[tuple[str, str, str, str, tuple[str, ...]]]:
    """Name, kind, group, version and verbs of each subresource."""
    out: list[tuple[str, str, str, str, tuple[str, ...]]] = []
    write = ("get", "patch", "update")
    if resource.scale:
        out.append(("scale", "Scale", "autoscaling", "v1", write))
    if resource.status:
        out.append(("status", resource.kind, "", "", write))
    if resource.kind == "Pod":
        out.append(("log", "Pod", "", "", ("get",)))
        out.append(("eviction", "Eviction", "policy", "v1", ("create",)))
        out.append(("binding", "Binding", "", "", ("create",)))
    return out


def resource_list(name: str, version: str) -> dict[str, Any] | None:
    """The APIResourceList of a group version, or None if it is not served."""
    entries: list[dict[str, Any]] = []
    for resource in RESOURCES:
        if (resource.group, resource.version) != (name, version):
            continue
        entry: dict[str, Any] = {
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": list(VERBS if resource.kind != "Namespace" else [v for v in VERBS if v != "deletecollection"]),
        }
        if resource.short:
            entry["shortNames"] = list(resource.short)
        if resource.categories:
            entry["categories"] = list(resource.categories)
        entries.append(entry)
        for sub, kind, group_name, sub_version, verbs in _subresources(resource):
            item: dict[str, Any] = {
                "name": f"{resource.plural}/{sub}",
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": kind,
                "verbs": list(verbs),
            }
            entries.append(item | ({"group": group_name, "version": sub_version} if group_name else {}))
    for plural, kind in _POST_ONLY.get(name, ()) if version == "v1" else ():
        singular = kind.lower()
        entries.append(
            {"name": plural, "singularName": singular, "namespaced": False, "kind": kind, "verbs": ["create"]}
        )
    if not entries:
        return None
    group_version = f"{name}/{version}" if name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": entries}


def _aggregated_version(name: str, version: str) -> dict[str, Any]:
    listed = resource_list(name, version)
    out: dict[str, dict[str, Any]] = {}
    for entry in listed["resources"] if listed else ():
        plural, _, sub = entry["name"].partition("/")
        kind = {
            "group": entry.get("group", name),
            "version": entry.get("version", version),
            "kind": entry["kind"],
        }
        if sub:
            part = {"subresource": sub, "responseKind": kind, "verbs": entry["verbs"]}
            out[plural].setdefault("subresources", []).append(part)
            continue
        out[plural] = {
            "resource": plural,
            "responseKind": kind,
            "scope": "Namespaced" if entry["namespaced"] else "Cluster",
            "singularResource": entry["singularName"],
            "verbs": entry["verbs"],
        } | {key: entry[key] for key in ("shortNames", "categories") if key in entry}
    return {"version": version, "resources": list(out.values()), "freshness": "Current"}


def aggregated(core: bool, version: str) -> dict[str, Any]:
    """The APIGroupDiscoveryList of /api or of /apis."""
    names = [""] if core else groups()
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None},
            "versions": [_aggregated_version(name, GROUP_VERSIONS.get(name, "v1"))],
        }
        for name in names
    ]
    api = f"apidiscovery.k8s.io/{version}"
    return {"kind": "APIGroupDiscoveryList", "apiVersion": api, "metadata": {}, "items": items}
