"""What is nobody's has suggested owners: looked for by a job, taken or declined, and what was declined stays away."""

from __future__ import annotations

import shutil
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from catalog import actions
from catalog.handing import claiming, suggesting
from catalog.handing.models import Suggestion
from catalog.models import Entity, Source, Statement
from catalog.owners.stating import state
from portal.accounts.access import enter
from portal.accounts.models import AuditEvent, Membership, Team, TeamMembership, User, Way
from portal.clusters import status
from portal.clusters.models import SYNCED
from portal.githosts.hosts import HOSTS
from portal.githosts.protocol import Author
from portal.jobs.models import Job
from portal.jobs.work import work
from portal.kit.errors import Conflict, Forbidden
from portal.kit.valkey import valkey
from portal.notices import consuming
from portal.notices.models import Notice
from portal.provisioning.models import Run
from tests.catalog.test_index import component
from tests.clusters.test_pages import entity, make_cluster, publish
from tests.conftest import by
from tests.githosts.conftest import Plain, make_repository
from tests.provisioning.conftest import start_run

PAYMENTS, CHECKOUT = "group:default/payments", "group:default/checkout"
PAGE, API = "/o/acme/suggestions/", "/api/o/acme/suggestions"
OWNERS = b"/basket/ @acme/checkout\n/pay/ @acme/checkout\n/ledger/ @acme/payments\n"


@pytest.fixture
def shop(world):
    """The repository shop holds basket, pay and ledger; Cleo of checkout works on the first two, which are nobody's."""
    shutil.rmtree(settings.GIT_ROOT, ignore_errors=True)
    host = HOSTS["slipway"]
    repo = make_repository(world.acme, "shop", files=None)
    files = {"CODEOWNERS": Plain(OWNERS), **{f"{name}/main.py": Plain(b"1") for name in ("basket", "pay", "ledger")}}
    cleo = Author("Cleo", "cleo@acme.example")
    host.push_tree(repo, files, message="First", author=cleo, when=timezone.now())
    with world.tenant():
        checkout = Team.objects.create(organisation=world.acme, slug="checkout", name="Checkout", ref=CHECKOUT)
        world.cleo = User.objects.create_user("cleo@acme.example", "x", name="Cleo")
        Membership.objects.create(organisation=world.acme, user=world.cleo, role="developer")
        TeamMembership.objects.create(organisation=world.acme, team=checkout, user=world.cleo, is_lead=True)
        source = Source.objects.create(organisation=world.acme, kind="repository", target="shop")
        for name in ("basket", "pay", "ledger"):
            made = actions.write_entity(organisation=world.acme, actor=by(world.ada), text=component(name))
            Entity.objects.filter(pk=made.pk).update(source=source, path=f"{name}/catalog-info.yaml")
            if name != "ledger":
                lost(world, name)
    yield world
    shutil.rmtree(settings.GIT_ROOT, ignore_errors=True)


def lost(world: Any, name: str) -> None:
    entity = Entity.objects.for_tenant(world.acme).get(name=name)
    state(organisation=world.acme, actor=by(world.mae), changes=[(entity, "owner", "")], how="transfer")


def look(world: Any) -> list[Suggestion]:
    with world.tenant():
        job = suggesting.ask(world.acme, by(world.mae))
    work(world.acme.pk, job.pk)
    with world.tenant():
        assert Job.objects.for_tenant(world.acme).get(pk=job.pk).state == "succeeded"
        return list(Suggestion.objects.for_tenant(world.acme).filter(state="open").order_by("title"))


def owner(world: Any, name: str) -> str:
    with world.tenant():
        return str(Entity.objects.for_tenant(world.acme).get(name=name).owner_ref)


def access(world: Any, person: Any) -> Any:
    return enter(person, "acme", way=Way.PAGE, address=None)


def test_a_look_suggests_owners_with_their_evidence_and_tells_the_leads(shop, monkeypatch):
    basket, pay = look(shop)
    assert (basket.title, pay.title, basket.to_ref) == ("basket", "pay", CHECKOUT)
    assert basket.word == "Almost certain"
    assert [each["kind"] for each in basket.evidence] == ["codeowners", "commits"]
    assert "CODEOWNERS names @acme/checkout" in basket.evidence[0]["sentence"]
    assert "(cleo)" in basket.evidence[1]["sentence"]
    monkeypatch.setattr(consuming, "nudge", lambda organisation_id: True)
    consuming.turn()
    with shop.tenant():
        told = Notice.objects.for_tenant(shop.acme).get(kind="ownership.suggested")
        assert (told.membership.user, told.title) == (shop.cleo, "2 things may be yours, checkout")
    assert [each.pk for each in look(shop)] == [basket.pk, pay.pk], "what is the same stays the same"


def test_a_lead_takes_what_may_be_theirs_and_a_stranger_does_not(shop, client_for):
    basket, pay = look(shop)
    dev, cleo = client_for(shop.dev), client_for(shop.cleo)
    html = cleo.get(PAGE).content.decode()
    assert "Almost certain" in html
    assert html.count(">Take it<") == 2
    assert ">Take it<" not in dev.get(f"{PAGE}?whose=all").content.decode()
    assert dev.post(f"{PAGE}answer/", {"accept": str(basket.pk)}).status_code == 403
    assert owner(shop, "basket") == ""
    assert cleo.post(f"{PAGE}answer/", {"accept": "chosen", "e": [basket.pk, pay.pk]}).status_code == 302
    assert (owner(shop, "basket"), owner(shop, "pay")) == (CHECKOUT, CHECKOUT)
    with shop.tenant():
        stands = Statement.objects.for_tenant(shop.acme).filter(until=None)
        assert {(each.how, each.by) for each in stands} == {("claim", shop.cleo)}
        assert AuditEvent.objects.for_tenant(shop.acme).filter(verb="suggestion.accepted").count() == 1
    assert "Nothing is suggested" in cleo.get(PAGE).content.decode()
    assert look(shop) == []


def test_what_was_declined_does_not_come_back(shop):
    basket, _ = look(shop)
    with shop.tenant():
        claiming.decline(access=access(shop, shop.cleo), pks={basket.pk}, reason="Legacy")
    assert [each.title for each in look(shop)] == ["pay"]
    with shop.tenant():
        kept = Suggestion.objects.for_tenant(shop.acme).get(state="declined")
        assert (kept.reason, kept.answered_by) == ("Legacy", shop.cleo)


def test_what_is_somebodys_by_now_is_not_taken_away(shop):
    basket, pay = look(shop)
    with shop.tenant():
        entity = Entity.objects.for_tenant(shop.acme).get(name="basket")
        state(organisation=shop.acme, actor=by(shop.mae), changes=[(entity, "owner", PAYMENTS)], how="transfer")
        with pytest.raises(Conflict, match=r"belongs to payments by now\. Nothing was claimed"):
            claiming.accept(access=access(shop, shop.cleo), pks={basket.pk, pay.pk})
    assert owner(shop, "pay") == ""
    assert [each.title for each in look(shop)] == ["pay"]


def test_a_manager_answers_for_all_and_nobody_twice(shop):
    basket, _ = look(shop)
    with shop.tenant():
        assert claiming.accept(access=access(shop, shop.mae), pks={basket.pk}) == 1
        with pytest.raises(Conflict, match="answered already"):
            claiming.accept(access=access(shop, shop.cleo), pks={basket.pk})
        open_ones = Suggestion.objects.for_tenant(shop.acme).filter(state="open")
        with pytest.raises(Forbidden):
            claiming.accept(access=access(shop, shop.dev), pks=set(open_ones.values_list("pk", flat=True)))


def test_programs_read_and_answer(shop, client_for):
    look(shop)
    cleo = client_for(shop.cleo)
    told = cleo.get(f"{API}?mine=true").json()["suggestions"]
    assert [(each["entity"], each["to"], each["confidence"]) for each in told] == [
        (f"component:default/{name}", CHECKOUT, "Almost certain") for name in ("basket", "pay")
    ]
    body = {"accept": [told[0]["id"]], "decline": [told[1]["id"]], "reason": "no"}
    assert cleo.post(API, body, content_type="application/json").json() == {"accepted": 1, "declined": 1}
    assert cleo.post(API, {}, content_type="application/json").status_code == 400


def test_the_team_that_a_namespace_is_labelled_with_is_evidence(shop):
    """As the watched cluster last told it."""
    with shop.tenant():
        actions.write_entity(organisation=shop.acme, actor=by(shop.ada), text=component("runs"))
        lost(shop, "runs")
        uid = Entity.objects.for_tenant(shop.acme).get(name="runs").uid
        cluster = make_cluster(shop.acme, state=SYNCED)
    publish(cluster, {uid: entity()}, namespaces=("shop",), teams={"shop": "checkout"})
    try:
        [runs] = [each for each in look(shop) if each.title == "runs"]
    finally:
        for key in (status.hash_key, status.badges_key, status.fresh_key):
            valkey().delete(key(shop.acme.pk, cluster.uid))
    assert (runs.to_ref, runs.word) == (CHECKOUT, "Likely")
    assert runs.evidence == [{"kind": "namespace", "sentence": "It runs in shop, labelled as theirs."}]


def test_who_launched_it_is_evidence(shop):
    """Of what lies in no repository here: the run that registered it."""
    with shop.tenant():
        actions.write_entity(organisation=shop.acme, actor=by(shop.ada), text=component("made"))
        lost(shop, "made")
    run = start_run(shop, [{"id": "say", "action": "debug:log", "input": {"message": "x"}}])
    with shop.tenant():
        Run.objects.for_tenant(shop.acme).filter(pk=run.pk).update(
            entity_refs=["component:default/made"], requester=shop.dev
        )
    [made] = [each for each in look(shop) if each.title == "made"]
    assert (made.to_ref, made.word) == (PAYMENTS, "Likely")
    assert made.evidence == [{"kind": "launched", "sentence": "Dev, who is in it, launched it."}]


def test_the_live_process_asks_once_a_day_and_of_settled_organisations(shop):
    with shop.tenant():
        assert suggesting.sweep_suggestions() == 0, "it is being filled"
    later = timezone.now() + timedelta(hours=2)
    assert suggesting.sweep_suggestions(later) == 1
    assert suggesting.sweep_suggestions(later) == 0


def test_the_command_hides_what_is_known_and_tells_how_it_went(shop):
    with shop.tenant():
        entity = Entity.objects.for_tenant(shop.acme).get(name="basket")
        state(organisation=shop.acme, actor=by(shop.mae), changes=[(entity, "owner", CHECKOUT)], how="transfer")
    said = StringIO()
    call_command("measure_suggestions", "acme", "--hide", "100", "--turns", "1", stdout=said)
    assert "2 owners hidden in 1 turns: spoke for 100.0%, right 100.0%." in said.getvalue()
