"""Lists of the catalog: what is chosen, in which order, with which columns, and as a file."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from catalog import actions
from catalog.lists.choosing import COLUMNS, ListChoice, Mine, node_of
from catalog.lists.reading import OFFERED
from catalog.models import Entity, Problem, Source
from portal.accounts.models import AuditEvent, Team, TeamMembership
from portal.clusters.models import SYNCED
from portal.clusters.status import badges
from tests.clusters.test_pages import CRASH, entity, make_cluster, publish
from tests.conftest import by

BASE = "/o/acme/catalog/"
TEXT = """\
apiVersion: backstage.io/v1alpha1
kind: {kind}
metadata:
  name: {name}
  {metadata}
spec:
  type: {type}
  {spec}
"""


def write(
    world, name, kind="Component", *, kinds_type="service", lifecycle="production", owner="payments", metadata=""
):
    spec = f"lifecycle: {lifecycle}\n  owner: {owner}" + ("\n  definition: x" if kind == "API" else "")
    metadata = metadata or f"annotations: {{a: {name}}}"
    text = TEXT.format(kind=kind, name=name, type=kinds_type, metadata=metadata, spec=spec)
    return actions.write_entity(organisation=world.acme, actor=by(world.ada), text=text)


@pytest.fixture
def shop(world):
    """Payments has a lead (Dev) and a team below it; the rest belongs to others or to nobody."""
    with world.tenant():
        below = Team.objects.create(
            organisation=world.acme, slug="refunds", name="Refunds", ref="group:default/refunds", parent=world.payments
        )
        assert not TeamMembership.objects.filter(team=below).exists()
        write(world, "gateway", metadata="tags: [tier-1, pci]")
        write(world, "ledger", lifecycle="deprecated", metadata="labels: {tier: '1'}")
        write(world, "refund-worker", owner="refunds", kinds_type="job")
        write(world, "tracker", owner="tracking", metadata="tags: [tier-2]")
        for name in ("payments", "tracking"):
            group = f"apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {{name: {name}}}\n"
            group += "spec: {type: team, children: []}\n"
            actions.write_entity(organisation=world.acme, actor=by(world.ada), text=group)
        write(world, "orphan", "Resource", owner="nobody-here")
        write(world, "gateway-api", "API", kinds_type="openapi", metadata="tags: [pci]")
    return world


def names(client, **query):
    answer = client.get(BASE, query)
    assert answer.status_code == 200, answer.content[:500]
    return [row.name for row in answer.context["page"].page.rows]


# --- what is chosen ---


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"whose": "mine"}, {"gateway", "ledger"}),
        ({"whose": "teams"}, {"gateway", "ledger", "refund-worker"}),
        ({"tier": "1"}, {"gateway", "ledger"}),
        ({"tier": "tier-2"}, {"tracker"}),
        ({"owner": "payments"}, {"gateway", "ledger", "refund-worker"}),
        ({"owner": "payments", "direct": "1"}, {"gateway", "ledger"}),
        ({"owner": "Payments", "lifecycle": "DEPRECATED"}, {"ledger"}),
        ({"q": "gate", "tag": "pci"}, {"gateway"}),
        ({"whose": "nonsense", "health": "nonsense", "sort": "nonsense"},
         {"gateway", "ledger", "refund-worker", "tracker"}),
    ],
)  # fmt: skip
def test_components_are_narrowed(shop, client_for, query, expected):
    assert set(names(client_for(shop.dev), kind="Component", **query)) == expected


def test_what_nobody_answers_for_is_found(shop, client_for):
    assert names(client_for(shop.vic), kind="", whose="nobody") == ["orphan"]


def test_mine_is_also_what_names_me(shop, client_for):
    person = "apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata: {name: devvy}\n"
    person += f"spec: {{memberOf: [], profile: {{email: {shop.dev.email}}}}}\n"
    with shop.tenant():
        actions.write_entity(organisation=shop.acme, actor=by(shop.ada), text=person)
        write(shop, "notes", owner="user:default/devvy")
    assert "notes" in names(client_for(shop.dev), kind="Component", whose="mine")
    assert "notes" not in names(client_for(shop.mae), kind="Component", whose="mine")


def test_a_list_of_what_has_problems(shop, client_for, tmp_path):
    good = TEXT.format(
        kind="Component", name="filed", type="service", metadata="title: F", spec="lifecycle: a\n  owner: b"
    )
    (tmp_path / "catalog-info.yaml").write_text(good)
    with shop.tenant():
        source = actions.add_source(organisation=shop.acme, actor=by(shop.dev), kind="folder", target=str(tmp_path))
        Problem.objects.create(
            organisation=shop.acme,
            source=source,
            path="a",
            entity_ref="component:default/filed",
            code="x",
            sentence="y",
        )
    assert names(client_for(shop.vic), kind="", problems="1") == ["filed"]


def test_health_narrows_and_orders_and_is_what_the_page_shows(shop, client_for):
    with shop.tenant():
        east, west = make_cluster(shop.acme, "east", state=SYNCED), make_cluster(shop.acme, "west", state=SYNCED)
        uids = {row.name: row.uid for row in Entity.objects.for_tenant(shop.acme)}
    publish(east, {uids["gateway"]: entity(CRASH), uids["ledger"]: entity(), uids["tracker"]: entity()})
    publish(west, {uids["ledger"]: entity(), uids["tracker"]: entity(CRASH)})
    client = client_for(shop.vic)
    assert set(names(client, kind="Component", health="Down")) == {"gateway", "tracker"}
    assert names(client, kind="Component", health="healthy") == ["ledger"]
    assert names(client, kind="Component", sort="health") == ["gateway", "tracker", "ledger", "refund-worker"]
    assert names(client, kind="Component", sort="-health") == ["ledger", "gateway", "tracker", "refund-worker"]
    with shop.tenant():
        shown = dict(client.get(BASE, {"kind": "Component"}).context["page"].rows)
        told = badges(shop.acme.pk)
    assert {row.name: status.badge for row, status in shown.items() if status} == {
        name: told[str(uids[name])] for name in ("gateway", "ledger", "tracker")
    }
    publish(west, {uids["tracker"]: entity(CRASH)}, is_watched=False)
    assert names(client, kind="Component", health="Down") == ["gateway"]
    publish(east, {}, is_watched=False)
    assert set(names(client, kind="Component", health="Unknown")) == {"gateway", "ledger", "tracker", "refund-worker"}


# --- order ---


def test_all_does_not_begin_with_people(shop, client_for):
    with shop.tenant():
        actions.write_entity(
            organisation=shop.acme,
            actor=by(shop.ada),
            text="apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata: {name: aaron}\nspec: {memberOf: []}\n",
        )
    found = client_for(shop.vic).get(BASE, {"kind": ""}).context["page"].page.rows
    kinds = [row.kind for row in found]
    assert kinds == sorted(kinds)
    assert kinds[0] == "API"
    assert kinds[-1] == "User"


@pytest.mark.parametrize("column", [name for name in COLUMNS if name != "health"])
def test_every_column_orders_both_ways_and_every_page_fits(shop, client_for, column, monkeypatch):
    monkeypatch.setattr("catalog.views_lists.PAGE_SIZE", 2)
    client = client_for(shop.vic)
    for sort in (column, f"-{column}"):
        seen, after, before, pages = [], "", "", []
        while True:
            answer = client.get(BASE, {"kind": "", "sort": sort, "after": after})
            page = answer.context["page"].page
            pages.append([row.name for row in page.rows])
            seen += pages[-1]
            after = page.after
            if not after:
                before = page.before
                break
        with shop.tenant():
            everything = set(Entity.objects.for_tenant(shop.acme).values_list("name", flat=True))
        assert set(seen) == everything
        assert len(seen) == len(everything)
        back = client.get(BASE, {"kind": "", "sort": sort, "before": before})
        assert [row.name for row in back.context["page"].page.rows] == pages[-2]


def test_what_has_no_value_stands_last_in_both_directions(shop, client_for):
    client = client_for(shop.vic)
    groups = {"payments", "tracking"}
    assert set(names(client, kind="", sort="owner")[-2:]) == groups
    assert set(names(client, kind="", sort="-owner")[-2:]) == groups
    assert names(client, kind="Component", sort="-name") == ["tracker", "refund-worker", "ledger", "gateway"]


def test_headings_say_how_the_list_stands_and_turn_it(shop, client_for):
    html = client_for(shop.vic).get(BASE, {"kind": "Component", "sort": "owner"}).content.decode()
    assert 'aria-sort="ascending"><a href="?kind=Component&amp;sort=-owner">Owner' in html
    assert 'href="?kind=Component&amp;sort=lifecycle">Lifecycle' in html


def test_a_cursor_of_another_order_is_refused(shop, client_for, monkeypatch):
    monkeypatch.setattr("catalog.views_lists.PAGE_SIZE", 2)
    client = client_for(shop.vic)
    after = client.get(BASE, {"kind": ""}).context["page"].page.after
    answer = client.get(BASE, {"kind": "", "sort": "owner", "after": after})
    assert answer.status_code == 400
    assert "another list" in answer.content.decode()


# --- columns ---


def test_columns_are_chosen_by_each_person_for_each_kind(shop, client_for):
    vic, mae = client_for(shop.vic), client_for(shop.mae)
    asked = {"query": "kind=Component&sort=owner", "column": ["tags", "tier", "nonsense", "name"]}
    answer = vic.post(f"{BASE}columns/", asked)
    assert answer["Location"] == f"{BASE}?kind=Component&sort=owner"
    html = vic.get(answer["Location"]).content.decode()
    assert 'data-label="Tags">tier-1, pci<' in html
    assert 'data-label="Tier">1<' in html
    assert 'data-label="Owner"' not in html
    assert 'data-label="Owner"' in vic.get(BASE, {"kind": "API"}).content.decode()
    assert 'data-label="Owner"' in mae.get(answer["Location"]).content.decode()
    vic.post(f"{BASE}columns/", {"query": "kind=Component", "reset": ""})
    assert 'data-label="Owner"' in vic.get(answer["Location"]).content.decode()


# --- choices with many values ---


def test_few_values_are_picked_and_many_are_typed(shop, client_for):
    client = client_for(shop.vic)
    few = client.get(BASE, {"kind": "Component"}).content.decode()
    assert '<select class="form-select" id="catalog-owner"' in few
    with shop.tenant():
        for number in range(OFFERED + 5):
            write(shop, f"s{number}", owner=f"team-{number:02}")
    many = client.get(BASE, {"kind": "Component"}).content.decode()
    assert '<select class="form-select" id="catalog-owner"' not in many
    assert many.count("<option") < 3 * OFFERED + 20
    options = many[many.index('id="catalog-owner-options"') :]
    assert '<option value="payments">payments (2)</option>' in options
    typed = client.get(f"{BASE}options/owner/", {"owner": "team-1", "kind": "Component"}).content.decode()
    assert typed.count("<option") == 7
    assert '<option value="team-16">team-16 (1)</option>' in typed
    assert names(client, kind="Component", owner="team-16") == ["s16"]
    other = client.get(f"{BASE}options/owner/", {"owner": "team-1", "kind": "API"}).content.decode()
    assert "<option" not in other
    assert client.get(f"{BASE}options/nonsense/").status_code == 404


def test_a_choice_counts_under_all_other_choices(shop, client_for):
    page = client_for(shop.vic).get(BASE, {"kind": "Component", "lifecycle": "deprecated"}).context["page"]
    assert page.kinds == {"Component": 1}
    assert {option.value: option.count for option in page.listed.counts["lifecycle"]} == {
        "production": 3, "deprecated": 1,
    }  # fmt: skip
    assert {option.value: option.count for option in page.listed.counts["owner"]} == {"group:default/payments": 1}


def test_the_address_has_one_spelling():
    query = "kind=API&type=openapi&owner=group%3Adefault%2Fx&whose=teams&q=a+b&problems=1&starred=1&sort=-owner"
    assert ListChoice.from_query(query).query == query
    assert ListChoice.from_query(f"?{query}&nonsense=1&after=x").query == query
    assert ListChoice().query == "kind="


def test_a_filter_without_teams_finds_nothing_rather_than_everything(shop, client_for):
    assert names(client_for(shop.vic), kind="Component", whose="mine") == []
    assert node_of(ListChoice(whose="mine"), Mine()).parts


# --- as a file ---


def exported(client, **query):
    answer = client.get(f"{BASE}export/", query)
    assert answer.status_code == 200, answer.content[:300]

    async def whole():
        return b"".join([part async for part in answer.streaming_content])

    return answer, asyncio.run(whole()).decode()


@pytest.mark.django_db(transaction=True)
class TestExports:
    @pytest.fixture
    def shop(self, committed_world):
        with committed_world.tenant():
            write(committed_world, "gateway", metadata="tags: [tier-1, pci]")
            write(committed_world, "ledger", lifecycle="deprecated")
            write(committed_world, "evil", metadata="title: '=cmd|calc'")
            write(committed_world, "api", "API", kinds_type="openapi")
        return committed_world

    def test_a_csv_is_what_the_list_shows(self, shop, client_for, monkeypatch):
        monkeypatch.setattr("catalog.lists.export.BATCH", 2)
        client = client_for(shop.vic)
        client.post(f"{BASE}columns/", {"query": "kind=Component", "column": ["lifecycle", "owner", "tags"]})
        answer, text = exported(client, kind="Component", sort="-name", format="csv")
        assert answer["Content-Disposition"] == 'attachment; filename="catalog-acme.csv"'
        assert list(csv.reader(io.StringIO(text))) == [
            ["Reference", "Name", "Lifecycle", "Owner", "Tags"],
            ["component:default/ledger", "ledger", "deprecated", "group:default/payments", ""],
            ["component:default/gateway", "gateway", "production", "group:default/payments", "tier-1 pci"],
            ["component:default/evil", "'=cmd|calc", "production", "group:default/payments", ""],
        ]
        with shop.tenant():
            event = AuditEvent.objects.for_tenant(shop.acme).get(verb="catalog.exported")
        assert event.data == {"query": "kind=Component&sort=-name"}

    def test_a_json_holds_whole_entities(self, shop, client_for, monkeypatch):
        monkeypatch.setattr("catalog.lists.export.BATCH", 2)
        client = client_for(shop.vic)
        _, text = exported(client, kind="", owner="payments", format="json")
        found = json.loads(text)
        assert [one["metadata"]["name"] for one in found] == ["api", "evil", "gateway", "ledger"]
        api = client.get("/api/o/acme/catalog/entities/by-name/component/default/gateway").json()
        assert found[2] == api
        assert json.loads(exported(client, kind="Domain", format="json")[1]) == []

    def test_only_members_take_it_out_and_only_as_what_there_is(self, shop, client_for):
        assert client_for(shop.eve).get(f"{BASE}export/").status_code == 404
        assert client_for(shop.vic).get(f"{BASE}export/", {"format": "xlsx"}).status_code == 400


def test_what_was_not_seen_for_thirty_days_is_found(shop, client_for, tmp_path):
    for name in ("old", "fresh"):
        (tmp_path / name).mkdir()
        text = TEXT.format(kind="Component", name=name, type="x", metadata="title: F", spec="lifecycle: a\n  owner: b")
        (tmp_path / name / "catalog-info.yaml").write_text(text)
        with shop.tenant():
            folder = str(tmp_path / name)
            actions.add_source(organisation=shop.acme, actor=by(shop.dev), kind="folder", target=folder)
    with shop.tenant():
        old = Source.objects.for_tenant(shop.acme).filter(target=str(tmp_path / "old"))
        old.update(refreshed_at=timezone.now() - timedelta(days=31))
    assert names(client_for(shop.vic), kind="", unseen="1") == ["old"]


def test_what_nothing_refers_to_is_found_and_explained(shop, client_for):
    text = TEXT.format(
        kind="Component", name="user-of", type="job", metadata="title: U", spec="lifecycle: a\n  owner: b"
    )
    with shop.tenant():
        actions.write_entity(
            organisation=shop.acme, actor=by(shop.ada), text=f"{text}  dependsOn: ['component:ledger']\n"
        )
    client = client_for(shop.vic)
    assert set(names(client, kind="Component", alone="1")) == {"gateway", "refund-worker", "tracker"}
    assert "Nothing refers to them" in client.get(BASE, {"kind": "Component", "alone": "1"}).content.decode()
    assert "Nothing refers to them" not in client.get(BASE, {"kind": "Component"}).content.decode()
