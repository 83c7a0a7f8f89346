"""A person who left, a team with nobody in it, a team that is gone: an alarm on everything that they held, at once."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog import actions, alarms
from catalog.holders import ref_of
from catalog.intake import ingest
from catalog.models import Entity, Problem
from catalog.owners.stating import state
from portal.accounts import teams
from portal.accounts.actions import remove_member
from portal.accounts.models import AuditEvent, Membership, Team, TeamMembership, User
from tests.catalog.test_index import component
from tests.catalog.test_owning import system
from tests.conftest import by

PAYMENTS = "group:default/payments"


@pytest.fixture
def shop(world, tmp_path):
    """payments (Dev) owns pay, which a file describes, and shop; vic is on call for pay."""
    (tmp_path / "catalog-info.yaml").write_text(component("pay", system="shop"))
    with world.tenant():
        actions.write_entity(organisation=world.acme, actor=by(world.ada), text=system("shop"))
        world.source = actions.add_source(
            organisation=world.acme, actor=by(world.dev), kind="folder", target=str(tmp_path)
        )
        teams.change_team(
            actor=by(world.mae), organisation=world.acme, team=world.payments, name="Payments", description="x",
            parent=None,
        )  # fmt: skip
        give(world, "oncall", ref_of(world.vic))
    return world


def give(world: Any, role: str, holder: str, name: str = "pay") -> None:
    row = Entity.objects.for_tenant(world.acme).get(name=name, kind="Component" if name == "pay" else "System")
    state(organisation=world.acme, actor=by(world.mae), changes=[(row, role, holder)], how="transfer")


def raised(world: Any) -> set[tuple[str, str, str]]:
    rows = Problem.objects.for_tenant(world.acme).filter(code__startswith="owner-")
    return {(row.entity_ref.partition("/")[2], row.code, row.field.partition(" ")[0]) for row in rows}


def leave(world: Any, person: User) -> None:
    remove_member(
        actor=by(world.ada), organisation=world.acme, member=Membership.objects.for_tenant(world.acme).get(user=person)
    )


def test_whoever_leaves_is_missed_where_they_held_something(shop):
    with shop.tenant():
        assert raised(shop) == set()
        leave(shop, shop.vic)
        assert raised(shop) == {("pay", "owner-left", "oncall")}
        [row] = Problem.objects.for_tenant(shop.acme).filter(code="owner-left")
        assert row.sentence == "Vic is on call for it, and is not here any more."
        assert row.owner_ref == PAYMENTS, "the owner has to name somebody else"
        [event] = AuditEvent.objects.for_tenant(shop.acme).filter(verb="ownership.alarmed")
        assert (event.data["code"], event.data["name"]) == ("owner-left", "Vic")
        assert [(each["ref"], each["role"]) for each in event.data["entities"]] == [("component:default/pay", "oncall")]
        assert event.outbox
        give(shop, "oncall", ref_of(shop.dev))
        assert raised(shop) == set(), "over once somebody else is named"


def test_whoever_is_switched_off_is_missed_at_the_next_sweep(shop):
    User.objects.filter(pk=shop.vic.pk).update(is_active=False)
    assert alarms.sweep_alarms() == 1
    with shop.tenant():
        assert raised(shop) == {("pay", "owner-left", "oncall")}
    assert alarms.sweep_alarms() == 0, "told once"
    User.objects.filter(pk=shop.vic.pk).update(is_active=True)
    alarms.sweep_alarms()
    with shop.tenant():
        assert raised(shop) == set()


def test_a_person_whom_a_file_describes_is_missed_too(shop):
    text = "apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata: {name: vicky}\n"
    text += f"spec: {{memberOf: [], profile: {{email: {shop.vic.email}}}}}\n"
    with shop.tenant():
        actions.write_entity(organisation=shop.acme, actor=by(shop.ada), text=text)
        give(shop, "owner", "user:default/vicky")
        assert raised(shop) == set()
        leave(shop, shop.vic)
        assert ("pay", "owner-left", "owner") in raised(shop)


def test_a_described_person_who_never_joined_has_not_left(shop):
    text = "apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata: {name: zoe}\n"
    text += "spec: {memberOf: [], profile: {email: zoe@elsewhere.example}}\n"
    with shop.tenant():
        actions.write_entity(organisation=shop.acme, actor=by(shop.ada), text=text)
        give(shop, "owner", "user:default/zoe")
        assert raised(shop) == set()


def test_the_last_one_out_leaves_an_empty_team(shop):
    with shop.tenant():
        above = teams.create_team(actor=by(shop.mae), organisation=shop.acme, name="Top", slug="top", stands=True)
        teams.put_in_team(actor=by(shop.mae), organisation=shop.acme, team=above, person=shop.mae, is_lead=True)
        shop.payments.refresh_from_db()
        teams.change_team(
            actor=by(shop.mae),
            organisation=shop.acme,
            team=shop.payments,
            name="Payments",
            description="",
            parent=above,
        )
        teams.take_out_of_team(actor=by(shop.mae), organisation=shop.acme, team=shop.payments, person=shop.dev)
        assert raised(shop) == {("pay", "owner-empty", "owner"), ("shop", "owner-empty", "owner")}
        assert set(Problem.objects.filter(code="owner-empty").values_list("owner_ref", flat=True)) == {above.ref}
        ingest.ingest(shop.source)
        assert len(raised(shop)) == 2, "a reading of the files takes no alarm away"
        below = teams.create_team(
            actor=by(shop.mae), organisation=shop.acme, name="Low", slug="low", stands=True, parent=shop.payments
        )
        teams.put_in_team(actor=by(shop.mae), organisation=shop.acme, team=below, person=shop.vic, is_lead=False)
        assert raised(shop) == set(), "people in a team below are people"


def test_somebody_who_leaves_may_leave_a_team_empty(shop):
    with shop.tenant():
        leave(shop, shop.dev)
        assert ("pay", "owner-empty", "owner") in raised(shop)


def test_a_deleted_team_is_gone_until_it_is_there_again(shop):
    with shop.tenant():
        teams.delete_team(actor=by(shop.mae), organisation=shop.acme, team=Team.objects.get(slug="payments"))
        assert raised(shop) == {("pay", "owner-gone", "owner"), ("shop", "owner-gone", "owner")}
        made = teams.create_team(
            actor=by(shop.mae), organisation=shop.acme, name="Payments", slug="payments", stands=True
        )
        assert {code for _, code, _ in raised(shop)} == {"owner-empty"}
        teams.put_in_team(actor=by(shop.mae), organisation=shop.acme, team=made, person=shop.dev, is_lead=True)
        assert raised(shop) == set()


def test_an_owner_whom_nobody_here_ever_knew_is_no_alarm(shop):
    """The list Unowned holds those: a catalog that was just registered would be nothing but alarms."""
    with shop.tenant():
        give(shop, "owner", "group:default/never-heard-of")
        alarms.refresh(shop.acme)
        assert raised(shop) == set()


def test_a_file_that_names_another_owner_ends_the_alarm(shop, tmp_path):
    with shop.tenant():
        TeamMembership.objects.for_tenant(shop.acme).delete()
        alarms.refresh(shop.acme)
        assert ("pay", "owner-empty", "owner") in raised(shop)
        (tmp_path / "catalog-info.yaml").write_text(component("pay", "user:default/whoever", system="shop"))
        ingest.ingest(shop.source)
        assert raised(shop) == {("shop", "owner-empty", "owner")}


def test_the_page_and_the_inbox_show_it(shop, client_for):
    with shop.tenant():
        leave(shop, shop.vic)
    client = client_for(shop.dev)
    assert "is not here any more" in client.get("/o/acme/catalog/component/default/pay/").content.decode()
    assert "is not here any more" in client.get("/o/acme/catalog/problems/?owner=mine").content.decode()
    with shop.tenant():
        pk = Problem.objects.for_tenant(shop.acme).get(code="owner-left").pk
    assert "Name somebody else on its tab Ownership" in client.get(f"/o/acme/catalog/problems/{pk}/").content.decode()
    assert client_for(shop.eve).get(f"/o/acme/catalog/problems/{pk}/").status_code == 404


@pytest.mark.parametrize("count", [5, 50])
def test_many_alarms_take_as_few_statements_as_some(world, count):
    with world.tenant():
        for number in range(count):
            actions.write_entity(organisation=world.acme, actor=by(world.ada), text=component(f"c{number}"))
        TeamMembership.objects.for_tenant(world.acme).delete()
        with CaptureQueriesContext(connection) as queries:
            assert alarms.refresh(world.acme) == count
        assert len(queries) <= 14
        with CaptureQueriesContext(connection) as queries:
            assert alarms.refresh(world.acme) == 0
        assert len(queries) <= 10
