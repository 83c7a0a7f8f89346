"""Things change hands: offered, accepted or declined, dated, withdrawn, expired, undone; as each person may."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog import actions
from catalog.handing import answering
from catalog.handing.models import Transfer, TransferItem
from catalog.handing.offering import Terms, hand_over, open_transfers, plan_for, wishes_for
from catalog.handing.sweeping import sweep_transfers
from catalog.models import Entity, Statement
from catalog.owners.stating import state
from catalog.planning import lines_of
from portal.accounts.access import enter
from portal.accounts.models import AuditEvent, Membership, Team, TeamMembership, User, Way
from portal.accounts.tenancy import tenant
from portal.kit.errors import Conflict, Forbidden, Invalid, NotFound
from portal.notices import consuming
from portal.notices.models import Notice
from tests.catalog.test_index import component
from tests.catalog.test_owning import system
from tests.conftest import by

HERE = "/o/acme/transfers/"
API = "/api/o/acme/transfers"
PAYMENTS, CHECKOUT = "group:default/payments", "group:default/checkout"


@pytest.fixture
def shop(world):
    """Dev leads payments, which owns pay and ledger; Cleo leads checkout, which owns basket; shop is a system."""
    with world.tenant():
        checkout = Team.objects.create(organisation=world.acme, slug="checkout", name="Checkout", ref=CHECKOUT)
        world.cleo = User.objects.create_user("cleo@acme.example", "x", name="Cleo")
        Membership.objects.create(organisation=world.acme, user=world.cleo, role="developer")
        TeamMembership.objects.create(organisation=world.acme, team=checkout, user=world.cleo, is_lead=True)
        write = actions.write_entity
        write(organisation=world.acme, actor=by(world.ada), text=system("shop", "payments"))
        for name, owner in (("pay", "payments"), ("ledger", "payments"), ("basket", "checkout")):
            write(organisation=world.acme, actor=by(world.ada), text=component(name, owner=owner, system="shop"))
    return world


@pytest.fixture
def turn(monkeypatch):
    """One turn of the live process, whose nudges go nowhere."""
    monkeypatch.setattr(consuming, "nudge", lambda organisation_id: True)
    return consuming.turn


def access(world: Any, person: Any) -> Any:
    return enter(person, "acme", way=Way.PAGE, address=None)


def give(world: Any, person: Any, *names: str, to: str = "checkout", why: str = "", **terms: Any) -> list[Transfer]:
    with world.tenant():
        mine, said = access(world, person), Terms(**terms)
        plan = plan_for(mine, wishes_for([f"component:default/{name}" for name in names], to, why), said)
        return hand_over(mine, plan, said)


def say(world: Any, person: Any, transfer: Transfer, word: str, reason: str = "") -> None:
    with world.tenant():
        answering.say(
            access=access(world, person), transfer=answering.transfer_for(access(world, person), transfer.pk),
            word=word, reason=reason,
        )  # fmt: skip


def owner(world: Any, name: str = "pay") -> str:
    with world.tenant():
        return str(Entity.objects.for_tenant(world.acme).get(name=name).owner_ref)


def again(world: Any, transfer: Transfer) -> Transfer:
    with world.tenant():
        return Transfer.objects.for_tenant(world.acme).get(pk=transfer.pk)


def outcomes(world: Any, transfer: Transfer) -> dict[str, str]:
    with world.tenant():
        rows = TransferItem.objects.for_tenant(world.acme).filter(transfer=transfer)
        return {row.title: row.outcome for row in rows}


def verbs(world: Any) -> list[str]:
    with world.tenant():
        rows = AuditEvent.objects.for_tenant(world.acme).filter(verb__startswith="transfer.").order_by("pk")
        return list(rows.values_list("verb", flat=True))


# --- asking and answering ---


def test_what_one_may_not_state_is_offered_and_changes_hands_when_accepted(shop):
    [offer] = give(shop, shop.dev, "pay", why="They run it now.")
    assert (offer.state, offer.is_direct, offer.count, owner(shop)) == ("asked", False, 1, PAYMENTS)
    say(shop, shop.cleo, offer, "accept", "Gladly")
    assert (again(shop, offer).state, owner(shop)) == ("done", CHECKOUT)
    with shop.tenant():
        stated = Statement.objects.for_tenant(shop.acme).get(until=None)
        assert (stated.how, stated.by, stated.why) == ("transfer", shop.cleo, "They run it now. (offered by Dev)")
    assert verbs(shop) == ["transfer.asked", "transfer.accepted", "transfer.done"]


def test_a_manager_hands_over_at_once_or_asks_first(shop):
    [direct] = give(shop, shop.mae, "pay")
    assert (direct.state, direct.is_direct, owner(shop)) == ("done", True, CHECKOUT)
    [asked] = give(shop, shop.mae, "ledger", asks=True)
    assert (asked.state, owner(shop, "ledger")) == ("asked", PAYMENTS)


def test_declining_needs_a_reason_and_leaves_the_owner(shop):
    [offer] = give(shop, shop.dev, "pay", "ledger")
    with pytest.raises(Invalid, match="Say why"):
        say(shop, shop.cleo, offer, "decline", "  ")
    say(shop, shop.cleo, offer, "decline", "We have no on-call for it")
    told = again(shop, offer)
    assert (told.state, told.reason, told.answered_by) == ("declined", "We have no on-call for it", shop.cleo)
    assert owner(shop) == PAYMENTS
    with shop.tenant():
        assert not open_transfers(shop.acme, [row.entity_uid for row in TransferItem.objects.for_tenant(shop.acme)])


@pytest.mark.parametrize(
    ("who", "word"),
    [("dev", "accept"), ("vic", "accept"), ("dev", "decline"), ("cleo", "withdraw"), ("vic", "withdraw")],
)
def test_only_who_gets_it_answers_and_only_who_asked_withdraws(shop, who, word):
    [offer] = give(shop, shop.dev, "pay")
    with pytest.raises(Forbidden):
        say(shop, getattr(shop, who), offer, word, "x")
    assert again(shop, offer).state == "asked"


def test_whoever_does_not_lead_the_owner_offers_nothing(shop):
    with pytest.raises(Invalid, match=r"component:default/basket: .*Nothing was handed over"):
        give(shop, shop.dev, "pay", "basket", to="payments")
    with shop.tenant():
        assert not Transfer.objects.for_tenant(shop.acme).exists()


def test_who_asked_withdraws_and_what_is_over_is_answered_no_more(shop):
    [offer] = give(shop, shop.dev, "pay")
    say(shop, shop.dev, offer, "withdraw")
    assert again(shop, offer).state == "withdrawn"
    for word in ("accept", "decline", "withdraw"):
        with pytest.raises(Conflict):
            say(shop, shop.mae, offer, word, "x")


def test_of_two_answers_that_looked_at_the_same_the_first_counts(shop):
    [offer] = give(shop, shop.dev, "pay")
    with shop.tenant():
        dev, cleo = access(shop, shop.dev), access(shop, shop.cleo)
        mine, theirs = (answering.transfer_for(each, offer.pk) for each in (dev, cleo))
        answering.withdraw(access=dev, transfer=mine)
        with pytest.raises(Conflict, match="answered or withdrawn it meanwhile"):
            answering.accept(access=cleo, transfer=theirs)
    assert (again(shop, offer).state, owner(shop)) == ("withdrawn", PAYMENTS)


def test_an_entity_stands_in_one_open_transfer(shop):
    [first] = give(shop, shop.dev, "pay")
    with pytest.raises(Invalid, match=r"Dev offered it to checkout on .*: withdraw that first"):
        give(shop, shop.dev, "pay", "ledger")
    with shop.tenant():
        [item] = TransferItem.objects.for_tenant(shop.acme)
        other = Transfer.objects.create(organisation=shop.acme, to_ref=CHECKOUT, state="asked", count=1)
        with pytest.raises(IntegrityError, match="entity_offered_once"), transaction.atomic():
            TransferItem.objects.create(
                organisation=shop.acme, transfer=other, entity_uid=item.entity_uid, ref=item.ref
            )  # fmt: skip
    say(shop, shop.dev, first, "withdraw")
    assert give(shop, shop.dev, "pay", "ledger")[0].count == 2


def test_a_person_accepts_for_themselves(shop):
    [offer] = give(shop, shop.dev, "pay", to="cleo@acme.example")
    with pytest.raises(Forbidden):
        say(shop, shop.vic, offer, "accept")
    say(shop, shop.cleo, offer, "accept")
    assert owner(shop) == f"user:slipway/{shop.cleo.pk}"


# --- what happened meanwhile ---


def test_what_vanished_or_went_on_meanwhile_is_said_and_left_alone(shop):
    [offer] = give(shop, shop.dev, "pay", "ledger")
    with shop.tenant():
        pay = Entity.objects.for_tenant(shop.acme).get(name="pay")
        state(organisation=shop.acme, actor=by(shop.mae), changes=[(pay, "owner", "")], how="transfer")
        state(organisation=shop.acme, actor=by(shop.mae), changes=[(pay, "owner", "user:slipway/1")], how="transfer")
    say(shop, shop.cleo, offer, "accept")
    assert outcomes(shop, offer) == {"pay": "moved", "ledger": "handed"}
    assert owner(shop) == "user:slipway/1"


def test_a_transfer_of_what_is_gone_comes_to_nothing(shop):
    [offer] = give(shop, shop.dev, "pay")
    with shop.tenant():
        pay = Entity.objects.for_tenant(shop.acme).get(name="pay")
        actions.remove_entity(organisation=shop.acme, actor=by(shop.ada), entity=pay)
    say(shop, shop.cleo, offer, "accept")
    told = again(shop, offer)
    assert (told.state, outcomes(shop, offer)) == ("void", {"pay": "gone"})
    assert "None of it was as it had been offered" in told.reason


def test_a_team_that_is_gone_gets_nothing(shop):
    [offer] = give(shop, shop.mae, "pay", asks=True)
    with shop.tenant():
        Team.objects.for_tenant(shop.acme).filter(slug="checkout").delete()
        with pytest.raises(Conflict, match="no team or person here any more"):
            answering.accept(access=access(shop, shop.mae), transfer=offer)


# --- time ---


def test_an_accepted_date_counts_when_it_has_come(shop):
    day = timezone.now() + timedelta(days=3)
    [offer] = give(shop, shop.dev, "pay", due_at=day)
    say(shop, shop.cleo, offer, "accept")
    assert (again(shop, offer).state, owner(shop)) == ("accepted", PAYMENTS)
    assert sweep_transfers(day - timedelta(seconds=1)) == 0
    assert sweep_transfers(day) == 1
    told = again(shop, offer)
    assert (told.state, told.ended_at, owner(shop)) == ("done", day, CHECKOUT)
    assert sweep_transfers(day) == 0, "once"
    with shop.tenant():
        assert Statement.objects.for_tenant(shop.acme).get(until=None).since == day


def test_a_direct_handing_over_can_be_dated_and_withdrawn(shop):
    day = timezone.now() + timedelta(days=3)
    [dated] = give(shop, shop.mae, "pay", due_at=day)
    assert (dated.state, dated.is_direct) == ("accepted", True)
    say(shop, shop.mae, dated, "withdraw")
    assert sweep_transfers(day) == 0
    assert owner(shop) == PAYMENTS


def test_nobody_answers_one_reminder_then_it_expires(shop, turn):
    [offer] = give(shop, shop.dev, "pay")
    asked = offer.asked_at
    assert sweep_transfers(asked + timedelta(days=22)) == 0
    assert sweep_transfers(asked + timedelta(days=23, hours=1)) == 1
    assert sweep_transfers(asked + timedelta(days=24)) == 0
    assert sweep_transfers(asked + timedelta(days=30, hours=1)) == 1
    assert (again(shop, offer).state, owner(shop)) == ("expired", PAYMENTS)
    turn()
    with shop.tenant():
        told = Notice.objects.for_tenant(shop.acme).filter(membership__user=shop.dev, kind="transfer.answered")
        assert told.get().title.startswith("Nobody answered")


def test_a_date_whose_team_is_gone_comes_to_nothing(shop):
    day = timezone.now() + timedelta(days=3)
    [dated] = give(shop, shop.mae, "pay", due_at=day)
    with shop.tenant():
        Team.objects.for_tenant(shop.acme).filter(slug="checkout").delete()
    sweep_transfers(day)
    assert (again(shop, dated).state, owner(shop)) == ("void", PAYMENTS)


# --- undo ---


def test_undo_puts_back_what_nobody_has_changed_since(shop):
    [done] = give(shop, shop.mae, "pay", "ledger")
    with shop.tenant():
        ledger = Entity.objects.for_tenant(shop.acme).get(name="ledger")
        state(organisation=shop.acme, actor=by(shop.mae), changes=[(ledger, "owner", "")], how="transfer")
    with pytest.raises(Forbidden):
        say(shop, shop.cleo, done, "undo")
    say(shop, shop.mae, done, "undo")
    assert outcomes(shop, done) == {"pay": "undone", "ledger": "kept"}
    assert owner(shop) == PAYMENTS
    with pytest.raises(Conflict):
        say(shop, shop.mae, done, "undo")


# --- notices ---


def test_leads_are_told_of_an_offer_and_who_asked_of_the_answer(shop, turn):
    [offer] = give(shop, shop.dev, "pay", why="They run it now.")
    turn()
    with shop.tenant():
        told = Notice.objects.for_tenant(shop.acme).get(kind="transfer.offered")
        assert (told.membership.user, told.link) == (shop.cleo, f"{HERE}{offer.pk}/")
        assert told.title == "Dev offers 1 entity to Checkout"
    say(shop, shop.cleo, offer, "decline", "No")
    turn()
    with shop.tenant():
        assert Notice.objects.for_tenant(shop.acme).get(kind="transfer.answered").membership.user == shop.dev


def test_managers_are_asked_for_a_team_that_nobody_leads(shop, turn, client_for):
    with shop.tenant():
        TeamMembership.objects.for_tenant(shop.acme).filter(user=shop.cleo).update(is_lead=False)
    give(shop, shop.dev, "pay")
    turn()
    with shop.tenant():
        told = set(
            Notice.objects.for_tenant(shop.acme).filter(kind="transfer.offered").values_list("membership__user__name")
        )
    assert told == {("Mae",), ("Ada",)}
    assert "pay" in client_for(shop.mae).get(f"{HERE}?box=waiting").content.decode()
    assert "Nothing waits for you" in client_for(shop.cleo).get(f"{HERE}?box=waiting").content.decode()


# --- pages ---


def html_of(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.content[:500]
    return answer.content.decode()


def test_one_entity_from_its_tab_is_handed_over_in_one_form(shop, client_for):
    dev = client_for(shop.dev)
    tab = "/o/acme/catalog/component/default/pay/ownership/"
    assert f"{HERE}new/?entity=component%3Adefault/pay" in html_of(dev, tab)
    assert "Hand over" not in html_of(client_for(shop.vic), tab)
    html_of(dev, f"{HERE}new/?entity=component:default/pay")
    answer = dev.post(f"{HERE}new/", {"refs": "component:default/pay", "holder": "Checkout", "why": "x"})
    assert answer.status_code == 302, answer.content.decode()[:2000]
    page = answer["Location"]
    assert "Waits for an answer" in html_of(dev, page)
    assert "A lead of checkout answers this" in html_of(dev, page)
    assert "Open the transfer" in html_of(dev, tab)
    cleo = client_for(shop.cleo)
    assert ">Decline<" in html_of(cleo, page)
    assert cleo.post(f"{page}answer/", {"say": "decline", "reason": ""}).status_code == 400
    assert cleo.post(f"{page}answer/", {"say": "accept"}).status_code == 302
    assert "Handed over" in html_of(cleo, page)
    assert owner(shop) == CHECKOUT
    assert "pay" in html_of(dev, f"{HERE}?box=past")


def test_a_selection_of_a_list_is_looked_at_before_it_changes_hands(shop, client_for):
    mae = client_for(shop.mae)
    answer = mae.post("/o/acme/catalog/bulk/", {"act": "owner", "which": "all", "query": "kind=Component"})
    assert (answer.status_code, answer["Location"]) == (307, f"{HERE}new/")
    form = {"which": "all", "query": "kind=Component"}
    assert "3 entities" in mae.post(f"{HERE}new/", form).content.decode()
    html = mae.post(f"{HERE}new/", {**form, "holder": "checkout"}).content.decode()
    assert "2 change hands at once" in html
    assert "1 belongs to them already" in html
    token = html.partition('name="token" value="')[2].partition('"')[0]
    refs = "component:default/pay\ncomponent:default/ledger"
    wrong = mae.post(f"{HERE}new/", {"refs": refs, "holder": "checkout", "token": "x"})
    assert wrong.status_code == 422
    assert owner(shop) == PAYMENTS
    assert mae.post(f"{HERE}new/", {"refs": refs, "holder": "checkout", "token": token}).status_code == 302
    assert (owner(shop), owner(shop, "ledger")) == (CHECKOUT, CHECKOUT)


def test_what_is_refused_is_named_and_the_rest_goes_on(shop, client_for):
    dev = client_for(shop.dev)
    refs = "component:default/pay component:default/basket"
    html = dev.post(f"{HERE}new/", {"refs": refs, "holder": "checkout", "why": "x"}).content.decode()
    assert "1 is offered" in html
    assert "1 cannot be handed over" in html
    assert "Go on with the other 1" in html


def test_nothing_selected_is_said(shop, client_for):
    assert "Nothing is selected" in html_of(client_for(shop.dev), f"{HERE}new/")


def test_a_file_states_what_one_may_and_offers_the_rest(shop, client_for):
    dev, page = client_for(shop.dev), "/o/acme/catalog/ownership/import/"
    with shop.tenant():
        Team.objects.create(
            organisation=shop.acme, slug="refunds", name="Refunds", ref="group:default/refunds", parent=shop.payments
        )
    text = "entity,holder,why\npay,checkout,theirs\nledger,refunds,ours\n"
    html = dev.post(page, {"text": text}).content.decode()
    assert "State 1 change, offer 1" in html
    token = html.partition('name="token" value="')[2].partition('"')[0]
    assert dev.post(page, {"text": text, "token": token}).status_code == 302
    assert (owner(shop), owner(shop, "ledger")) == (PAYMENTS, "group:default/refunds")
    with shop.tenant():
        assert set(Transfer.objects.for_tenant(shop.acme).values_list("state", "to_ref")) == {
            ("asked", CHECKOUT), ("done", "group:default/refunds"),
        }  # fmt: skip


def test_other_roles_of_a_file_change_at_once_whatever_the_terms(shop):
    with shop.tenant():
        mae, terms = access(shop, shop.mae), Terms(asks=True)
        plan = plan_for(mae, lines_of("entity,role,holder\npay,oncall,checkout\npay,owner,checkout\n"), terms)
        hand_over(mae, plan, terms)
        assert Statement.objects.for_tenant(shop.acme).get(until=None).role == "oncall"
    assert owner(shop) == PAYMENTS


def test_a_page_of_transfers_takes_as_many_statements_for_one_as_for_many(shop, client_for):
    client, counted = client_for(shop.mae), []
    for names in (("pay",), ("ledger",)):
        give(shop, shop.dev, *names)
        html_of(client, f"{HERE}?box=open")
        with CaptureQueriesContext(connection) as queries:
            html_of(client, f"{HERE}?box=open")
        counted.append(len(queries))
    assert counted[0] == counted[1] <= 16, counted


def test_transfers_go_out_as_csv(shop, client_for):
    give(shop, shop.dev, "pay", why="=1+1")
    answer = client_for(shop.vic).get(f"{HERE}export/?box=open")
    assert answer["Content-Type"].startswith("text/csv")
    lines = answer.content.decode().splitlines()
    assert len(lines) == 2
    assert "component:default/pay" in lines[1]
    assert "'=1+1" in lines[1]


# --- programs ---


def test_programs_hand_over_by_references_filter_and_csv_and_answer(shop, client_for):
    dev, cleo = client_for(shop.dev), client_for(shop.cleo)

    def post(client: Client, path: str, **body: Any) -> Any:
        return client.post(f"{API}{path}", body, content_type="application/json")

    told = post(dev, "", entities=["pay"], holder="checkout", dryRun=True).json()
    assert (told["offered"], told["stated"], told["transfers"]) == (1, 0, [])
    told = post(dev, "", filter=["kind=component,owner=payments"], holder="checkout", why="theirs").json()
    [made] = told["transfers"]
    assert (made["state"], made["count"], made["askedBy"]) == ("asked", 2, "Dev")
    assert post(dev, "", entities=["pay"], holder="checkout").status_code == 400
    assert post(dev, "", holder="checkout").status_code == 400
    listed = cleo.get(f"{API}?box=waiting").json()
    assert [each["id"] for each in listed["transfers"]] == [made["id"]]
    assert post(dev, f"/{made['id']}/answer", say="accept").status_code == 403
    done = post(cleo, f"/{made['id']}/answer", say="accept").json()
    assert done["state"] == "done"
    assert {each["outcome"] for each in done["items"]} == {"handed"}
    assert cleo.get(f"{API}/{made['id']}").json() == done
    assert owner(shop) == CHECKOUT
    back = post(client_for(shop.mae), "", csv="entity,holder\npay,payments\n", on="2999-01-01").json()
    assert back["transfers"][0]["state"] == "accepted"


def test_a_neighbour_sees_nothing(shop, client_for):
    [offer] = give(shop, shop.dev, "pay")
    with tenant(shop.rival), pytest.raises(NotFound):
        answering.transfer_for(enter(shop.eve, "rival", way=Way.PAGE, address=None), offer.pk)
    with tenant(shop.rival):
        assert not Transfer.objects.exists()
        assert not TransferItem.objects.exists()
