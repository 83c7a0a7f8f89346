"""An organisation to search in: the demo as it is loaded, among some twelve hundred more entities whose names collide
with it and with one another: the same names in other namespaces, forks, versions, leftovers, and descriptions that
speak of other things. Always the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from catalog.actions import add_source
from portal.accounts.models import Organisation, User
from portal.accounts.tenancy import tenant
from portal.clusters.models import Cluster
from portal.desk.management.commands import load_demo
from portal.goldenpaths.models import GoldenPath
from portal.provisioning.models import Run
from tests.conftest import by

STEMS = (
    "payment", "refund", "invoice", "label", "quote", "tracking", "shipment", "parcel", "customer", "locker", "tour",
    "tariff", "claim", "identity", "courier", "scan", "sort", "linehaul", "address", "message", "order", "ledger",
    "pricing", "catalog", "search", "report", "audit", "session", "profile", "forecast",
)  # fmt: skip
ROLES = (
    ("service", "service"), ("worker", "service"), ("gateway", "service"), ("web", "website"), ("job", "job"),
    ("cache", "service"), ("sync", "job"), ("client", "library"), ("adapter", "service"), ("console", "website"),
)  # fmt: skip
PLACES = ("harbor", "emea", "apac")
TEAMS = tuple(f"{stem}-{place}" for place in PLACES for stem in STEMS[:20])


def documents() -> Iterator[dict[str, Any]]:
    """Every generated entity. None has the reference of a demo entity: theirs are in the default namespace."""
    for team in TEAMS:
        yield _group(team)
    for place in PLACES:
        for at, stem in enumerate(STEMS):
            for number, (role, kind) in enumerate(ROLES):
                other = STEMS[(at + number + 3) % len(STEMS)]
                yield _component(f"{stem}-{role}", place, kind, at + number, f"Feeds {other} data to {stem} users.")
    for at, stem in enumerate(STEMS):
        for suffix in ("legacy", "canary", "v2", "old", "poc"):
            about = f"Once took the place of the {stem} system; see the runbook of {stem}."
            yield _component(f"{stem}-core-{suffix}", "default", "service", at, about, lifecycle="deprecated")
        yield _resource(f"{stem}-store", at)


def _group(name: str) -> dict[str, Any]:
    spec = {"type": "team", "children": [], "profile": {"displayName": name.replace("-", " ").title()}}
    return _entity("Group", name, "default", f"Runs {name.partition('-')[0]} in its region.", [], spec)


def _component(name: str, namespace: str, kind: str, number: int, about: str, *, lifecycle: str = "") -> dict[str, Any]:
    stage = lifecycle or ("production", "experimental", "production")[number % 3]
    spec = {"type": kind, "lifecycle": stage, "owner": f"group:default/{TEAMS[number % len(TEAMS)]}"}
    tags = [("java", "go", "node")[number % 3], f"tier-{number % 4}"]
    return _entity("Component", name, namespace, about, tags, spec)


def _resource(name: str, number: int) -> dict[str, Any]:
    spec = {"type": "database", "owner": f"group:default/{TEAMS[number % len(TEAMS)]}"}
    return _entity("Resource", name, "harbor", "Rows of the region.", [], spec)


def _entity(kind: str, name: str, namespace: str, about: str, tags: list[str], spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "description": about, "tags": tags}
    return {"apiVersion": "backstage.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def settle(folder: Path) -> Organisation:
    """Loads the demo's first organisation and everything beside it. Needs a transaction; returns the organisation."""
    company = load_demo.COMPANIES[0]
    load_demo.settle(company)
    organisation = Organisation.objects.get(slug=company.slug)
    rows = list(documents())
    for start in range(0, len(rows), 300):
        text = yaml.safe_dump_all(rows[start : start + 300], sort_keys=False)
        (folder / f"part-{start}.yaml").write_text(text)
    (folder / "catalog-info.yaml").write_text(
        "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: regions}\n"
        f"spec: {{targets: [{', '.join(f'./part-{start}.yaml' for start in range(0, len(rows), 300))}]}}\n"
    )
    ada = User.objects.get(email="ada@slipway.example")
    with tenant(organisation):
        load_demo.furnish(organisation, company)
        add_source(organisation=organisation, actor=by(ada), kind="folder", target=str(folder))
        Cluster.objects.create(
            organisation=organisation, slug="northern", name=load_demo.CLUSTER, server="https://127.0.0.1:1",
            credential_kind="token", credential_fingerprint="x", sealed="x",
        )  # fmt: skip
        path = GoldenPath.objects.for_tenant(organisation).get(slug="python-web-service")
        for number, subject in enumerate(("customs-desk", "berth-planner", "customs-desk"), 7001):
            Run.objects.create(
                id=number, organisation=organisation, version=path.current, requester=ada, idempotency_key=f"r{number}",
                title=path.title, subject=subject, status="succeeded", wake_at=None,
            )  # fmt: skip
    return organisation
