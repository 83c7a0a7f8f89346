"""How much memory the whole product holds: after its first start, after work of every kind, and after its second start.

    .venv/bin/python -m tests.benchmarks.memory                    # 100 pages, 20 launches, 20,000 entities twice
    .venv/bin/python -m tests.benchmarks.memory --entities 2000

Prints proportional set sizes in MB, a column for each moment: what processes share is counted once, in parts. Files
that are mapped are counted too, and those are shared with whatever else runs from the same environment: on a machine
where nothing else does, the sum is some 20 MB higher than beside it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.descriptors import write
from tests.e2e.product import Product
from tests.e2e.visitor import Visitor

SETTLE = 75.0  # seconds: the rendering server ends a minute after its last work, which is the longest of such times
SOURCE = """
from django.utils.timezone import now
from catalog.models import Source
from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
organisation = Organisation.objects.get(slug="parcelwright")
with tenant(organisation):
    rows = Source.objects.for_tenant(organisation).filter(target="{folder}")
    if not rows.update(next_refresh_at=now()):
        Source.objects.create(
            organisation=organisation, kind="folder", target="{folder}", path="*.yaml", next_refresh_at=now()
        )
"""
STATE = """
from catalog.models import Source
from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
organisation = Organisation.objects.get(slug="parcelwright")
with tenant(organisation):
    row = Source.objects.for_tenant(organisation).get(target="{folder}")
    print(row.state, row.next_refresh_at.timestamp())
"""


def children() -> dict[int, list[int]]:
    """Parent -> its children, of every process."""
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            found.setdefault(parent, []).append(int(entry.name))
    return found


def pss(pid: int) -> float:
    """MB of one process."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def held(product: Product) -> dict[str, float]:
    """Kept process -> MB, its own children included; those of the guards and the supervisor are kept themselves."""
    family, found = children(), {}
    for name, pid in product.kept().items():
        ours, left = [pid], [pid] if name not in ("guard", "spare", "supervisor") else []
        while left:
            below = family.get(left.pop(), [])
            ours += below
            left += below
        found[name] = sum(pss(one) for one in ours)
    return found


def look_around(person: Visitor, count: int) -> None:
    """Pages of every kind, one after the other, and some at once as a browser asks for them."""
    known = person.get("catalog/entities/by-query?limit=20&filter=kind=component")["items"]
    pages = ["", "catalog/?kind=Component", "catalog/", "teams/", "runs/", "paths/", "clusters/", "catalog/sources/"]
    pages += [f"catalog/component/default/{one['metadata']['name']}/" for one in known]
    for number in range(count):
        person._open(f"/o/{person.org}/{pages[number % len(pages)]}")


def launch(person: Visitor, count: int) -> None:
    """Runs of the shipped path, until all have ended."""
    cluster = person.get("clusters/")
    slug = (cluster["items"] if isinstance(cluster, dict) else cluster)[0]["name"]
    runs = []
    for number in range(count):
        values = {
            "name": f"weigh-{number}",
            "description": "Weighs parcels while memory is measured.",
            "owner": "group:default/payments",
            "cluster": slug,
            "image": "registry.example.com/web:1.0",
        }
        runs.append(person.post("runs/", {"path": "python-web-service", "values": values})["id"])
    ended: Callable[[int], bool] = lambda run: person.get(f"runs/{run}/")["status"] not in ("pending", "running")  # noqa: E731
    until(lambda: all(ended(run) for run in runs), 300)


def read(product: Product, folder: Path) -> None:
    """Has the worker read the folder, and waits for the end of it."""
    asked = time.time()
    product.run("manage.py", "shell", "--no-imports", "-c", SOURCE.format(folder=folder))

    def is_read() -> bool:
        said = product.run("manage.py", "shell", "--no-imports", "-c", STATE.format(folder=folder)).split()
        return said[-2] != "pending" and float(said[-1]) > asked + 60

    until(is_read, 900, every=3.0)


def until(holds: Callable[[], Any], seconds: float, *, every: float = 0.5) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(every)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--launches", type=int, default=20)
    parser.add_argument("--entities", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name).resolve() / "parcels"
        folder.mkdir()
        product = Product(Path(name) / "product", SOURCE_FOLDERS=str(folder))
        taken: dict[str, dict[str, float]] = {}

        def look(moment: str) -> None:
            time.sleep(SETTLE)
            taken[moment] = held(product)
            print(f"{moment}: {sum(taken[moment].values()):.0f} MB", flush=True)

        product.start()
        try:
            look("first start")
            person = Visitor(product.url, "dev")
            look_around(person, options.pages)
            look(f"{options.pages} pages")
            launch(person, options.launches)
            look(f"{options.launches} runs")
            write(folder, options.entities)
            read(product, folder)
            look("entities read")
            write(folder, options.entities, words="one and all anew")
            read(product, folder)
            look("all changed")
            look_around(person, options.pages)
            look("pages again")
        finally:
            product.stop()
        product.start()
        try:
            look("second start")
        finally:
            product.stop()
    table(taken)


def table(taken: dict[str, dict[str, float]]) -> None:
    print(f"\n{'MB (PSS)':<12}" + "".join(f"{moment:>15}" for moment in taken))
    for name in sorted({name for column in taken.values() for name in column}):
        print(f"{name:<12}" + "".join(f"{column.get(name, 0.0):15.0f}" for column in taken.values()))
    print(f"{'all':<12}" + "".join(f"{sum(column.values()):15.0f}" for column in taken.values()))
    print("load " + " ".join(f"{one:.1f}" for one in os.getloadavg()))


if __name__ == "__main__":
    main()
