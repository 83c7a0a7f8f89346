"""Who answers for an entity, on its page, on its tab and over the API; who may say so, and how the file is settled."""

from __future__ import annotations

import csv
import io
import shutil
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog import actions
from catalog.holders import holder_named, ref_of
from catalog.models import Entity, Statement
from catalog.owners import reading
from catalog.owners.stating import state
from catalog.planning import lines_of, planned
from portal.accounts.access import digest_of, enter
from portal.accounts.models import ApiToken, Team, TeamMembership, Way
from portal.githosts.hosts import HOSTS
from portal.githosts.models import Repository
from portal.githosts.protocol import Author
from portal.kit.errors import Invalid
from tests.catalog.test_index import component
from tests.catalog.test_owning import system
from tests.conftest import by
from tests.githosts.conftest import Plain

PAY = "/o/acme/catalog/component/default/pay/"
API = "/api/o/acme/catalog/"
PAYMENTS, CHECKOUT = "group:default/payments", "group:default/checkout"


@pytest.fixture
def shop(world):
    """Dev leads payments, which owns pay; checkout is another team, and refunds is below payments."""
    with world.tenant():
        for slug, parent in (("checkout", None), ("refunds", world.payments)):
            Team.objects.create(
                organisation=world.acme, slug=slug, name=slug.title(), ref=f"group:default/{slug}", parent=parent,
                chat=f"https://chat.example/{slug}", mail=f"{slug}@acme.example",
            )  # fmt: skip
        actions.write_entity(organisation=world.acme, actor=by(world.ada), text=system("shop", "checkout"))
        actions.write_entity(organisation=world.acme, actor=by(world.ada), text=component("pay", system="shop"))
    return world


def pay(world: Any) -> Entity:
    return Entity.objects.for_tenant(world.acme).select_related("body", "source").get(name="pay")


def owner(world: Any) -> str:
    with world.tenant():
        return str(pay(world).owner_ref)


def hand(world: Any, holder: str, role: str = "owner", why: str = "") -> Statement:
    with world.tenant():
        [made] = state(
            organisation=world.acme, actor=by(world.mae), changes=[(pay(world), role, holder)], how="transfer", why=why
        )
    return made


def html_of(client: Client, path: str = PAY) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.content[:300]
    return answer.content.decode()


def token_of(world: Any, person: Any, *scopes: str) -> dict[str, str]:
    secret = f"slw_{person.pk:040d}"
    with world.tenant():
        ApiToken.objects.create(
            organisation=world.acme, user=person, name="t", prefix=secret[:12], digest=digest_of(secret),
            scopes=list(scopes), expires_at=timezone.now() + timedelta(days=1), last_used_at=timezone.now(),
        )  # fmt: skip
    return {"Authorization": f"Bearer {secret}"}


# --- the card ---


def test_the_card_says_who_answers_how_that_is_known_and_how_to_reach_them(shop, client_for):
    client = client_for(shop.vic)
    assert "Named in its text, written in the portal" in html_of(client)
    hand(shop, CHECKOUT, why="They run it now.")
    html = html_of(client)
    assert "Handed over by Mae" in html
    assert "They run it now." in html
    assert "https://chat.example/checkout" in html
    assert "still names Payments" in html
    assert 'data-copy-key="c"' in html
    assert "Owner: Checkout\n  E-mail: checkout@acme.example" in html


def test_a_fallback_is_said_as_such(shop, client_for):
    hand(shop, "")
    html = html_of(client_for(shop.vic))
    assert "by fallback" in html
    assert "the owner of what it is part of answers" in html
    assert "by fallback" in client_for(shop.vic).get("/o/acme/catalog/?kind=Component&fallback=1").content.decode()


def test_roles_stand_on_the_card_with_people_who_no_file_describes(shop, client_for):
    hand(shop, ref_of(shop.dev), "oncall")
    hand(shop, CHECKOUT, "approver")
    html = html_of(client_for(shop.vic))
    assert "On call" in html
    assert ">Dev<" in html.replace("</svg>", ">")
    assert f"mailto:{shop.dev.email}" in html
    assert f"On call: Dev\n  E-mail: {shop.dev.email}" in html


def test_the_card_costs_no_statement_more_for_what_was_stated(shop, client_for):
    client = client_for(shop.vic)
    html_of(client)
    with CaptureQueriesContext(connection) as before:
        html_of(client)
    for role in ("owner", "oncall", "technical", "approver"):
        hand(shop, CHECKOUT, role)
    html_of(client)
    with CaptureQueriesContext(connection) as after:
        html_of(client)
    assert len(after) == len(before)


def test_the_tab_tells_everything_that_was_stated(shop, client_for):
    hand(shop, CHECKOUT, why="<b>Bold</b> words")
    html = html_of(client_for(shop.mae), f"{PAY}ownership/")
    assert "&lt;b&gt;Bold" in html
    assert html.count("Handed over") == 1
    assert "Undo the latest statement: Owner" in html
    assert "State it" in html
    for stranger in (shop.vic,):
        plain = html_of(client_for(stranger), f"{PAY}ownership/")
        assert "State it" not in plain
        assert "Undo the latest" not in plain


# --- who may ---


def post(world: Any, client: Client, what: str = "state", **form: Any) -> int:
    return client.post(f"{PAY}ownership/{what}/", {"role": "owner", **form}).status_code


def test_a_manager_hands_over_and_takes_back(shop, client_for):
    client = client_for(shop.mae)
    assert post(shop, client, holder="Checkout", why="x") == 302
    assert owner(shop) == CHECKOUT
    with shop.tenant():
        latest = Statement.objects.for_tenant(shop.acme).get(until=None).pk
    assert post(shop, client, "undo", latest=latest) == 302
    assert owner(shop) == PAYMENTS
    assert post(shop, client, "undo", latest=latest) == 409, "somebody looked at what is over"


def test_a_lead_names_roles_and_moves_within_what_they_lead(shop, client_for):
    client = client_for(shop.dev)
    assert post(shop, client, role="oncall", holder="vic@acme.example") == 302
    assert post(shop, client, holder="refunds") == 302, "a team below theirs"
    assert owner(shop) == "group:default/refunds"
    assert post(shop, client, holder="checkout") == 403, "to others only by offering it"
    assert post(shop, client, holder="") == 403
    assert owner(shop) == "group:default/refunds"


def test_whoever_only_is_in_the_team_states_nothing(shop, client_for):
    with shop.tenant():
        TeamMembership.objects.for_tenant(shop.acme).filter(user=shop.dev).update(is_lead=False)
    assert post(shop, client_for(shop.dev), role="oncall", holder="checkout") == 403
    assert post(shop, client_for(shop.vic), role="oncall", holder="checkout") == 403
    assert post(shop, client_for(shop.eve), role="oncall", holder="checkout") == 404
    with shop.tenant():
        assert not Statement.objects.for_tenant(shop.acme).exists()


def test_a_lead_of_the_team_that_lost_it_cannot_take_it_back(shop, client_for):
    made = hand(shop, CHECKOUT)
    assert post(shop, client_for(shop.dev), "undo", latest=made.pk) == 403
    assert post(shop, client_for(shop.dev), holder="payments") == 403
    assert owner(shop) == CHECKOUT


@pytest.mark.parametrize(
    "form", [{"holder": "nobody-here"}, {"role": "king", "holder": "checkout"}, {"holder": "user:slipway/999999"},
             {"holder": "eve@rival.example"}]
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_words(shop, client_for, form):
    assert post(shop, client_for(shop.mae), **form) == 400


def test_who_edits_the_text_is_the_team_on_record(shop, client_for):
    """Rights follow the record, and the text may still name whom it names."""
    hand(shop, CHECKOUT)
    assert client_for(shop.dev).get(f"{PAY}edit/").status_code == 403
    with shop.tenant():
        team = Team.objects.get(slug="checkout")
        TeamMembership.objects.create(organisation=shop.acme, team=team, user=shop.dev)
        raw = pay(shop).raw.replace("type: service", "type: library")
    assert client_for(shop.dev).post(f"{PAY}edit/", {"text": raw}).status_code == 302
    assert owner(shop) == CHECKOUT


# --- names that people type ---


def test_holders_are_found_by_what_people_type(shop):
    text = "apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata: {name: devvy}\n"
    text += "spec: {memberOf: [], profile: {email: %s}}\n"
    with shop.tenant():
        assert holder_named(shop.acme, " Payments ") == PAYMENTS
        assert holder_named(shop.acme, PAYMENTS) == PAYMENTS
        assert holder_named(shop.acme, "Dev") == ref_of(shop.dev)
        assert holder_named(shop.acme, shop.dev.email) == ref_of(shop.dev)
        actions.write_entity(organisation=shop.acme, actor=by(shop.ada), text=text % shop.dev.email)
        assert holder_named(shop.acme, shop.dev.email) == "user:default/devvy", "as files know them"
        assert holder_named(shop.acme, "devvy") == "user:default/devvy"
        assert holder_named(shop.acme, "") == ""
        with pytest.raises(Invalid):
            holder_named(shop.acme, shop.eve.email)


# --- the file ---


def test_the_text_of_the_portal_is_brought_in_line(shop, client_for):
    client = client_for(shop.mae)
    assert client.get(f"{PAY}ownership/settle/").status_code == 404, "nothing to settle"
    hand(shop, CHECKOUT)
    assert "+  owner: checkout" in html_of(client, f"{PAY}ownership/settle/")
    assert client_for(shop.dev).post(f"{PAY}ownership/settle/").status_code == 403, "payments lost it"
    assert client.post(f"{PAY}ownership/settle/").status_code == 302
    with shop.tenant():
        assert "owner: checkout" in pay(shop).raw
        assert [each.how for each in reading.history(shop.acme, pay(shop))] == ["transfer", "file"]
    assert client.get(f"{PAY}ownership/settle/").status_code == 404


def test_the_built_in_host_gets_a_commit(world, client_for, do_jobs):
    """By whoever may push there; the push reads the source again and the file agrees."""
    shutil.rmtree(settings.GIT_ROOT, ignore_errors=True)  # of earlier runs
    host = HOSTS["slipway"]
    with world.tenant():
        Team.objects.create(organisation=world.acme, slug="checkout", name="Checkout", ref=CHECKOUT)
    repo = host.create_repository(
        world.acme, name="pay", description="", owner_ref=PAYMENTS, marker="m", actor=by(world.dev)
    )
    files = {"catalog-info.yaml": Plain(f"# ours\n{component('pay')}".encode())}
    host.push_tree(repo, files, message="First", author=Author("Dev", world.dev.email), when=timezone.now())
    source = actions.add_source(organisation=world.acme, actor=by(world.dev), kind="repository", target="pay")
    hand(world, CHECKOUT)
    assert client_for(world.vic).post(f"{PAY}ownership/settle/").status_code == 403
    answer = client_for(world.mae).post(f"{PAY}ownership/settle/")
    assert answer.status_code == 302
    jobs = do_jobs(world.acme)
    assert [job.state for job in jobs] == ["done"] * len(jobs), [job.sentence for job in jobs]
    with world.tenant():
        row = Repository.objects.for_tenant(world.acme).get(name="pay")
        text = host.read_file(repo, "catalog-info.yaml", host.head(repo, row.default_branch))
        assert b"# ours" in text
        assert b"owner: checkout" in text
        assert "owner: checkout" in pay(world).raw
        assert pay(world).source_id == source.pk
        assert [each.how for each in reading.history(world.acme, pay(world))] == ["transfer", "file"]


def test_other_hosts_get_a_patch_to_copy(world, client_for, tmp_path):
    (tmp_path / "catalog-info.yaml").write_text(component("pay"))
    with world.tenant():
        Team.objects.create(organisation=world.acme, slug="checkout", name="Checkout", ref=CHECKOUT)
        actions.add_source(organisation=world.acme, actor=by(world.dev), kind="folder", target=str(tmp_path))
    hand(world, CHECKOUT)
    html = html_of(client_for(world.vic), f"{PAY}ownership/settle/")
    assert "does not propose changes on other hosts yet" in html
    assert client_for(world.ada).post(f"{PAY}ownership/settle/").status_code == 409


# --- the API ---


def test_the_api_tells_states_and_takes_back(shop):
    client, headers = Client(), token_of(shop, shop.mae, "write")
    with shop.tenant():
        uid = pay(shop).uid
    here = f"{API}entities/by-uid/{uid}/ownership"
    told = client.get(here, headers=headers).json()
    assert (told["owner"], told["how"], len(told["statements"])) == (PAYMENTS, "", 1)
    assert told["statements"][0]["id"] is None
    body = {"role": "owner", "holder": "checkout", "why": "x"}
    told = client.post(here, body, content_type="application/json", headers=headers).json()
    assert (told["owner"], told["how"]) == (CHECKOUT, "transfer")
    latest = told["statements"][0]["id"]
    back = {"role": "owner", "latest": latest}
    told = client.post(f"{here}/undo", back, content_type="application/json", headers=headers).json()
    assert (told["owner"], told["how"]) == (PAYMENTS, "undo")
    again = client.post(f"{here}/undo", back, content_type="application/json", headers=headers)
    assert again.status_code == 409
    reader = token_of(shop, shop.ada, "read")
    assert client.post(here, body, content_type="application/json", headers=reader).status_code == 403


def test_the_api_asks_for_a_team_with_those_below_it(shop):
    client, headers = Client(), token_of(shop, shop.vic, "read")
    hand(shop, "group:default/refunds")

    def refs(query: str) -> list[str]:
        return [row["metadata"]["name"] for row in client.get(f"{API}entities?{query}", headers=headers).json()]

    assert refs("filter=owner=payments") == ["pay"]
    assert refs("filter=owner.direct=payments") == []
    assert refs("filter=owner.direct=refunds") == ["pay"]
    assert refs(f"filter=relations.ownedBy={PAYMENTS}") == []
    body = {"query": {"owner": "payments"}}
    found = client.post(f"{API}entities/by-query", body, content_type="application/json", headers=headers).json()
    assert found["totalItems"] == 1


def test_many_are_stated_all_or_none(shop):
    client, headers = Client(), token_of(shop, shop.mae, "write")
    wishes = [
        {"entity": "component:default/pay", "holder": "checkout", "why": "a"},
        {"entity": "pay", "role": "oncall", "holder": shop.vic.email},
        {"entity": "component:default/gone", "holder": "checkout"},
    ]

    def ask(**more: Any) -> Any:
        body = {"statements": wishes, **more}
        return client.post(f"{API}ownership", body, content_type="application/json", headers=headers)

    dry = ask(dryRun=True).json()
    first = dry["changes"][0]
    assert (first["entity"], first["from"], first["to"]) == ("component:default/pay", PAYMENTS, CHECKOUT)
    assert dry["refused"] == [{"number": 3, "entity": "component:default/gone", "sentence": "There is no such entity."}]
    assert ask().status_code == 400
    assert owner(shop) == PAYMENTS
    wishes.pop()
    assert ask().json()["isApplied"]
    assert owner(shop) == CHECKOUT


def test_a_file_of_wishes_is_read_as_people_write_it(shop):
    text = "\ufeffEntity,Holder,Why\npay,checkout,moved\n\npay,checkout,twice\nshop,'=x,\nsystem:shop,Checkout,\n"
    with shop.tenant():
        access = enter(shop.mae, "acme", way=Way.PAGE, address=None)
        plan = planned(access, lines_of(text))
    assert [(each.number, each.holder) for each in plan.changes] == [(2, CHECKOUT)]
    assert [(each.number, each.sentence) for each in plan.refused] == [
        (4, "It stands above already."), (5, "There is no such entity."),
    ]  # fmt: skip
    assert plan.same == 1
    head = "entity,holder\n"
    for wrong in ("", "a,b\n1,2\n", head, head + "x,y\n" * 5001, head + "x" * 2_000_001):
        with pytest.raises(Invalid):
            lines_of(wrong)


def test_next_door_reads_and_states_nothing(shop, client_for):
    with shop.tenant():
        uid = pay(shop).uid
    client = client_for(shop.eve)
    for path in (f"/api/o/rival/catalog/entities/by-uid/{uid}/ownership", f"{API}entities/by-uid/{uid}/ownership"):
        assert client.get(path).status_code == 404
    there = PAY.replace("acme", "rival")
    assert client.post(f"{there}ownership/state/", {"role": "owner", "holder": "x"}).status_code == 404
    assert client.get(f"{there}ownership/settle/").status_code == 404
    assert (
        client.get("/o/rival/catalog/holders/", {"holder": "pay"}, headers={"HX-Request": "true"})
        .content.decode()
        .count("<option")
        == 0
    )


# --- the answer of search ---


def test_the_answer_follows_the_record(shop, client_for):
    client = client_for(shop.vic)

    def asked(line: str) -> str:
        return html_of(client, f"/o/acme/search/?q={line.replace(' ', '+')}")

    assert "Payments owns pay." in asked("who owns pay")
    hand(shop, CHECKOUT)
    hand(shop, ref_of(shop.dev), "oncall")
    html = asked("who owns pay")
    assert "Checkout owns pay." in html
    assert "https://chat.example/checkout" in html
    assert "On call" in html
    assert shop.dev.email in html
    assert f"On call for pay: Dev, {shop.dev.email}" in asked("on call for pay")
    hand(shop, "")
    assert "Nobody is named for pay. By fallback Checkout answers, who owns shop." in asked("who owns pay")
    hand(shop, ref_of(shop.mae))
    html = asked("who owns pay")
    assert "Mae owns pay." in html
    assert shop.mae.email in html


# --- files ---

IMPORT = "/o/acme/catalog/ownership/import/"


def taken_out(client: Client, query: str = "kind=") -> list[list[str]]:
    from asgiref.sync import async_to_sync

    answer = client.get(f"/o/acme/catalog/ownership/export/?{query}")
    assert answer.status_code == 200

    async def whole() -> str:
        return "".join([part.decode() async for part in answer.streaming_content])

    return list(csv.reader(io.StringIO(async_to_sync(whole)())))


@pytest.mark.django_db(transaction=True)
def test_what_goes_out_comes_in_again_without_a_change(committed_world, client_for):
    world = committed_world
    with world.tenant():
        Team.objects.create(organisation=world.acme, slug="checkout", name="Checkout", ref=CHECKOUT)
        actions.write_entity(organisation=world.acme, actor=by(world.ada), text=system("shop", "checkout"))
        actions.write_entity(organisation=world.acme, actor=by(world.ada), text=component("pay", system="shop"))
    hand(world, "", why="=evil()")
    hand(world, ref_of(world.vic), "oncall")
    lines = taken_out(client_for(world.mae))
    told = {(line[0], line[1]): line for line in lines[1:]}
    assert told["component:default/pay", "owner"][2:5] == ["", "'=evil()", "transfer"]
    assert told["component:default/pay", "owner"][7] == CHECKOUT
    assert told["component:default/pay", "oncall"][2] == ref_of(world.vic)
    assert told["system:default/shop", "owner"][2] == CHECKOUT
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    with world.tenant():
        access = enter(world.mae, "acme", way=Way.PAGE, address=None)
        plan = planned(access, lines_of(text.getvalue()))
    assert (plan.changes, plan.refused, plan.same) == ([], [], len(lines) - 1)
    assert len(taken_out(client_for(world.mae), "kind=System")) == 2


def test_a_file_is_looked_at_before_it_is_stated(shop, client_for):
    client = client_for(shop.mae)
    html_of(client, IMPORT)
    text = "entity,role,holder,why\npay,owner,checkout,Moved\npay,oncall,vic@acme.example,\n"
    looked = client.post(IMPORT, {"text": text})
    assert "State 2 changes" in looked.content.decode()
    assert owner(shop) == PAYMENTS
    token = looked.context["plan"].token
    with shop.tenant():
        state(organisation=shop.acme, actor=by(shop.mae), changes=[(pay(shop), "oncall", CHECKOUT)], how="transfer")
    again = client.post(IMPORT, {"text": text, "token": token})
    assert again.status_code == 409, "it is not what was looked at"
    assert owner(shop) == PAYMENTS
    token = client.post(IMPORT, {"text": text}).context["plan"].token
    assert client.post(IMPORT, {"text": text, "token": token}).status_code == 302
    assert owner(shop) == CHECKOUT
    with shop.tenant():
        assert reading.history(shop.acme, pay(shop), "owner")[0].why == "Moved"


def test_a_file_is_refused_as_a_whole_and_only_for_what_one_may(shop, client_for):
    client = client_for(shop.dev)
    text = "entity,holder\npay,refunds\nshop,payments\n"
    looked = client.post(IMPORT, {"text": text})
    assert "Line 3" in looked.content.decode()
    assert "<button" in looked.content.decode()
    assert "State 1 change" not in looked.content.decode()
    token = looked.context["plan"].token
    assert client.post(IMPORT, {"text": text, "token": token}).status_code == 400
    assert owner(shop) == PAYMENTS
    upload = SimpleUploadedFile("x.csv", b"\xff\xfe\x00")
    assert client.post(IMPORT, {"file": upload}).status_code == 400
    assert client_for(shop.vic).get(IMPORT).status_code == 403
    assert client_for(shop.eve).get(IMPORT).status_code == 404
    assert client_for(shop.eve).get("/o/acme/catalog/ownership/export/").status_code == 404
