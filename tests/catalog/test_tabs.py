"""An entity's page as tabs and cards: which there are, what stands on them, and what they do not ask."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog import actions
from catalog.configured import CardSaid, add_card
from catalog.models import ConfiguredCard
from catalog.panels import CARDS, TABS
from portal.accounts.models import AuditEvent, Team
from portal.kit.errors import Invalid
from tests.catalog.test_pages import BASE, DEMO, page
from tests.conftest import by

GATEWAY = f"{BASE}component/default/payment-gateway/"
TEXT = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: scale, description: "{said}"}}
spec: {{type: service, lifecycle: production, owner: payments}}
"""


@pytest.fixture
def company(world):
    with world.tenant():
        actions.add_source(organisation=world.acme, actor=by(world.dev), kind="folder", target=str(DEMO))
    return world


def tabs(html: str) -> list[str]:
    found = re.search(r'<nav class="nav nav-tabs.*?</nav>', html, re.DOTALL)
    return re.findall(r">([^<]+)</a>", found[0]) if found else []


def test_the_overview_begins_with_who_answers_and_how_to_reach_them(company, client_for):
    with company.tenant():
        Team.objects.filter(ref="group:default/payments").update(
            mail="payments@acme.example", chat="https://chat.example/payments", on_call="+49 30 1", runbook=""
        )
    html = page(client_for(company.vic), GATEWAY)
    answers = html.index('id="card-answers"')
    assert answers < html.index('<section class="card" aria-labelledby="card-')
    for words in ("mailto:payments@acme.example", "https://chat.example/payments", "+49 30 1"):
        assert html.index(words) > answers
    assert html.index(">Runbook</a>") < html.index('id="card-about"')


def test_tabs_are_pages_with_addresses_and_none_is_empty(company, client_for):
    client = client_for(company.vic)
    assert tabs(page(client, GATEWAY)) == ["Overview", "Runtime", "Dependencies", "Ownership"]
    assert tabs(page(client, f"{BASE}api/default/hub-control-api/")) == ["Overview", "Dependencies", "API", "Ownership"]
    for name in ("runtime", "dependencies", "ownership"):
        html = page(client, f"{GATEWAY}{name}/")
        assert f'href="/o/acme/catalog/component/default/payment-gateway/{name}/" aria-current="page"' in html
        assert html.count('aria-labelledby="card-') >= 1


def test_an_unknown_tab_and_one_that_is_not_shown_are_a_sentence(company, client_for):
    client = client_for(company.vic)
    for name in ("nonsense", "api", "docs", "overview"):
        assert f"has no tab “{name}”" in page(client, f"{GATEWAY}{name}/", 404)
    assert "There is no component:default/nobody" in page(client, f"{BASE}component/default/nobody/runtime/", 404)


def test_a_definition_stands_on_its_tab_alone(company, client_for):
    client = client_for(company.vic)
    address = f"{BASE}api/default/hub-control-api/"
    assert "service HubControl" in page(client, f"{address}api/")
    assert 'id="definition"' not in page(client, address)


def test_ownership_tells_how_the_owner_is_known_and_who_is_in_the_team(company, client_for):
    html = page(client_for(company.vic), f"{GATEWAY}ownership/")
    assert "catalog-info.yaml" in html
    assert 'id="card-members"' in html


def test_history_is_the_audit_log_of_one_entity_for_those_who_may_read_it(world, client_for):
    with world.tenant():
        found = actions.write_entity(organisation=world.acme, actor=by(world.dev), text=TEXT.format(said="a"))
        for number in range(60):
            found = actions.write_entity(
                organisation=world.acme, actor=by(world.dev), text=TEXT.format(said=f"b{number}"), entity=found
            )
    address = f"{BASE}component/default/scale/"
    assert "History" in tabs(page(client_for(world.mae), address))
    assert "History" not in tabs(page(client_for(world.vic), address))
    assert client_for(world.vic).get(f"{address}history/").status_code == 403
    first = page(client_for(world.mae), f"{address}history/")
    older = re.search(r'href="(\?after=[^"]+)" rel="next"', first)
    assert first.count("Changed component:default/scale") == 50
    assert older
    last = page(client_for(world.mae), f"{address}history/{older[1].replace('&amp;', '&')}")
    assert "Wrote component:default/scale" in last


def test_a_documentation_link_makes_a_tab(world, client_for):
    text = TEXT.format(said="a").replace(
        "description:", "links: [{url: 'https://docs.example/scale', title: Docs}], description:"
    )
    with world.tenant():
        actions.write_entity(organisation=world.acme, actor=by(world.dev), text=text)
    html = page(client_for(world.vic), f"{BASE}component/default/scale/docs/")
    assert "https://docs.example/scale" in html


def test_a_tab_does_not_ask_for_what_another_shows(company, client_for):
    client = client_for(company.vic)
    page(client, f"{GATEWAY}dependencies/")  # the frame's own count is kept for a while
    with CaptureQueriesContext(connection) as asked:
        page(client, f"{GATEWAY}dependencies/")
    tables = " ".join(query["sql"] for query in asked)
    assert "provisioning_run" not in tables
    assert "clusters_transition" not in tables
    assert "catalog_problem" not in tables


def test_every_card_stands_on_a_tab_that_there_is():
    assert {card.tab for card in CARDS.values()} <= set(TABS)


GRAFANA = "https://grafana.example/d/{annotation:grafana/dashboard}?service={name}"


def with_dashboard(world, said: str) -> None:
    text = TEXT.format(said="a").replace("description:", f"annotations: {{grafana/dashboard: {said!r}}}, description:")
    with world.tenant():
        actions.write_entity(organisation=world.acme, actor=by(world.dev), text=text)


def test_an_admin_adds_changes_and_removes_a_card(world, client_for):
    with_dashboard(world, "abc/../x?y#z")
    ada, vic = client_for(world.ada), client_for(world.vic)
    form = {
        "title": "Dashboard",
        "shows": "link",
        "address": GRAFANA,
        "kinds": ["Component"],
        "permission": "catalog.view",
    }
    assert ada.post(f"{BASE}cards/new/", form).status_code == 302
    address = f"{BASE}component/default/scale/"
    link = 'href="https://grafana.example/d/abc%2F..%2Fx%3Fy%23z?service=scale"'
    assert link in page(vic, address)
    with world.tenant():
        card = ConfiguredCard.objects.get()
    assert "grafana/dashboard" in page(ada, f"{BASE}cards/{card.pk}/edit/")
    assert ada.post(f"{BASE}cards/{card.pk}/edit/", {**form, "permission": "org.manage"}).status_code == 302
    assert link not in page(vic, address)
    assert link in page(ada, address)
    assert ada.post(f"{BASE}cards/{card.pk}/edit/", {**form, "kinds": ["API"]}).status_code == 302
    assert link not in page(ada, address)
    assert ada.post(f"{BASE}cards/{card.pk}/remove/").status_code == 302
    with world.tenant():
        verbs = list(AuditEvent.objects.filter(subject_kind="configuredcard").values_list("verb", flat=True))
    assert sorted(verbs) == ["card.added", "card.changed", "card.changed", "card.removed"]


def test_an_entity_without_the_annotation_has_no_such_card(company, client_for):
    with company.tenant():
        add_card(organisation=company.acme, actor=by(company.ada), said=CardSaid(title="Dashboard", address=GRAFANA))
    assert "grafana.example/d/" not in page(client_for(company.vic), f"{BASE}api/default/hub-control-api/")


def test_a_title_stands_once(world, client_for):
    form = {"title": "Dashboard", "shows": "link", "address": GRAFANA, "permission": "catalog.view"}
    ada = client_for(world.ada)
    assert ada.post(f"{BASE}cards/new/", form).status_code == 302
    again = ada.post(f"{BASE}cards/new/", form)
    assert again.status_code == 422
    assert "There is a card “Dashboard” already." in again.content.decode()


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)//{name}", "https://{name}.example/", "https://ok.example@{name}/", "//x.example/{name}",
        "https://x.example/{secret}", "https://x.example/{annotation:}", "https://x.example/{name", "https:///{name}",
        "https://x.example/a b",
    ],
)  # fmt: skip
def test_a_pattern_that_could_lead_elsewhere_is_refused(world, address):
    with world.tenant(), pytest.raises(Invalid) as refused:
        add_card(organisation=world.acme, actor=by(world.ada), said=CardSaid(title="Bad", address=address))
    assert refused.value.field == "address"
