"""How long pages of a large catalog take, beside a bare round trip to the same database, in one run.

    .venv/bin/python -m tests.benchmarks.catalog_pages                     # 20,000 entities
    .venv/bin/python -m tests.benchmarks.catalog_pages --entities 100000

It writes descriptors to a folder, registers the folder by the ordinary path, and asks for pages through the whole stack
but the socket: gate, queries, template. Each is printed as median, 95th percentile, and as a multiple of `SELECT 1` and
of fetching one entity by its key.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.test import Client  # noqa: E402

from catalog import actions  # noqa: E402
from catalog.intake.ingest import ingest  # noqa: E402
from catalog.models import Entity, Source  # noqa: E402
from portal.accounts.tenancy import tenant  # noqa: E402
from tests.benchmarks.descriptors import TYPES, write  # noqa: E402
from tests.conftest import World, by, make_world  # noqa: E402


def timed(work: Callable[[], Any], rounds: int) -> list[float]:
    """Milliseconds of each round, after one that warms up."""
    work()
    took = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        took.append((time.perf_counter() - begun) * 1000)
    return took


def p95(took: list[float]) -> float:
    return statistics.quantiles(took, n=20)[-1]


def select_one() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()


def by_key(world: World, pk: int) -> None:
    with tenant(world.acme):
        Entity.objects.for_tenant(world.acme).get(pk=pk)


def pages(number: int) -> list[tuple[str, str]]:
    """What is asked for: words, and the address within the organisation."""
    name = f"parcel-{TYPES[number % 5]}-{number}"
    return [
        ("catalog, components", "catalog/?kind=Component"),
        ("catalog, everything", "catalog/?kind="),
        ("catalog, owner and lifecycle", "catalog/?kind=Component&owner=group:default/team-7&lifecycle=production"),
        ("catalog, tag", "catalog/?tag=lang3"),
        ("catalog, words", "catalog/?q=parcel+stream+belt"),
        ("catalog, a name's beginning", f"catalog/?q={name[:-1]}"),
        ("an entity", f"catalog/component/default/{name}/"),
        ("a team", "teams/team-7/"),
        ("home", ""),
        ("palette", "search/?q=parcel-serv"),
    ]


def asker(client: Client, address: str) -> Callable[[], None]:
    def ask() -> None:
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.status_code)

    return ask


def fill(world: World, count: int) -> None:
    """The catalog from files, by the ordinary path, and again without a change."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        settings.SOURCE_FOLDERS = [folder]
        write(folder, count)
        begun = time.perf_counter()
        with tenant(world.acme):
            source = actions.add_source(
                organisation=world.acme, actor=by(world.ada), kind=Source.Kind.FOLDER, target=str(folder), path="*.yaml"
            )
        took = time.perf_counter() - begun
        print(f"{count:,} entities read and stored in {took:.1f} s ({count / took:,.0f} a second)")
        begun = time.perf_counter()
        ingest(source)
        print(f"read again without a change in {time.perf_counter() - begun:.1f} s")
    with connection.cursor() as cursor:
        # What autovacuum does within a minute in a database that lives longer than this one.
        cursor.execute("ANALYZE")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--entities", type=int, default=20_000)
    arguments.add_argument("--rounds", type=int, default=30)
    given = arguments.parse_args()
    with transaction.atomic():
        world = make_world()
    fill(world, given.entities)
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(world.dev, backend="allauth.account.auth_backends.AuthenticationBackend")
    with tenant(world.acme):
        pk = Entity.objects.for_tenant(world.acme).values_list("pk", flat=True)[given.entities // 2]
    bare = statistics.median(timed(select_one, given.rounds))
    key = statistics.median(timed(lambda: by_key(world, pk), given.rounds))
    print(f"\n{'':34}{'median':>9}{'p95':>9}{'SELECT 1':>11}{'by key':>9}")
    print(f"{'SELECT 1':34}{bare:>6.2f} ms{'':>9}{1:>10.0f}x")
    print(f"{'one entity by its key':34}{key:>6.2f} ms{'':>9}{key / bare:>10.1f}x{1:>8.0f}x")
    for words, address in pages(given.entities // 2):
        took = timed(asker(client, f"/o/acme/{address}"), given.rounds)
        middle = statistics.median(took)
        print(f"{words:34}{middle:>6.1f} ms{p95(took):>6.1f} ms{middle / bare:>10.0f}x{middle / key:>8.1f}x")


if __name__ == "__main__":
    main()
