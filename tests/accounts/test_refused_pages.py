"""A 403 and a 404 leave a member where they are, and say who can help by name; strangers learn nothing."""

from __future__ import annotations

import pytest

from portal.accounts.models import Membership, Team, TeamMembership
from portal.accounts.tenancy import tenant

pytestmark = pytest.mark.django_db


def names(page) -> list[str]:
    return [helper.name for helper in page.context["helpers"]]


def has_navigation(page) -> bool:
    text = page.content.decode()
    return 'aria-label="Main"' in text and 'href="/o/acme/people/"' in text


def test_a_developer_is_told_which_admin_to_ask(world, client_for):
    page = client_for(world.dev).get("/o/acme/clusters/new/")
    assert page.status_code == 403
    assert has_navigation(page)
    assert "Ask an admin." in page.content.decode()
    assert names(page) == ["Ada"]
    assert 'href="mailto:ada@acme.example"' in page.content.decode()


def test_the_lowest_role_that_can_help_comes_first(world, client_for):
    assert names(client_for(world.vic).get("/o/acme/audit/")) == ["Mae", "Ada"]


def test_the_owning_team_comes_before_roles(world, client_for):
    with tenant(world.acme):
        TeamMembership.objects.create(organisation=world.acme, team=world.payments, user=world.mae)
    page = client_for(world.vic).get("/o/acme/teams/payments/edit/")
    assert page.status_code == 403
    assert has_navigation(page)


def test_the_leads_of_the_team_are_named(world, client_for):
    with tenant(world.acme):
        Membership.objects.filter(user=world.vic).update(role="developer")
    page = client_for(world.vic).get("/o/acme/teams/payments/edit/")
    assert page.status_code == 403
    assert names(page)[0] == "Dev"
    assert "Leads Payments" in page.content.decode()


@pytest.mark.parametrize("path", ["/o/acme/runs/999/", "/o/acme/teams/nobody/", "/o/acme/no/such/thing/"])
def test_what_is_not_there_keeps_the_navigation(world, client_for, path):
    page = client_for(world.dev).get(path)
    assert page.status_code == 404
    assert has_navigation(page)
    assert names(page) == ["Ada"]


def test_one_is_not_told_to_ask_oneself(world, client_for):
    assert names(client_for(world.ada).get("/o/acme/runs/999/")) == []


@pytest.mark.parametrize("path", ["/o/acme/runs/999/", "/o/acme/", "/o/acme/no/such/thing/", "/o/nowhere/no/such/"])
def test_a_stranger_learns_nothing(world, client_for, client, path):
    page = client_for(world.eve).get(path)
    assert page.status_code == 404
    text = page.content.decode()
    assert not has_navigation(page)
    assert not any(word in text for word in ("Acme", "Ada", "Mae", "@acme.example"))
    unknown = client_for(world.eve).get(path.replace("acme", "unheard-of"))
    assert unknown.context["refusal"].text == page.context["refusal"].text
    anonymous = client.get("/o/acme/no/such/thing/")
    assert anonymous.status_code == 404
    assert "Acme" not in anonymous.content.decode()


def test_a_fragment_stays_a_fragment(world, client_for):
    answer = client_for(world.dev).get("/o/acme/runs/999/", headers={"HX-Request": "true"})
    assert answer.status_code == 404
    assert answer["HX-Retarget"] == "#toasts"
    assert "<html" not in answer.content.decode()


def test_what_the_view_wrote_before_it_refused_is_taken_back(world, client_for):
    """The page is rendered in a transaction of its own, after the refused one was rolled back."""
    page = client_for(world.mae).post("/o/acme/teams/nobody/delete/")
    assert page.status_code == 404
    with tenant(world.acme):
        assert Team.objects.filter(slug="payments").exists()


def test_a_role_changes_on_a_confirmed_act(world, client_for):
    """Arrow keys on a select must not promote anybody: the form has a button, and asks."""
    text = client_for(world.ada).get("/o/acme/people/").content.decode()
    form = text[text.index('aria-label="Role of Vic"') - 600 : text.index('aria-label="Role of Vic"') + 600]
    assert "data-submit-on-change" not in text
    assert 'data-confirm="Change what Vic may do in Acme?"' in form
    assert 'aria-label="Save the role of Vic"' in form
