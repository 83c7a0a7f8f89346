"""Descriptors of a catalog of any size, made up: the same number is always the same entity. Needs no Django."""

from __future__ import annotations

from typing import Any

FIRST = (
    "order", "payment", "refund", "invoice", "basket", "checkout", "parcel", "route", "tracking", "quote", "label",
    "customs", "claim", "locker", "sorter", "driver", "address", "pricing", "loyalty", "catalog", "search", "stock",
    "supplier", "return", "voucher", "ledger", "dunning", "fraud", "identity", "notification",
)  # fmt: skip
SECOND = ("gateway", "service", "worker", "api", "engine", "store", "sync", "portal", "feed", "proxy", "batch", "index")
LANGUAGES = ("java", "go", "python", "kotlin", "rust", "typescript")
STAGES = ("production", "production", "production", "experimental", "deprecated")
TYPES = ("service", "service", "website", "library", "job", "worker")
SENTENCE = (
    "Takes what comes from the {0} side and hands it on to the {1}; keeps what it has seen for thirty days and tells"
    " the {2} when something does not fit."
)


def teams_of(count: int) -> int:
    """One team for about a hundred entities, at least five."""
    return max(5, count // 90)


def document(number: int, count: int) -> dict[str, Any]:
    """The descriptor of one of `count` entities: teams first, then of a hundred 70 components, 15 APIs, 13 resources
    and 2 systems."""
    teams = teams_of(count)
    if number < teams:
        return {
            "apiVersion": "backstage.io/v1alpha1", "kind": "Group",
            "metadata": {"name": f"team-{number}", "title": f"Team {number}", "namespace": "default"},
            "spec": {"type": "team", "profile": {"displayName": f"Team {number}"}, "children": []},
        }  # fmt: skip
    place = number % 100
    kind = "Component" if place < 70 else "API" if place < 85 else "Resource" if place < 98 else "System"
    first, second = FIRST[number % len(FIRST)], SECOND[number // 7 % len(SECOND)]
    name = f"{first}-{second}-{number}"
    owner = f"team-{number * 7919 % teams}"
    metadata: dict[str, Any] = {
        "name": name, "namespace": "default",
        "description": SENTENCE.format(first, SECOND[number % 12], FIRST[number // 3 % 30]),
        "annotations": {
            "backstage.io/kubernetes-id": name,
            "github.com/project-slug": f"acme/{name}",
            "backstage.io/source-location": f"url:https://git.example/acme/{name}/tree/main/",
        },
        "tags": [LANGUAGES[number % 6], f"tier-{number % 4}", *(["pci"] if number % 17 == 0 else [])],
        "links": [{"url": f"https://dash.example/d/{name}", "title": "Dashboard", "icon": "dashboard"}],
    }  # fmt: skip
    if number % 3 == 0:
        metadata["title"] = f"{first.title()} {second.title()} {number}"
    spec: dict[str, Any] = {"type": TYPES[number % 6], "owner": owner, "lifecycle": STAGES[number % 5]}
    if kind == "Component":
        spec["system"] = (
            f"{FIRST[number // 50 % 30]}-{SECOND[(number - number % 100 + 98) // 7 % 12]}-{number - place + 98}"
        )
        spec["dependsOn"] = [f"component:{_component(number // 2)}", f"resource:{_resource(number, place)}"]
        spec["consumesApis"] = [_api(number, place)]
    if kind == "API":
        spec["type"], spec["definition"] = (
            "openapi",
            f"openapi: 3.0.0\ninfo: {{title: {name}, version: 1.0.0}}\npaths: {{}}\n",
        )
    if kind == "Resource":
        spec["type"] = ("database", "bucket", "topic")[number % 3]
    if kind == "System":
        del spec["type"], spec["lifecycle"]
    return {"apiVersion": "backstage.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def _named(number: int) -> str:
    return f"{FIRST[number % len(FIRST)]}-{SECOND[number // 7 % len(SECOND)]}-{number}"


def _component(number: int) -> str:
    return _named(number - number % 100 + number % 70)


def _api(number: int, place: int) -> str:
    return _named(number - place + 70 + number % 15)


def _resource(number: int, place: int) -> str:
    return _named(number - place + 85 + number % 13)
