"""Addresses that name no organisation: /api/catalog/… is the catalog of the token's organisation, and of no other."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog import actions
from portal.accounts.models import ApiToken
from portal.accounts.tenancy import tenant
from tests.conftest import by
from tests.githosts.conftest import token_for

__all__ = ["token_for"]
TEXT = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: {name}}}
spec: {{type: service, lifecycle: production, owner: payments}}
"""


@pytest.fixture
def two_catalogs(world):
    """One component in each of two organisations."""
    for organisation, person, name in ((world.acme, world.dev, "ours"), (world.rival, world.eve, "theirs")):
        with tenant(organisation):
            actions.write_entity(organisation=organisation, actor=by(person), text=TEXT.format(name=name))


def names(client, secret, path="/api/catalog/entities?filter=kind=component"):
    response = client.get(path, headers={"Authorization": f"Bearer {secret}"})
    assert response.status_code == 200, response.content
    return [each["metadata"]["name"] for each in response.json()]


@pytest.mark.django_db
def test_the_token_says_which_organisation(world, client, token_for, two_catalogs):
    ours, theirs = token_for(world.dev, world.acme, "read"), token_for(world.eve, world.rival, "read")
    assert names(client, ours) == names(client, ours, "/api/o/acme/catalog/entities?filter=kind=component") == ["ours"]
    assert names(client, theirs) == ["theirs"]
    missing = client.get(
        "/api/catalog/entities/by-name/component/default/theirs", headers={"Authorization": f"Bearer {ours}"}
    )
    assert missing.status_code == 404


@pytest.mark.django_db
def test_pages_are_walked_at_the_same_address(world, client, token_for, two_catalogs):
    secret = token_for(world.dev, world.acme, "read")
    first = client.get("/api/catalog/entities?limit=1", headers={"Authorization": f"Bearer {secret}"})
    assert first.headers["Link"].startswith("</api/catalog/entities?")


@pytest.mark.django_db
def test_nobody_else_is_let_in(world, client, client_for, token_for, two_catalogs):
    secret = token_for(world.dev, world.acme, "read")
    with tenant(world.acme):
        ApiToken.objects.update(revoked_at=timezone.now())
    over = token_for(world.dev, world.acme, "read", expires_at=timezone.now() - timedelta(days=1))
    for refused in (secret, over, "slw_unknown", "x' OR ''='"):
        response = client.get("/api/catalog/entities", headers={"Authorization": f"Bearer {refused}"})
        assert response.status_code == 401
        assert response.json()["error"]["name"] == "AuthenticationError"
    for browser in (client, client_for(world.dev)):
        response = browser.get("/api/catalog/entities")
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert "API token" in response.json()["error"]["message"]


@pytest.mark.django_db
def test_what_the_token_may_not_do_stays_closed(world, client, token_for, two_catalogs):
    secret = token_for(world.dev, world.acme, "read")
    response = client.post(
        "/api/catalog/locations",
        {"type": "url", "target": "https://a.example/b.yaml"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert response.status_code == 403


@pytest.mark.django_db
def test_only_the_row_of_the_secret_is_opened(world, token_for):
    """Beside the token that was named, the policy shows no row: not its neighbours, and none without a name."""
    token_for(world.dev, world.acme, "read")
    token_for(world.eve, world.rival, "read")
    with tenant(world.acme):
        digest = ApiToken.objects.get(organisation=world.acme).digest
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.credential', %s, true)", [digest])
        cursor.execute("SELECT digest FROM accounts_apitoken")
        assert cursor.fetchall() == [(digest,)]
        cursor.execute("UPDATE accounts_apitoken SET name = 'taken'")
        assert cursor.rowcount == 0
        cursor.execute("SELECT set_config('app.credential', '', true)")
        cursor.execute("SELECT count(*) FROM accounts_apitoken")
        assert cursor.fetchone() == (0,)


@pytest.mark.django_db
def test_it_costs_one_statement_more(world, client, token_for, two_catalogs):
    headers = {"Authorization": f"Bearer {token_for(world.dev, world.acme, 'read')}"}
    counts = []
    for root in ("/api/o/acme/catalog", "/api/catalog"):
        client.get(f"{root}/entities/by-name/component/default/ours", headers=headers)
        with CaptureQueriesContext(connection) as asked:
            client.get(f"{root}/entities/by-name/component/default/ours", headers=headers)
        counts.append(len(asked))
    assert counts[1] == counts[0] + 1
