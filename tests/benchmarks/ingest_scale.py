"""How long a large source takes from its files to the catalog, and what the worker holds meanwhile.

    .venv/bin/python -m tests.benchmarks.ingest_scale                      # 100,000 descriptors in 3,120 files
    .venv/bin/python -m tests.benchmarks.ingest_scale --entities 10000 --kind git

The descriptors lie in a repository of the built-in git host. They are read into an empty catalog, read again without a
change, after a push that changes one file, and after one that changes every descriptor. Then the size on disk is told,
with all indexes, after the first reading and after the last (each vacuumed). This process is the worker:
its memory is the most that it held (resident) during the reading and what it holds afterwards, beside what it held
before the first.
"""

from __future__ import annotations

import argparse
import cProfile
import ctypes
import gc
import os
import pstats
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.utils.timezone import now  # noqa: E402

from catalog import actions  # noqa: E402
from catalog.intake import ingest  # noqa: E402
from catalog.models import Entity, Source  # noqa: E402
from portal.accounts.tenancy import tenant  # noqa: E402
from portal.githosts import names  # noqa: E402
from portal.githosts.hosts import HOSTS  # noqa: E402
from portal.githosts.protocol import Author  # noqa: E402
from tests.catalog import many  # noqa: E402
from tests.conftest import World, by, make_world  # noqa: E402

FILES = 3120
KINDS = ("service", "website", "library", "job", "worker")
STAGES = ("production", "experimental", "deprecated")
WORDS = (
    "ledger",
    "parcel",
    "refund",
    "invoice",
    "cargo",
    "route",
    "driver",
    "quote",
    "claim",
    "notice",
    "price",
    "stock",
)


def name_of(number: int) -> str:
    return f"{WORDS[number % 12]}-{WORDS[number // 12 % 12]}-{number}"


def component(number: int, entities: int, note: str) -> str:
    """One descriptor of a kilobyte, as large companies write them."""
    other, teams = name_of(number // 2), max(10, entities // 75)
    return f"""apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: {name_of(number)}
  title: {name_of(number).replace("-", " ").title()}
  description: Takes what the {other} sends, checks it against rule {number % 977} and passes on what is left{note}.
  labels:
    tier: "{number % 4}"
    region: eu-{number % 6}
  annotations:
    backstage.io/kubernetes-id: {name_of(number)}
    backstage.io/techdocs-ref: dir:.
    github.com/project-slug: parcelwright/{name_of(number)}
    pagerduty.com/service-id: P{number:07}
    sonarqube.org/project-key: parcelwright_{name_of(number)}
    grafana/dashboard-selector: "service == '{name_of(number)}'"
  tags: [lang{number % 12}, tier{number % 4}, domain-{number % 40}]
  links:
    - url: https://runbooks.example.com/{name_of(number)}
      title: Runbook
      icon: docs
    - url: https://chat.example.com/channels/{number % teams}
      title: Chat
spec:
  type: {KINDS[number % 5]}
  lifecycle: {STAGES[number % 3]}
  owner: team-{number % teams}
  system: system-{number % max(10, entities // 50)}
  dependsOn: ["component:{other}", "resource:store-{number % 997}"]
"""


def files_of(entities: int, note: str = "") -> dict[str, bytes]:
    """By path: the teams, and the descriptors, some thirty in a file."""
    teams = max(10, entities // 75)
    groups = "---\n".join(
        f"apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {{name: team-{number}}}\n"
        "spec: {type: team, children: []}\n"
        for number in range(min(teams, 900))
    )
    found = {"teams.yaml": groups.encode()}
    each = -(-entities // FILES) if entities >= FILES else 10
    for start in range(0, entities, each):
        documents = [component(number, entities, note) for number in range(start, min(entities, start + each))]
        found[f"teams/{start // each % 40:02}/{start:06}/catalog-info.yaml"] = "---\n".join(documents).encode()
    return found


@dataclass(frozen=True)
class Committed:
    content: bytes
    mode: int = 0o644


class Memory:
    """Resident memory of this process and its children, in MiB."""

    @staticmethod
    def forget_peak() -> None:
        Path("/proc/self/clear_refs").write_text("5")

    @staticmethod
    def _status(word: str) -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(word)) / 1024

    @property
    def now(self) -> float:
        return self._status("VmRSS:")

    @property
    def peak(self) -> float:
        return self._status("VmHWM:")


MEMORY = Memory()


def processor_seconds() -> tuple[float, float, float]:
    """What this process, its ended children and its backend of the database have taken of the processors so far."""
    took = os.times()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    backend = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return took.user + took.system, took.children_user + took.children_system, backend


def give_back() -> None:
    """What making and pushing the files took of this process's memory is none of the worker's."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


def load() -> str:
    return " ".join(f"{each:.1f}" for each in os.getloadavg())


class Estate:
    """A repository of the built-in host with the descriptors in it, and the source that reads it."""

    def __init__(self, world: World, entities: int, kind: str) -> None:
        self.world, self.kind, self.entities = world, kind, entities
        self.host = HOSTS["slipway"]
        self.repo = self.host.create_repository(
            world.acme, name="estate", description="", owner_ref="", marker="benchmark", actor=by(world.ada)
        )
        self.head = ""
        self.push()
        self.source: Source | None = None

    def push(self, changed: dict[str, bytes] | None = None, note: str = "") -> None:
        """Commits all descriptors anew, with these files changed. Nothing of them stays in memory here."""
        all_of_them = files_of(self.entities, note) | (changed or {})
        files = {path: Committed(content) for path, content in all_of_them.items()}
        author = Author("Ada", "ada@acme.example")
        self.head = self.host.push_tree(self.repo, files, message="Change", author=author, when=now(), parent=self.head)

    def register(self) -> ingest.Ingested:
        target = "estate"
        if self.kind == Source.Kind.GIT:
            path = names.repository_path(Path(settings.GIT_ROOT), self.world.acme.pk, "estate")
            settings.SOURCE_FOLDERS, target = [path.parent], str(path)
        outcomes = list[ingest.Ingested]()
        store = ingest.store

        def kept(*arguments: Any) -> ingest.Ingested:
            outcomes.append(store(*arguments))
            return outcomes[-1]

        ingest.store = kept
        self.source = actions.add_source(
            organisation=self.world.acme, actor=by(self.world.ada), kind=self.kind, target=target, path="**/*.yaml"
        )
        ingest.store = store
        return outcomes[0]

    def read(self) -> ingest.Ingested:
        assert self.source is not None
        return ingest.ingest(self.source)


def measured(title: str, work: Callable[[], ingest.Ingested], bound: float) -> None:
    gc.collect()
    MEMORY.forget_peak()
    before, begun = processor_seconds(), time.perf_counter()
    outcome = work()
    took = time.perf_counter() - begun
    here, children, database = (after - was for after, was in zip(processor_seconds(), before, strict=True))
    print(
        f"{title:26}{took:>8.2f} s  (≤ {bound:g} s){outcome.parsed:>8,} files parsed{MEMORY.peak:>7.0f} MiB at most,"
        f"{MEMORY.now:>5.0f} after; load {load()}; processor {here:.1f} s here, {children:.1f} s in children,"
        f" {database:.1f} s in the database; {outcome.sentence}",
        flush=True,
    )


def tell_size(when: str, count: int) -> None:
    """Bytes on disk for each entity, after what autovacuum does within minutes in a database that lives longer."""
    many.settle(os.environ["DATABASE_OWNER_URL"])
    print(f"{when:26}{many.size_of_an_entity(count):>8,.0f} bytes an entity (≤ 6,144), with all indexes", flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--entities", type=int, default=100_000)
    arguments.add_argument("--kind", choices=("repository", "git"), default="repository")
    arguments.add_argument("--profile", action="store_true", help="print where the time of the first reading goes")
    given = arguments.parse_args()
    share = given.entities / 100_000
    folder = tempfile.TemporaryDirectory(prefix="slipway-benchmark-")
    settings.GIT_ROOT = Path(folder.name)
    with transaction.atomic():
        world = make_world()
    estate = Estate(world, given.entities, given.kind)
    files = files_of(given.entities)
    size = sum(map(len, files.values())) / 2**20
    print(f"{given.entities:,} descriptors in {len(files):,} files, {size:.0f} MiB; load {load()}")
    path = sorted(files)[len(files) // 2]
    changed = {path: files[path].replace(b"passes on", b"hands on")}
    del files
    give_back()
    print(f"the worker holds {MEMORY.now:.0f} MiB", flush=True)
    if given.profile:
        profile = cProfile.Profile(time.process_time)
        profile.runcall(estate.register)
        pstats.Stats(profile).sort_stats("cumulative").print_stats(80)
        return
    measured("first reading", estate.register, 60 * share)
    tell_size("size after that", given.entities)
    measured("nothing changed", estate.read, 6 * share)
    estate.push(changed)
    give_back()
    measured("one file pushed", estate.read, 1)
    estate.push(note=" and writes it down")
    give_back()
    measured("every descriptor changed", estate.read, 90 * share)
    with tenant(world.acme):
        found = Entity.objects.for_tenant(world.acme).filter(removed_at=None).count()
    print(f"{found:,} entities are there")
    tell_size("size after all", found)


if __name__ == "__main__":
    main()
