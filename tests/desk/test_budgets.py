"""What a request may cost: statements (transaction control counted) and bytes. The reasons: docs/adr/0090."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.actions import write_entity
from catalog.models import Entity
from catalog.views_lists import PAGE_SIZE
from portal.accounts.access import digest_of
from portal.accounts.models import ApiToken
from portal.accounts.tenancy import tenant
from portal.clusters.models import Cluster
from tests.accounts.house import furnish
from tests.clusters.test_pages import publish
from tests.conftest import by

pytestmark = pytest.mark.django_db(transaction=True)
# As long as they come: a title, a whole description, many owners and tags to choose from.
LONG = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: {name}
  title: The service that is number {number}
  description: Takes what number {number} has to say, checks it, and hands it on to whoever wants to know about it.
  tags: [tag-{number}, common]
  annotations: {{backstage.io/kubernetes-id: {name}}}
spec: {{type: kind-{number}, lifecycle: production, owner: team-with-a-name-{number}}}
"""
# What the names of static files grow by when they are hashed: 13 characters in each of some 60 places.
HASHES = 13 * 60
SECRET = "slw_" + "b" * 40


def statements(client: Client, path: str, **headers: str) -> list[str]:
    """The statements of the second look, as a warm process makes them."""
    assert client.get(path, headers=headers).status_code == 200
    with CaptureQueriesContext(connection) as caught:
        assert client.get(path, headers=headers).status_code == 200
    return [query["sql"] for query in caught.captured_queries]


@pytest.fixture
def house(committed_world: Any, tmp_path: Any) -> Any:
    furnish(committed_world, tmp_path)
    with tenant(committed_world.acme):
        cluster = Cluster.objects.for_tenant(committed_world.acme).get()
    publish(cluster)
    return committed_world


@pytest.fixture
def program(house: Any) -> dict[str, str]:
    with tenant(house.acme):
        ApiToken.objects.create(
            organisation=house.acme, user=house.dev, name="budget", prefix=SECRET[:12], digest=digest_of(SECRET),
            scopes=["read"], expires_at=timezone.now() + timedelta(days=1), last_used_at=timezone.now(),
        )  # fmt: skip
    return {"Authorization": f"Bearer {SECRET}"}


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/api/o/acme/catalog/entities/by-name/{ref}", 4),
        ("/api/o/acme/catalog/entities/by-query?limit=20", 6),
        ("/api/o/acme/catalog/entities?limit=20", 5),
    ],
)
def test_a_program_is_answered_in_few_statements(house: Any, program: dict[str, str], path: str, most: int) -> None:
    found = statements(Client(), path.format(ref=component(house)), **program)
    assert len(found) <= most, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "most"),
    [("/o/acme/catalog/?kind=Component", 9), ("/o/acme/catalog/{ref}/", 13), ("/o/acme/", 14)],
)
def test_a_page_is_made_of_few_statements(house: Any, client_for: Any, path: str, most: int) -> None:
    found = statements(client_for(house.dev), path.format(ref=component(house)))
    assert len(found) <= most, "\n".join(found)


def test_a_full_page_of_the_catalog_is_small(house: Any, client_for: Any) -> None:
    with tenant(house.acme):
        for number in range(60):
            write_entity(
                organisation=house.acme, actor=by(house.ada), text=LONG.format(name=f"service-{number}", number=number)
            )
    client = client_for(house.dev)
    raw = client.get("/o/acme/catalog/?kind=Component")
    assert raw.content.count(b"row-title") == PAGE_SIZE
    assert len(raw.content) + HASHES <= 40_000
    sent = client.get("/o/acme/catalog/?kind=Component", headers={"Accept-Encoding": "gzip"})
    assert len(sent.content) <= 15_000  # a warm visit fetches this alone


def component(world: Any) -> str:
    with tenant(world.acme):
        found = Entity.objects.for_tenant(world.acme).filter(kind="Component").first()
    assert found is not None
    return f"{found.kind.lower()}/{found.namespace}/{found.name}"
