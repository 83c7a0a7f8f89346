"""Every query that pages and API make of a catalog of 20,000 reads what it shows and little more.

Row-level security keeps operators that are not leakproof from indexes, and what then happens is silent: a filter that
reads every row of the organisation. So each statement is explained as the ordinary role runs it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalog.index.pages import PASSED
from catalog.models import Entity, Source
from portal.accounts.models import Team, TeamMembership
from portal.accounts.tenancy import tenant
from tests.catalog import many

COUNT = 20_000
# Bytes on disk for each of them, with all indexes; it was 6,980 before docs/adr/0166.
SMALL = 5_400
# What a node may throw away: so many times what it gives, and a page's worth whatever it gives.
TIMES, ANYHOW = 20, 200
# A table of so many rows is read whole sooner than through its index.
MOST = 2000
LARGE = ("catalog_entity", "catalog_body", "catalog_edge", "catalog_fact", "catalog_factblock", "catalog_near")

API = "/api/o/acme/catalog"
BY_QUERY = f"{API}/entities/by-query?limit=20"
ASKED = [
    f"{API}/entities?limit=20",
    f"{API}/entities?limit=20&filter=kind=component,spec.lifecycle=production",
    f"{API}/entities?limit=20&order=desc:spec.lifecycle&order=asc:metadata.name&filter=kind=resource",
    f"{API}/entities?filter=spec.owner=team-7",
    BY_QUERY,
    f"{BY_QUERY}&filter=kind=component&orderField=metadata.name,asc",
    f"{BY_QUERY}&filter=kind=component,spec.type=service,spec.lifecycle=production",
    f"{BY_QUERY}&filter=relations.ownedby=group:default/team-9",
    f"{BY_QUERY}&filter=relations.ownedby=group:default/team-9&orderField=metadata.name,desc",
    f"{BY_QUERY}&filter=metadata.annotations.backstage.io/kubernetes-id&orderField=spec.type,desc",
    f"{BY_QUERY}&orderField=metadata.annotations.github.com/project-slug,asc",
    f"{BY_QUERY}&orderField=metadata.title,desc",
    f"{BY_QUERY}&filter=metadata.name=payment-index-331",
    f"{BY_QUERY}&fullTextFilterTerm=gateway-1&fullTextFilterFields=metadata.name,metadata.title",
    f"{BY_QUERY}&filter=kind=api&fullTextFilterTerm=engine",
    f"{BY_QUERY}&filter=nothing=here",
    f"{API}/entity-facets?facet=kind&facet=spec.type&facet=spec.lifecycle",
    f"{API}/entity-facets?facet=spec.owner&filter=kind=component",
    f"{API}/entities/by-name/component/default/payment-index-331",
    f"{API}/entities/by-name/group/default/team-3",
    f"{API}/locations",
    "/o/acme/catalog/?kind=",
    "/o/acme/catalog/?kind=Component",
    "/o/acme/catalog/?kind=Component&owner=group:default/team-7&lifecycle=production",
    "/o/acme/catalog/?tag=go&q=payment+gate",
    "/o/acme/catalog/?q=thirty+days",
    "/o/acme/catalog/?kind=Component&sort=-lifecycle",
    "/o/acme/catalog/?kind=Component&whose=teams",
    "/o/acme/catalog/?kind=Component&whose=nobody",
    "/o/acme/catalog/component/default/payment-index-331/",
    "/o/acme/catalog/component/default/payment-index-331/dependencies/",
    "/o/acme/catalog/problems/",
    "/o/acme/catalog/sources/{source}/",
    "/o/acme/teams/",
    "/o/acme/teams/payments/",
    "/o/acme/",
    "/o/acme/search/?q=payment-worker",
    "/o/acme/search/?q=paymnet+wrker",
    "/o/acme/search/?q=ordergateway",
]
PREDICATES = [
    {"query": {"$not": {"kind": {"$in": ["component", "api"]}}}},
    {"query": {"$any": [{"spec.type": "website"}, {"kind": "api", "spec.owner": {"$hasPrefix": "team-1"}}]}},
    {"query": {"metadata.title": {"$exists": False}}, "orderBy": [{"field": "metadata.name", "order": "asc"}]},
    {"query": {"relations": {"$contains": {"type": "dependsOn", "targetRef": "component:default/order-gateway-0"}}}},
]  # fmt: skip


@dataclass
class Waste:
    """A node of a plan that read much for little."""

    node: str
    removed: int
    given: int
    condition: str


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def wasted(plan: dict[str, Any]) -> list[Waste]:
    found = []
    for node in nodes(plan):
        loops = node.get("Actual Loops", 1)
        removed = sum(node.get(f"Rows Removed by {what}", 0) for what in ("Filter", "Index Recheck"))
        if node["Node Type"] == "Nested Loop":
            removed = 0  # rows of small tables beside each other: what they scan is looked at by itself
        given = node.get("Actual Rows", 0) * loops
        where = f"{node['Node Type']} on {node.get('Relation Name', node.get('Alias', ''))}"
        said = str(node.get("Filter", node.get("Join Filter", "")))[:160]
        # An entry of an index that is passed costs a tenth of a row that is looked up (catalog/index/pages.py).
        is_walk = "get_bit" in said and node["Node Type"] == "Subquery Scan"
        if removed * loops > max(TIMES * given * (PASSED if is_walk else 1), ANYHOW):
            found.append(Waste(where, round(removed * loops), round(given), said))
        if node["Node Type"] == "Seq Scan" and node.get("Relation Name") in LARGE and removed * loops + given > MOST:
            found.append(Waste(where, -1, round(given), said))
    return found


def explained(world: Any, sql: str) -> dict[str, Any]:
    with tenant(world.acme), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        found = cursor.fetchone()[0]
    plan: dict[str, Any] = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return plan


def asked_of(client: Client, make: Any) -> list[str]:
    """The statements about the catalog that a warm process makes for a request."""
    assert make(client).status_code == 200
    with CaptureQueriesContext(connection) as caught:
        answer = make(client)
    assert answer.status_code == 200
    statements = [query["sql"] for query in caught.captured_queries]
    return [sql for sql in statements if "catalog_" in sql and sql.lstrip().startswith(("SELECT", "WITH"))]


@pytest.mark.django_db(transaction=True)
def test_no_query_reads_much_more_than_it_shows(committed_world, client_for):
    world = committed_world
    many.load(world.acme, COUNT)
    many.settle(os.environ["DATABASE_OWNER_URL"])
    assert many.size_of_an_entity(COUNT) < SMALL
    with tenant(world.acme):
        for number in range(40):
            team = Team.objects.create(
                organisation=world.acme, slug=f"t-{number}", name=f"T {number}", ref=f"group:default/team-{number}"
            )
        TeamMembership.objects.create(organisation=world.acme, user=world.dev, team=team)
        source = Source.objects.get().pk
        assert Entity.objects.for_tenant(world.acme).filter(name="payment-index-331").exists()
    client = client_for(world.dev)
    requests = [getter(path.format(source=source)) for path in ASKED] + [poster(body) for body in PREDICATES]
    requests.append(deep_page)
    seen, found = set[str](), list[tuple[str, Waste]]()
    for make in requests:
        for sql in asked_of(client, make):
            if sql not in seen:
                seen.add(sql)
                found += [(sql, waste) for waste in wasted(explained(world, sql))]
    assert len(seen) > 60, "the statements were caught"
    told = [
        f"{waste.node}: {waste.removed} for {waste.given} {waste.condition}\n    {sql[-700:]}" for sql, waste in found
    ]
    assert not told, "\n".join(told)


def getter(path: str) -> Any:
    return lambda client: client.get(path)


def poster(body: dict[str, Any]) -> Any:
    return lambda client: client.post(f"{API}/entities/by-query", json.dumps(body), content_type="application/json")


def deep_page(client: Client) -> Any:
    """A page from the middle, by the cursor of a page that skips half of the catalog."""
    body = client.get(f"{BY_QUERY}&orderField=metadata.name&offset={COUNT // 2}").json()
    return client.get(f"{API}/entities/by-query?limit=20&cursor={quote(body['pageInfo']['nextCursor'])}")


def test_a_scan_is_noticed():
    """The test of the test: what row-level security did to the catalog before."""
    scan = {
        "Node Type": "Seq Scan", "Relation Name": "catalog_entity", "Actual Rows": 3, "Actual Loops": 1,
        "Rows Removed by Filter": 19_997, "Filter": "(facts && '{kind=component}')",
    }  # fmt: skip
    assert [waste.removed for waste in wasted({"Node Type": "Limit", "Actual Rows": 3, "Plans": [scan]})] == [
        19_997,
        -1,
    ]
