"""The kinds that this room brings: invitations, roles, people of teams; and that every kind can be told."""

from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress

from portal.accounts import actions, teams
from portal.accounts.access import digest_of
from portal.accounts.models import Invitation, Membership, User
from portal.notices.registry import CHANNELS, KINDS, in_sections
from tests.conftest import by
from tests.notices.conftest import notices_of

pytestmark = pytest.mark.django_db(transaction=True)


def told(world, person):
    return [(row.kind, row.title, row.why) for row in notices_of(world, person)]


def test_an_invitation_that_is_accepted_is_told_to_who_sent_it(committed_world, turn):
    world = committed_world
    new = User.objects.create_user("new@acme.example", name="Nia New")
    EmailAddress.objects.create(user=new, email=new.email, verified=True, primary=True)
    with world.tenant():
        invitation = actions.invite(
            actor=by(world.ada), organisation=world.acme, email="new@acme.example", role="developer"
        )
        Invitation.objects.filter(pk=invitation.pk).update(digest=digest_of("secret"))
    actions.accept_invitation(actor=by(new), slug="acme", digest=digest_of("secret"))
    turn()
    assert told(world, world.ada) == [("member.joined", "Nia New joined", "You invited new@acme.example.")]
    assert told(world, new) == [], "who did it knows"


def test_a_new_role_is_told_to_who_has_it(committed_world, turn):
    world = committed_world
    with world.tenant():
        member = Membership.objects.select_related("user").get(user=world.vic)
        actions.change_role(actor=by(world.ada), organisation=world.acme, member=member, role="admin")
    turn()
    assert told(world, world.vic) == [("member.role-changed", "You are now an admin here", "It is your role.")]
    assert told(world, world.ada) == []


def test_who_is_brought_into_a_team_and_its_leads_are_told(committed_world, turn):
    world = committed_world
    with world.tenant():
        teams.put_in_team(
            actor=by(world.ada), organisation=world.acme, team=world.payments, person=world.vic, is_lead=False
        )
    turn()
    assert told(world, world.vic) == [("team.people", "Made Vic a member of Payments", "It is about you.")]
    assert told(world, world.dev) == [("team.people", "Made Vic a member of Payments", "You lead Payments.")]
    assert told(world, world.ada) == []


def test_every_kind_says_what_it_tells_and_comes_in_ways_that_there_are():
    assert len(KINDS) > 12
    for section, kinds in in_sections():
        for kind in kinds:
            assert kind.about.endswith("."), kind.key
            assert kind.label, section
            for channel, mode in kind.channels.items():
                assert mode in CHANNELS[channel][1], (kind.key, channel)
