"""kill -9 of the worker at every boundary and in the middle of every step: nothing is lost, nothing is made twice."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.models import Entity, Source
from portal.clusters.kube import connect
from portal.githosts.models import Repository
from portal.provisioning import actions
from portal.provisioning.manifests import RUN_LABEL
from portal.provisioning.models import Effect, Run, Step
from portal.provisioning.sweeping import sweep_runs
from tests.conftest import worker_argv
from tests.provisioning.conftest import make_version, rows, texts
from tests.provisioning.sandboxes import BUNDLE, Sandbox, service_steps

STEPS = ("fetch", "plain", "rename", "delete", "log", "publish", "apply", "wait", "register")
EFFECT_STEPS = ("publish", "apply", "register")
POINTS = ("claimed", "begun", "acted", "before-commit", "committed")
EFFECT_POINTS = ("before-intent", "after-intent", "between-effects", "after-effect")
QUICK = {"RUN_LEASE_SECONDS": "2", "RUN_HEARTBEAT_SECONDS": "1"}

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def git_root(tmp_path: Path, settings: Any) -> str:
    """A folder of repositories that no other test has written to."""
    settings.GIT_ROOT = tmp_path / "git"
    return str(settings.GIT_ROOT)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    box = Sandbox()
    box.process.wait_for("sandbox: Kubernetes API at")
    yield box
    box.stop()


def launch(world: Any, version: Any, key: str) -> Run:
    with world.tenant():
        return actions.launch(
            organisation=world.acme,
            actor=world.dev,
            version=version,
            values={"name": key.replace(".", "-"), "tag": "1.0"},
            idempotency_key=key,
        )


def wait_until_over(runs: list[Run], seconds: float) -> list[Run]:
    """Sweep as the live process does until every run is over."""
    end = time.monotonic() + seconds
    while True:
        sweep_runs()
        now = [Run.objects.for_tenant(run.organisation_id).get(pk=run.pk) for run in _in_tenant(runs)]
        if all(run.state.is_final for run in now):
            return now
        assert time.monotonic() < end, [(run.idempotency_key, run.status, run.error_text) for run in now]
        time.sleep(0.2)


def _in_tenant(runs: list[Run]) -> Iterator[Run]:
    from portal.accounts.tenancy import tenant

    for run in runs:
        with tenant(run.organisation_id):
            yield run


def assert_made_once(world: Any, kube: Any, run: Run) -> None:
    """One repository with one commit, one set of objects, one source, one entity, one ledger row each."""
    name = run.values["name"]
    assert (run.status, run.error_text) == ("succeeded", "")
    assert [step.status for step in rows(Step, run)] == ["succeeded"] * len(STEPS)
    with world.tenant():
        [repository] = Repository.objects.for_tenant(world.acme).filter(name=name)
        [source] = Source.objects.for_tenant(world.acme).filter(target=name)
        [entity] = Entity.objects.for_tenant(world.acme).filter(source=source, removed_at=None)
    count = subprocess.run(
        ["git", "-C", str(repository.path), "rev-list", "--count", "--all"], capture_output=True, text=True, check=True
    )
    assert count.stdout.strip() == "1"
    assert entity.ref == f"component:default/{name}"
    assert run.entity_refs == [entity.ref]
    effects = rows(Effect, run)
    assert sorted(effect.kind for effect in effects) == ["object", "object", "object", "repository", "source"]
    assert {effect.outcome for effect in effects} == {"created"}
    for effect in (effect for effect in effects if effect.kind == "object"):
        at = effect.reference
        standing = kube.get(at["apiVersion"], at["kind"], at["namespace"] or None, at["name"])
        assert standing["metadata"]["uid"] == at["uid"]
        assert standing["metadata"]["labels"][RUN_LABEL] == str(run.pk)
    assert texts(run)[-1] == "The run succeeded."


def test_a_worker_killed_at_every_point_of_every_step_makes_everything_once(
    committed_world, start_process, sandbox, git_root, tmp_path
):
    world = committed_world
    cluster = sandbox.connect(world)
    version = make_version(world, service_steps(cluster.slug), files=BUNDLE)
    notes = {point: [f"{step}.{point}" for step in STEPS] for point in POINTS}
    notes |= {point: [f"{step}.{point}" for step in EFFECT_STEPS] for point in EFFECT_POINTS}
    # Registering is one call: there is no place between two.
    notes["between-effects"].remove("register.between-effects")
    folder = tmp_path / "notes"
    folder.mkdir()
    for point, lines in notes.items():
        (folder / point).write_text("\n".join(lines))
    start_process("kill-worker", worker_argv(4), SLIPWAY_FAILPOINT=f"@{folder}", GIT_ROOT=git_root, **QUICK).wait_for(
        "ready."
    )
    runs = wait_until_over([launch(world, version, point) for point in notes], 170)
    assert [(run.idempotency_key, run.error_text) for run in runs if run.status != "succeeded"] == []
    struck = [line for point, lines in notes.items() for line in lines]
    left = [line for point in notes for line in (folder / point).read_text().split()]
    assert left == []
    assert len(struck) == 56
    kube = connect(cluster)
    for run in runs:
        assert_made_once(world, kube, run)
        if run.idempotency_key in ("begun", "acted", "before-commit"):
            assert all(step.attempt >= 2 for step in rows(Step, run))


@pytest.mark.parametrize("point", ["publish.between-effects", "apply.after-effect", "register.committed"])
def test_a_whole_worker_process_killed_is_replaced_by_another(committed_world, start_process, sandbox, git_root, point):
    world = committed_world
    cluster = sandbox.connect(world)
    version = make_version(world, service_steps(cluster.slug), files=BUNDLE)
    argv = [*worker_argv(1), "--pool=solo"]
    doomed = start_process("doomed-worker", argv, SLIPWAY_FAILPOINT=point, GIT_ROOT=git_root, **QUICK)
    doomed.wait_for("ready.")
    run = launch(world, version, "orders")
    end = time.monotonic() + 60
    while doomed.popen.poll() is None:
        assert time.monotonic() < end
        sweep_runs()
        time.sleep(0.1)
    assert doomed.popen.returncode == -9
    start_process("heir-worker", argv, GIT_ROOT=git_root, **QUICK).wait_for("ready.")
    [run] = wait_until_over([run], 60)
    assert_made_once(world, connect(cluster), run)
