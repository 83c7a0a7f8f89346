"""The tree of teams as paths: right whoever writes a place, and in whatever order."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.accounts import paths, teams
from portal.accounts.access import enter
from portal.accounts.models import Membership, Team, TeamMembership, TeamPath, User, Way
from portal.accounts.tenancy import tenant
from tests.conftest import by


def told(world: Any) -> dict[tuple[int, int], tuple[int, bool]]:
    """(below, above) -> (depth, stands), climbed one team after the other."""
    rows = {team.pk: team for team in Team.objects.for_tenant(world.acme)}
    found: dict[tuple[int, int], tuple[int, bool]] = {}
    for team in rows.values():
        at, depth, stands = team, 0, team.stands
        while (team.pk, at.pk) not in found:
            found[team.pk, at.pk] = (depth, stands)
            if at.parent_id is None:
                break
            at, depth = rows[at.parent_id], depth + 1
            stands = stands and at.stands
    return found


def kept(world: Any) -> dict[tuple[int, int], tuple[int, bool]]:
    rows = TeamPath.objects.for_tenant(world.acme)
    return {(row.below_id, row.above_id): (row.depth, row.stands) for row in rows}


def make(world: Any, slug: str, parent: Team | None = None, **more: Any) -> Team:
    return Team.objects.create(
        organisation=world.acme, slug=slug, name=slug.title(), ref=f"group:default/{slug}", parent=parent, **more
    )


@pytest.mark.parametrize("seed", range(3))
def test_paths_are_right_after_whatever_was_written(world, seed):
    """Moves into circles too: data can form them, and then paths end."""
    picks = random.Random(seed)
    with world.tenant():
        made = [make(world, f"t{number}") for number in range(12)]
        for turn in range(60):
            team = picks.choice(made)
            act = picks.random()
            if act < 0.6:
                parent = picks.choice([None, *made])
                Team.objects.filter(pk=team.pk).update(parent=parent)
            elif act < 0.75:
                moment = None if picks.random() < 0.5 else team.created_at
                Team.objects.filter(pk=team.pk).update(waits_since=moment)
            elif act < 0.85:
                made.remove(team)
                team.delete()
                made.append(make(world, f"n{turn}", picks.choice(made)))
            else:
                some = picks.sample(made, 4)
                Team.objects.filter(pk__in=[each.pk for each in some]).update(parent=picks.choice(made))
            assert kept(world) == told(world)


def test_rights_come_down_through_teams_that_stand(world):
    with world.tenant():
        inner = make(world, "inner", world.payments)
        waits = make(world, "waits", inner, waits_since=inner.created_at)
        make(world, "deepest", waits)
        TeamMembership.objects.create(organisation=world.acme, team=inner, user=world.vic)
        access = enter(world.dev, "acme", way=Way.PAGE, address=None)
        assert access.team_refs == {"group:default/payments", "group:default/inner"}
        assert teams.leads_over(access, "group:default/inner")
        assert not teams.leads_over(access, "group:default/deepest")
        vic = enter(world.vic, "acme", way=Way.PAGE, address=None)
        assert not teams.leads_over(vic, "group:default/inner"), "a member is no lead"
        assert [team.slug for team in teams.lineage(waits)] == ["waits", "inner", "payments"]


def test_who_may_by_role_needs_no_look_at_teams(world):
    with world.tenant():
        access = enter(world.mae, "acme", way=Way.PAGE, address=None)
        with CaptureQueriesContext(connection) as queries:
            assert access.can("catalog.edit", "group:default/payments")
        assert len(queries) == 0


def test_what_is_below_is_told_in_one_statement(world, django_assert_num_queries):
    with world.tenant():
        inner = make(world, "inner", world.payments)
        make(world, "deepest", inner)
        with django_assert_num_queries(1):
            assert paths.below(world.acme, ["group:default/payments", "group:default/nobody"]) == {
                "group:default/payments": ["group:default/payments", "group:default/inner", "group:default/deepest"]
            }
        assert paths.with_below(world.acme, "user:default/dev") == ("user:default/dev",)


def test_another_organisation_sees_no_path(world):
    with world.tenant():
        make(world, "inner", world.payments)
    with world.tenant(world.rival):
        assert not TeamPath.objects.all().exists()
        assert paths.with_below(world.rival, "group:default/payments") == ("group:default/payments",)


@pytest.mark.django_db(transaction=True)
def test_movers_side_by_side_leave_true_paths(committed_world):
    world = committed_world
    with tenant(world.acme):
        made = [make(world, f"t{number}") for number in range(8)]

    def work(seed: int) -> None:
        picks = random.Random(seed)
        try:
            for _ in range(25):
                with tenant(world.acme):
                    team, parent = picks.sample(made, 2)
                    Team.objects.filter(pk=team.pk).update(parent=parent if picks.random() < 0.7 else None)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with tenant(world.acme):
        assert kept(world) == told(world)


def test_a_large_organisation_is_shown_from_its_highest_teams(world, client_for):
    """Ten thousand teams cost as many statements as ten."""
    with world.tenant():
        rows = [
            Team(organisation=world.acme, slug=f"a{n}", name=f"A {n}", ref=f"group:default/a{n}") for n in range(30)
        ]
        Team.objects.bulk_create(rows)
        Team.objects.bulk_create(
            Team(organisation=world.acme, slug=f"b{n}", name=f"B {n}", ref=f"group:default/b{n}", parent=rows[n % 30])
            for n in range(600)
        )
        people = User.objects.bulk_create(User(email=f"p{n}@acme.example", name=f"P {n}") for n in range(50))
        Membership.objects.bulk_create(Membership(organisation=world.acme, user=each, role="viewer") for each in people)
        TeamMembership.objects.bulk_create(
            TeamMembership(organisation=world.acme, user=each, team=team)
            for each in people
            for team in Team.objects.filter(slug__in=["a1", "b1", "b31"])
        )
    client = client_for(world.mae)
    client.get("/o/acme/teams/")
    with CaptureQueriesContext(connection) as queries:
        found = client.get("/o/acme/teams/")
    shown = {branch.team.slug: branch for branch in found.context["branches"]}
    assert len(shown) == 31
    assert (shown["a1"].inside, shown["a1"].people) == (20, 50), "people in several teams count once"
    assert len(queries) <= 20, "\n".join(each["sql"][:110] for each in queries)
    assert "20 teams inside" in found.content.decode()
    alone = client.get("/o/acme/teams/?owning=direct")
    assert {branch.team.slug: branch.people for branch in alone.context["branches"]}["a1"] == 50
    assert client.get("/o/acme/teams/", {"q": "B 31"}).context["branches"][0].team.slug == "b31"


def test_moving_a_team_takes_the_catalogs_lock_first(world):
    """So that a reading that makes teams and a person who moves one wait in one order."""
    with world.tenant(), CaptureQueriesContext(connection) as queries:
        teams.create_team(actor=by(world.mae), organisation=world.acme, name="X", slug="x", stands=True)
    locks = [each["sql"] for each in queries if "pg_advisory_xact_lock" in each["sql"]]
    assert "20261" in locks[0]
    assert "20263" in locks[1]
