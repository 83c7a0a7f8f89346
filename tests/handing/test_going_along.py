"""Permissions go with the entity: its repository, the run that made it, and what hangs on it by fallback."""

from __future__ import annotations

from typing import Any

import pytest

from catalog import actions
from catalog.models import Entity, Source
from catalog.owners.stating import state
from portal.accounts.access import enter
from portal.accounts.models import Membership, Team, TeamMembership, User, Way
from portal.githosts.models import Repository
from portal.githosts.rights import may_push
from portal.provisioning.models import Run
from portal.provisioning.steering import may_control
from tests.catalog.test_index import component
from tests.catalog.test_owning import system
from tests.conftest import by
from tests.provisioning.conftest import start_run

PAYMENTS, CHECKOUT = "group:default/payments", "group:default/checkout"


@pytest.fixture
def shop(world):
    """Cleo is in checkout; payments owns pay and ledger, described in the repository shop, and made by a run."""
    with world.tenant():
        checkout = Team.objects.create(organisation=world.acme, slug="checkout", name="Checkout", ref=CHECKOUT)
        world.cleo = User.objects.create_user("cleo@acme.example", "x", name="Cleo")
        Membership.objects.create(organisation=world.acme, user=world.cleo, role="developer")
        TeamMembership.objects.create(organisation=world.acme, team=checkout, user=world.cleo)
        actions.write_entity(organisation=world.acme, actor=by(world.ada), text=system("shop", "payments"))
        for name in ("pay", "ledger"):
            actions.write_entity(
                organisation=world.acme, actor=by(world.ada), text=component(name, owner="payments", system="shop")
            )
        Repository.objects.create(organisation=world.acme, name="shop", owner_ref=PAYMENTS, marker="x")
        source = Source.objects.create(organisation=world.acme, kind="repository", target="shop")
        Entity.objects.for_tenant(world.acme).filter(kind="Component").update(source=source)
    return world


def hand(world: Any, name: str, holder: str, how: str = "transfer") -> None:
    with world.tenant():
        entity = Entity.objects.for_tenant(world.acme).get(name=name)
        state(organisation=world.acme, actor=by(world.mae), changes=[(entity, "owner", holder)], how=how)


def pushes(world: Any, person: Any) -> bool:
    with world.tenant():
        repository = Repository.objects.for_tenant(world.acme).get(name="shop")
        return bool(may_push(enter(person, "acme", way=Way.PAGE, address=None), repository))


def steers(world: Any, person: Any, run: Run) -> bool:
    with world.tenant():
        found = Run.objects.for_tenant(world.acme).get(pk=run.pk)
        return bool(may_control(enter(person, "acme", way=Way.PAGE, address=None), found))


def made_by_run(world: Any, *refs: str) -> Run:
    run = start_run(world, [{"id": "say", "action": "debug:log", "input": {"message": "x"}}])
    with world.tenant():
        Run.objects.for_tenant(world.acme).filter(pk=run.pk).update(
            entity_refs=list(refs), owner_ref=PAYMENTS, requester=world.ada
        )  # fmt: skip
    return run


def test_a_repository_goes_when_all_that_it_describes_has_gone(shop):
    hand(shop, "pay", CHECKOUT)
    assert (pushes(shop, shop.dev), pushes(shop, shop.cleo)) == (True, False)
    hand(shop, "ledger", CHECKOUT)
    assert (pushes(shop, shop.dev), pushes(shop, shop.cleo)) == (False, True)


def test_a_repository_that_was_somebody_elses_stays(shop):
    with shop.tenant():
        Repository.objects.for_tenant(shop.acme).update(owner_ref="group:default/platform")
    hand(shop, "pay", CHECKOUT)
    hand(shop, "ledger", CHECKOUT)
    assert not pushes(shop, shop.cleo)


def test_what_a_file_says_moves_no_repository_and_no_run(shop):
    """Else whoever may only push to it could take it over."""
    run = made_by_run(shop, "component:default/pay")
    for name in ("pay", "ledger"):
        hand(shop, name, CHECKOUT, how="file")
    assert not pushes(shop, shop.cleo)
    assert not steers(shop, shop.cleo, run)


def test_a_run_goes_with_the_entity_that_it_made_first(shop):
    run = made_by_run(shop, "component:default/pay", "component:default/ledger")
    hand(shop, "ledger", CHECKOUT)
    assert (steers(shop, shop.dev, run), steers(shop, shop.cleo, run)) == (True, False)
    hand(shop, "pay", CHECKOUT)
    assert (steers(shop, shop.dev, run), steers(shop, shop.cleo, run)) == (False, True)


def test_what_hangs_on_a_system_by_fallback_takes_its_run_and_repository_along(shop):
    run = made_by_run(shop, "component:default/pay")
    hand(shop, "pay", "")
    hand(shop, "ledger", "")
    assert steers(shop, shop.dev, run), "by fallback it is still theirs"
    hand(shop, "shop", CHECKOUT)
    assert (steers(shop, shop.dev, run), steers(shop, shop.cleo, run)) == (False, True)
    assert (pushes(shop, shop.dev), pushes(shop, shop.cleo)) == (False, True)
