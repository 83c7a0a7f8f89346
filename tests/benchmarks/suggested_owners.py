"""How often suggested owners are right, on a real repository with its history: it is made an organisation's, with an
entity in each folder that a file of owners names, and `measure_suggestions` hides those owners and compares.

    .venv/bin/python -m tests.benchmarks.suggested_owners BARE_REPOSITORY --owners teams.json --folder packages/

--owners  a JSON file in the repository: name (perhaps behind a scope and a slash) -> team; several teams are left out
--folder  where the named things lie; --commits so many of the newest commits are looked at by the year before now
Who is in which team is told by nobody: what is known of people is what they work on.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from catalog import actions  # noqa: E402
from catalog.handing import gathering  # noqa: E402
from catalog.models import Entity, Source  # noqa: E402
from portal.accounts.models import Team  # noqa: E402
from portal.accounts.tenancy import tenant  # noqa: E402
from portal.githosts.models import Repository  # noqa: E402
from tests.conftest import by, make_world  # noqa: E402

TEXT = (
    "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {{name: {name}}}\n"
    "spec: {{type: library, lifecycle: production, owner: {owner}}}\n"
)


def git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace")


def owners_of(repository: Path, file: str, folder: str) -> dict[str, str]:
    """Name -> team, of what lies in a folder of its own and has one team."""
    said = {name.rpartition("/")[2]: team for name, team in json.loads(git(repository, "show", f"HEAD:{file}")).items()}
    there = {
        line.removeprefix(folder) for line in git(repository, "ls-tree", "-d", "--name-only", "HEAD", folder).split()
    }
    return {name: team for name, team in said.items() if name in there and "," not in team}


def load(world: Any, repository: Path, owners: dict[str, str], folder: str) -> None:
    branch = git(repository, "symbolic-ref", "--short", "HEAD").strip()
    with tenant(world.acme):
        row = Repository.objects.create(organisation=world.acme, name="real", marker="x", default_branch=branch)
        row.path.parent.mkdir(parents=True, exist_ok=True)
        row.path.symlink_to(repository)
        source = Source.objects.create(organisation=world.acme, kind="repository", target="real")
        for team in sorted(set(owners.values())):
            Team.objects.create(organisation=world.acme, slug=team, name=team, ref=f"group:default/{team}")
        for name, team in sorted(owners.items()):
            made = actions.write_entity(
                organisation=world.acme, actor=by(world.ada), text=TEXT.format(name=name, owner=team)
            )
            Entity.objects.filter(pk=made.pk).update(source=source, path=f"{folder}{name}/catalog-info.yaml")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("repository", type=Path)
    asked.add_argument("--owners", required=True)
    asked.add_argument("--folder", required=True)
    told = asked.parse_args()
    newest = datetime.fromtimestamp(int(git(told.repository, "log", "-1", "--format=%ct")), UTC)
    gathering.now = lambda: newest  # type: ignore[assignment]  # the year before its newest commit
    owners = owners_of(told.repository, told.owners, told.folder)
    print(f"{len(owners)} things, {len(set(owners.values()))} teams, newest commit of {newest:%d %B %Y}")
    world = make_world()
    load(world, told.repository.resolve(), owners, told.folder)
    for hide in ("30", "60"):
        for flags in ([], ["--without-codeowners"]):
            print(f"hide {hide} of 100 {' '.join(flags)}")
            call_command("measure_suggestions", "acme", "--hide", hide, "--turns", "20", *flags)


if __name__ == "__main__":
    main()
