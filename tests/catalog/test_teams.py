"""A team is one thing: page, Group, people and contact, wherever it was born."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog import actions
from catalog import teams as groups
from catalog.descriptors.contacts import contact_of
from catalog.index.edges import from_refs
from catalog.models import Entity, Source
from catalog.ownership import confirming
from portal.accounts import teams
from portal.accounts.contact import Contact
from portal.accounts.models import AuditEvent, Organisation, Team
from portal.accounts.tenancy import tenant
from portal.kit.errors import Conflict
from portal.kit.references import named
from tests.catalog.test_pages import BASE, TEXT, page
from tests.conftest import by

API = "/api/o/acme/catalog/entities/by-name/group/default/"
FILED = """\
apiVersion: backstage.io/v1alpha1
kind: Group
metadata:
  name: {name}
  title: {title}
  links:
    - {{url: "https://chat.test/{name}", title: "Our Slack channel"}}
    - {{url: "https://pages.test/runbook/{name}", title: "Handbook", type: runbook}}
  annotations: {{pagerduty.com/service-id: P123}}
spec:
  type: team
  profile: {{email: {name}@acme.test}}
  children: [{children}]
  members: [{members}]
"""
USER = """\
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {{name: {name}, title: {title}}}
spec:
  profile: {{email: {email}}}
  memberOf: []
"""


def make(world, name="Card Payments", slug="card-payments", **more):
    return teams.create_team(actor=by(world.mae), organisation=world.acme, name=name, slug=slug, stands=True, **more)


def put(world, team, person):
    teams.put_in_team(actor=by(world.mae), organisation=world.acme, team=team, person=person, is_lead=False)


def file_in(world, folder, *texts):
    folder.mkdir(exist_ok=True)
    (folder / "catalog-info.yaml").write_text("---\n".join(texts))
    return actions.add_source(organisation=world.acme, actor=by(world.ada), kind="folder", target=str(folder))


def relations(client, name):
    body = client.get(f"{API}{name}").json()
    return {(each["type"], each["targetRef"]) for each in body["relations"]}


def test_a_team_made_in_the_portal_is_a_group_at_once(world, client_for, tmp_path):
    with world.tenant():
        file_in(world, tmp_path / "people", USER.format(name="dev", title="Devon", email=world.dev.email))
        top = make(world, "Money", "money")
        team = make(world, parent=top, mail="cards@acme.test", chat="https://chat.test/cards", description="Cards.")
        put(world, team, world.dev)
        actions.write_entity(
            organisation=world.acme, actor=by(world.ada), text=TEXT.format(name="terminal", owner="card-payments")
        )
    client = client_for(world.vic)
    body = client.get(f"{API}card-payments").json()
    assert body["metadata"]["title"] == "Card Payments"
    assert body["spec"]["profile"] == {"displayName": "Card Payments", "email": "cards@acme.test"}
    assert relations(client, "card-payments") == {
        ("childOf", "group:default/money"),
        ("hasMember", "user:default/dev"),
        ("ownerOf", "component:default/terminal"),
    }
    assert ("parentOf", "group:default/card-payments") in relations(client, "money")
    html = page(client, f"{BASE}component/default/terminal/")
    assert "not in the catalog" not in html
    assert ">Card Payments</a>" in html
    assert "E-mail: cards@acme.test" in html


def test_renaming_moving_and_leaving_keep_the_group_true(world, client_for, tmp_path):
    with world.tenant():
        file_in(world, tmp_path / "people", USER.format(name="dev", title="Devon", email=world.dev.email.upper()))
        team = make(world)
        put(world, team, world.dev)
        assert len(from_refs(team.organisation_id, [team.ref], ["hasMember"])) == 1
        teams.change_team(
            actor=by(world.mae), organisation=world.acme, team=team, name="Cards", description="", parent=None
        )
        teams.take_out_of_team(actor=by(world.mae), organisation=world.acme, team=team, person=world.dev)
        group = Entity.objects.get(ref=team.ref)
        assert (group.title, group.removed_at) == ("Cards", None)
        assert not from_refs(team.organisation_id, [team.ref], ["hasMember"])
        assert AuditEvent.objects.filter(verb="team.changed", subject_id=str(team.pk)).exists()


def test_deleting_a_team_takes_its_group_along_and_those_below_move_up(world):
    with world.tenant():
        team = make(world)
        below = make(world, "Terminals", "terminals", parent=team)
        assert from_refs(below.organisation_id, [below.ref], ["childOf"])
        teams.delete_team(actor=by(world.mae), organisation=world.acme, team=team)
        group = Entity.objects.get(ref="group:default/card-payments")
        assert group.removed_at is not None
        assert "deleted by" in group.removed_reason
        assert not from_refs(below.organisation_id, [below.ref], ["childOf"])
        # The name is free again.
        make(world)
        assert Entity.objects.get(ref="group:default/card-payments").removed_at is None


def test_a_refused_change_leaves_neither_team_nor_group(world):
    with world.tenant():
        make(world)
        with pytest.raises(Conflict):
            make(world)
        assert Team.objects.filter(ref="group:default/card-payments").count() == 1


def test_a_group_from_a_file_gives_contact_and_is_changed_in_its_file(world, client_for, tmp_path):
    with world.tenant():
        file_in(
            world, tmp_path / "org",
            FILED.format(name="claims", title="Claims", children="", members="dev, robin"),
            USER.format(name="dev", title="Devon", email=world.dev.email),
        )  # fmt: skip
        team = Team.objects.get(ref="group:default/claims")
        assert team.contact == Contact(
            mail="claims@acme.test",
            chat="https://chat.test/claims",
            on_call="PagerDuty service P123",
            runbook="https://pages.test/runbook/claims",
        )
        put(world, team, world.dev)
        with pytest.raises(Conflict, match="catalog-info"):
            teams.delete_team(actor=by(world.mae), organisation=world.acme, team=team)
    client = client_for(world.mae)
    settings = page(client, "/o/acme/teams/claims/edit/")
    assert "change them there" in settings
    assert 'name="name"' not in settings
    answer = client.post("/o/acme/teams/claims/edit/", {"name": "Mine"})
    assert answer.status_code == 409
    shown = page(client, "/o/acme/teams/claims/")
    assert "mailto:claims@acme.test" in shown
    assert "PagerDuty service P123" in shown
    assert shown.count("Devon") == 0  # Dev has joined: one person is shown once
    assert ">robin</a>" in shown


def test_a_file_takes_no_team_of_the_portal(world, tmp_path):
    with world.tenant():
        team = make(world)
        source = file_in(
            world, tmp_path / "bad", FILED.format(name="card-payments", title="Mine", children="", members="")
        )
        team.refresh_from_db()
        assert (team.name, team.origin) == ("Card Payments", "portal")
        assert source.problems.get().code == "conflict"


def test_only_its_own_source_says_where_a_team_stands(world, tmp_path):
    """Rights reach down the tree: a file that names another's team as its child would gather them."""
    with world.tenant():
        file_in(world, tmp_path / "one", FILED.format(name="claims", title="Claims", children="", members=""))
        made = make(world)
        file_in(
            world, tmp_path / "two",
            FILED.format(name="grab", title="Grab", children="claims, card-payments, inner", members=""),
            FILED.format(name="inner", title="Inner", children="", members=""),
        )  # fmt: skip
        assert set(Team.objects.values_list("parent__ref", flat=True)) == {None}
        confirming.confirm_all(organisation=world.acme, actor=by(world.ada))
        places = dict(Team.objects.values_list("ref", "parent__ref"))
        assert places["group:default/claims"] is None
        assert places[made.ref] is None
        assert places["group:default/inner"] == "group:default/grab"


def test_a_team_whose_file_is_gone_keeps_its_people_and_comes_back_by_a_save(world, client_for, tmp_path):
    with world.tenant():
        source = file_in(world, tmp_path / "org", FILED.format(name="claims", title="Claims", children="", members=""))
        team = Team.objects.get(ref="group:default/claims")
        put(world, team, world.dev)
        confirming.confirm_all(organisation=world.acme, actor=by(world.ada))
        actions.remove_source(organisation=world.acme, actor=by(world.ada), source=source)
        team.refresh_from_db()
        assert team.origin == "gone"
    client = client_for(world.mae)
    assert "The file that described it is gone" in page(client, "/o/acme/teams/claims/")
    answer = client.post("/o/acme/teams/claims/edit/", {"name": "Claims", "mail": "claims@acme.test"})
    assert answer.status_code == 302
    assert client.get(f"{API}claims").json()["metadata"]["title"] == "Claims"


def test_search_finds_a_team_once(world, client_for):
    with world.tenant():
        make(world, mail="cards@acme.test")
    html = page(client_for(world.vic), "/o/acme/search/", q="card-pay")
    assert html.count('href="/o/acme/teams/card-payments/"') == 1
    assert "group/default/card-payments" not in html


def test_teams_from_before_get_their_group_once(world):
    with world.tenant():
        assert not Entity.objects.filter(ref=world.payments.ref).exists()
    assert groups.write_missing_groups() == 1
    assert groups.write_missing_groups() == 0
    with world.tenant():
        assert Entity.objects.get(ref=world.payments.ref).title == "Payments"
        world.payments.refresh_from_db()
        assert world.payments.origin == "portal"


def test_titles_cost_one_statement_however_many(world):
    with world.tenant():
        for number in range(5):
            make(world, f"Team {number}", f"team-{number}", mail=f"t{number}@acme.test")
        refs = [f"group:default/team-{number}" for number in range(5)]
        with CaptureQueriesContext(connection) as asked:
            found = named(world.acme.pk, refs)
        assert len(asked) == 1
        assert [found[ref].title for ref in refs] == [f"Team {number}" for number in range(5)]
        assert found[refs[2]].note == "E-mail: t2@acme.test"


def test_the_text_of_a_group_reads_back_as_its_contact(world):
    contact = {
        "mail": "a@b.test",
        "chat": "https://c.test/x",
        "on_call": "https://d.test/y",
        "runbook": "https://e.test/z",
    }
    with world.tenant():
        team = make(world, **contact)
        assert contact_of(Entity.objects.get(ref=team.ref).document) == Contact(**contact)


def test_a_neighbours_team_of_the_same_name_is_another(world):
    with world.tenant():
        make(world, mail="ours@acme.test")
    with tenant(world.rival):
        assert named(world.rival.pk, ["group:default/card-payments"]) == {}
        assert not Source.objects.filter(target="teams").exists()
        assert Organisation.objects.count() == 2


def test_the_group_of_a_portals_team_is_not_written_by_hand(world, client_for):
    with world.tenant():
        make(world)
    client = client_for(world.ada)
    assert client.get(f"{BASE}group/default/card-payments/edit/").status_code == 404
    html = page(client, f"{BASE}group/default/card-payments/")
    assert "/o/acme/teams/of/group:default/card-payments/" in html
