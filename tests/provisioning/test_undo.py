"""Cancel, retry and undo of the shipped path, on real parts: everything that was made is accounted for."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from catalog.models import Entity, Source
from portal.clusters.kube import Kube, connect
from portal.githosts.models import Repository
from portal.provisioning.models import Effect, Run, Step
from portal.provisioning.sweeping import sweep_runs
from tests.conftest import worker_argv
from tests.provisioning.conftest import reload, rows, texts
from tests.provisioning.test_kill import OBJECTS, QUICK, launch, shipped_version, wait_until_over
from tests.provisioning.test_kill import git_root as git_root
from tests.provisioning.test_kill import sandbox as sandbox

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def at_work(committed_world: Any, start_process: Any, sandbox: Any, git_root: str) -> Any:
    """A cluster and a worker; at_work(**environment) -> (world, cluster row, kube)."""

    def begin(**more: str) -> tuple[Any, Any, Kube]:
        cluster = sandbox.connect(committed_world)
        worker = start_process("undo-worker", worker_argv(2), GIT_ROOT=git_root, **QUICK, **more)
        worker.wait_for("ready.")
        return committed_world, cluster, connect(cluster)

    return begin


def post(client: Any, run: Run, verb: str) -> Any:
    answer = client.post(f"/o/acme/runs/{run.pk}/{verb}/")
    assert answer.status_code == 302, answer.content
    return answer


def page(client: Any, run: Run) -> str:
    return str(client.get(f"/o/acme/runs/{run.pk}/").content.decode())


def until(holds: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        sweep_runs()
        time.sleep(0.1)


def verdicts(run: Run) -> dict[str, str]:
    return {effect.label: effect.undo for effect in rows(Effect, run)}


def assert_nothing_is_left(world: Any, kube: Kube, git_root: str, name: str) -> None:
    with world.tenant():
        assert not Repository.objects.for_tenant(world.acme).filter(name=name).exists()
        assert not Source.objects.for_tenant(world.acme).filter(target=name).exists()
        buried = Entity.objects.for_tenant(world.acme).filter(ref=f"component:default/{name}").get()
        assert buried.removed_at is not None
        assert "was removed by Dev" in buried.removed_reason
    assert list(Path(git_root).glob(f"*/{name}.git")) == []
    until(lambda: kube.get("v1", "Namespace", None, name) is None, 20)


def test_undo_after_success_takes_everything_back_and_says_so(at_work, client_for, git_root):
    world, cluster, kube = at_work()
    [run] = wait_until_over([launch(world, shipped_version(world), "orders", cluster.slug)], 60)
    assert run.status == "succeeded"
    client = client_for(world.dev)
    asked = client.get(f"/o/acme/runs/{run.pk}/undo/").content.decode()
    assert "Repository orders" in asked
    post(client, run, "undo")
    [run] = wait_until_over([run], 60)
    assert (run.status, run.error_text) == ("undone", "")
    assert set(verdicts(run).values()) == {"undone"}
    assert len(verdicts(run)) == OBJECTS + 2
    assert texts(run)[-1] == f"Undo: {OBJECTS + 2} undone, 0 left behind, 0 failed."
    shown = page(client, run)
    assert "Deleted repository orders." in shown
    assert "Deleted Deployment orders in orders." in shown
    assert_nothing_is_left(world, kube, git_root, "orders")
    assert client.post(f"/o/acme/runs/{run.pk}/undo/").status_code == 409
    # The name is free again.
    [again] = wait_until_over([launch(world, shipped_version(world), "orders-2", cluster.slug)], 60)
    assert again.status == "succeeded"


def test_undo_leaves_what_others_have_made_since_and_says_why(at_work, client_for, git_root, tmp_path):
    world, cluster, kube = at_work()
    [run] = wait_until_over([launch(world, shipped_version(world), "orders", cluster.slug)], 60)
    [repository] = Path(git_root).glob("*/orders.git")
    colleague = tmp_path / "clone"
    identity = ["-c", "user.name=Mae", "-c", "user.email=mae@acme.example", "-c", "safe.directory=*"]
    for argv in (
        ["clone", "-q", str(repository), str(colleague)],
        ["-C", str(colleague), "checkout", "-q", "-b", "idea"],
        ["-C", str(colleague), "commit", "-q", "--allow-empty", "-m", "An idea"],
        ["-C", str(colleague), "push", "-q", "origin", "idea"],
    ):
        subprocess.run(["git", *identity, *argv], check=True, capture_output=True)
    config = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "guest", "namespace": "orders"},
              "spec": {"selector": {"matchLabels": {"app": "guest"}},
                       "template": {"metadata": {"labels": {"app": "guest"}},
                                    "spec": {"containers": [{"name": "a", "image": "a:1"}]}}}}  # fmt: skip
    kube.apply(config)
    client = client_for(world.dev)
    post(client, run, "undo")
    [run] = wait_until_over([run], 60)
    assert run.status == "undone"
    left = {label for label, verdict in verdicts(run).items() if verdict == "left"}
    assert left == {"Repository orders", "Namespace orders"}
    assert texts(run)[-1] == f"Undo: {OBJECTS} undone, 2 left behind, 0 failed."
    shown = page(client, run)
    assert "Repository orders has commits by others since the run; it stays." in shown
    assert "Namespace orders holds Deployment guest, which this run did not make; it stays." in shown
    assert repository.is_dir()
    assert kube.get("apps/v1", "Deployment", "orders", "guest") is not None
    assert kube.get("apps/v1", "Deployment", "orders", "orders") is None


def test_an_undo_whose_workers_die_everywhere_undoes_once(at_work, client_for, git_root, tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    world, cluster, kube = at_work(SLIPWAY_FAILPOINT=f"@{folder}")
    [run] = wait_until_over([launch(world, shipped_version(world), "orders", cluster.slug)], 60)
    # Twice at each place: effects are taken back one a visit, so that different ones are hit.
    lines = [f"undo.{place}" for place in ("claimed", "acted", "committed")] * 2
    (folder / "orders").write_text("\n".join(lines))
    post(client_for(world.dev), run, "undo")
    [run] = wait_until_over([run], 120)
    assert (folder / "orders").read_text() == ""
    assert (run.status, run.error_text) == ("undone", "")
    assert set(verdicts(run).values()) == {"undone"}
    said = [text for text in texts(run) if text.startswith(("Deleted", "Removed")) or text.endswith("is gone already.")]
    assert len(said) == len(set(said)) == OBJECTS + 2, "each effect is accounted for once"
    assert_nothing_is_left(world, kube, git_root, "orders")


def mend(kube: Kube, name: str) -> None:
    """What somebody with kubectl would do: another image."""
    standing = kube.get("apps/v1", "Deployment", name, name)
    kept = {key: standing["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    spec = {key: value for key, value in standing["spec"].items() if key != "replicas"}
    spec["template"]["spec"]["containers"][0]["image"] = "registry.example.com/web:1.1"
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": kept, "spec": spec}
    kube.apply(manifest, manager="kubectl", force=True)


def test_a_run_is_cancelled_while_it_waits_then_retried_then_undone(at_work, client_for, git_root):
    world, cluster, kube = at_work()
    client = client_for(world.dev)
    run = launch(world, shipped_version(world), "orders", cluster.slug, image="registry.example.com/web:not-ready")
    until(lambda: any(step.key == "wait" and step.status == "waiting" for step in rows(Step, run)))
    post(client, run, "cancel")
    [run] = wait_until_over([run], 30)
    assert run.status == "cancelled"
    assert {step.key: step.status for step in rows(Step, run)} == {
        "fetch": "succeeded", "log": "succeeded", "publish": "succeeded", "apply": "succeeded", "wait": "cancelled",
        "register": "pending",
    }  # fmt: skip
    before = {effect.key: effect.confirmed_at for effect in rows(Effect, run)}
    mend(kube, "orders")
    post(client, run, "retry")
    [run] = wait_until_over([run], 60)
    assert (run.status, run.error_text) == ("succeeded", "")
    after = {effect.key: effect.confirmed_at for effect in rows(Effect, run)}
    assert {key: after[key] for key in before} == before, "what was made was not touched again"
    assert {step.key: step.attempt for step in rows(Step, run)}["publish"] == 1
    post(client, run, "undo")
    [run] = wait_until_over([run], 60)
    assert run.status == "undone"
    assert_nothing_is_left(world, kube, git_root, "orders")


def test_a_rollout_that_cannot_succeed_fails_in_words_and_is_retried_from_there(at_work, client_for):
    world, cluster, kube = at_work()
    client = client_for(world.dev)
    [run] = wait_until_over(
        [launch(world, shipped_version(world), "orders", cluster.slug, image="registry.example.com/web:bad-image")], 60
    )
    assert run.status == "failed"
    assert "Deployment orders:" in run.error_text
    assert run.error_text in page(client, run).replace("&#x27;", "'").replace("&quot;", '"')
    made = {(effect.key, effect.outcome) for effect in rows(Effect, run)}
    post(client, run, "retry")
    until(lambda: reload(run).status == "failed" and reload(run).ended_at != run.ended_at)
    assert {(effect.key, effect.outcome) for effect in rows(Effect, run)} == made
    assert {step.key: step.attempt for step in rows(Step, run)} == {
        "fetch": 1, "log": 1, "publish": 1, "apply": 1, "wait": 2, "register": 0,
    }  # fmt: skip
    assert kube.get("apps/v1", "Deployment", "orders", "orders") is not None
