"""What records of owners cost: 100,000 entities, 10,000 teams four deep, 50,000 people.

    .venv/bin/python -m tests.benchmarks.ownership_records
    .venv/bin/python -m tests.benchmarks.ownership_records --entities 5000 --teams 500 --people 2500

Of each act: statements, milliseconds in the database as the client sees them, processor time of this process, seconds.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from catalog import actions, alarms  # noqa: E402
from catalog.intake import ingest  # noqa: E402
from catalog.models import Entity, Source  # noqa: E402
from catalog.owners.stating import state  # noqa: E402
from portal.accounts.models import Membership, Team, TeamMembership, User  # noqa: E402
from portal.accounts.tenancy import tenant  # noqa: E402
from tests.catalog import many  # noqa: E402
from tests.conftest import World, by, make_world  # noqa: E402

FILES = 500


def component(number: int, owner: str) -> str:
    return (
        "apiVersion: backstage.io/v1alpha1\nkind: Component\n"
        f"metadata: {{name: c{number}, description: The one with the number {number}}}\n"
        f"spec: {{type: service, lifecycle: production, owner: {owner}, system: s{number // 50}}}\n"
    )


def system(number: int, teams: int) -> str:
    return (
        "apiVersion: backstage.io/v1alpha1\nkind: System\n"
        f"metadata: {{name: s{number}}}\nspec: {{owner: t{number % teams}}}\n"
    )


def write(folder: Path, entities: int, teams: int, other: int = 0) -> None:
    """The files; the first `other` components name another owner."""
    each = max(1, entities // FILES)
    for number in range(0, entities, each):
        documents = [
            component(one, f"t{(one * 7 + (1 if one < other else 0)) % teams}")
            for one in range(number, min(number + each, entities))
        ]
        documents += [system(one, teams) for one in range(number // 50, (number + each) // 50)]
        (folder / f"f{number}.yaml").write_text("---\n".join(documents))


def people_and_teams(world: World, teams: int, people: int) -> None:
    """A tree of teams, ten below each, and people in one or two of the lowest."""
    with tenant(world.acme):
        made: list[Team] = []
        for start in range(0, teams, 1000):
            rows = [
                Team(organisation=world.acme, slug=f"t{n}", name=f"Team {n}", ref=f"group:default/t{n}",
                     parent=made[(n - 1) // 10] if n > 0 and (n - 1) // 10 < len(made) else None)
                for n in range(start, min(start + 1000, teams))
            ]  # fmt: skip
            made += Team.objects.bulk_create(rows)
        late = [team for n, team in enumerate(made) if n and team.parent_id is None]
        for team in late:
            team.parent = made[(int(team.slug[1:]) - 1) // 10]
        Team.objects.bulk_update(late, ["parent"], batch_size=1000)
        users = User.objects.bulk_create(
            [User(email=f"p{n}@acme.example", name=f"Person {n}") for n in range(people)], batch_size=2000
        )
        Membership.objects.bulk_create(
            [Membership(organisation=world.acme, user=user, role="developer") for user in users], batch_size=2000
        )
        places = {(user.pk, made[n * how % teams].pk) for n, user in enumerate(users) for how in (3, 7)}
        TeamMembership.objects.bulk_create(
            [TeamMembership(organisation=world.acme, user_id=user, team_id=team) for user, team in sorted(places)],
            batch_size=2000,
        )
        TeamMembership.objects.create(organisation=world.acme, team=made[0], user=world.vic, is_lead=True)


def measured(what: str, act: Callable[[], Any]) -> Any:
    """Does it and prints what it cost."""
    cpu, begun = time.process_time(), time.perf_counter()
    with CaptureQueriesContext(connection) as queries:
        found = act()
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    database = sum(float(each["time"]) for each in queries.captured_queries)
    print(
        f"{what:58} {len(queries):4} statements {database * 1000:8.0f} ms database {cpu:7.2f} s processor "
        f"{seconds:7.2f} s",
        flush=True,
    )
    return found


def page(client: Client, what: str, path: str) -> None:
    assert client.get(path).status_code == 200
    measured(what, lambda: client.get(path))


def run(entities: int, teams: int, people: int, folder: Path) -> None:
    world = make_world()
    begun = time.perf_counter()
    people_and_teams(world, teams, people)
    print(f"{teams:,} teams and {people:,} people made in {time.perf_counter() - begun:.1f} s")
    write(folder, entities, teams)
    source: Source = measured(
        f"{entities:,} entities read",
        lambda: actions.add_source(
            organisation=world.acme, actor=by(world.dev), kind="folder", target=str(folder), path="*.yaml"
        ),
    )
    many.settle(os.environ["DATABASE_OWNER_URL"])
    clients = {}
    for name, person in (("manager", world.mae), ("lead of the top team", world.vic)):
        clients[name] = Client(HTTP_HOST="localhost")
        clients[name].force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    for name, client in clients.items():
        page(client, f"page of an entity, as {name}", "/o/acme/catalog/component/default/c7/")
        page(client, f"its tab Ownership, as {name}", "/o/acme/catalog/component/default/c7/ownership/")
        page(client, f"list, as {name}", "/o/acme/catalog/?kind=Component")
        page(client, f"list of a team with all below it, as {name}", "/o/acme/catalog/?kind=Component&owner=t1")
        page(client, f"list of the top team with all below it, as {name}", "/o/acme/catalog/?kind=Component&owner=t0")
        page(client, f"page of teams, as {name}", "/o/acme/teams/")
        page(client, f"page of the top team, as {name}", "/o/acme/teams/t0/")
        page(client, f"page of a lowest team, as {name}", f"/o/acme/teams/t{teams - 1}/")
        page(client, f"home, as {name}", "/o/acme/")
    with tenant(world.acme):
        rows = list(Entity.objects.for_tenant(world.acme).filter(kind="Component").only("pk", "ref", "kind")[:2000])
        changes = [(row, "owner", f"group:default/t{number % 50}") for number, row in enumerate(rows)]

        def stated() -> int:
            return len(
                state(organisation=world.acme, actor=by(world.mae), changes=changes, how="reorganisation", why="Year")
            )

        assert measured("2,000 owners stated at once", stated) > 1900
    page(clients["manager"], "page of an entity with a history", "/o/acme/catalog/component/default/c7/ownership/")
    write(folder, entities, teams, other=1000)
    outcome = measured("reading files of which 1,000 owners changed", lambda: ingest.ingest(source))
    assert outcome.changed == 1000
    with tenant(world.acme):
        measured("all alarms told anew", lambda: alarms.refresh(world.acme))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entities", type=int, default=100_000)
    parser.add_argument("--teams", type=int, default=10_000)
    parser.add_argument("--people", type=int, default=50_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(given.entities, given.teams, given.people, Path(folder))


if __name__ == "__main__":
    main()
