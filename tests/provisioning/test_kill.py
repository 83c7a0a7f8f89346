"""kill -9 of the worker at every boundary and in the middle of every step: nothing is lost, nothing is made twice."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.models import Entity, Source
from portal.accounts.access import enter
from portal.accounts.models import AuditEvent, Way
from portal.clusters.kube import Kube, connect
from portal.githosts.models import Repository
from portal.goldenpaths.actions import publish_shipped
from portal.goldenpaths.models import Version
from portal.provisioning import engine
from portal.provisioning.acting.manifests import RUN_LABEL
from portal.provisioning.launching import launch_checked
from portal.provisioning.models import Effect, Run, Step
from portal.provisioning.sweeping import sweep_runs
from tests.conftest import by, worker_argv
from tests.provisioning.conftest import make_version, rows, texts
from tests.provisioning.sandboxes import BUNDLE, Sandbox, service_steps

# The shipped web service: its steps, and the places of each where a worker may die.
STEPS = ("fetch", "log", "publish", "apply", "wait", "register")
OBJECTS = 8
BOUNDARIES = ("claimed", "begun", "acted", "before-commit", "committed")
MIDDLES = {
    "fetch": ("middle",),
    "log": ("middle",),
    "publish": ("before-intent", "after-intent", "between-effects", "after-effect"),
    "apply": ("before-intent", "after-intent", *(f"after-object-{n}" for n in range(1, OBJECTS + 1)), "after-effect"),
    "wait": ("middle",),
    "register": ("before-intent", "after-intent", "after-effect"),
}
# A step that loses its worker five times in a row is given up, so that no run may have more than four of these.
PER_RUN = 4
QUICK = {"RUN_LEASE_SECONDS": "2", "RUN_HEARTBEAT_SECONDS": "1"}

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def shipped_notes() -> dict[str, list[str]]:
    """The key of a run -> where its workers die: one run for each boundary, and as many for the middles as it takes."""
    notes = {boundary: [f"{step}.{boundary}" for step in STEPS] for boundary in BOUNDARIES}
    for step, points in MIDDLES.items():
        for number, point in enumerate(points):
            notes.setdefault(f"middle-{number // PER_RUN}", []).append(f"{step}.{point}")
    return notes


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


def shipped_version(world: Any) -> Version:
    with world.tenant():
        found = publish_shipped(organisation=world.acme, actor=by(world.ada))
        return next(version for version in found if version.path.slug == "python-web-service")


def launch(world: Any, version: Version, key: str, cluster: str, image: str = "registry.example.com/web:1.0") -> Run:
    """Through the same check of answers as the page and the API."""
    with world.tenant():
        return launch_checked(
            enter(world.dev, "acme", way=Way.PAGE, address=None),
            version,
            values={
                "name": key,
                "description": "Dies at the worst moments.",
                "owner": "group:default/payments",
                "cluster": cluster,
                "image": image,
            },
            secrets={},
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


def assert_made_once(world: Any, kube: Kube, run: Run) -> None:
    """One repository with one commit, one set of objects, one source, its entities, one ledger row each."""
    name = run.values["name"]
    assert (run.status, run.error_text) == ("succeeded", "")
    assert [step.status for step in rows(Step, run)] == ["succeeded"] * len(STEPS)
    with world.tenant():
        [repository] = Repository.objects.for_tenant(world.acme).filter(name=name)
        [source] = Source.objects.for_tenant(world.acme).filter(target=name)
        entities = Entity.objects.for_tenant(world.acme).filter(source=source, removed_at=None).order_by("ref")
        refs = list(entities.values_list("ref", flat=True))
        owner = {entity.owner_ref for entity in entities}
        told = AuditEvent.objects.for_tenant(world.acme)
        verbs = {
            verb: told.filter(verb=verb, subject_label__icontains=name).count()
            for verb in ("repository.created", "source.registered")
        }
    assert refs == [f"api:default/{name}-api", f"component:default/{name}"]
    assert run.entity_refs == [f"component:default/{name}"]
    assert owner == {"group:default/payments"}
    assert verbs == {"repository.created": 1, "source.registered": 1}
    assert git(repository.path, "rev-list", "--count", "--all") == "1"
    assert git(repository.path, "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    effects = rows(Effect, run)
    assert sorted(effect.kind for effect in effects) == ["object"] * OBJECTS + ["repository", "source"]
    assert len({effect.key for effect in effects}) == len(effects)
    assert {effect.outcome for effect in effects} == {"created"}
    assert all(effect.confirmed_at for effect in effects)
    for effect in (effect for effect in effects if effect.kind == "object"):
        at = effect.reference
        standing = kube.get(at["apiVersion"], at["kind"], at["namespace"] or None, at["name"])
        assert standing["metadata"]["uid"] == at["uid"]
        assert standing["metadata"]["labels"][RUN_LABEL] == str(run.pk)
    assert len(kube.list("apps/v1", "Deployment", name)) == 1
    assert len(kube.list("apps/v1", "ReplicaSet", name)) == 1, "what was applied again did not roll out again"
    assert texts(run)[-1] == "The run succeeded."


def git(path: Path, *argv: str) -> str:
    done = subprocess.run(["git", "-C", str(path), *argv], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_notes_name_every_step_and_every_place_of_the_shipped_path(world):
    version = shipped_version(world)
    assert tuple(step["id"] for step in version.document["spec"]["steps"]) == STEPS
    places = {line for lines in shipped_notes().values() for line in lines}
    assert len(places) == len(STEPS) * len(BOUNDARIES) + sum(map(len, MIDDLES.values()))
    code = "".join(file.read_text() for file in PROVISIONING.rglob("*.py"))
    named = set(re.findall(r'(?:failpoint|point)\(f?"([a-z-]+)', code)) - {"undo"}
    assert named == {re.sub(r"[0-9]+$", "", place.partition(".")[2]) for place in places}, "a place without a test"


PROVISIONING = Path(engine.__file__).parent.parent


def struck(world: Any, cluster: Any, version: Any, folder: Path, notes: dict[str, list[str]], start: Any) -> list[Run]:
    """Runs to their end while workers die wherever the notes say; every note has been struck."""
    folder.mkdir()
    for key, lines in notes.items():
        (folder / key).write_text("\n".join(lines))
    start()
    runs = wait_until_over([launch(world, version, key, cluster.slug) for key in notes], 200)
    assert [(run.idempotency_key, run.error_text) for run in runs if run.status != "succeeded"] == []
    assert [line for key in notes for line in (folder / key).read_text().split()] == []
    return runs


def test_a_worker_killed_at_every_point_of_every_step_makes_everything_once(
    committed_world, start_process, sandbox, git_root, tmp_path
):
    world, folder = committed_world, tmp_path / "notes"
    cluster = sandbox.connect(world)

    def start() -> None:
        worker = start_process(
            "kill-worker", worker_argv(4), SLIPWAY_FAILPOINT=f"@{folder}", GIT_ROOT=git_root, **QUICK
        )
        worker.wait_for("ready.")

    runs = struck(world, cluster, shipped_version(world), folder, shipped_notes(), start)
    kube = connect(cluster)
    for run in runs:
        assert_made_once(world, kube, run)
        if run.idempotency_key in ("begun", "acted", "before-commit"):
            assert all(step.attempt >= 2 for step in rows(Step, run))


def test_the_actions_that_the_shipped_path_does_not_use_survive_as_well(
    committed_world, start_process, sandbox, git_root, tmp_path
):
    world, folder = committed_world, tmp_path / "notes"
    cluster = sandbox.connect(world)
    parameters = {
        "properties": {name: {"type": "string"} for name in ("name", "description", "owner", "cluster", "image")}
    }
    steps = service_steps(cluster.slug)
    for step in steps:
        step.pop("name")
    steps[0]["input"]["values"]["tag"] = "1.0"
    version = make_version(world, steps, files=BUNDLE, parameters=parameters)
    others = ("plain", "rename", "delete")
    notes = {boundary: [f"{step}.{boundary}" for step in others] for boundary in BOUNDARIES}

    def start() -> None:
        worker = start_process(
            "other-worker", worker_argv(4), SLIPWAY_FAILPOINT=f"@{folder}", GIT_ROOT=git_root, **QUICK
        )
        worker.wait_for("ready.")

    for run in struck(world, cluster, version, folder, notes, start):
        assert [step.status for step in rows(Step, run)] == ["succeeded"] * len(steps)
        repository = Path(git_root) / str(world.acme.pk) / f"{run.values['name']}.git"
        files = git(repository, "ls-tree", "-r", "--name-only", "main").split()
        assert files == ["LICENSE", "catalog-info.yaml", "deploy/all.yaml", "docs/README.md"]


@pytest.mark.parametrize("point", ["publish.between-effects", "apply.after-object-3", "register.committed"])
def test_a_whole_worker_process_killed_is_replaced_by_another(committed_world, start_process, sandbox, git_root, point):
    world = committed_world
    cluster = sandbox.connect(world)
    argv = [*worker_argv(1), "--pool=solo"]
    doomed = start_process("doomed-worker", argv, SLIPWAY_FAILPOINT=point, GIT_ROOT=git_root, **QUICK)
    doomed.wait_for("ready.")
    run = launch(world, shipped_version(world), "orders", cluster.slug)
    end = time.monotonic() + 60
    while doomed.popen.poll() is None:
        assert time.monotonic() < end
        sweep_runs()
        time.sleep(0.1)
    assert doomed.popen.returncode == -9
    start_process("heir-worker", argv, GIT_ROOT=git_root, **QUICK).wait_for("ready.")
    [run] = wait_until_over([run], 60)
    assert_made_once(world, connect(cluster), run)


def test_a_worker_that_was_asleep_while_another_finished_its_run_changes_nothing_when_it_wakes(
    committed_world, start_process, sandbox, git_root
):
    world = committed_world
    cluster = sandbox.connect(world)
    argv = [*worker_argv(1), "--pool=solo"]
    sleeper = start_process("sleeper", argv, SLIPWAY_FAILPOINT="apply.after-object-2:STOP", GIT_ROOT=git_root, **QUICK)
    sleeper.wait_for("ready.")
    run = launch(world, shipped_version(world), "orders", cluster.slug)
    end = time.monotonic() + 60
    while state_of(sleeper.popen.pid) != "T":
        assert time.monotonic() < end
        sweep_runs()
        time.sleep(0.1)
    start_process("heir-worker", argv, GIT_ROOT=git_root, **QUICK).wait_for("ready.")
    [run] = wait_until_over([run], 60)
    before = [(effect.key, effect.confirmed_at) for effect in rows(Effect, run)], len(texts(run)), run.epoch
    sleeper.popen.send_signal(signal.SIGCONT)
    # Asked to end, it first finishes what it held.
    sleeper.popen.terminate()
    sleeper.popen.wait(30)
    [run] = wait_until_over([run], 1)
    assert before == ([(effect.key, effect.confirmed_at) for effect in rows(Effect, run)], len(texts(run)), run.epoch)
    assert_made_once(world, connect(cluster), run)


def state_of(pid: int) -> str:
    """A letter such as R, S or T (stopped), from the kernel."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[0]
