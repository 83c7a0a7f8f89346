"""People and teams by the page, and found by name."""

from portal.accounts.models import Membership, Team, User
from portal.kit.sheets import sheet


def test_people_come_in_pages_and_are_found_by_name_or_address(world, client_for):
    with world.tenant():
        for number in range(60):
            user = User.objects.create_user(f"p{number:02}@acme.example", "x", name=f"Person {number:02}")
            Membership.objects.create(organisation=world.acme, user=user, role="viewer")
    client = client_for(world.vic)
    first = client.get("/o/acme/people/")
    assert len(first.context["rows"]) == 50
    assert "1 to 50 of 64" in first.content.decode()
    second = client.get("/o/acme/people/", {"page": "2"})
    shown = [member.user.name for member, _ in (*first.context["rows"], *second.context["rows"])]
    assert len(shown) == len(set(shown)) == 64
    for words in ("person 07", "p07@ACME"):
        found = client.get("/o/acme/people/", {"q": words})
        assert [member.user.name for member, _ in found.context["rows"]] == ["Person 07"]
    assert "Nobody is called so" in client.get("/o/acme/people/", {"q": "zzz"}).content.decode()


def test_teams_come_in_pages_and_are_found_by_name(world, client_for):
    with world.tenant():
        for number in range(60):
            Team.objects.create(
                organisation=world.acme,
                slug=f"t{number:02}",
                name=f"Team {number:02}",
                ref=f"group:default/t{number:02}",
            )
    client = client_for(world.vic)
    first, second = client.get("/o/acme/teams/"), client.get("/o/acme/teams/", {"page": "2"})
    shown = [branch.team.name for page in (first, second) for branch in page.context["branches"]]
    assert len(shown) == len(set(shown)) == 61
    found = client.get("/o/acme/teams/", {"q": "TEAM 07"})
    assert [branch.team.name for branch in found.context["branches"]] == ["Team 07"]
    assert "No team is called so" in client.get("/o/acme/teams/", {"q": "zzz"}).content.decode()


def test_a_page_that_is_none_is_the_nearest():
    rows = list(range(101))
    assert sheet(rows, "").rows == rows[:50]
    assert sheet(rows, "x").newer == 0
    assert (sheet(rows, "2").newer, sheet(rows, "2").older) == (1, 3)
    assert sheet(rows, "99").rows == [100]
    assert sheet(rows, "-1").rows == rows[:50]
    assert sheet([], "3").rows == []
