"""A golden path that needs nothing outside, and the ways a test moves a run along."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from portal.accounts.tenancy import tenant
from tests.conftest import by


def make_version(
    world: Any,
    steps: list[dict[str, Any]],
    *,
    slug: str = "",
    output: dict[str, Any] | None = None,
    files: dict[str, bytes] | None = None,
    parameters: dict[str, Any] | None = None,
    organisation: Any = None,
) -> Any:
    """A published version of a path with these steps; its bundle holds `files`."""
    from portal.goldenpaths.models import GoldenPath, Version, VersionFile

    slug = slug or f"path-{uuid.uuid4().hex[:8]}"
    document = {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "kind": "Template",
        "metadata": {"name": slug, "title": "A path"},
        "spec": {
            "type": "service",
            "owner": "group:default/payments",
            "parameters": parameters or {"properties": {"name": {"type": "string"}}},
            "steps": steps,
            "output": output or {},
        },
    }
    organisation = organisation or world.acme
    with tenant(organisation):
        path = GoldenPath.objects.create(
            organisation=organisation,
            slug=slug,
            ref=f"template:default/{slug}",
            name=slug,
            title="A path",
            owner_ref="group:default/payments",
            type="service",
            current_number=1,
        )
        version = Version.objects.create(
            organisation=organisation, path=path, number=1, digest=uuid.uuid4().hex, document=document
        )
        for name, content in (files or {}).items():
            VersionFile.objects.create(
                organisation=organisation,
                version=version,
                path=name,
                mode=0o644,
                size=len(content),
                content=content,
                digest=hashlib.sha256(content).hexdigest(),
            )
    return version


def start_run(
    world: Any,
    steps: list[dict[str, Any]],
    *,
    actor: Any = None,
    values: dict[str, Any] | None = None,
    secrets: dict[str, str] | None = None,
    **more: Any,
) -> Any:
    """A run of such a path, launched by Dev."""
    from portal.provisioning import actions

    version = make_version(world, steps, **more)
    with tenant(world.acme):
        return actions.launch(
            organisation=world.acme,
            actor=by(actor or world.dev),
            version=version,
            values=values or {"name": "orders"},
            secrets=secrets or {},
            idempotency_key=uuid.uuid4().hex,
        )


def acts(monkeypatch: pytest.MonkeyPatch, action: str, run: Callable[..., Any]) -> None:
    """For this test, the action runs like that."""
    from dataclasses import replace

    from portal.provisioning.steps import ACTIONS

    monkeypatch.setitem(ACTIONS, action, replace(ACTIONS[action], run=run))


def reload(run: Any) -> Any:
    """The run as it stands in the database."""
    from portal.provisioning.models import Run

    with tenant(run.organisation_id):
        return Run.objects.for_tenant(run.organisation_id).get(pk=run.pk)


def rows(model: Any, run: Any) -> list[Any]:
    """The run's rows of a table."""
    with tenant(run.organisation_id):
        return list(model.objects.for_tenant(run.organisation_id).filter(run_id=run.pk).order_by("pk"))


def texts(run: Any) -> list[str]:
    """What the run said, in order; fails on a gap."""
    from portal.provisioning.models import LogLine

    lines = sorted(rows(LogLine, run), key=lambda line: line.seq)
    assert [line.seq for line in lines] == list(range(1, len(lines) + 1))
    return [line.text for line in lines]


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """No message is sent: what would have been nudged is in this list."""
    nudged: list[tuple[int, int]] = []

    def nudge(organisation_id: int, run_id: int) -> bool:
        nudged.append((organisation_id, run_id))
        return True

    for module in ("actions", "sweeping", "tasks"):
        monkeypatch.setattr(f"portal.provisioning.{module}.nudge", nudge)
    return nudged


@pytest.fixture
def finish() -> Callable[[Any], Any]:
    """finish(run) -> the run, advanced in this process until it rests."""
    from portal.provisioning.engine import advance as engine

    def advance(run: Any) -> Any:
        while engine.advance(run.organisation_id, run.pk):
            pass
        return reload(run)

    return advance
