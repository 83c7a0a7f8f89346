"""How long search takes in a large organisation: the palette's answer through the whole stack but the socket.

    .venv/bin/python -m tests.benchmarks.search_scale            # 20,000 entities, 5,000 people, 10,000 runs
    .venv/bin/python -m tests.benchmarks.search_scale --entities 300000 --people 50000 --runs 100000

Entities are written as a source's reading writes them, without the files. Each query is printed with its median and
95th percentile, how much of that PostgreSQL took as seen from here, and how many statements it was.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django
import psycopg

django.setup()

from django.db import connection, transaction  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import get_resolver  # noqa: E402
from django.utils import timezone  # noqa: E402

from catalog.descriptors.parsing import ParsedEntity  # noqa: E402
from catalog.index import writing  # noqa: E402
from catalog.intake.reading import FoundEntity  # noqa: E402
from catalog.intake.rows import filled  # noqa: E402
from catalog.models import Entity, Source  # noqa: E402
from portal.accounts.models import Membership, User  # noqa: E402
from portal.accounts.tenancy import tenant  # noqa: E402
from portal.goldenpaths.actions import publish_shipped  # noqa: E402
from portal.goldenpaths.models import GoldenPath  # noqa: E402
from portal.provisioning.models import Run  # noqa: E402
from tests.conftest import World, by, make_world  # noqa: E402

AT_ONCE = 5_000
FIRST = (
    "payment", "refund", "invoice", "label", "quote", "tracking", "shipment", "parcel", "customer", "locker", "tour",
    "tariff", "claim", "identity", "courier", "scan", "sort", "linehaul", "address", "message",
)  # fmt: skip
SECOND = (
    "gateway", "ledger", "router", "planner", "reader", "writer", "mirror", "filter", "broker", "keeper", "runner",
    "loader", "sender", "tester", "mapper", "indexer", "archive", "monitor", "control", "bridge",
)  # fmt: skip
ROLES = (("service", "service"), ("worker", "service"), ("web", "website"), ("job", "job"), ("api", "service"))
QUERIES = (
    ("a letter", "p"),
    ("two letters", "pa"),
    ("a common word", "service"),
    ("a beginning", "paym"),
    ("two common words", "payment service"),
    ("a whole name", "payment-gateway-worker-4021"),
    ("camel case", "paymentGatewayWorker4021"),
    ("run together", "paymentgatewayworker4021"),
    ("a mistake", "paymnet gatway"),
    ("letters inside", "ayment"),
    ("words of descriptions", "stream belt"),
    ("narrowed", "owner:team-7 kind:component gateway"),
    ("only narrowed", "owner:team-7 lifecycle:production"),
    ("a person", "person 41"),
    ("a run", "subject-77"),
    ("an operation", "/payments/{id}/capture"),
    ("an action", "launch python"),
    ("an entity's tab", "payment-gateway-worker-4021 runtime"),
    ("who owns", "who owns payment-gateway-worker-4021"),
    ("what breaks", "what breaks if payment-gateway-worker-4021 stops"),
    ("nothing", "zzzzqqqq"),
)


def documents(count: int) -> Iterator[dict[str, Any]]:
    """Names whose words are shared by many; an API with a definition for every fifty."""
    for number in range(count):
        first, second = FIRST[number % 20], SECOND[number // 20 % 20]
        role, kind = ROLES[number // 400 % 5]
        name = f"{first}-{second}-{role}-{number}"
        spec: dict[str, Any] = {
            "type": kind, "lifecycle": ("production", "experimental", "deprecated")[number % 3],
            "owner": f"group:default/team-{number % 4000}", "system": f"system:default/system-{number % 900}",
            "dependsOn": [f"component:default/{FIRST[number // 2 % 20]}-{number // 2}"],
        }  # fmt: skip
        document = {
            "apiVersion": "backstage.io/v1alpha1",
            "kind": "Component",
            "metadata": {
                "name": name,
                "namespace": "default",
                "description": f"Moves {first} stream {number % 977} from one belt to the next.",
                "tags": [f"lang{number % 12}", f"tier{number % 4}"],
                "annotations": {"backstage.io/kubernetes-id": name},
            },
            "spec": spec,
        }
        if number % 50 == 49:
            document["kind"] = "API"
            spec |= {"type": "openapi", "definition": definition(first)}
            del spec["dependsOn"]
        yield document


def definition(stem: str) -> str:
    paths = "".join(
        f"  /{stem}s/{{id}}/{verb}:\n    post:\n      operationId: post{stem.capitalize()}{verb.capitalize()}\n"
        f"      summary: Lets one {verb} it\n"
        for verb in ("capture", "cancel", "refund", "list", "merge", "split", "export", "close")
    )
    return f"openapi: 3.0.3\ninfo: {{title: {stem}, version: 1.0.0}}\npaths:\n{paths}"


def fill(world: World, entities: int, people: int, runs: int) -> None:
    """Everything that is searched, in pieces, each committed."""
    with tenant(world.acme):
        source = Source.objects.create(organisation=world.acme, kind=Source.Kind.PORTAL, target="bench", path="")
        publish_shipped(organisation=world.acme, actor=by(world.ada))
    begun, part = time.perf_counter(), list[Entity]()
    for document in documents(entities):
        found = FoundEntity(ParsedEntity(document, 1), "all.yaml")
        part.append(filled(Entity(organisation=world.acme), source, found, timezone.now()))
        if len(part) == AT_ONCE:
            put(world, part)
    put(world, part)
    print(f"{entities:,} entities in {time.perf_counter() - begun:.0f} s")
    users = User.objects.bulk_create(
        [User(email=f"p{n}@bulk.example", name=f"Person {n} Surname{n % 977}", password="!") for n in range(people)],
        batch_size=2_000,
    )
    with tenant(world.acme):
        rows = [Membership(organisation=world.acme, user=user, role="developer") for user in users]
        Membership.objects.bulk_create(rows, batch_size=2_000)
        version = GoldenPath.objects.for_tenant(world.acme).get(slug="python-web-service").current
        Run.objects.bulk_create(
            [
                Run(organisation=world.acme, version=version, requester=world.dev, idempotency_key=f"k{n}",
                    title="Python web service", subject=f"subject-{n % 5000}", status="succeeded", wake_at=None)
                for n in range(runs)
            ],
            batch_size=2_000,
        )  # fmt: skip
    # What autovacuum does within a minute in a database that lives longer than this one; only the owner may.
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute("ANALYZE")


def put(world: World, part: list[Entity]) -> None:
    with tenant(world.acme):
        writing.put(world.acme.pk, part)
    part.clear()


def timed(work: Callable[[], Any], rounds: int) -> tuple[list[float], list[float], int]:
    """Milliseconds of each round and of the database in it, after one that warms up; and the statements of the last."""
    work()
    took, database, statements = list[float](), list[float](), 0
    for _ in range(rounds):
        spent: list[float] = []

        def watch(execute: Any, *args: Any, spent: list[float] = spent) -> Any:
            begun = time.perf_counter()
            try:
                return execute(*args)
            finally:
                spent.append((time.perf_counter() - begun) * 1000)

        with connection.execute_wrapper(watch):
            begun = time.perf_counter()
            work()
            took.append((time.perf_counter() - begun) * 1000)
        database.append(sum(spent))
        statements = len(spent)
    return took, database, statements


def asker(client: Client, query: str) -> Callable[[], None]:
    def ask() -> None:
        answer = client.get("/o/acme/search/", {"q": query}, headers={"HX-Request": "true"})
        assert answer.status_code == 200, (query, answer.status_code)

    return ask


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--entities", type=int, default=20_000)
    arguments.add_argument("--people", type=int, default=5_000)
    arguments.add_argument("--runs", type=int, default=10_000)
    arguments.add_argument("--rounds", type=int, default=30)
    given = arguments.parse_args()
    assert get_resolver().url_patterns  # everything is imported before the hour that filling may take
    with transaction.atomic():
        world = make_world()
    fill(world, given.entities, given.people, given.runs)
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(world.dev, backend="allauth.account.auth_backends.AuthenticationBackend")
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    print(f"{'':28}{'median':>9}{'p95':>9}{'database':>10}{'statements':>12}")
    for words, query in QUERIES:
        took, database, statements = timed(asker(client, query), given.rounds)
        print(
            f"{words:28}{statistics.median(took):>6.1f} ms{statistics.quantiles(took, n=20)[-1]:>6.1f} ms"
            f"{statistics.median(database):>7.1f} ms{statements:>12}",
            flush=True,
        )
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
