"""The other answer to a team that waits, and both answers for programs."""

import pytest

from catalog.ownership.confirming import waiting
from portal.accounts.models import AuditEvent, Team
from portal.accounts.tokens import create_token
from tests.catalog.test_pages import page
from tests.catalog.test_waiting_teams import CONFIRM, TEAMS, group, make, mine, tokens, upload
from tests.conftest import by

pytestmark = pytest.mark.django_db
DECLINE = f"{TEAMS}waiting/decline/"
API = "/api/o/acme/teams/waiting/"


@pytest.fixture
def mae(world, client_for):
    return client_for(world.mae)


@pytest.fixture
def dev(world, client_for):
    return client_for(world.dev)


def post(client, address, **body):
    return client.post(f"{API}{address}", body, content_type="application/json")


def declined(world):
    with world.tenant():
        return [(event.actor, event.data["ref"], event.data["reason"]) for event in
                AuditEvent.objects.filter(verb="team.declined").order_by("pk")]  # fmt: skip


def test_a_declined_team_gives_nothing_and_is_not_asked_again(world, dev, mae):
    upload(dev, group("monitoring", "payments"))
    (token,) = tokens(mae)
    assert "Reason, to decline it" in page(mae, f"{TEAMS}monitoring/")
    assert mae.post(DECLINE, {"decline": token, "reason": "  "}).status_code == 400
    assert mae.post(DECLINE, {"decline": token, "reason": "x" * 301}).status_code == 400
    assert declined(world) == []
    assert mae.post(DECLINE, {"decline": token, "reason": "Use the team “sre”"}).status_code == 302
    assert declined(world) == [(world.mae, "group:default/monitoring", "Use the team “sre”")]
    assert tokens(mae) == []
    shown = page(mae, f"{TEAMS}monitoring/")
    assert "Declined by Mae" in shown
    assert "Use the team “sre”" in shown
    assert "Reason, to decline it" not in shown
    assert mine(world, world.dev) == {world.payments.ref}
    assert mae.post(CONFIRM, {"confirm": [token]}).status_code == 409, "who looked before it was declined looks again"
    upload(dev, group("monitoring", "payments"), "again.yaml")
    assert tokens(mae) == [], "the same again"
    with world.tenant():
        (still,) = waiting(world.acme, Team.objects.get(slug="monitoring"), with_declined=True)
    assert mae.post(CONFIRM, {"confirm": [still.token]}).status_code == 302, "a second thought"
    with world.tenant():
        team = Team.objects.get(slug="monitoring")
        assert (team.stands, team.declined, team.parent) == (True, "", world.payments)


def test_people_change_nothing_of_it_and_another_place_asks_anew(world, mae):
    make(world, "claims")
    with world.tenant():
        team = make(world, "grab")
        Team.objects.filter(pk=team.pk).update(waits_since=team.created_at)
    (token,) = tokens(mae)
    mae.post(DECLINE, {"decline": token, "reason": "no"})
    assert mae.post(f"{TEAMS}grab/members/", {"person": world.dev.pk}).status_code == 302
    assert tokens(mae) == []
    with world.tenant():
        Team.objects.filter(pk=team.pk).update(parent=world.payments)
    assert len(tokens(mae)) == 1


def test_a_declined_place_leaves_the_team_where_it_is(world, dev, mae):
    make(world, "claims")
    upload(dev, group("inner"))
    mae.post(CONFIRM, {"confirm": tokens(mae)})
    with world.tenant():
        inner = Team.objects.get(slug="inner")
    from catalog import actions
    from catalog.models import Source

    with world.tenant():
        actions.remove_source(organisation=world.acme, actor=by(world.ada), source=Source.objects.get(kind="upload"))
    upload(dev, group("inner", "payments"))
    (token,) = tokens(mae)
    assert mae.post(DECLINE, {"decline": token, "reason": "stays at the top"}).status_code == 302
    with world.tenant():
        inner.refresh_from_db()
    assert (inner.stands, inner.parent, tokens(mae)) == (True, None, [])


def test_who_may_not_confirm_may_not_decline(world, dev, mae, client_for):
    upload(dev, group("monitoring"))
    (token,) = tokens(mae)
    for client in (dev, client_for(world.vic)):
        assert client.post(DECLINE, {"decline": token, "reason": "no"}).status_code == 403
        assert client.get(API).status_code == 403
        assert post(client, "confirm/", teams=[token]).status_code == 403
        assert post(client, "decline/", teams=[token], reason="no").status_code == 403
        assert "Reason, to decline it" not in page(client, f"{TEAMS}monitoring/")
    assert declined(world) == []


def test_a_neighbour_answers_nothing_of_ours(world, dev, mae, client_for):
    upload(dev, group("monitoring"))
    (token,) = tokens(mae)
    eve = client_for(world.eve)
    for at in (DECLINE, CONFIRM):
        assert eve.post(at, {"decline": token, "confirm": token, "reason": "no"}).status_code == 404
        home = at.replace("/acme/", "/rival/")
        assert eve.post(home, {"decline": token, "confirm": token, "reason": "no"}).status_code == 404
    assert eve.get(API).status_code == 404
    home = API.replace("/acme/", "/rival/")
    assert eve.get(home).json() == []
    for verb, more in (("confirm/", {}), ("decline/", {"reason": "no"})):
        assert post(eve, verb, teams=[token], **more).status_code == 404
        answer = eve.post(f"{home}{verb}", {"teams": [token], **more}, content_type="application/json")
        assert answer.status_code == 404
    assert len(tokens(mae)) == 1


def test_programs_list_confirm_and_decline(world, dev, mae):
    upload(dev, group("monitoring", "payments"))
    upload(dev, group("grab"), "grab.yaml")
    listed = mae.get(API).json()
    assert [(one["slug"], one["is_new"], one["place"], one["deleted"]) for one in listed] == [
        ("grab", True, "", None), ("monitoring", True, "group:default/payments", None),
    ]  # fmt: skip
    assert {one["token"] for one in listed} == set(tokens(mae))
    grab, monitoring = (one["token"] for one in listed)
    assert post(mae, "decline/", teams=[grab]).status_code == 400
    assert post(mae, "decline/", teams=[], reason="no").status_code == 400
    answer = post(mae, "decline/", teams=[grab], reason="nobody asked for it")
    assert answer.status_code == 200
    assert answer.json() == [{"slug": "grab", "ref": "group:default/grab", "name": "grab", "stands": False}]
    assert declined(world) == [(world.mae, "group:default/grab", "nobody asked for it")]
    assert post(mae, "confirm/", teams=[f"monitoring~{'0' * 20}"]).status_code == 409
    answer = post(mae, "confirm/", teams=[monitoring])
    assert (answer.status_code, answer.json()[0]["stands"]) == (200, True)
    assert mae.get(API).json() == []
    assert post(mae, "confirm/", teams=[monitoring]).status_code == 404


def test_a_token_that_only_reads_lists_and_answers_nothing(world, dev, mae, client):
    upload(dev, group("monitoring"))
    (token,) = tokens(mae)
    heads = {}
    for scope in ("read", "write"):
        with world.tenant():
            _, secret = create_token(organisation=world.acme, actor=by(world.mae), name=scope, scopes=[scope], days=1)
        heads[scope] = {"HTTP_AUTHORIZATION": f"Bearer {secret}"}
    ask = {"data": {"teams": [token], "reason": "no"}, "content_type": "application/json"}
    assert client.post(f"{API}decline/", **ask, **heads["read"]).status_code == 403
    assert client.post(f"{API}decline/", **ask, **heads["write"]).status_code == 200
    with world.tenant():
        event = AuditEvent.objects.get(verb="team.declined")
    assert event.way == "api"
    assert event.via.startswith("write (slw_")
