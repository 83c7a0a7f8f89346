"""Search and its answers as the people of the small world meet them: what is found, by whom, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog import actions
from portal.accounts.models import ApiToken, Membership, Team, TeamMembership, User, Visit
from portal.accounts.permissions import PERMISSIONS
from portal.accounts.tenancy import tenant
from portal.accounts.visits import KEPT, note_visit, visited
from portal.desk.finding.page import SearchPage, for_page, for_palette
from portal.goldenpaths.actions import publish_shipped
from portal.kit import searching
from tests.conftest import World, by
from tests.desk.test_relevance import enter_as

ENTITIES = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: refund-worker
  description: Pays people back.
  tags: [pci]
  links: [{url: https://wiki.example/refunds, title: Runbook}]
spec:
  {type: service, lifecycle: production, owner: payments, dependsOn: [resource:ledger-db], providesApis: [refund-api]}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: refund-web, description: Where one asks for money back.}
spec: {type: website, lifecycle: production, owner: payments, consumesApis: [refund-api]}
---
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {name: refund-api}
spec: {type: openapi, lifecycle: production, owner: payments, definition: "openapi: 3.0.0"}
---
apiVersion: backstage.io/v1alpha1
kind: Resource
metadata: {name: ledger-db}
spec: {type: database, owner: group:default/nobody-here}
"""


@pytest.fixture
def house(world: World, tmp_path: Any) -> World:
    (tmp_path / "catalog-info.yaml").write_text(ENTITIES)
    with world.tenant():
        actions.add_source(organisation=world.acme, actor=by(world.ada), kind="folder", target=str(tmp_path))
        publish_shipped(organisation=world.acme, actor=by(world.ada))
    return world


@pytest.fixture
def ask(house: World) -> Callable[..., SearchPage]:
    """ask(words, user, …) -> the page as data."""

    def look(words: str, user: Any = None, *, only: str = "", number: int = 1) -> SearchPage:
        with house.tenant():
            return for_page(enter_as(house.acme, user or house.dev), words, only=only, number=number)

    return look


def keys(page: SearchPage) -> list[str]:
    return [hit.key for group in page.groups for hit in group.hits]


# ---- what is found -----------------------------------------------------------------------------------------------


def test_every_sort_is_found_by_its_name(ask: Callable[..., SearchPage], house: World) -> None:
    assert keys(ask("refund-worker"))[0] == "component:default/refund-worker"
    assert keys(ask("payments"))[0] == "group:default/payments"
    assert keys(ask("mae"))[0] == "person:mae@acme.example"
    assert "template:default/python-web-service" in keys(ask("python"))
    assert keys(ask("audit", house.ada))[0] == "page:audit"
    assert keys(ask("sign out"))[0] == "do:log-out"


def test_only_who_may_open_a_thing_finds_it(ask: Callable[..., SearchPage], house: World) -> None:
    assert "page:audit" not in keys(ask("audit log", house.vic))
    assert "page:settings" not in keys(ask("settings", house.mae))
    assert "do:invite" not in keys(ask("invite somebody", house.mae))
    assert "do:invite" in keys(ask("invite somebody", house.ada))
    assert not any(key.startswith("do:launch") for key in keys(ask("launch python", house.vic)))
    assert any(key.startswith("do:launch") for key in keys(ask("launch python", house.dev)))


def test_a_program_with_a_narrow_token_finds_no_more_than_it_may_read(house: World) -> None:
    with house.tenant():
        access = enter_as(house.acme, house.ada)
        access.token = ApiToken(organisation=house.acme, user=house.ada, scopes=["repo:read"])
        page = for_page(access, "refund", only="", number=1)
    assert keys(page) == []
    assert page.answer is None


@pytest.mark.parametrize("sort", sorted(searching.SEARCHABLES))
def test_every_sort_names_a_permission_and_every_command_too(sort: str) -> None:
    assert searching.SEARCHABLES[sort].permission in PERMISSIONS
    assert all(command.permission in PERMISSIONS for command in searching.COMMANDS.values())


def test_a_neighbour_finds_nothing_of_ours(house: World) -> None:
    with tenant(house.rival):
        access = enter_as(house.rival, house.eve)
        for words in ("refund-worker", "payments", "mae", "python", "who owns refund-worker", "is refund-worker down"):
            page = for_page(access, words, only="", number=1)
            found = [key for key in keys(page) if not key.startswith(("page:", "do:"))]
            assert found == [], words
            assert page.answer is None or page.answer.subject is None


def test_somebody_who_has_left_is_no_longer_found(ask: Callable[..., SearchPage], house: World) -> None:
    assert "person:vic@acme.example" in keys(ask("vic"))
    with house.tenant():
        Membership.objects.for_tenant(house.acme).filter(user=house.vic).delete()
    assert "person:vic@acme.example" not in keys(ask("vic"))


def test_people_are_found_by_last_name_and_by_address(ask: Callable[..., SearchPage], house: World) -> None:
    User.objects.filter(pk=house.mae.pk).update(name="Mae van der Tolliver")
    assert keys(ask("tolli"))[0] == "person:mae@acme.example"
    assert keys(ask("mae@acme"))[0] == "person:mae@acme.example"


def test_filters_narrow_and_are_shown_as_chips(ask: Callable[..., SearchPage]) -> None:
    page = ask("owner:payments kind:component tag:pci")
    assert keys(page) == ["component:default/refund-worker"]
    assert [(chip.field, chip.value) for chip in page.chips] == [
        ("owner", "payments"), ("kind", "component"), ("tag", "pci")
    ]  # fmt: skip
    assert set(keys(ask("owner:me kind:component"))) == {
        "component:default/refund-worker",
        "component:default/refund-web",
    }
    assert keys(ask("kind:person mae")) == ["person:mae@acme.example"]
    assert keys(ask("tag:none-such refund")) == []


def test_a_mistake_is_forgiven_and_named(ask: Callable[..., SearchPage]) -> None:
    page = ask("refnud wokrer")
    assert keys(page)[0] == "component:default/refund-worker"
    assert page.meant == "refund worker"
    assert ask("refund worker").meant == ""


def test_pages_of_one_sort(ask: Callable[..., SearchPage], house: World) -> None:
    with house.tenant():
        for number in range(45):
            text = ENTITIES.split("---")[3].replace("ledger-db", f"shard-{number:02}")
            actions.write_entity(organisation=house.acme, actor=by(house.ada), text=text)
    first = ask("shard")
    [catalog] = [group for group in first.groups if group.name == "catalog"]
    assert (len(catalog.hits), catalog.total) == (6, 45)
    seen: list[str] = []
    for number in (1, 2, 3):
        page = ask("shard", only="catalog", number=number)
        seen += keys(page)
    assert len(set(seen)) == len(seen) == 45
    assert page.older == ""
    assert page.newer == "?q=shard&in=catalog&page=2"
    assert keys(ask("shard", only="catalog", number=99)) == keys(page)


# ---- answers -----------------------------------------------------------------------------------------------------


def test_who_owns_it(ask: Callable[..., SearchPage]) -> None:
    card = ask("who owns the refund worker?").answer
    assert card is not None
    assert card.headline == "Payments owns refund-worker."
    assert card.leads == ("Dev",)
    assert card.contact.runbook == "https://wiki.example/refunds"
    assert card.gaps == ("Chat", "On call")


def test_an_owner_that_is_not_here_is_named_as_such(ask: Callable[..., SearchPage]) -> None:
    card = ask("who owns ledger-db").answer
    assert card is not None
    assert "nobody-here" in card.headline
    assert "no such team here" in card.headline
    assert card.team is None


def test_what_breaks(ask: Callable[..., SearchPage]) -> None:
    card = ask("what breaks if ledger-db stops").answer
    assert card is not None
    assert card.headline == "3 things need ledger-db: refund-worker directly."
    assert [line.title for line in card.lines] == ["refund-worker", "refund-api", "refund-web"]
    assert [(line.title, line.note) for line in card.tell] == [("Payments", "3")]
    lonely = ask("what depends on refund-web").answer
    assert lonely is not None
    assert lonely.headline == "Nothing in the catalog says that it needs refund-web."


def test_health_that_nobody_knows_is_said_to_be_unknown(ask: Callable[..., SearchPage]) -> None:
    card = ask("is refund-worker down").answer
    assert card is not None
    assert card.headline.startswith("Not known")


def test_on_call_chat_and_people_of_a_team(ask: Callable[..., SearchPage], house: World) -> None:
    assert ask("on call for payments").answer.headline == "Nobody has written down who is on call for Payments."
    with house.tenant():
        Team.objects.for_tenant(house.acme).update(on_call="https://rota.example/pay", chat="#payments")
        TeamMembership.objects.create(organisation=house.acme, team=house.payments, user=house.mae)
    assert ask("on call for refund-worker").answer.headline == "On call for refund-worker: https://rota.example/pay"
    assert ask("how do I reach payments").answer.headline == "Reach Payments: #payments"
    assert ask("who is in payments").answer.headline == "2 people are in Payments."
    assert ask("who leads payments").answer.headline == "Dev leads Payments."


def test_nothing_is_made_up_about_what_is_not_there(ask: Callable[..., SearchPage]) -> None:
    card = ask("who owns the flux capacitor").answer
    assert card is not None
    assert card.subject is None
    assert card.headline == "Nothing here is called “flux capacitor”."
    assert ask("flux status").answer is None  # rather a name than a question


# ---- what was looked at ------------------------------------------------------------------------------------------


def test_what_was_looked_at_comes_first_among_alike_and_only_for_who_looked(house: World, client_for: Any) -> None:
    client = client_for(house.dev)
    assert client.post("/o/acme/seen/", {"ref": "Component:default/refund-worker"}).status_code == 204
    with house.tenant():
        dev, mae = enter_as(house.acme, house.dev), enter_as(house.acme, house.mae)
        assert visited(dev) == ["component:default/refund-worker"]
        assert visited(mae) == []
        assert keys(for_palette(dev, "refund-w"))[0] == "component:default/refund-worker"
        assert keys(for_palette(mae, "refund-w"))[0] == "component:default/refund-web"  # the shorter name
        assert for_palette(dev, "").groups[0].title == "Recently viewed"


def test_only_the_newest_looks_are_kept(house: World) -> None:
    with house.tenant():
        dev = enter_as(house.acme, house.dev)
        for number in range(KEPT + 5):
            note_visit(access=dev, ref=f"component:default/n{number}")
        note_visit(access=dev, ref="component:default/n20")
        assert visited(dev)[:2] == ["component:default/n20", f"component:default/n{KEPT + 4}"]
        assert Visit.objects.for_tenant(house.acme).count() == KEPT


def test_what_is_no_reference_is_not_kept(house: World, client_for: Any) -> None:
    client = client_for(house.dev)
    assert client.post("/o/acme/seen/", {"ref": "nonsense"}).status_code == 400
    assert client.post("/o/acme/seen/", {}).status_code == 400
    assert client_for(house.eve).post("/o/acme/seen/", {"ref": "component:default/x"}).status_code == 404


# ---- whatever is typed -------------------------------------------------------------------------------------------

HOSTILE = (
    "\0", "a\0b", "%", "%%%", "_", "\\", "'", '"', "';--", "' OR 1=1 --", "<script>alert(1)</script>", "{{ 7*7 }}",
    "x" * 10_000, "a " * 5_000, "owner:" * 500, 'tag:"' * 200, "\u202eabc", "\u200b", "🚀", "🚀 launch", "支払い", "ﬁ",
    "who owns " * 50, "who owns '", "is % down", "what breaks if \0 stops", "&", "!", "a & b | !c:*", "(", ":*", "-",
    "--", "#", "#99999999999999999999", "run 9999999999999999999999", "٣", "owner:🚀", 'owner:"%" kind:\0api', "ß İ ſ",
)  # fmt: skip


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_is_typed_is_answered(house: World, client_for: Any, words: str) -> None:
    client = client_for(house.dev)
    whole = client.get("/o/acme/search/", {"q": words})
    fragment = client.get("/o/acme/search/", {"q": words}, headers={"HX-Request": "true"})
    assert (whole.status_code, fragment.status_code) == (200, 200)
    assert b"<script>alert" not in whole.content + fragment.content
    assert client.get("/o/acme/search/", {"q": words, "in": words[:50], "page": words[:5]}).status_code == 200


def test_a_search_is_made_of_few_statements(house: World, client_for: Any) -> None:
    client = client_for(house.dev)
    client.get("/o/acme/search/", {"q": "refund"})
    for words, most in (("refund", 18), ("refund-worker logs", 22), ("who owns refund-worker", 24)):
        with CaptureQueriesContext(connection) as caught:
            client.get("/o/acme/search/", {"q": words}, headers={"HX-Request": "true"})
        assert len(caught) <= most, f"{words}: {len(caught)}\n" + "\n".join(query["sql"] for query in caught)
