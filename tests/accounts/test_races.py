"""Two people at once: what must hold is held by locks and conditions in the database, so it is tested by racing."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from portal.accounts import actions, teams
from portal.accounts.access import digest_of
from portal.accounts.models import Invitation, Membership, Team
from portal.accounts.tenancy import tenant
from portal.kit.errors import Refusal
from tests.conftest import by

pytestmark = pytest.mark.django_db(transaction=True)


def race(*runners: Callable[[], object]) -> list[str]:
    """Runs all at once; returns the sentences of those that were refused."""
    start = threading.Barrier(len(runners))
    refused: list[str] = []

    def run(act: Callable[[], object]) -> None:
        try:
            start.wait(5)
            act()
        except Refusal as refusal:
            refused.append(refusal.text)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(runner,)) for runner in runners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return refused


def test_two_admins_cannot_remove_each_other(committed_world):
    world = committed_world
    with tenant(world.acme):
        Membership.objects.filter(user=world.mae).update(role="admin")
        ada, mae = Membership.objects.get(user=world.ada), Membership.objects.get(user=world.mae)

    def demote(actor, member) -> Callable[[], None]:
        def act() -> None:
            with tenant(world.acme):
                actions.change_role(actor=by(actor), organisation=world.acme, member=member, role="viewer")

        return act

    refused = race(demote(world.ada, mae), demote(world.mae, ada))
    assert len(refused) == 1
    assert "is the last admin" in refused[0]
    with tenant(world.acme):
        assert Membership.objects.filter(role="admin").count() == 1


def test_two_moves_cannot_close_a_circle(committed_world):
    world = committed_world
    with tenant(world.acme):
        left = Team.objects.create(organisation=world.acme, slug="left", name="Left", ref="group:default/left")
        right = Team.objects.create(organisation=world.acme, slug="right", name="Right", ref="group:default/right")

    def move(team: Team, parent: Team) -> Callable[[], None]:
        def act() -> None:
            with tenant(world.acme):
                teams.change_team(
                    actor=by(world.mae),
                    organisation=world.acme,
                    team=team,
                    name=team.name,
                    description="",
                    parent=parent,
                )

        return act

    assert len(race(move(left, right), move(right, left))) == 1


def test_an_invitation_is_accepted_once(committed_world, monkeypatch):
    world = committed_world
    secrets: list[str] = []
    monkeypatch.setattr(actions.mails, "send_invitation", lambda *args: secrets.append(args[-1]))
    with tenant(world.acme):
        actions.invite(actor=by(world.ada), organisation=world.acme, email=world.eve.email, role="viewer")

    def accept() -> None:
        actions.accept_invitation(actor=by(world.eve), slug="acme", digest=digest_of(secrets[0]))

    assert len(race(accept, accept, accept)) == 2
    with tenant(world.acme):
        assert Membership.objects.filter(user=world.eve).count() == 1
        assert Invitation.objects.get().accepted_by == world.eve
