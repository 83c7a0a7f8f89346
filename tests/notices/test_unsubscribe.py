"""Ending a mail by the address in it: looking shows, posting acts, and nothing else can be done with it."""

from __future__ import annotations

import pytest
from django.test import Client

from portal.accounts.models import AuditEvent, Membership
from portal.notices import actions
from portal.notices.models import Preference
from portal.notices.unsubscribing import Ending, address_of
from tests.conftest import by


@pytest.fixture
def link(world, settings):
    """link(kind="kettle", …) -> the path of an address that ends Vic's mail in Acme."""
    settings.PUBLIC_URL = ""

    def make(**more):
        with world.tenant():
            vic = Membership.objects.get(user=world.vic)
        said = {"organisation": world.acme.pk, "membership": vic.pk, "team": 0, "kind": "kettle", "channel": "mail"}
        return address_of(Ending(**{**said, **more}))

    return make


def preferences(world):
    with world.tenant():
        return list(Preference.objects.values_list("membership__user", "team", "kind", "channel", "mode"))


@pytest.fixture
def stranger():
    """A browser, or a mail program: no session, and CSRF is checked as ever."""
    return Client(enforce_csrf_checks=True)


@pytest.mark.django_db
def test_looking_changes_nothing_and_posting_ends_one_kind(world, link, stranger):
    for method in ("get", "head", "get"):
        answer = getattr(stranger, method)(link())
        assert answer.status_code == 200
    assert "Kettles" in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert preferences(world) == []
    # As mail programs do it: RFC 8058.
    answer = stranger.post(link(), "List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 200
    assert "slipway_session" not in answer.cookies
    assert preferences(world) == [(world.vic.pk, None, "kettle", "mail", "off")]
    stranger.post(link())
    assert len(preferences(world)) == 1
    with world.tenant():
        [event] = AuditEvent.objects.filter(verb="notice-preference.changed")
        assert (event.actor, event.actor_label) == (None, "Whoever has the link in the mail")


@pytest.mark.django_db
def test_several_kinds_end_as_all_mail_but_what_was_chosen_on_its_own(world, link, stranger):
    with world.tenant():
        vic = Membership.objects.get(user=world.vic)
        actions.choose(organisation=world.acme, actor=by(world.vic), wishes={("kettle", "mail"): "now"}, membership=vic)
    stranger.post(link(kind=""))
    assert set(preferences(world)) == {
        (world.vic.pk, None, "kettle", "mail", "now"),
        (world.vic.pk, None, "", "mail", "off"),
    }


@pytest.mark.django_db
def test_a_teams_address_ends_what_comes_to_it_and_not_to_its_people(world, link, stranger):
    stranger.post(link(membership=0, team=world.payments.pk, channel="team-mail"))
    assert preferences(world) == [(None, world.payments.pk, "kettle", "team-mail", "off")]


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post"])
def test_what_is_damaged_or_gone_ends_nothing(world, link, stranger, method):
    act = getattr(stranger, method)
    whole = link()
    token = whole.strip("/").rpartition("/")[2]
    for damaged in (token[:-1], token[1:], token.swapcase(), "x", f"{token}A", "A" * 400):
        assert act(whole.replace(token, damaged)).status_code == 404
    for gone in (
        {"membership": 0},
        {"membership": 10**9},
        {"organisation": 10**9},
        {"organisation": world.rival.pk},
        {"team": world.payments.pk},
        {"team": 10**9, "membership": 0},
    ):
        assert act(link(**gone)).status_code == 404
    with world.tenant():
        Membership.objects.filter(user=world.vic).delete()
    assert act(whole).status_code == 404
    assert preferences(world) == []


@pytest.mark.django_db
def test_the_address_tells_nothing_and_opens_nothing_else(world, link, stranger):
    path = link()
    assert "kettle" not in path
    assert link() != path, "the same ending is sealed anew each time"
    page = stranger.get(path).content.decode()
    assert world.vic.email not in page
    assert "Vic" not in page
    assert stranger.get("/o/acme/notices/").status_code == 302
    for method in ("put", "patch", "delete"):
        assert getattr(stranger, method)(path).status_code == 405
