"""A reorganisation of 500 entities, half of them born in files of the built-in git host, half in the portal: drafted,
foreseen, applied, its files committed and read again, and undone. What each costs, and that all is as it should be.

    .venv/bin/python -m tests.benchmarks.reorganisation [--entities 500]
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from catalog import actions  # noqa: E402
from catalog.handing.plans import drafting  # noqa: E402
from catalog.handing.plans.foreseeing import foresee, still_other  # noqa: E402
from catalog.lists.models import BulkRow  # noqa: E402
from catalog.models import Entity  # noqa: E402
from portal.accounts.access import enter  # noqa: E402
from portal.accounts.models import Team, Way  # noqa: E402
from portal.accounts.tenancy import tenant  # noqa: E402
from portal.jobs.models import Job  # noqa: E402
from portal.jobs.work import work  # noqa: E402
from tests.catalog.test_index import component  # noqa: E402
from tests.conftest import by, make_world  # noqa: E402
from tests.githosts.conftest import Plain, make_repository  # noqa: E402

TEAMS = 10


def measured(label: str, act: Callable[[], Any]) -> Any:
    began, worked = time.monotonic(), time.process_time()
    with CaptureQueriesContext(connection) as queries:
        found = act()
    spent, took = time.process_time() - worked, time.monotonic() - began
    print(f"{label:42} {len(queries):5} statements  {spent:6.2f} s of the processor  {took:6.2f} s")
    return found


def load(world: Any, count: int) -> None:
    """Teams t0…t9; entities in turn, every second one in a file of the repository `real`."""
    half, documents = count // 2, []
    with tenant(world.acme):
        for number in range(TEAMS):
            Team.objects.create(
                organisation=world.acme, slug=f"t{number}", name=f"Team {number}", ref=f"group:default/t{number}"
            )
        for number in range(half):
            text = component(f"portal{number}", owner=f"t{number % TEAMS}")
            actions.write_entity(organisation=world.acme, actor=by(world.ada), text=text)
            documents.append(component(f"filed{number}", owner=f"t{number % TEAMS}"))
    make_repository(world.acme, "real", files={"catalog-info.yaml": Plain("---\n".join(documents).encode())})
    with tenant(world.acme):
        actions.add_source(organisation=world.acme, actor=by(world.ada), kind="repository", target="real")


def jobs(world: Any) -> None:
    """Everything that waits, as the workers would do it."""
    while True:
        with tenant(world.acme):
            waiting = list(Job.objects.for_tenant(world.acme).filter(state="queued").values_list("pk", flat=True))
        if not waiting:
            return
        for pk in waiting:
            work(world.acme.pk, pk)


def owners(world: Any) -> dict[str, str]:
    with tenant(world.acme):
        rows = Entity.objects.for_tenant(world.acme).filter(kind="Component")
        return dict(rows.values_list("name", "owner_ref"))


def files(world: Any) -> dict[str, str]:
    """The owner that each entity's text names."""
    with tenant(world.acme):
        rows = Entity.objects.for_tenant(world.acme).filter(kind="Component").select_related("body")
        return {row.name: str(row.document["spec"]["owner"]) for row in rows}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--entities", type=int, default=500)
    count = asked.parse_args().entities
    shutil.rmtree(settings.GIT_ROOT, ignore_errors=True)
    world = make_world()
    load(world, count)
    before = owners(world)
    print(f"{len(before)} entities, {sum(name.startswith('filed') for name in before)} of them in files")
    with tenant(world.acme):
        mae = enter(world.mae, "acme", way=Way.PAGE, address=None)
        plan = drafting.begin(access=mae, name="Autumn")
        steps: list[dict[str, Any]] = [{"kind": "team", "slug": "new", "name": "New", "parent": "t0"}]
        steps += [{"kind": "give", "filter": f"kind=component,owner=t{number}", "to": "new"} for number in (0, 1, 2, 3)]
        steps += [{"kind": "merge", "team": f"t{number}", "into": "t9"} for number in range(4, 9)]
        rows = [[f"component:default/portal{number}", "t0"] for number in range(9, count // 2, TEAMS)]
        rows += [[f"component:default/filed{number}", "t0"] for number in range(9, count // 2, TEAMS)]
        steps += [{"kind": "rows", "rows": rows}, {"kind": "move", "team": "t9", "parent": "new"}]
        for step in steps:
            drafting.add_step(access=mae, plan=plan, said=step)
        seen = measured("foreseen", lambda: foresee(mae, plan))
        print(
            f"  {len(seen.changes)} changes, {len(seen.rights)} people's rights, {len(seen.files)} files, {seen.wrong}"
        )
    assert owners(world) == before
    with tenant(world.acme):
        measured("applied", lambda: drafting.apply(access=mae, plan=plan))
    after = owners(world)
    print(f"  {sum(after[name] != before[name] for name in after)} have another owner")
    assert all(after[name] != before[name] for name in after)
    with tenant(world.acme):
        number = drafting.settle_files(access=mae, plan=plan)
    measured("files written, committed and read again", lambda: jobs(world))
    with tenant(world.acme):
        outcomes = BulkRow.objects.for_tenant(world.acme).filter(bulk=number).values_list("outcome", flat=True)
        told = list(outcomes)
        print(
            f"  { ({word: told.count(word) for word in set(told)}) }, {len(still_other(plan))} files say something else"
        )
    assert {f"group:default/{name}" for name in files(world).values()} == set(after.values())
    with tenant(world.acme):
        back = measured("undone", lambda: drafting.undo(access=mae, plan=plan))
        print(f"  {back} put back")
    assert owners(world) == before
    with tenant(world.acme):
        drafting.settle_files(access=mae, plan=plan)
    measured("files as they were", lambda: jobs(world))
    assert owners(world) == before
    assert {name: f"group:default/{ref}" for name, ref in files(world).items()} == before
    print("All owners, and all files, are as they were.")


if __name__ == "__main__":
    main()
