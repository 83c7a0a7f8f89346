"""Stars, what was looked at, and lists under a name: each person's own, and those that are shared."""

from __future__ import annotations

import pytest

from catalog import actions
from catalog.lists.models import ListSetting, SavedView, Star
from catalog.models import Entity
from portal.accounts.models import AuditEvent, Membership, Visit
from tests.catalog.test_lists import BASE, names, write
from tests.conftest import by

VIEWS = f"{BASE}views/"


@pytest.fixture
def shop(world):
    with world.tenant():
        for name in ("gateway", "ledger", "tracker"):
            write(world, name)
    return world


def pk_of(world, name):
    with world.tenant():
        return Entity.objects.for_tenant(world.acme).get(name=name).pk


def save(client, name, query="kind=Component", **more):
    answer = client.post(f"{VIEWS}new/", {"query": query, "name": name, **more})
    assert answer.status_code == 302, answer.content.decode()[:2000]
    return int(answer["Location"].rpartition("=")[2])


# --- stars ---


def test_a_star_is_set_taken_away_and_listed(shop, client_for):
    client, pk = client_for(shop.vic), pk_of(shop, "ledger")
    back = client.post(f"{BASE}stars/", {"star": pk, "next": f"{BASE}?kind=Component"})
    assert back["Location"] == f"{BASE}?kind=Component"
    assert client.post(f"{BASE}stars/", {"star": pk}, headers={"HX-Request": "true"}).status_code == 204
    assert names(client, kind="", starred="1") == ["ledger"]
    assert names(client_for(shop.mae), kind="", starred="1") == []
    html = client.get(BASE, {"kind": "Component"}).content.decode()
    assert f'name="unstar" value="{pk}"' in html
    page = client.get(f"{BASE}component/default/ledger/").content.decode()
    assert 'name="unstar"' in page
    assert "ledger" in client.get("/o/acme/").content.decode().split('id="starred"')[1]
    client.post(f"{BASE}stars/", {"unstar": pk})
    assert names(client, kind="", starred="1") == []


def test_a_star_leads_nowhere_else_and_to_nothing_of_others(shop, client_for):
    pk = pk_of(shop, "ledger")
    assert client_for(shop.vic).post(f"{BASE}stars/", {"star": pk, "next": "//evil.example/"})["Location"] == BASE
    assert client_for(shop.eve).post("/o/rival/catalog/stars/", {"star": pk}).status_code == 404
    assert client_for(shop.vic).post(f"{BASE}stars/", {"star": "9" * 30}).status_code == 404


def test_a_star_outlives_a_new_text_and_hides_with_a_tombstone(shop, client_for):
    client, pk = client_for(shop.vic), pk_of(shop, "ledger")
    client.post(f"{BASE}stars/", {"star": pk})
    with shop.tenant():
        found = Entity.objects.for_tenant(shop.acme).select_related("source").get(pk=pk)
        actions.remove_entity(organisation=shop.acme, actor=by(shop.ada), entity=found)
    assert client.get("/o/acme/").context["overview"].starred == []
    assert names(client, kind="", starred="1") == []
    with shop.tenant():
        write(shop, "ledger")
    assert names(client, kind="", starred="1") == ["ledger"]


# --- what was looked at ---


def test_home_shows_what_was_looked_at_last_newest_first(shop, client_for):
    with shop.tenant():
        membership = Membership.objects.for_tenant(shop.acme).get(user=shop.vic)
        for day, name in enumerate(("ledger", "tracker", "gone", "gateway"), start=1):
            Visit.objects.create(
                organisation=shop.acme,
                membership=membership,
                ref=f"component:default/{name}",
                at=f"2026-01-0{day}T00:00Z",
            )
    page = client_for(shop.vic).get("/o/acme/")
    assert [kept.name for kept in page.context["overview"].visited] == ["gateway", "tracker", "ledger"]
    assert "gateway" in page.content.decode().split('id="visited"')[1]
    assert client_for(shop.mae).get("/o/acme/").context["overview"].visited == []


# --- views ---


def test_a_view_is_saved_opened_renamed_and_deleted(shop, client_for):
    client = client_for(shop.vic)
    client.post(f"{BASE}columns/", {"query": "kind=Component", "column": ["tags"]})
    pk = save(client, " My   services ", "kind=Component&sort=-name")
    with shop.tenant():
        view = SavedView.objects.get(pk=pk)
        assert (view.name, view.query, view.columns, view.is_shared) == (
            "My services", "kind=Component&sort=-name", ["tags"], False,
        )  # fmt: skip
    opened = client.get(f"{BASE}?kind=Component&sort=-name&view={pk}")
    assert opened.context["page"].view.pk == pk
    assert opened.context["page"].columns == ("tags",)
    assert not opened.context["page"].is_changed
    assert client.get(f"{BASE}?kind=API&view={pk}").context["page"].is_changed
    assert client.post(f"{VIEWS}{pk}/", {"name": "Ours", "query": "kind=API"}).status_code == 302
    with shop.tenant():
        assert SavedView.objects.get(pk=pk).query == "kind=API"
        verbs = AuditEvent.objects.for_tenant(shop.acme).filter(verb__startswith="view.").order_by("pk")
        assert list(verbs.values_list("verb", flat=True)) == ["view.saved", "view.changed"]
    assert client.post(f"{VIEWS}{pk}/remove/").status_code == 302
    with shop.tenant():
        assert not SavedView.objects.filter(pk=pk).exists()


def test_a_view_needs_a_name_of_its_own(shop, client_for):
    client = client_for(shop.dev)
    save(client, "Services")
    for name, words in (("", "This field is required"), ("Services", "There is a view called Services already")):
        answer = client.post(f"{VIEWS}new/", {"query": "kind=API", "name": name})
        assert answer.status_code == 422
        assert words in answer.content.decode()
    save(client_for(shop.vic), "Services")


def test_private_views_are_nobody_elses(shop, client_for):
    pk = save(client_for(shop.dev), "Secret plans")
    for person in (shop.vic, shop.mae, shop.ada):
        client = client_for(person)
        assert "Secret plans" not in client.get(VIEWS).content.decode()
        assert client.get(f"{VIEWS}{pk}/").status_code == 404
        assert client.post(f"{VIEWS}{pk}/remove/").status_code == 404
        assert client.post(f"{VIEWS}{pk}/opens/", {"on": "1"}).status_code == 404


def test_shared_views_are_seen_by_all_and_changed_by_their_maker_and_by_managers(shop, client_for):
    pk = save(client_for(shop.dev), "Production", is_shared="on")
    vic = client_for(shop.vic)
    assert "Production" in vic.get(VIEWS).content.decode()
    assert vic.get(f"{VIEWS}{pk}/").status_code == 403
    assert vic.post(f"{VIEWS}{pk}/remove/").status_code == 403
    assert client_for(shop.mae).post(f"{VIEWS}{pk}/", {"name": "Live", "is_shared": "on"}).status_code == 302
    with shop.tenant():
        assert SavedView.objects.get(pk=pk).owner == shop.dev


def test_viewers_keep_views_and_share_none(shop, client_for):
    client = client_for(shop.vic)
    assert "is_shared" not in client.get(f"{VIEWS}new/?kind=Component").content.decode()
    pk = save(client, "Mine", is_shared="on")
    with shop.tenant():
        assert not SavedView.objects.get(pk=pk).is_shared


def test_the_catalog_opens_with_ones_own_view_else_everybodys_else_components(shop, client_for):
    vic, mae = client_for(shop.vic), client_for(shop.mae)
    assert vic.get(BASE)["Location"] == f"{BASE}?kind=Component"
    shared = save(mae, "Apis", "kind=API", is_shared="on")
    assert vic.post(f"{VIEWS}{shared}/opens/", {"whom": "all", "on": "1"}).status_code == 403
    assert mae.post(f"{VIEWS}{shared}/opens/", {"whom": "all", "on": "1"}).status_code == 302
    assert vic.get(BASE)["Location"] == f"{BASE}?kind=API&view={shared}"
    own = save(vic, "Mine", "kind=Domain", opens="on")
    assert vic.get(BASE)["Location"] == f"{BASE}?kind=Domain&view={own}"
    assert mae.get(BASE)["Location"] == f"{BASE}?kind=API&view={shared}"
    vic.post(f"{VIEWS}{own}/remove/")
    with shop.tenant():
        assert ListSetting.objects.for_tenant(shop.acme).get(user=shop.vic).opens_with is None
    assert vic.get(BASE)["Location"] == f"{BASE}?kind=API&view={shared}"
    with shop.tenant():
        assert AuditEvent.objects.for_tenant(shop.acme).filter(verb="view.default").count() == 1


def test_a_private_view_is_nobodys_default(shop, client_for):
    client = client_for(shop.mae)
    pk = save(client, "Mine")
    answer = client.post(f"{VIEWS}{pk}/opens/", {"whom": "all", "on": "1"})
    assert answer.status_code == 400
    assert "Share the view first" in answer.content.decode()


def test_rows_stay_behind_the_wall(shop, client_for):
    save(client_for(shop.dev), "Production", is_shared="on")
    client_for(shop.vic).post(f"{BASE}stars/", {"star": pk_of(shop, "ledger")})
    with shop.tenant(shop.rival):
        assert not SavedView.objects.exists()
        assert not Star.objects.exists()
