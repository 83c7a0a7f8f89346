"""Every address has a declared door, and every door opens for exactly the people it should."""

from __future__ import annotations

import asyncio
import functools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import connection
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from portal.accounts import stream
from portal.accounts.access import digest_of
from portal.accounts.models import ApiToken, Membership, Team, TeamMembership, User
from portal.accounts.permissions import PERMISSIONS, ROLES, SCOPES, decide, rank, scope_allows
from portal.accounts.stream import Viewer, admit, render_topic
from portal.accounts.tenancy import TenantModel, tenant
from portal.accounts.views import PUBLIC, SIGNED_IN
from portal.asgi import application
from portal.kit.announcing import TOPICS
from portal.kit.errors import Forbidden, NotFound
from tests.accounts.house import MARK, furnish
from tests.accounts.url_table import API, OUTSIDE, OWN_DOORS, PAGES
from tests.asgi import asked

FILL: dict[str, Any] = {
    "int": 1,
    "slug": "thing",
    "str": "thing",
    "path": "a/thing",
    "repopath": "a/thing",
    "uuid": uuid.UUID(int=7),
}
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Address:
    """A pattern of the URLconf with what its view says about itself."""

    name: str
    route: str
    view: Any
    converters: dict[str, str] = field(default_factory=dict)

    @property
    def is_tenants(self) -> bool:
        return self.route.startswith(("o/<slug:org>/", "api/o/<slug:org>/"))

    def path(self, org: str, **known: Any) -> str:
        """An address of the organisation with something plausible in every other place."""
        kwargs = {name: FILL.get(kind, "thing") for name, kind in self.converters.items()} | known | {"org": org}
        return reverse(self.name, kwargs={name: value for name, value in kwargs.items() if name in self.converters})


def addresses() -> list[Address]:
    return list(_walk(get_resolver().url_patterns, "", {}))


def _walk(patterns: list[Any], prefix: str, converters: dict[str, str]) -> Iterator[Address]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        kinds = {
            name: type(converter).__name__.removesuffix("Converter").lower().replace("string", "str")
            for name, converter in pattern.pattern.converters.items()
        }
        inside = {**converters, **kinds}
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route, inside)
        elif isinstance(pattern, URLPattern):
            yield Address(pattern.name or "", route, pattern.callback, inside)


TENANT_PAGES = [a for a in addresses() if a.is_tenants and not a.route.startswith("api/") and a.name not in OWN_DOORS]
TENANT_API = [a for a in addresses() if a.route.startswith("api/o/")]


def _is_allauths(address: Address) -> bool:
    """Sign-in and account pages check their visitors themselves; some are plain redirects of Django's."""
    return address.route.startswith("accounts/") and not address.view.__module__.startswith("portal.")


def declared(address: Address) -> list[str]:
    """The permissions that a view declares: one, or one for each method."""
    said = getattr(getattr(address.view, "view_class", getattr(address.view, "cls", address.view)), "permission", None)
    return list(said.values()) if isinstance(said, dict) else [said or ""]


def test_every_address_has_a_name_of_its_own():
    ours = [a.name for a in addresses() if a.is_tenants or a.name in OUTSIDE]
    assert "" not in ours
    assert sorted(ours) == sorted(set(ours))


def test_every_view_declares_who_may():
    silent = [
        address.route
        for address in addresses()
        if not _is_allauths(address)
        and not all(said in PERMISSIONS or said in {PUBLIC, SIGNED_IN} for said in declared(address))
    ]
    assert silent == []


def test_inside_organisations_nothing_is_public():
    assert [a.route for a in addresses() if a.is_tenants and not all(said in PERMISSIONS for said in declared(a))] == []


def test_outside_organisations_everything_is_known():
    ours = {a.name for a in addresses() if not a.is_tenants and not _is_allauths(a)}
    assert ours == set(OUTSIDE)


def test_the_table_knows_every_address():
    assert {a.name for a in TENANT_PAGES} - set(PAGES) == set(), "add these to tests/accounts/url_table.py"
    assert {a.name for a in TENANT_API} - set(API) == set(), "add these to tests/accounts/url_table.py"


# --- person × address ---


@pytest.mark.django_db
@pytest.mark.parametrize("address", TENANT_PAGES, ids=lambda a: a.name)
def test_pages_open_for_whom_they_should(world, client_for, client, address):
    """What a view says about the object behind the door (200, 404 …) is not refused access; 405 says nothing at all."""
    lowest = rank(PAGES[address.name])
    path = address.path("acme")
    for person in (world.vic, world.dev, world.mae, world.ada):
        role = _role(world, person)
        browser = client_for(person)
        if rank(role) < lowest:
            assert {browser.get(path).status_code, browser.post(path).status_code} - {405} == {403}, f"{role} at {path}"
            continue
        status = browser.get(path).status_code
        assert status not in {401, 403} or _asks_again(address, role), f"{role} at {path}: {status}"
        assert status < 500, f"{role} at {path}"
    eve = client_for(world.eve)
    assert {eve.get(path).status_code, eve.post(path).status_code} - {405} == {404}, "a neighbour learns nothing"
    assert client_for(world.ada).get(address.path("nowhere")).status_code in {404, 405}
    for answer in (client.get(path), client.post(path)):
        if answer.status_code != 405:
            assert answer.status_code == 302
            assert answer["Location"].startswith(reverse("account_login"))


@pytest.mark.django_db
@pytest.mark.parametrize("address", TENANT_API, ids=lambda a: a.name)
def test_the_api_opens_for_whom_it_should(world, client_for, client, address):
    path = address.path("acme")
    cls = getattr(address.view, "view_class", getattr(address.view, "cls", None))
    wanted = API[address.name]
    for method in _methods(cls):
        lowest = rank(wanted if isinstance(wanted, str) else wanted[method])
        for person in (world.vic, world.dev, world.mae, world.ada):
            role = _role(world, person)
            answer = getattr(client_for(person), method)(path, content_type="application/json")
            if rank(role) < lowest:
                assert answer.status_code == 403, f"{role} {method} {path}"
                assert answer.json()["error"]["message"].endswith(".")
            else:
                assert answer.status_code not in {401, 403} or _asks_again(address, role), f"{role} {method} {path}"
                assert answer.status_code < 500, f"{role} {method} {path}"
        assert getattr(client_for(world.eve), method)(path).status_code == 404
        assert getattr(client, method)(path).status_code == 401


def _methods(cls: Any) -> list[str]:
    """What an API view answers to."""
    return [method for method in METHODS if hasattr(cls, method) and method in cls.http_method_names]


def _role(world, person) -> str:
    with tenant(world.acme):
        return Membership.objects.get(user=person).role


def _asks_again(address: Address, role: str) -> bool:
    """Views whose permission owners share decide again about the object: the door is open, the object may not be."""
    return role == "developer" and any(PERMISSIONS[said].owners for said in declared(address))


# --- trespass: full rights at home, our objects' numbers in their addresses ---


OBJECTS = [a for a in TENANT_PAGES + TENANT_API if set(a.converters) - {"org"}]
# Without these the view refuses before it looks.
BODIES: dict[str, dict[str, Any]] = {
    "path-launch": {"values": "{}", "key": "k"},
    "api-candidate-publish": {"digest": "0" * 64},
    "api-candidate-decline": {"digest": "0" * 64, "reason": "no"},
    "api-cluster-reach": {"namespaces": ["{team}"]},
    "api-ownership": {"role": "owner", "holder": "payments"},
    "api-ownership-undo": {"role": "owner", "latest": 1},
    "api-view": {"name": "Mine"},
    "api-view-opens": {"on": True},
    "api-transfer-answer": {"say": "accept"},
    "api-reorganisation": {"do": "apply"},
}
# What answers a neighbour at home without saying whether there is such a thing anywhere.
SAYS_NOTHING = {
    "team-of": "a group that no descriptor describes has an empty page",
    "catalog-options": "what could be chosen at home",
}


@pytest.mark.django_db
def test_a_neighbour_reaches_none_of_our_objects(world, client_for, tmp_path):
    """Every address that names an object, with the names of real ones; first, that those are real."""
    house = furnish(world, tmp_path)
    ada, eve = client_for(world.ada), client_for(world.eve)
    before = _everything(world)
    unknown = [a.name for a in OBJECTS if set(a.converters) - {"org"} - set(house.fill(a.name, a.converters))]
    assert unknown == [], "furnish() must have a name for each"
    for address in OBJECTS:
        ours = house.fill(address.name, address.converters)
        assert ada.get(address.path("acme", **ours)).status_code != 404, f"{address.name}: not ours either"
        for method in METHODS:
            ask = functools.partial(getattr(eve, method), **_body(address, method))
            there = ask(address.path("acme", **ours))
            assert there.status_code in {404, 405}, f"{method} {address.path('acme', **ours)}: {there.status_code}"
            home = ask(address.path("rival", **ours))
            if home.status_code in {404, 405}:
                continue  # the sentence may repeat what was asked for
            assert address.name in SAYS_NOTHING, f"{method} {address.path('rival', **ours)}: {home.status_code}"
            assert MARK not in home.content.decode(), f"{address.name} shows ours"
    assert _everything(world) == before


def _body(address: Address, method: str) -> dict[str, Any]:
    """What goes with a request, so that the view comes to the look-up."""
    if address.route.startswith("api/") and method != "get":
        return {"data": BODIES.get(address.name, {}), "content_type": "application/json"}
    return {"data": BODIES.get(address.name, {})} if method in {"get", "post"} else {}


def _everything(world) -> dict[str, list[Any]]:
    """All of acme's rows."""
    models = [model for model in apps.get_models() if issubclass(model, TenantModel)]
    with tenant(world.acme):
        return {model.__name__: list(model.objects.for_tenant(world.acme).order_by("pk").values()) for model in models}


@pytest.mark.django_db
def test_our_filters_reveal_nothing_about_neighbours(world, client_for):
    """A neighbour's number in a filter is as unknown as one that does not exist."""
    ada = client_for(world.ada)
    theirs = ada.get(reverse("audit", kwargs={"org": "acme"}), {"actor": world.eve.pk})
    nobody = ada.get(reverse("audit", kwargs={"org": "acme"}), {"actor": 999_999})
    assert theirs.status_code == nobody.status_code == 422
    assert theirs.context["form"].errors == nobody.context["form"].errors


@pytest.mark.django_db
def test_our_numbers_in_a_neighbours_forms_are_as_unknown_as_any(world, client_for):
    eve = client_for(world.eve)
    assert eve.post(reverse("team-new", kwargs={"org": "rival"}), {"name": "Spies"}).status_code == 302
    with tenant(world.rival):
        spies = Team.objects.get(slug="spies")
    forms = [
        (reverse("team-new", kwargs={"org": "rival"}), {"name": "Moles"}, "parent", world.payments.pk),
        (
            reverse("team-edit", kwargs={"org": "rival", "team": "spies"}),
            {"name": "Spies"},
            "parent",
            world.payments.pk,
        ),
        (reverse("team-member-add", kwargs={"org": "rival", "team": "spies"}), {}, "person", world.dev.pk),
    ]
    for address, fields, name, ours in forms:
        theirs = eve.post(address, {**fields, name: ours})
        nobodys = eve.post(address, {**fields, name: 999_999})
        assert theirs.status_code == nobodys.status_code != 500
        assert theirs.content.count(b"is-invalid") == nobodys.content.count(b"is-invalid")
    with tenant(world.rival):
        spies.refresh_from_db()
        assert spies.parent is None
        assert [team.slug for team in Team.objects.all()] == ["spies"]
        assert not TeamMembership.objects.exists()


# --- tokens at the door ---


@pytest.mark.django_db
@pytest.mark.parametrize("scope", SCOPES)
def test_a_token_does_what_its_scope_says_and_no_more(world, client, scope):
    secret = f"slw_{scope}"
    with tenant(world.acme):
        ApiToken.objects.create(
            organisation=world.acme,
            user=world.ada,
            name=scope,
            prefix="slw_",
            digest=digest_of(secret),
            scopes=[scope],
            expires_at=timezone.now() + timedelta(days=1),
        )
    for address in TENANT_API:
        cls = getattr(address.view, "view_class", getattr(address.view, "cls", None))
        for method in _methods(cls):
            answer = getattr(client, method)(address.path("acme"), headers={"Authorization": f"Bearer {secret}"})
            allowed = scope_allows([scope], cls.permission_for(method.upper()))
            assert (answer.status_code == 403) is not allowed, f"{scope} {method} {address.name}"


# --- the policy ---


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_roles_only_ever_add_rights(permission):
    verdicts = [bool(decide(permission, role=role)) for role in ROLES]
    assert verdicts == sorted(verdicts)
    assert verdicts[-1], "an admin may do everything"


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_every_refusal_is_a_sentence_that_says_whom_to_ask(permission):
    verdict = decide(permission, role="viewer")
    if not verdict:
        assert str(verdict).startswith("You cannot ")
        assert "Ask " in str(verdict)
        assert str(verdict).endswith(".")


def test_ownership_never_lifts_a_viewer():
    assert not [
        name
        for name in PERMISSIONS
        if decide(name, role="viewer", is_owner=True) and PERMISSIONS[name].role != "viewer"
    ]


# --- the live stream, whose door is its own ---


def live_status(client: Any, address: str, **headers: str) -> int:
    """What the stream's own door answers this browser."""

    async def ask() -> int:
        async with asked(application, address, cookies=client.cookies, **headers) as answer:
            return answer.status

    return asyncio.run(ask())


@pytest.mark.django_db(transaction=True)
def test_the_live_stream_lets_in_members_alone(committed_world, client_for, client):
    path = reverse("live", kwargs={"org": "acme"})
    vic = client_for(committed_world.vic)
    assert live_status(client, path) == 401
    assert live_status(client_for(committed_world.eve), path) == 404
    assert live_status(client_for(committed_world.vic), path.replace("acme", "nobodys")) == 404
    assert live_status(vic, f"{path}?t=nonsense:1") == 400
    assert live_status(vic, path) == 200
    assert live_status(vic, path, sec_fetch_site="cross-site") == 403
    assert client.get(path).status_code == 405, "Django itself has no stream"


@pytest.mark.django_db(transaction=True)
def test_a_stream_costs_one_statement_and_keeps_no_connection_in_a_transaction(
    committed_world, client_for, django_assert_num_queries
):
    vic = client_for(committed_world.vic)
    vic.get("/o/acme/")  # from here on the session is in the person's list
    viewer = Viewer(vic.cookies["slipway_session"].value, "acme", frozenset())
    with django_assert_num_queries(1):
        assert admit(viewer) == (committed_world.vic.pk, committed_world.acme.pk)
    assert not connection.in_atomic_block


@pytest.mark.parametrize("kind", sorted(TOPICS))
def test_every_topic_asks_for_a_right_of_the_policy(kind):
    assert TOPICS[kind].permission in PERMISSIONS


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", sorted(TOPICS))
def test_a_topic_opens_for_whom_it_should(committed_world, client_for, kind, tmp_path):
    # Whom a card is for stands on the card; everything else opens by its kind, whether or not there is such a thing.
    key = furnish(committed_world, tmp_path).topics["card"] if kind == "card" else "1"

    def viewer(person: Any) -> Viewer:
        topic = f"{kind}:{person.pk if kind == 'bell' else key}"
        return Viewer(client_for(person).cookies["slipway_session"].value, "acme", frozenset({topic}))

    for person in committed_world.members().values():
        if decide(TOPICS[kind].permission, role=_role(committed_world, person)):
            assert admit(viewer(person)) == (person.pk, committed_world.acme.pk)
        else:
            with pytest.raises(Forbidden):
                admit(viewer(person))
    with pytest.raises(NotFound):
        admit(viewer(committed_world.eve))


@pytest.mark.django_db(transaction=True)
def test_a_topic_of_ours_shows_nothing_next_door(committed_world, tmp_path):
    house = furnish(committed_world, tmp_path)
    assert set(house.topics) == set(TOPICS), "furnish() must have a key for each kind of topic"
    for kind, key in house.topics.items():
        assert render_topic(committed_world.acme.pk, f"{kind}:{key}") is not None, f"{kind}:{key} is nothing of ours"
        theirs = render_topic(committed_world.rival.pk, f"{kind}:{key}")
        assert MARK not in (theirs or ""), f"{kind} shows ours"
        if key != "all":
            nobodys = {len(key) == 36: str(uuid.UUID(int=7)), key.isdigit(): "999999999"}.get(True, "nobodys")
            assert theirs == render_topic(committed_world.rival.pk, f"{kind}:{nobodys}"), f"{kind} tells ours from none"


def _leave(world) -> None:
    with tenant(world.acme):
        Membership.objects.get(user=world.mae).delete()


def _lose_the_right(world) -> None:
    with tenant(world.acme):
        Membership.objects.filter(user=world.mae).update(role="viewer")


def _sign_out(world) -> None:
    Session.objects.all().delete()


def _be_shut_out(world) -> None:
    User.objects.filter(pk=world.mae.pk).update(is_active=False)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", [_leave, _lose_the_right, _sign_out, _be_shut_out])
def test_an_open_stream_ends_when_its_reader_may_no_longer_read(committed_world, client_for, monkeypatch, change):
    monkeypatch.setattr(stream, "RECHECK", 0.0)
    monkeypatch.setattr(stream, "HEARTBEAT", 0.02)
    cookies = client_for(committed_world.mae).cookies
    path = reverse("live", kwargs={"org": "acme"})

    async def read() -> tuple[list[bytes], list[bytes]]:
        async with asked(application, f"{path}?t=logs:1", cookies=cookies) as answer:
            assert answer.status == 200
            chunks = aiter(answer)
            before = [await anext(chunks) for _ in range(4)]
            await sync_to_async(change)(committed_world)
            async with asyncio.timeout(10):
                return before, [chunk async for chunk in chunks]

    before, after = asyncio.run(read())
    assert not [chunk for chunk in before if b"event: closed" in chunk]
    assert b"event: closed" in after[-1]
