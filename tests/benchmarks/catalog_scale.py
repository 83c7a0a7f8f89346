"""How long the catalog takes to answer at 1,000 to 300,000 entities, over HTTP, beside a peer that holds as many.

    .venv/bin/python -m tests.benchmarks.catalog_scale                                # 1,000, 10,000 and 100,000
    .venv/bin/python -m tests.benchmarks.catalog_scale --sizes 1000,100000,300000 --requests 60
    .venv/bin/python -m tests.benchmarks.catalog_scale --sizes 100000 --twice         # a second organisation as large
    .venv/bin/python -m tests.benchmarks.catalog_scale --descriptors /tmp/10k --sizes 10000   # files for a peer
    .venv/bin/python -m tests.benchmarks.catalog_scale --sizes 1000 --peer 1000=http://127.0.0.1:7007/api/catalog \\
        --peer-token SECRET                                                           # prints theirs and the ratio

A product of its own is started, with PostgreSQL's settings as `make up` leaves them; every size is an organisation of
its own in the one database, made up by tests/catalog/many.py. Each question is asked over one kept connection, after
some that warm up. Printed are p50 and p95 in milliseconds as the client sees them, the processor time that web and
PostgreSQL took for each (which other work on the machine hardly moves), and p95 as a multiple of the smallest size's.
The peer speaks Backstage's catalog API and holds the same descriptors (see --descriptors).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psycopg

from portal.embedded import APPLICATION, OWNER
from tests.benchmarks.request_path import Client, addresses, cpu
from tests.catalog.made_up import document
from tests.e2e.product import Product
from tests.e2e.visitor import Visitor

MAKE = """
import time
from portal.accounts.actor import Actor
from portal.accounts.models import Membership, Organisation, User, Way
from portal.accounts.tenancy import tenant
from portal.accounts.tokens import create_token
from tests.catalog import many
count, slug = {count}, "{slug}"
organisation = Organisation.objects.create(slug=slug, name=slug)
user = User.objects.get(email="dev@slipway.example")
with tenant(organisation):
    Membership.objects.create(organisation=organisation, user=user, role="admin")
begun = time.perf_counter()
many.load(organisation, count)
took = time.perf_counter() - begun
with tenant(organisation):
    actor = Actor.entered(user, Way.COMMAND, address=None)
    print(took, create_token(organisation=organisation, actor=actor, name="b",
        scopes=["read"], days=1)[1])
"""
FACETS = [("facet", "kind"), ("facet", "spec.type"), ("facet", "spec.lifecycle"), ("filter", "kind=component")]


@dataclass(frozen=True)
class Taken:
    """p50 and p95 in milliseconds; processor milliseconds of web and of PostgreSQL for each request; bytes sent."""

    p50: float
    p95: float
    web: float = 0.0
    database: float = 0.0
    size: int = 0


def questions(count: int) -> dict[str, str]:
    """Name -> address below the catalog's root, for a catalog of so many."""
    middle = document(count // 2 // 100 * 100 + 5, count)["metadata"]["name"]
    owner = document(count // 2 // 100 * 100 + 5, count)["spec"]["owner"]
    query = "/entities/by-query?"
    names = [("orderField", "metadata.name,asc"), ("limit", "20")]
    dense = "kind=component,spec.lifecycle=production,spec.type=service,metadata.tags.java,relations.dependson"
    return {
        "list, by name": query + urlencode([("filter", "kind=component"), *names]),
        "five facts": query + urlencode([("filter", dense), *names]),
        "one of two": query + urlencode([("filter", "kind=api"), ("filter", "metadata.tags.pci"), *names]),
        "no match": query + urlencode([("filter", "kind=component,metadata.tags.none"), *names]),
        "owner": query + urlencode([("filter", f"kind=component,relations.ownedby=group:default/{owner}"), *names]),
        "text": query
        + urlencode([("fullTextFilterTerm", "ledger-"), ("fullTextFilterFields", "metadata.name"), *names]),
        "by lifecycle": query
        + urlencode([("filter", "kind=component"), ("orderField", "spec.lifecycle,desc"), ("limit", "20")]),
        "plain list": "/entities?" + urlencode([("filter", "kind=api"), ("limit", "20")]),
        "by-name": f"/entities/by-name/component/default/{middle}",
        "facets": "/entity-facets?" + urlencode(FACETS),
    }


def deep(client: Client, root: str, count: int) -> str:
    """The page behind three quarters of the components, by its cursor."""
    where = urlencode(
        [("filter", "kind=component"), ("orderField", "metadata.name,asc"), ("limit", "20"), ("offset", count // 2)]
    )
    client.headers["Accept-Encoding"] = "identity"
    client.peer.request("GET", f"{root}/entities/by-query?{where}", headers=client.headers)
    found = json.loads(client.peer.getresponse().read())
    return f"/entities/by-query?{urlencode({'cursor': found['pageInfo']['nextCursor'], 'limit': 20})}"


def children(pid: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                yield int(entry.name)


def used(pids: list[int]) -> float:
    total = 0.0
    for pid in pids:
        try:
            total += cpu(pid)
        except OSError:
            continue
    return total


def measure(client: Client, path: str, requests: int, product: Product | None) -> Taken:
    """Asks again and again; raises when an answer is not 200."""
    size = 0
    for _ in range(10):
        status, size = client.get(path)
        assert status == 200, (status, path)
    web, database = ([], []) if product is None else parts(product)
    before, taken = (used(web), used(database)), []
    for _ in range(requests):
        start = time.perf_counter()
        client.get(path)
        taken.append((time.perf_counter() - start) * 1000)
    after = (used(web), used(database))
    taken.sort()
    shares = [(now - then) * 1000 / requests for then, now in zip(before, after, strict=True)]
    return Taken(taken[len(taken) // 2], taken[min(len(taken) - 1, int(len(taken) * 0.95))], *shares, size)


def parts(product: Product) -> tuple[list[int], list[int]]:
    kept = product.kept()
    return [kept["web"]], list(children(kept["postgres"]))


def together(url: str, headers: Mapping[str, str], path: str, requests: int) -> Taken:
    """The same with eight clients at once."""
    taken: list[float] = []

    def work() -> None:
        client = Client(url, dict(headers))
        client.get(path)
        for _ in range(requests):
            start = time.perf_counter()
            client.get(path)
            taken.append((time.perf_counter() - start) * 1000)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken.sort()
    return Taken(taken[len(taken) // 2], taken[int(len(taken) * 0.95)])


def write_descriptors(folder: Path, count: int) -> None:
    """The catalog of that size as files, 200 descriptors in each, with a Location that names them (JSON is YAML)."""
    folder.mkdir(parents=True, exist_ok=True)
    targets = []
    for start in range(0, count, 200):
        found = [document(number, count) for number in range(start, min(count, start + 200))]
        (folder / f"{start:06}.yaml").write_text("\n---\n".join(json.dumps(each) for each in found))
        targets.append(f"./{start:06}.yaml")
    location = {"apiVersion": "backstage.io/v1alpha1", "kind": "Location", "metadata": {"name": f"all-{count}"}}
    (folder / "all.yaml").write_text(json.dumps({**location, "spec": {"targets": targets}}))


def report(product: Product, sizes: list[int], options: argparse.Namespace) -> None:
    visitor = Visitor(product.url, "dev")
    first: dict[str, float] = {}
    peers = dict(each.split("=", 1) for each in options.peer)
    for count in [*sizes, *(sizes[-1:] if options.twice else [])]:
        slug = f"of-{count}" + ("-more" if f"of-{count}" in first else "")
        script = MAKE.format(count=count, slug=slug)
        took, secret = product.run("manage.py", "shell", "--no-imports", "-c", script).split()[-2:]
        size = settle(product)
        first[f"of-{count}"] = 0.0
        print(f"\n{count:,} entities in {slug}: written in {float(took):.0f} s; load {os.getloadavg()[0]:.1f}")
        print(f"all catalogs so far: {size / 1e6:,.0f} MB on disk")
        print(
            f"{'':<16} {'p50':>7} {'p95':>7} {'web':>6} {'pg':>6} {'bytes':>7} {'x first':>8} {'8 at once':>10}", end=""
        )
        print(f" {'peer p50':>9} {'p95':>7} {'8 at once':>10} {'ours/peer':>10}" if str(count) in peers else "")
        root, headers = f"/api/o/{slug}/catalog", {"Authorization": f"Bearer {secret}"}
        client = Client(product.url, headers)
        asked = questions(count) | {"deep page": deep(Client(product.url, headers), root, count)}
        for name, path in asked.items():
            ours = measure(client, root + path, options.requests, product)
            first.setdefault(name, ours.p95)
            crowd = together(product.url, headers, root + path, max(5, options.requests // 8))
            print(
                f"{name:<16} {ours.p50:7.2f} {ours.p95:7.2f} {ours.web:6.2f} {ours.database:6.2f} {ours.size:7d}"
                f" {ours.p95 / first[name]:8.2f} {crowd.p50:10.1f}",
                end="",
            )
            print(beside(peers.get(str(count)), options, name, path, count, ours, crowd), flush=True)
        session = {"Cookie": "; ".join(f"{cookie.name}={cookie.value}" for cookie in visitor.jar)}
        browser = Client(product.url, session)
        for name, path in (
            ("catalog page", f"/o/{slug}/catalog/?kind=Component"),
            ("page with text", f"/o/{slug}/catalog/?text=ledger"),
            ("home", f"/o/{slug}/"),
        ):
            ours = measure(browser, path, options.requests, product)
            first.setdefault(name, ours.p95)
            print(
                f"{name:<16} {ours.p50:7.2f} {ours.p95:7.2f} {ours.web:6.2f} {ours.database:6.2f} {ours.size:7d}"
                f" {ours.p95 / first[name]:8.2f}",
                flush=True,
            )
        print(f"load {os.getloadavg()[0]:.1f}")


def settle(product: Product) -> float:
    """What autovacuum does within minutes, as the owner; the bytes that all catalogs take with their indexes."""
    url = addresses(product)["DATABASE_URL"].replace(f"//{APPLICATION}", f"//{OWNER}")
    tables = [f"catalog_{name}" for name in ("entity", "body", "edge", "fact", "factblock", "factkey", "near")]
    with psycopg.connect(url, autocommit=True) as owner:
        for table in tables:
            owner.execute(f"VACUUM ANALYZE {table}")
        sizes = owner.execute(
            "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(%s::text[]) name", [tables]
        )
        return float(sizes.fetchone()[0])


def beside(
    peer: str | None, options: argparse.Namespace, name: str, path: str, count: int, ours: Taken, crowd: Taken
) -> str:
    """The peer's figures for the same question."""
    if peer is None:
        return ""
    where = urlsplit(peer)
    url, headers = f"{where.scheme}://{where.netloc}", {"Authorization": f"Bearer {options.peer_token}"}
    client = Client(url, headers)
    if name == "deep page":
        path = deep(Client(url, headers), where.path, count)
    theirs = measure(client, where.path + path, options.requests, None)
    many = together(url, headers, where.path + path, max(5, options.requests // 8))
    return (
        f" {theirs.p50:9.2f} {theirs.p95:7.2f} {many.p50:10.1f} {ours.p50 / theirs.p50:5.2f}/{crowd.p50 / many.p50:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--twice", action="store_true", help="the largest size in a second organisation as well")
    parser.add_argument("--peer", action="append", default=[], metavar="SIZE=URL", help="a peer's catalog API root")
    parser.add_argument("--peer-token", default="")
    parser.add_argument("--descriptors", type=Path, help="only write the first size's descriptors into this folder")
    options = parser.parse_args()
    sizes = [int(each) for each in options.sizes.split(",")]
    if options.descriptors:
        write_descriptors(options.descriptors, sizes[0])
        return
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        product = Product(Path(folder))
        product.start()
        try:
            report(product, sizes, options)
        finally:
            product.stop()


if __name__ == "__main__":
    main()
