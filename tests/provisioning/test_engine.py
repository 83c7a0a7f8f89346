"""A run goes step by step, and every way it can end is in words."""

import pytest

from portal.kit.errors import Conflict, Unavailable
from portal.provisioning.acting.outcomes import Done
from portal.provisioning.engine import advance as engine
from portal.provisioning.models import Effect, Run, Step, Workspace
from tests.conftest import by
from tests.provisioning.conftest import acts, reload, rows, start_run, texts

pytestmark = pytest.mark.django_db(transaction=True)


def log(key="log", message="hello", **more):
    return {"id": key, "name": key.capitalize(), "action": "debug:log", "input": {"message": message}, **more}


def test_a_run_goes_through_its_steps_and_succeeds(committed_world, silent, finish):
    run = start_run(
        committed_world,
        [
            {"id": "fetch", "name": "Fetch", "action": "fetch:template",
             "input": {"url": "./skeleton", "values": {"name": "${{ parameters.name }}"}}},
            {"id": "move", "name": "Move", "action": "fs:rename",
             "input": {"files": [{"from": "README.md", "to": "docs/index.md"}]}},
            log(message="made ${{ parameters.name }}", input={"message": "made ${{ parameters.name }}",
                                                                     "listWorkspace": "with-contents"}),
        ],
        files={"skeleton/README.md": b"# ${{ values.name }}\n"},
        output={"text": [{"title": "Done", "content": "It is ${{ parameters.name }}."}]},
    )  # fmt: skip
    assert silent == [(run.organisation_id, run.pk)]
    run = finish(run)
    assert (run.status, run.lease_until, run.wake_at) == ("succeeded", None, None)
    assert run.output == {"text": [{"title": "Done", "content": "It is orders."}]}
    assert [(step.status, step.attempt) for step in rows(Step, run)] == [("succeeded", 1)] * 3
    assert "made orders" in texts(run)
    assert "  docs/index.md (9 bytes)" in texts(run)
    assert "    # orders" in texts(run)
    assert rows(Workspace, run) == []


def test_each_visit_takes_one_step(committed_world, silent):
    run = start_run(committed_world, [log("one"), log("two")])
    assert engine.advance(run.organisation_id, run.pk) is True
    assert [step.status for step in rows(Step, run)] == ["succeeded", "pending"]
    assert reload(run).status == "running"


def test_a_condition_that_says_no_skips_the_step_and_each_runs_it_many_times(committed_world, silent, finish):
    run = start_run(
        committed_world,
        [
            log("never", **{"if": "${{ parameters.loud }}"}),
            log("often", message="hello ${{ each.value }}", each=["${{ parameters.name }}", "world"]),
            log("odd", message="${{ each.key }} ${{ each.value }}", each=[1, 2], **{"if": "${{ each.value == 2 }}"}),
        ],
        values={"name": "orders", "loud": False},
    )
    assert finish(run).status == "succeeded"
    assert [step.status for step in rows(Step, run)] == ["skipped", "succeeded", "succeeded"]
    said = texts(run)
    assert "hello orders" in said
    assert "hello world" in said
    assert "1 2" in said
    assert "0 1" not in said


def test_a_mistake_in_a_template_ends_the_run_in_words_that_name_the_step(committed_world, silent, finish):
    run = finish(start_run(committed_world, [log("bad", message="${{ parameters.missing }}"), log("after")]))
    assert run.status == "failed"
    assert "bad" in run.error_text
    assert "missing" in run.error_text
    assert [step.status for step in rows(Step, run)] == ["failed", "pending"]


def test_an_input_that_the_action_does_not_take_is_refused_before_it_runs(committed_world, silent, finish):
    steps = [{"id": "wipe", "name": "Wipe", "action": "fs:delete", "input": {"files": "not-a-list"}}]
    run = finish(start_run(committed_world, steps))
    assert (run.status, run.error_code) == ("failed", "bad-input")
    assert "Files must be a list" in run.error_text


def test_retry_goes_on_at_the_step_that_failed_with_the_files_as_they_were(
    committed_world, silent, finish, monkeypatch
):
    from portal.provisioning import actions

    calls = []

    def stumble(ctx, given):
        calls.append(sorted(ctx.workspace))
        if len(calls) == 1:
            raise Conflict("The name is taken.", code="taken")
        return Done({"ok": True})

    acts(monkeypatch, "fs:delete", stumble)
    run = start_run(
        committed_world,
        [
            {"id": "fetch", "name": "Fetch", "action": "fetch:plain", "input": {"url": "./skeleton"}},
            {"id": "stumble", "name": "Stumble", "action": "fs:delete", "input": {"files": ["x"]}},
            log("after"),
        ],
        files={"skeleton/a.txt": b"a"},
    )
    run = finish(run)
    assert (run.status, run.error_text, run.error_code) == ("failed", "The name is taken.", "taken")
    with committed_world.tenant():
        actions.retry(organisation=committed_world.acme, actor=by(committed_world.dev), run=run)
    run = finish(run)
    assert (run.status, run.error_text) == ("succeeded", "")
    assert [(step.status, step.attempt) for step in rows(Step, run)] == [
        ("succeeded", 1), ("succeeded", 2), ("succeeded", 1)]  # fmt: skip
    assert calls == [["a.txt"], ["a.txt"]]


def test_what_is_away_for_now_is_tried_again_by_itself_and_then_given_up(committed_world, silent, finish, monkeypatch):
    monkeypatch.setattr("portal.provisioning.engine.retries.DELAYS", (0.0, 0.0))

    def away(ctx, given):
        raise Unavailable("The cluster does not answer.")

    acts(monkeypatch, "debug:log", away)
    run = start_run(committed_world, [log()])
    for _ in range(2):
        run = finish(run)
        assert run.status == "waiting"
        assert "The cluster does not answer. Trying again in 0 s." in texts(run)
    run = finish(run)
    assert (run.status, run.error_text) == ("failed", "The cluster does not answer.")
    assert rows(Step, run)[0].attempt == 3


def test_a_step_that_kills_its_workers_is_given_up(committed_world, silent, finish, monkeypatch):
    class WorkerDied(BaseException):
        pass

    def deadly(ctx, given):
        raise WorkerDied

    monkeypatch.setattr(engine, "AFTER_A_BUG", engine.AFTER_A_BUG * 0)
    acts(monkeypatch, "debug:log", deadly)
    run = start_run(committed_world, [log()])
    for _ in range(engine.MAX_STRIKES):
        with pytest.raises(WorkerDied):
            engine.advance(run.organisation_id, run.pk)
    run = finish(run)
    assert (run.status, run.error_code) == ("failed", "worker-lost")
    assert "Retry continues here" in run.error_text


def test_a_run_is_cancelled_before_its_next_effect(committed_world, silent, finish, monkeypatch):
    from portal.provisioning import actions
    from portal.provisioning.acting.contract import EffectTarget

    made = []

    def two_effects(ctx, given):
        for name in ("first", "second"):
            ctx.intend("thing", [EffectTarget(name, name)])
            made.append(name)
            with ctx.lease.fenced():
                pass
            with committed_world.tenant():
                run = Run.objects.for_tenant(committed_world.acme).get(pk=ctx.run_id)
                actions.cancel(organisation=committed_world.acme, actor=by(committed_world.dev), run=run)
        return Done()

    acts(monkeypatch, "debug:log", two_effects)
    run = finish(start_run(committed_world, [log(), log("after")]))
    assert run.status == "cancelled"
    assert made == ["first"]
    assert [step.status for step in rows(Step, run)] == ["cancelled", "pending"]
    assert [effect.label for effect in rows(Effect, run)] == ["first"]


def test_a_queued_run_is_cancelled_without_doing_anything(committed_world, silent, finish):
    from portal.provisioning import actions

    run = start_run(committed_world, [log()])
    with committed_world.tenant():
        actions.cancel(organisation=committed_world.acme, actor=by(committed_world.dev), run=run)
    run = finish(run)
    assert run.status == "cancelled"
    assert [step.status for step in rows(Step, run)] == ["pending"]
    with committed_world.tenant(), pytest.raises(Conflict, match="nothing left to cancel"):
        actions.cancel(organisation=committed_world.acme, actor=by(committed_world.dev), run=run)


def test_a_launch_with_the_same_key_is_the_same_run(committed_world, silent):
    from portal.provisioning import actions
    from tests.provisioning.conftest import make_version

    version = make_version(committed_world, [log()])
    with committed_world.tenant():
        first, second = (
            actions.launch(organisation=committed_world.acme, actor=by(committed_world.dev), version=version,
                           values={"name": "orders"}, idempotency_key="same")
            for _ in range(2)
        )  # fmt: skip
    assert first.pk == second.pk
    assert len(rows(Step, first)) == 1


def test_secrets_are_in_no_row_and_gone_at_the_end(committed_world, silent, finish):
    secret = "hunter2-hunter2"
    run = start_run(
        committed_world,
        [log(message="token ${{ secrets.token }} and ${{ secrets.token | upper }}!")],
        secrets={"token": secret},
    )
    assert secret not in str(vars(reload(run)))
    run = finish(run)
    assert run.status == "succeeded"
    assert run.secrets == ""
    everything = str([vars(row) for row in rows(Step, run)]) + " ".join(texts(run)) + str(vars(run))
    assert secret not in everything
    assert secret.upper() not in everything
    assert "***" in " ".join(texts(run))
