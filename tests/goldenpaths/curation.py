"""What tests of candidates share: repositories with templates in them, pushed by somebody, read by the catalog."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from catalog import actions as catalog_actions
from catalog.intake import ingest
from catalog.models import Source
from portal.accounts.audit import record
from portal.githosts.hosts import HOSTS
from portal.githosts.models import Repository
from portal.goldenpaths.models import Candidate, GoldenPath
from tests.conftest import World, by

TEMPLATE = """apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {{name: {name}, title: "Path {name}"}}
spec:
  type: service
  parameters: []
  steps:
    - {{id: files, action: "fetch:plain", input: {{url: ./skeleton}}}}
    - {{id: say, action: "debug:log", input: {{message: "{message}"}}}}
"""
COMPONENT = """apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: shop}
spec: {type: service, lifecycle: production, owner: payments}
"""
LOCATION = """apiVersion: backstage.io/v1alpha1
kind: Location
metadata: {name: more}
spec: {target: ./paths/template.yaml}
"""


def git(root: Path, *args: str, who: str = "Dev") -> str:
    identity = ("-c", f"user.name={who}", "-c", f"user.email={who.lower()}@acme.example")
    ran = subprocess.run(["git", *identity, *args], cwd=root, check=True, capture_output=True, text=True)
    return ran.stdout.strip()


def write(root: Path, files: dict[str, str | bytes]) -> None:
    for path, content in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())


def path_files(name: str, message: str = "hello", folder: str = "paths/") -> dict[str, str | bytes]:
    """A small path whose template lies in `folder`."""
    return {
        f"{folder}template.yaml": TEMPLATE.format(name=name, message=message),
        f"{folder}skeleton/README.md": "# hello\n",
    }


class Shop:
    """A repository of the built-in host that a run of Ada's made, and a developer's clone of it."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.clone = folder / "clone"
        self.clone.mkdir()
        HOSTS["slipway"].create_repository(
            world.acme, name="shop", description="", owner_ref="", marker="run-7", actor=by(world.ada), created_by_run=7
        )
        with world.tenant():
            self.place = Repository.objects.for_tenant(world.acme).get(name="shop").path
        git(self.clone, "init", "-q", "-b", "main")
        self.push({"catalog-info.yaml": COMPONENT}, who="Slipway")

    def push(self, files: dict[str, str | bytes], who: str = "Dev") -> str:
        """Commit and push, with the audit event that the git door writes after a push."""
        write(self.clone, files)
        git(self.clone, "add", "-A", who=who)
        git(self.clone, "commit", "-qm", "more", who=who)
        git(self.clone, "push", "-q", str(self.place), "main", who=who)
        head = git(self.clone, "rev-parse", "HEAD")
        if who == "Dev":
            with self.world.tenant():
                record(
                    organisation=self.world.acme,
                    actor=by(self.world.dev),
                    verb="repository.pushed",
                    subject=Repository.objects.for_tenant(self.world.acme).get(name="shop"),
                    summary="Pushed main of shop",
                    data={"refs": {"refs/heads/main": {"was": None, "is": head}}},
                )
        return head

    def register(self, person: Any) -> Source:
        """What a run's last step does: the repository becomes a source, in the name of whoever launched the run."""
        with self.world.tenant():
            return catalog_actions.add_source(
                organisation=self.world.acme, actor=by(person), kind="repository", target="shop", run_id=7
            )


def refresh(source: Source) -> Source:
    """Read the source again, as the worker does."""
    ingest.ingest(source)
    return source


def paths(world: World) -> dict[str, int]:
    """The published paths and their versions."""
    with world.tenant():
        return dict(GoldenPath.objects.for_tenant(world.acme).values_list("name", "current_number"))


def waiting(world: World) -> list[Candidate]:
    with world.tenant():
        return list(Candidate.objects.for_tenant(world.acme).filter(state="waiting").order_by("template_path"))
