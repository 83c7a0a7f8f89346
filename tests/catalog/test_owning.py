"""Whom the newest statement names owns an entity, wherever it was made; else whoever owns what it is part of."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from catalog import actions
from catalog.asking.filters import In
from catalog.index import writing
from catalog.index.reading import find
from catalog.intake import ingest
from catalog.models import Entity, IndexState, Problem, Statement
from catalog.owners import reading
from catalog.owners.stating import state, undo
from catalog.presenting import with_refs
from portal.accounts.models import AuditEvent
from portal.kit.errors import Conflict, Invalid
from tests.catalog.test_index import component
from tests.catalog.whole_index import check
from tests.conftest import by

PAYMENTS, CHECKOUT, OPS = "group:default/payments", "group:default/checkout", "group:default/ops"
BY_HOW = "metadata.annotations.slipway.io/owner-how"


def system(name: str, owner: str = "payments", kind: str = "System", **more: str) -> str:
    rest = "".join(f"\n  {key}: {value}" for key, value in more.items())
    return (
        f"apiVersion: backstage.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n  owner: {owner}{rest}\n"
    )


def template(name: str, owner: str = "") -> str:
    said = f", owner: {owner}" if owner else ""
    return (
        "apiVersion: scaffolder.backstage.io/v1beta3\nkind: Template\n"
        f"metadata: {{name: {name}}}\nspec: {{type: service, steps: []{said}}}\n"
    )


@pytest.fixture
def shop(world, tmp_path):
    """Two files: a service in a system in a domain, each with an owner of its own."""
    (tmp_path / "service.yaml").write_text(component("pay", system="shop"))
    (tmp_path / "places.yaml").write_text(
        "---\n".join([system("shop", "checkout", domain="sales"), system("sales", "ops", "Domain")])
    )
    with world.tenant():
        world.source = actions.add_source(
            organisation=world.acme, actor=by(world.dev), kind="folder", target=str(tmp_path), path="*.yaml"
        )
    world.folder = tmp_path
    return world


def entity(world: Any, ref: str) -> Entity:
    return Entity.objects.for_tenant(world.acme).select_related("source", "body").get(ref=ref)


def pay(world: Any) -> Entity:
    return entity(world, "component:default/pay")


def owned(world: Any) -> dict[str, tuple[str, str]]:
    rows = Entity.objects.for_tenant(world.acme).filter(removed_at=None)
    return {row.name: (row.owner_ref, row.owner_how) for row in rows}


def hand(world: Any, ref: str, holder: str, how: str = "transfer", **more: Any) -> list[Statement]:
    change = (entity(world, ref), "owner", holder)
    return state(organisation=world.acme, actor=by(world.mae), changes=[change], how=how, **more)


def reread(world: Any, **files: str) -> None:
    for name, text in files.items():
        (world.folder / f"{name}.yaml").write_text(text)
    ingest.ingest(world.source)


def told(world: Any, ref: str = "component:default/pay") -> list[tuple[str, str]]:
    return [(each.holder_ref, each.how) for each in reading.history(world.acme, entity(world, ref))]


def test_a_catalog_where_nothing_changed_hands_writes_no_statement(shop):
    with shop.tenant():
        reread(shop, service=component("pay", system="shop", type="library"))
        check(shop.acme)
        assert not Statement.objects.for_tenant(shop.acme).exists()
        [first] = reading.history(shop.acme, pay(shop))
        assert (first.holder_ref, first.how, first.since) == (PAYMENTS, "file", pay(shop).created_at)


def test_a_transfer_stands_until_the_file_names_somebody_else(shop):
    with shop.tenant():
        [made] = hand(shop, "component:default/pay", CHECKOUT, why="They run it now.")
        check(shop.acme)
        assert owned(shop)["pay"] == (CHECKOUT, "transfer")
        assert (made.by, made.by_label, made.why) == (shop.mae, "Mae", "They run it now.")
        assert find(shop.acme, In("relations.ownedby", (CHECKOUT,))).total == 2
        assert find(shop.acme, In("relations.ownedby", (PAYMENTS,))).total == 0
        assert find(shop.acme, In(BY_HOW, ("transfer",))).total == 1
        [shown] = with_refs(shop.acme, ["component:default/pay"])
        assert {"type": "ownedBy", "targetRef": CHECKOUT} in shown.entity["relations"]
        assert shown.entity["spec"]["owner"] == "payments", "the document stays as written"
        assert shown.entity["metadata"]["annotations"]["slipway.io/owner-how"] == "transfer"

        reread(shop, service=component("pay", system="shop", type="library"))
        check(shop.acme)
        assert owned(shop)["pay"] == (CHECKOUT, "transfer"), "an unchanged owner takes nothing back"

        reread(shop, service=component("pay", "ops", system="shop"))
        check(shop.acme)
        assert owned(shop)["pay"] == (OPS, "file")
        assert told(shop) == [(OPS, "file"), (CHECKOUT, "transfer"), (PAYMENTS, "file")]


def test_a_file_that_agrees_with_the_record_settles_and_states_nothing(shop):
    with shop.tenant():
        hand(shop, "component:default/pay", CHECKOUT)
        reread(shop, service=component("pay", "checkout", system="shop"))
        check(shop.acme)
        assert told(shop) == [(CHECKOUT, "transfer"), (PAYMENTS, "file")]
        reread(shop, service=component("pay", "payments", system="shop"))
        check(shop.acme)
        assert told(shop)[0] == (PAYMENTS, "file"), "later it names another again"


def test_a_file_that_changes_its_owner_is_told_with_its_commit_and_by_an_event(shop):
    with shop.tenant():
        reread(shop, service=component("pay", "ops", system="shop"))
        newest, first = reading.history(shop.acme, pay(shop))
        assert (newest.path, newest.how, newest.until) == ("service.yaml", "file", None)
        assert (first.holder_ref, first.until) == (PAYMENTS, newest.since)
        event = AuditEvent.objects.for_tenant(shop.acme).get(verb="ownership.changed")
        assert event.data["entities"] == [
            {"uid": str(pay(shop).uid), "ref": "component:default/pay", "role": "owner", "from": PAYMENTS, "to": OPS}
        ]
        assert event.outbox


def test_what_is_written_in_the_portal_names_who_wrote_it(world):
    with world.tenant():
        row = actions.write_entity(organisation=world.acme, actor=by(world.ada), text=component("a"))
        actions.write_entity(organisation=world.acme, actor=by(world.mae), text=component("a", "ops"), entity=row)
        newest = reading.history(world.acme, row)[0]
        assert (newest.holder_ref, newest.by) == (OPS, world.mae)
        event = AuditEvent.objects.for_tenant(world.acme).get(verb="ownership.changed")
        assert event.actor == world.mae


def test_undo_names_who_was_named_before(shop):
    with shop.tenant():
        with pytest.raises(Conflict):
            undo(organisation=shop.acme, actor=by(shop.mae), entity=pay(shop))
        [made] = hand(shop, "component:default/pay", CHECKOUT)
        undo(organisation=shop.acme, actor=by(shop.mae), entity=pay(shop), latest=made.pk, why="Too early.")
        check(shop.acme)
        assert told(shop) == [(PAYMENTS, "undo"), (CHECKOUT, "transfer"), (PAYMENTS, "file")]
        with pytest.raises(Conflict, match="stated something else"):
            undo(organisation=shop.acme, actor=by(shop.mae), entity=pay(shop), latest=made.pk)


def test_a_file_can_be_taken_back_too(shop):
    with shop.tenant():
        reread(shop, service=component("pay", "ops", system="shop"))
        undo(organisation=shop.acme, actor=by(shop.mae), entity=pay(shop))
        check(shop.acme)
        reread(shop, service=component("pay", "ops", system="shop", type="library"))
        check(shop.acme)
        assert owned(shop)["pay"] == (PAYMENTS, "undo")


def test_nobody_named_means_the_system_and_then_the_domain(shop):
    with shop.tenant():
        hand(shop, "component:default/pay", "")
        check(shop.acme)
        assert owned(shop)["pay"] == (CHECKOUT, "inheritance")
        assert find(shop.acme, In(BY_HOW, ("inheritance",))).total == 1
        assert find(shop.acme, In("relations.ownedby", (CHECKOUT,))).total == 2, "it counts for who stands in"

        hand(shop, "system:default/shop", "")
        check(shop.acme)
        assert owned(shop)["pay"] == owned(shop)["shop"] == (OPS, "inheritance")

        reread(shop, places=system("shop", "checkout", domain="sales"))  # the domain is gone
        check(shop.acme)
        assert owned(shop)["pay"] == owned(shop)["shop"] == ("", "")

        hand(shop, "system:default/shop", PAYMENTS)
        check(shop.acme)
        assert owned(shop)["pay"] == (PAYMENTS, "inheritance")
        undo(organisation=shop.acme, actor=by(shop.mae), entity=pay(shop))
        check(shop.acme)
        assert owned(shop)["pay"] == (PAYMENTS, "undo")


def test_a_fallback_follows_where_the_entity_moves(shop):
    with shop.tenant():
        hand(shop, "component:default/pay", "")
        reread(shop, service="---\n".join([component("pay", system="other"), system("other", "ops")]))
        check(shop.acme)
        assert owned(shop)["pay"] == (OPS, "inheritance")
        reread(shop, service=component("pay"))
        check(shop.acme)
        assert owned(shop)["pay"] == ("", "")


def test_domains_that_are_part_of_one_another_hold_up_nobody(world):
    with world.tenant():
        for name, inside in (("a", "b"), ("b", "a")):
            actions.write_entity(
                organisation=world.acme, actor=by(world.ada), text=system(name, kind="Domain", subdomainOf=inside)
            )
        hand(world, "domain:default/a", "")
        check(world.acme)
        assert owned(world)["a"] == (PAYMENTS, "inheritance")
        hand(world, "domain:default/b", "")
        check(world.acme)
        assert owned(world)["a"] == owned(world)["b"] == ("", "")


def test_other_roles_are_stated_and_taken_back_beside_the_owner(shop):
    with shop.tenant():
        changes = [(pay(shop), "oncall", OPS), (pay(shop), "approver", "user:default/mae")]
        assert len(state(organisation=shop.acme, actor=by(shop.mae), changes=changes, how="transfer")) == 2
        assert state(organisation=shop.acme, actor=by(shop.mae), changes=changes, how="transfer") == []
        found = reading.standing(shop.acme, [pay(shop).pk])
        assert {role: each.holder_ref for (_, role), each in found.items()} == {
            "oncall": OPS, "approver": "user:default/mae",
        }  # fmt: skip
        assert owned(shop)["pay"] == (PAYMENTS, "")
        undo(organisation=shop.acme, actor=by(shop.mae), entity=pay(shop), role="oncall")
        assert reading.standing(shop.acme, [pay(shop).pk], ["oncall"])[pay(shop).pk, "oncall"].holder_ref == ""
        assert [each.pk for each in reading.held_by(shop.acme, [OPS])] == []
        check(shop.acme)


@pytest.mark.parametrize("holder", ["payments", "component:default/pay", "group:default/", "group:a/b\0", "x" * 500])
def test_only_teams_and_people_hold_anything(shop, holder):
    with shop.tenant(), pytest.raises(Invalid):
        hand(shop, "component:default/pay", holder)


def test_what_has_no_owner_is_given_none(world):
    with world.tenant():
        text = "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: g}\nspec: {type: team, children: []}\n"
        row = actions.write_entity(organisation=world.acme, actor=by(world.ada), text=text)
        with pytest.raises(Invalid, match="has no owner"):
            state(organisation=world.acme, actor=by(world.mae), changes=[(row, "owner", OPS)], how="claim")


def test_nobody_forges_how_an_owner_is_known(world):
    text = component("a").replace("  name: a", "  name: a\n  annotations: {slipway.io/owner-how: inheritance}")
    with world.tenant():
        actions.write_entity(organisation=world.acme, actor=by(world.ada), text=text)
        check(world.acme)
        assert find(world.acme, In(BY_HOW, ("inheritance",))).total == 0
        [shown] = with_refs(world.acme, ["component:default/a"])
        assert "owner-how" not in str(shown.entity["metadata"]["annotations"]).lower()


def test_a_template_without_owner_can_be_claimed_and_given_back(world):
    with world.tenant():
        actions.write_entity(organisation=world.acme, actor=by(world.ada), text=template("t"))
        hand(world, "template:default/t", OPS, how="claim")
        check(world.acme)
        undo(organisation=world.acme, actor=by(world.mae), entity=entity(world, "template:default/t"))
        check(world.acme)
        assert owned(world)["t"] == ("", "")


def test_a_renamed_entity_keeps_its_history(shop):
    with shop.tenant():
        hand(shop, "component:default/pay", CHECKOUT)
        reread(shop, service=component("pay-again", system="shop"))
        check(shop.acme)
        assert owned(shop)["pay-again"] == (CHECKOUT, "transfer")
        assert len(told(shop, "component:default/pay-again")) == 2


def test_a_tombstone_that_comes_back_is_whose_it_was(shop):
    with shop.tenant():
        hand(shop, "component:default/pay", CHECKOUT)
        (shop.folder / "service.yaml").unlink()
        reread(shop)
        assert hand(shop, "component:default/pay", OPS) == [], "what is gone is nobody's to hand over"
        reread(shop, service=component("pay", system="shop"))
        check(shop.acme)
        assert owned(shop)["pay"] == (CHECKOUT, "transfer")


def test_problems_follow_the_owner(shop):
    with shop.tenant():
        Problem.objects.create(
            organisation=shop.acme, source=shop.source, path="service.yaml", code="tag", sentence="x",
            entity_ref="component:default/pay", owner_ref=PAYMENTS,
        )  # fmt: skip
        hand(shop, "component:default/pay", CHECKOUT)
        assert Problem.objects.for_tenant(shop.acme).get().owner_ref == CHECKOUT
        reread(shop, service=component("pay", system="shop").replace("lifecycle: production", "lifecycle: 7"))
        [row] = Problem.objects.for_tenant(shop.acme).filter(entity_ref="component:default/pay")
        assert row.owner_ref == CHECKOUT, "what is wrong now is theirs, whatever the file says"


def test_an_index_of_before_learns_who_stands_in(shop):
    with shop.tenant():
        hand(shop, "component:default/pay", "")
        Entity.objects.for_tenant(shop.acme).filter(name="pay").update(owner_ref="", owner_how="")
        IndexState.objects.for_tenant(shop.acme).update(format=2)
    writing.after_migration()
    with shop.tenant():
        check(shop.acme)
        assert owned(shop)["pay"] == (CHECKOUT, "inheritance")


@pytest.mark.parametrize("count", [20, 200])
def test_stating_many_takes_as_few_statements_as_stating_some(world, tmp_path, count):
    documents = [component(f"c{number}", system="shop") for number in range(count)]
    (tmp_path / "a.yaml").write_text("---\n".join([*documents, system("shop")]))
    with world.tenant():
        source = actions.add_source(
            organisation=world.acme, actor=by(world.dev), kind="folder", target=str(tmp_path), path="*.yaml"
        )
        rows = list(Entity.objects.for_tenant(world.acme).filter(kind="Component"))
        changes = [(row, "owner", CHECKOUT) for row in rows]
        with CaptureQueriesContext(connection) as queries:
            state(organisation=world.acme, actor=by(world.mae), changes=changes, how="reorganisation")
        assert len(queries) <= 34, [each["sql"][:120] for each in queries]
        check(world.acme)
        [event] = AuditEvent.objects.for_tenant(world.acme).filter(verb="ownership.changed")
        assert len(event.data["entities"]) == count
        # And back, by a file that names others for all of them.
        (tmp_path / "a.yaml").write_text(
            "---\n".join([*(text.replace("payments", "ops") for text in documents), system("shop")])
        )
        with CaptureQueriesContext(connection) as queries:
            ingest.ingest(source)
        # Seven of them look whether whoever has them now can answer.
        assert len(queries) <= 48, [each["sql"][:120] for each in queries]
        check(world.acme)
        assert {owner for name, owner in owned(world).items() if name != "shop"} == {(OPS, "file")}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_every_row_says_whose_it_is(world, tmp_path, seed):
    """Files, transfers, undos, moves and removals in any order, against a plain recomputation."""
    picks = random.Random(seed)
    teams, places = ["payments", "checkout", "ops"], ["s0", "s1"]
    moment = now()

    def documents() -> dict[str, str]:
        found = {f"c{n}": component(f"c{n}", picks.choice(teams), system=picks.choice(places)) for n in range(5)}
        found |= {name: system(name, picks.choice(teams), domain=picks.choice(["d0", "d1"])) for name in places}
        found |= {name: system(name, picks.choice(teams), "Domain", subdomainOf=other)
                  for name, other in (("d0", "d1"), ("d1", "d0"))}  # fmt: skip
        return found

    kept = documents()
    (tmp_path / "a.yaml").write_text("---\n".join(kept.values()))
    with world.tenant():
        source = actions.add_source(
            organisation=world.acme, actor=by(world.dev), kind="folder", target=str(tmp_path), path="*.yaml"
        )
        for turn in range(25):
            act = picks.choice(["file", "state", "state", "undo", "remove"])
            rows = list(Entity.objects.for_tenant(world.acme).filter(removed_at=None).order_by("num"))
            chosen = picks.sample(rows, k=min(len(rows), picks.randint(1, 4)))
            if act == "file":
                fresh = documents()
                kept |= {name: fresh[name] for name in picks.sample(sorted(fresh), k=3)}
            elif act == "remove":
                kept.pop(picks.choice(sorted(kept)))
            if act in ("file", "remove"):
                (tmp_path / "a.yaml").write_text("---\n".join(kept.values()))
                ingest.ingest(source)
            elif act == "state":
                changes = [(row, "owner", picks.choice(["", PAYMENTS, CHECKOUT, OPS])) for row in chosen]
                state(
                    organisation=world.acme, actor=by(world.mae), changes=changes, how="transfer",
                    at=moment + timedelta(minutes=turn),
                )  # fmt: skip
            elif Statement.objects.for_tenant(world.acme).filter(entity=chosen[0].pk).exists():
                undo(organisation=world.acme, actor=by(world.mae), entity=chosen[0])
            check(world.acme)
