"""The pages and the API of notices: one's own alone, read and put back, chosen, followed; destinations for admins."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from portal.accounts.models import AuditEvent, Membership, TeamMembership
from portal.notices import destinations
from portal.notices.models import Destination, FollowedTeam, Notice, Preference, Rhythm
from portal.notices.reading import PAGE
from tests.conftest import by
from tests.notices.conftest import notices_of, unread_of

pytestmark = pytest.mark.django_db(transaction=True)


def path(name, **more):
    return reverse(name, kwargs={"org": "acme", **more})


@pytest.fixture
def told(committed_world, boil, turn):
    """Vic was told of seventy kettles and of one destination's end… and Dev of one."""
    for number in range(70):
        boil(f"Kettle {number} boils", people=[committed_world.vic], kettle=number)
    boil("Dev's kettle", people=[committed_world.dev])
    turn()
    return committed_world


def test_the_page_is_ones_own_in_pages_newest_first(told, client_for, django_assert_max_num_queries):
    vic = client_for(told.vic)
    vic.get(path("notices"))
    with django_assert_max_num_queries(9):
        first = vic.get(path("notices"))
    seen = [row.title for row, _ in first.context["rows"]]
    after = first.context["after"]
    while after:
        page = vic.get(path("notices"), {"after": after})
        seen += [row.title for row, _ in page.context["rows"]]
        after = page.context["after"]
    assert seen == [f"Kettle {number} boils" for number in reversed(range(70))]
    assert len(first.context["rows"]) == PAGE
    assert "Dev" not in first.content.decode()
    assert '<span class="bell-count">70</span>' in first.content.decode()


@pytest.mark.parametrize("after", ["x", "2026-01-01~1", "2026-01-01T00:00:00+00:00~-1", "~", "2026~" + "9" * 30, "\0"])
def test_a_broken_place_is_a_sentence(told, client_for, after):
    assert client_for(told.vic).get(path("notices"), {"after": after}).status_code == 400


def test_reading_putting_back_and_reading_all(told, client_for):
    vic = client_for(told.vic)
    first, second = notices_of(told, told.vic)[:2]
    vic.post(path("notices-read"), {"read": [first.pk, second.pk]})
    assert unread_of(told, told.vic) == 68
    vic.post(path("notices-read"), {"read": [first.pk]})
    assert unread_of(told, told.vic) == 68, "twice is once"
    vic.post(path("notices-read"), {"unread": [first.pk]})
    assert unread_of(told, told.vic) == 69
    assert vic.post(path("notices-read"), {"read": ["x"]}).status_code == 400
    vic.post(path("notices-read"), {"all": "1", "kind": "member.joined"})
    assert unread_of(told, told.vic) == 69
    vic.post(path("notices-read"), {"all": "1"})
    assert unread_of(told, told.vic) == 0
    assert "Nothing unread" in vic.get(path("notices")).content.decode()
    assert "Kettle 69 boils" in vic.get(path("notices"), {"show": "all"}).content.decode()


def test_anothers_notices_are_not_read_by_their_number(told, client_for):
    [theirs] = notices_of(told, told.dev)
    client_for(told.vic).post(path("notices-read"), {"read": [theirs.pk]})
    client_for(told.eve).post(reverse("notices-read", kwargs={"org": "rival"}), {"read": [theirs.pk]})
    assert unread_of(told, told.dev) == 1
    assert unread_of(told, told.vic) == 70


def test_one_click_under_a_notice_changes_how_its_kind_comes(told, client_for):
    vic = client_for(told.vic)
    answer = vic.post(path("notice-preferences"), {"mode:mail:kettle": "off", "next": path("notices")})
    assert (answer.status_code, answer["Location"]) == (302, path("notices"))
    with told.tenant():
        [row] = Preference.objects.all()
        assert (row.membership.user, row.kind, row.channel, row.mode) == (told.vic, "kettle", "mail", "off")
    evil = vic.post(path("notice-preferences"), {"mode:mail:kettle": "now", "next": "https://evil.example/"})
    assert evil["Location"] == path("notice-preferences")


@pytest.mark.parametrize(
    "posted",
    [
        {"mode:mail:kettle": "hourly"},
        {"mode:portal:kettle": "daily"},
        {"mode:pigeon:kettle": "now"},
        {"mode:mail:x": "now"},
    ],
)
def test_what_cannot_be_chosen_is_refused(told, client_for, posted):
    assert client_for(told.vic).post(path("notice-preferences"), posted).status_code == 400
    with told.tenant():
        assert not Preference.objects.exists()


def test_hours(told, client_for):
    vic = client_for(told.vic)
    said = {"hour": "7", "quiet_from": "22:00", "quiet_until": "06:30", "quiet_weekend": "on"}
    assert vic.post(path("notice-preferences"), said).status_code == 302
    with told.tenant():
        row = Rhythm.objects.get()
        assert (row.hour, row.quiet_from, row.quiet_until, row.quiet_weekend) == (7, 1320, 390, True)
    assert vic.post(path("notice-preferences"), {"hour": "7", "quiet_from": "22:00"}).status_code == 422
    assert vic.post(path("notice-preferences"), {"hour": "25"}).status_code == 422


def test_a_teams_choices_are_its_leads_and_managers(committed_world, client_for):
    world = committed_world
    posted = {"mode:mail:kettle": "weekly"}
    address = path("team-notices", team="payments")
    assert client_for(world.vic).post(address, posted).status_code == 403
    with world.tenant():
        TeamMembership.objects.update(is_lead=False)
    assert client_for(world.dev).post(address, posted).status_code == 403
    with world.tenant():
        TeamMembership.objects.update(is_lead=True)
    assert client_for(world.dev).post(address, posted).status_code == 302
    with world.tenant():
        assert Preference.objects.get().team == world.payments
    page = client_for(world.dev).get(path("notice-preferences")).content.decode()
    assert "Once a week, as Payments says" in page


def test_following_a_team(committed_world, client_for):
    world = committed_world
    vic = client_for(world.vic)
    for _ in range(2):
        assert vic.post(path("team-follow", team="payments"), {"follow": "1"}).status_code == 302
    with world.tenant():
        assert FollowedTeam.objects.get().membership.user == world.vic
    assert "Payments" in vic.get(path("notice-preferences")).content.decode()
    vic.post(path("team-follow", team="payments"), {"unfollow": "1"})
    with world.tenant():
        assert not FollowedTeam.objects.exists()


def test_a_webhooks_secret_is_shown_once(committed_world, client_for):
    world = committed_world
    ada = client_for(world.ada)
    posted = {"kind": "webhook", "name": "Pager", "address": "https://hooks.example/abc?key=topsecret"}
    page = ada.post(path("destination-new"), posted, follow=True).content.decode()
    assert "whsec_" in page
    assert "hooks.example" in page
    again = ada.get(path("destinations")).content.decode()
    assert "whsec_" not in again
    assert "topsecret" not in page + again
    with world.tenant():
        row = Destination.objects.get()
    edit = ada.get(path("destination-edit", destination=row.uid)).content.decode()
    assert "topsecret" not in edit
    assert "whsec_" in ada.post(path("destination-secret", destination=row.uid), follow=True).content.decode()
    for wrong in ("nonsense", "ftp://x.example/", "https://user:pw@x.example/", "https://x.example/a b", ""):
        assert ada.post(path("destination-new"), {**posted, "name": "n", "address": wrong}).status_code == 422
    assert ada.post(path("destination-new"), posted).status_code == 422, "the name is taken"
    assert ada.post(path("destination-switch", destination=row.uid), {"off": "1"}).status_code == 302
    assert ada.post(path("destination-test", destination=row.uid)).status_code == 409
    assert ada.post(path("destination-remove", destination=row.uid)).status_code == 302
    with world.tenant():
        verbs = set(AuditEvent.objects.filter(verb__startswith="destination.").values_list("verb", flat=True))
    assert verbs == {f"destination.{verb}" for verb in ("added", "secret-replaced", "switched-off", "removed")}


# ---- API ------------------------------------------------------------------------------------------------------------


def call(client, method, name, body=None, **where):
    more = {"data": json.dumps(body), "content_type": "application/json"} if body is not None else {}
    return getattr(client, method)(path(name, **where), **more)


def test_the_api_of_ones_own_notices(told, client_for):
    vic = client_for(told.vic)
    page = call(vic, "get", "api-notices").json()
    assert (len(page["items"]), page["unread"]) == (PAGE, 70)
    assert page["items"][0]["title"] == "Kettle 69 boils"
    assert page["items"][0]["why"] == "You like tea."
    following = vic.get(path("api-notices"), {"after": page["after"]}).json()
    assert following["items"][0]["title"] == "Kettle 39 boils"
    [theirs] = notices_of(told, told.dev)
    assert call(vic, "post", "api-notices-read", {"notices": [theirs.pk]}).json() == {"changed": 0}
    assert call(vic, "post", "api-notices-read", {"notices": [page["items"][0]["id"]]}).json() == {"changed": 1}
    assert call(vic, "post", "api-notices-read", {"all": True, "kind": "kettle"}).json() == {"changed": 69}
    for wrong in ({}, {"notices": []}, {"notices": ["x"]}, {"notices": 3}, {"all": False}, []):
        assert call(vic, "post", "api-notices-read", wrong).status_code == 400
    assert vic.get(path("api-notices"), {"kind": "nonsense"}).status_code == 400
    assert vic.get(path("api-notices"), {"after": "nonsense"}).status_code == 400


def test_the_api_of_choices(committed_world, client_for):
    world = committed_world
    vic, ada = client_for(world.vic), client_for(world.ada)

    def of(client, kind, channel):
        said = call(client, "get", "api-notice-preferences").json()["preferences"]
        return next((one["mode"], one["by"]) for one in said if (one["kind"], one["channel"]) == (kind, channel))

    wish = {"kind": "kettle", "channel": "mail", "mode": "weekly"}
    assert call(ada, "put", "api-notice-defaults", {"preferences": [wish]}).status_code == 200
    assert call(vic, "put", "api-notice-defaults", {"preferences": [wish]}).status_code == 403
    assert of(vic, "kettle", "mail") == ("weekly", "organisation")
    hours = {"hour": 9, "quiet_from": 60, "quiet_until": 120, "quiet_weekend": False, "surplus": 1}
    answer = call(vic, "put", "api-notice-preferences", {"preferences": [{**wish, "mode": "off"}], "hours": hours})
    assert answer.json()["hours"]["hour"] == 9
    assert of(vic, "kettle", "mail") == ("off", "you")
    call(vic, "put", "api-notice-preferences", {"preferences": [{**wish, "mode": "default"}]})
    assert of(vic, "kettle", "mail") == ("weekly", "organisation")
    for wrong in (
        {"preferences": [{**wish, "mode": "hourly"}]},
        {"preferences": [{**wish, "channel": "pigeon"}]},
        {"preferences": [{**wish, "kind": "nonsense"}]},
        {"preferences": [{"kind": "kettle"}]},
        {"hours": {**hours, "hour": 24}},
        {"hours": {**hours, "quiet_until": None}},
        {"hours": {"hour": 3}},
    ):
        assert call(vic, "put", "api-notice-preferences", wrong).status_code == 400, wrong


def test_the_api_of_destinations(committed_world, client_for):
    world = committed_world
    ada = client_for(world.ada)
    wish = {"kind": "webhook", "name": "Pager", "address": "https://hooks.example/topsecret", "kinds": ["kettle"]}
    made = call(ada, "post", "api-destinations", wish)
    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    assert "topsecret" not in made.content.decode()
    [row] = call(ada, "get", "api-destinations").json()
    assert (row["host"], row["secret"], row["kinds"]) == ("hooks.example", "", ["kettle"])
    where = {"destination": row["id"]}
    changed = call(ada, "patch", "api-destination", {"team": world.payments.ref, "is_on": False}, **where).json()
    assert (changed["team"], changed["is_on"], changed["kinds"]) == (world.payments.ref, False, ["kettle"])
    assert call(ada, "patch", "api-destination", {"address": "https://other.example/"}, **where).json()["is_on"]
    assert call(ada, "post", "api-destination-secret", **where).json()["secret"].startswith("whsec_")
    assert call(ada, "post", "api-destination-test", **where).status_code == 202
    for wrong in ({**wish, "kind": "pigeon"}, {**wish, "name": ""}, {**wish, "team": "group:default/x"}, {"name": "x"}):
        assert call(ada, "post", "api-destinations", wrong).status_code == 400, wrong
    assert call(ada, "post", "api-destinations", {**wish, "kinds": ["nonsense"]}).status_code == 400
    assert call(ada, "delete", "api-destination", **where).status_code == 204
    assert call(ada, "get", "api-destination", **where).status_code == 404


def test_a_neighbours_destination_takes_no_test_and_no_retry(committed_world, client_for):
    world = committed_world
    with world.tenant():
        row, _ = destinations.add_destination(
            organisation=world.acme, actor=by(world.ada), kind="slack", name="ours", address="https://hooks.example/x"
        )
    eve = client_for(world.eve)
    home = reverse("destination-test", kwargs={"org": "rival", "destination": row.uid})
    assert eve.post(home).status_code == 404
    assert eve.post(reverse("deliveries-retry", kwargs={"org": "rival"}), {"delivery": ["1"]}).status_code == 409
    assert eve.post(reverse("deliveries-retry", kwargs={"org": "rival"}), {"delivery": ["x"]}).status_code == 400


def test_somebody_new_begins_with_an_empty_bell(committed_world, client_for):
    world = committed_world
    page = client_for(world.vic).get(path("home")).content.decode()
    assert f'data-live="bell:{world.vic.pk}"' in page
    assert "bell-count" not in page
    with world.tenant():
        assert Membership.objects.filter(unread_notices=0).count() == 4
        assert not Notice.objects.exists()
