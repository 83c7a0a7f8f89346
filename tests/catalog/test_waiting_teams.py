"""A file gives nobody rights: a team and its place wait until somebody who may make teams confirms them."""

import importlib
from types import SimpleNamespace

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from catalog import actions
from catalog.intake import ingest
from catalog.models import Entity, Source
from portal.accounts import teams
from portal.accounts.access import enter
from portal.accounts.models import AuditEvent, Team, TeamMembership, Way
from portal.githosts import rights
from portal.githosts.hosts import HOSTS
from portal.githosts.models import Repository
from portal.provisioning.acting import claiming
from tests.catalog.test_pages import BASE, TEXT, page
from tests.catalog.test_teams import file_in, put
from tests.clusters.test_pages import make_cluster
from tests.conftest import by

pytestmark = pytest.mark.django_db
TEAMS = "/o/acme/teams/"
CONFIRM = f"{TEAMS}waiting/confirm/"
GROUP = """\
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {{name: {name}}}
spec: {{type: team, {parent}children: []}}
"""


def group(name, parent=""):
    return GROUP.format(name=name, parent=f"parent: {parent}, " if parent else "")


def upload(client, text, name="up.yaml"):
    """What a developer does: one file, through the page."""
    form = {"kind": "upload", "upload": SimpleUploadedFile(name, text.encode())}
    return client.post(f"{BASE}sources/register/", form)


def access(world, person):
    return enter(person, "acme", way=Way.PAGE, address=None)


def mine(world, person):
    with world.tenant():
        return set(access(world, person).team_refs)


def tokens(client):
    html = page(client, TEAMS)
    return [part.split('"')[0] for part in html.split('name="confirm" value="')[1:]]


def make(world, slug, name="", **more):
    with world.tenant():
        return teams.create_team(
            actor=by(world.mae), organisation=world.acme, name=name or slug.title(), slug=slug, stands=True, **more
        )


@pytest.fixture
def lead(world):
    """Dev leads Payments."""
    with world.tenant():
        TeamMembership.objects.filter(team=world.payments, user=world.dev).update(is_lead=True)
    return world.dev


def test_an_uploaded_group_below_ones_own_team_gives_no_rights(world, client_for, lead):
    """The take-over as it was tried: namespaces by `{team}`, logs, and whatever names the missing owner."""
    with world.tenant():
        actions.write_entity(
            organisation=world.acme, actor=by(world.ada), text=TEXT.format(name="orphan", owner="monitoring")
        )
    client = client_for(lead)
    before = client.get("/api/o/acme/me/").json()["teams"]
    assert upload(client, group("monitoring", "payments")).status_code == 302
    with world.tenant():
        team = Team.objects.get(ref="group:default/monitoring")
        assert (team.stands, team.parent) == (False, None)
        visitor = access(world, lead)
        for permission in ("workloads.logs", "repos.push", "catalog.edit", "workloads.adopt", "runs.control"):
            assert not visitor.can(permission, team.ref)
        doer = SimpleNamespace(
            organisation=world.acme, owner_ref=team.ref, path="", entity_ref="component:default/x", actor=by(lead)
        )
        cluster = make_cluster(world.acme, namespaces="{team}")
        assert claiming.reach_of(doer, cluster).team == ""
    assert client.get("/api/o/acme/me/").json()["teams"] == before
    assert client.post(f"{TEAMS}monitoring/members/", {"person": lead.pk}).status_code == 403
    shown = page(client, f"{TEAMS}monitoring/")
    assert "Nobody has confirmed this team yet" in shown
    assert CONFIRM not in shown
    assert client.post(CONFIRM, {"confirm": ["monitoring~x"]}).status_code == 403


def test_a_manager_confirms_what_they_looked_at_and_nothing_else(world, client_for, lead):
    dev, mae = client_for(lead), client_for(world.mae)
    upload(dev, group("monitoring", "payments"))
    (token,) = tokens(mae)
    assert "A new team, part of" in page(mae, TEAMS)
    with world.tenant():
        source = Source.objects.get(kind="upload")
        actions.remove_source(organisation=world.acme, actor=by(lead), source=source)
        assert not Team.objects.filter(slug="monitoring").exists(), "it goes with its file"
    upload(dev, group("monitoring"))
    assert mae.post(CONFIRM, {"confirm": [token]}).status_code == 409
    assert mae.post(CONFIRM, {}).status_code == 400
    (token,) = tokens(mae)
    assert mae.post(CONFIRM, {"confirm": [token]}).status_code == 302
    assert mae.post(CONFIRM, {"confirm": [token]}).status_code == 404
    assert mine(world, lead) == {world.payments.ref}
    with world.tenant():
        event = AuditEvent.objects.get(verb="team.confirmed")
        assert (event.actor, event.data["place"]) == (world.mae, "")


def test_a_place_in_the_tree_waits_and_ends_with_the_files_word(world, client_for, tmp_path, lead):
    folder = tmp_path / "org"
    with world.tenant():
        source = file_in(world, folder, group("claims"), group("inner", "claims"))
    mae = client_for(world.mae)
    page(mae, f"{TEAMS}inner/")
    inner = next(token for token in tokens(mae) if token.startswith("inner~"))
    assert mae.post(CONFIRM, {"confirm": [inner]}).status_code == 409, "the team above waits itself"
    assert mae.post(CONFIRM, {"confirm": tokens(mae)}).status_code == 302
    with world.tenant():
        assert Team.objects.get(slug="inner").parent.slug == "claims"

    def say(*texts):
        (folder / "catalog-info.yaml").write_text("---\n".join(texts))
        with world.tenant():
            actions.refresh_source(organisation=world.acme, actor=by(world.ada), source=source)
        ingest.ingest(source)
        with world.tenant():
            above = Team.objects.get(slug="inner").parent
            return above and above.slug

    assert say(group("claims"), group("inner", "claims")) == "claims"
    assert say(group("claims"), group("inner", "payments")) is None
    assert mine(world, lead) == {world.payments.ref}
    assert "A new place, part of" in page(mae, TEAMS)
    assert mae.post(CONFIRM, {"confirm": tokens(mae)}).status_code == 302
    assert mine(world, lead) == {world.payments.ref, "group:default/inner"}
    assert tokens(mae) == []


def test_a_team_whose_file_is_gone_is_nobodys_to_describe(world, client_for, tmp_path, lead):
    with world.tenant():
        source = file_in(world, tmp_path / "org", group("golden"))
    mae, dev = client_for(world.mae), client_for(lead)
    mae.post(CONFIRM, {"confirm": tokens(mae)})
    with world.tenant():
        golden = Team.objects.get(slug="golden")
        put(world, golden, world.ada)
        HOSTS["slipway"].create_repository(
            world.acme, name="golden-repo", description="", owner_ref=golden.ref, marker="1", actor=by(world.ada)
        )
        actions.remove_source(organisation=world.acme, actor=by(world.ada), source=source)
    upload(dev, group("golden", "payments"))
    with world.tenant():
        golden.refresh_from_db()
        assert (golden.origin, golden.parent, golden.stands) == ("gone", None, True)
        assert not rights.may_push(access(world, lead), Repository.objects.get(name="golden-repo"))
        assert rights.may_push(access(world, world.ada), Repository.objects.get(name="golden-repo"))
    assert "Another file than before wants to describe it" in page(mae, f"{TEAMS}golden/")
    assert mae.post(CONFIRM, {"confirm": tokens(mae), "stay": "1"}).status_code == 302
    with world.tenant():
        golden.refresh_from_db()
        assert (golden.origin, golden.parent) == ("file", world.payments)


def test_the_name_of_a_deleted_team_gives_a_file_nothing(world, client_for, lead):
    golden = make(world, "golden")
    with world.tenant():
        HOSTS["slipway"].create_repository(
            world.acme, name="golden-repo", description="", owner_ref=golden.ref, marker="1", actor=by(world.ada)
        )
        teams.delete_team(actor=by(world.ada), organisation=world.acme, team=golden)
    upload(client_for(lead), group("golden", "payments"))
    with world.tenant():
        assert not rights.may_push(access(world, lead), Repository.objects.get(name="golden-repo"))
    html = page(client_for(world.mae), TEAMS)
    assert "A team of this name was deleted by" in html
    assert "1 thing bears its name already" in html


def test_a_team_that_a_lead_makes_waits_too(world, client_for, lead):
    """A lead may make teams below their own, and a name gives rights wherever it is made."""
    with world.tenant():
        actions.write_entity(
            organisation=world.acme, actor=by(world.ada), text=TEXT.format(name="orphan", owner="monitoring")
        )
    dev, mae = client_for(lead), client_for(world.mae)
    form = {"name": "Monitoring", "slug": "monitoring", "parent": world.payments.pk}
    assert dev.post("/o/acme/people/teams/new/", form).status_code == 302
    assert mine(world, lead) == {world.payments.ref}
    assert dev.post(f"{TEAMS}monitoring/members/", {"person": lead.pk, "is_lead": "on"}).status_code == 302
    assert mine(world, lead) == {world.payments.ref}
    assert "Gives rights to Dev" in page(mae, TEAMS)
    assert mae.post(CONFIRM, {"confirm": tokens(mae)}).status_code == 302
    assert mine(world, lead) == {world.payments.ref, "group:default/monitoring"}
    assert mae.post("/o/acme/people/teams/new/", {"name": "Other", "slug": "other"}).status_code == 302
    with world.tenant():
        assert Team.objects.get(slug="other").stands


def test_nothing_is_granted_or_handed_over_to_a_team_that_waits(world, client_for, lead):
    upload(client_for(lead), group("monitoring"))
    with world.tenant():
        HOSTS["slipway"].create_repository(
            world.acme, name="checkout", description="", owner_ref=world.payments.ref, marker="1", actor=by(world.ada)
        )
        team = Team.objects.get(slug="monitoring")
    ada = client_for(world.ada)
    assert ada.post("/o/acme/repos/checkout/access/grants/", {"team": team.pk}).status_code in (404, 422)
    answer = ada.post("/api/o/acme/repos/checkout/grants/", {"team": team.ref}, content_type="application/json")
    assert answer.status_code == 400
    assert "waits to be confirmed" in answer.content.decode()


def test_after_the_upgrade_only_a_managers_own_act_stands(world, tmp_path):
    """Teams as an earlier version left them: files gave places, and a lead put people in through one."""
    with world.tenant():
        file_in(world, tmp_path / "org", group("honest"), group("grab", "payments"), group("empty"))
        put(world, Team.objects.get(slug="honest"), world.dev)
        teams.put_in_team(
            actor=by(world.dev), organisation=world.acme, team=Team.objects.get(slug="grab"), person=world.dev,
            is_lead=True,
        )  # fmt: skip
        own = make(world, "own", parent=world.payments)
        Team.objects.update(waits_since=None)
        Team.objects.filter(slug="grab").update(parent=world.payments)
        importlib.import_module("portal.accounts.migrations.0014_teams_wait").judge(
            None, SimpleNamespace(connection=connection)
        )
    with world.tenant():
        stands = {team.slug: team.stands for team in Team.objects.all()}
        assert (stands["honest"], stands["grab"], stands["empty"], stands["own"]) == (True, False, False, True)
        assert Team.objects.get(slug="grab").parent is None
        assert Team.objects.get(pk=own.pk).parent == world.payments
        assert Entity.objects.filter(kind="Group").count() >= 3
