"""Messages are lost or doubled, workers stall, the broker is away: the rows carry the run."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connections
from django.db.models.functions import Now

from portal.accounts.tenancy import tenant
from portal.provisioning import actions, sweeping, tasks
from portal.provisioning.acting.outcomes import Done, Wait
from portal.provisioning.engine import advance as engine
from portal.provisioning.engine import lease
from portal.provisioning.engine.keeper import StepKeeper
from portal.provisioning.engine.lease import Cancelled, LeaseLost
from portal.provisioning.models import LogLine, Run, Step
from tests.conftest import by
from tests.provisioning.conftest import acts, reload, rows, start_run, texts

pytestmark = pytest.mark.django_db(transaction=True)


def log(key="log", **more):
    return {"id": key, "name": key, "action": "debug:log", "input": {"message": "hello"}, **more}


def due(run):
    """The lease and every wait of the run have run out."""
    with tenant(run.organisation_id):
        Run.objects.for_tenant(run.organisation_id).filter(pk=run.pk).update(
            lease_until=None if run.lease_until is None else Now(), wake_at=Now()
        )


def test_eight_deliveries_of_one_message_do_the_work_once(committed_world, silent, monkeypatch):
    done, together = [], threading.Barrier(8)

    def slow(ctx, given):
        done.append(ctx.step_key)
        time.sleep(0.3)
        return Done()

    acts(monkeypatch, "debug:log", slow)
    run = start_run(committed_world, [log()])

    def deliver():
        together.wait()
        try:
            engine.advance(run.organisation_id, run.pk)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=deliver) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == ["log"]
    assert rows(Step, run)[0].attempt == 1


def test_a_worker_that_lost_its_lease_writes_nothing_more(committed_world, silent):
    run = start_run(committed_world, [log()])
    first, _ = lease.claim(run.organisation_id, run.pk)
    assert lease.claim(run.organisation_id, run.pk) is None
    due(reload(run))
    second, _ = lease.claim(run.organisation_id, run.pk)
    assert second.epoch == first.epoch + 1
    first.logbook.write("from the grave")
    with pytest.raises(LeaseLost), first.fenced():
        pytest.fail("the zombie was let in")
    lease.let_go(first, engine.AFTER_A_BUG)
    assert reload(run).lease_until is not None
    with second.fenced():
        second.logbook.write("alive")
    assert texts(run) == ["alive"]


def test_the_keeper_renews_carries_out_lines_and_hears_a_wish_to_stop(committed_world, silent, settings):
    settings.RUN_HEARTBEAT_SECONDS = 0
    run = start_run(committed_world, [log()])
    held, _ = lease.claim(run.organisation_id, run.pk)
    before = reload(run).lease_until
    with StepKeeper(held) as keeper:
        held.logbook.write("said while working")
        keeper.check()
        wait_for(lambda: texts(run) == ["said while working"])
        wait_for(lambda: reload(run).lease_until > before)
        with committed_world.tenant():
            actions.cancel(organisation=committed_world.acme, actor=by(committed_world.dev), run=run)
        wait_for(lambda: keeper.is_cancelled)
        with pytest.raises(Cancelled):
            keeper.check()


def wait_for(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_line_is_in_the_table_within_a_blink(committed_world, silent):
    run = start_run(committed_world, [log()])
    held, _ = lease.claim(run.organisation_id, run.pk)
    with StepKeeper(held):
        began = time.monotonic()
        held.logbook.write("now")
        wait_for(lambda: rows(LogLine, run))
        assert time.monotonic() - began < 1.0


def test_a_run_launched_while_the_broker_is_away_is_swept_later(committed_world, monkeypatch, settings):
    from kombu.exceptions import OperationalError

    def away(*args, **kwargs):
        raise OperationalError("no broker")

    sent = []
    monkeypatch.setattr(tasks.advance_run, "apply_async", away)
    run = start_run(committed_world, [log()])
    assert reload(run).status == "queued"
    assert sweeping.sweep_runs() == 0
    monkeypatch.setattr(tasks.advance_run, "apply_async", lambda arguments, **kwargs: sent.append(arguments))
    assert sweeping.sweep_runs() == 1
    assert sent == [(run.organisation_id, run.pk)]
    assert sweeping.sweep_runs() == 0


def test_the_sweeper_nudges_dead_workers_and_ended_waits_and_leaves_the_living_alone(committed_world, silent):
    dead, alive, over = (start_run(committed_world, [log()]) for _ in range(3))
    for run in (dead, alive, over):
        lease.claim(run.organisation_id, run.pk)
    due(reload(dead))
    with tenant(over.organisation_id):
        row = Run.objects.get(pk=over.pk)
        row.end("failed")
        row.save()
    silent.clear()
    sweeping.sweep_runs()
    assert silent == [(dead.organisation_id, dead.pk)]


def test_a_call_that_comes_while_the_step_looks_is_not_lost(committed_world, silent, monkeypatch):
    looks = []

    def looking(ctx, given):
        looks.append(len(looks))
        if len(looks) == 3:
            # The workload became ready after this look and before the wait was written down.
            assert sweeping.wake_runs(ctx.organisation.pk, {"rollout:x"}) == 1
        if len(looks) == 4:
            return Done()
        return Wait(ctx.run_created_at.replace(year=2099), ("rollout:x",), "not yet")

    acts(monkeypatch, "debug:log", looking)
    run = start_run(committed_world, [log()])
    assert engine.advance(run.organisation_id, run.pk) is True  # a first wait looks once more
    assert engine.advance(run.organisation_id, run.pk) is False
    run = reload(run)
    assert (run.status, run.wake_at.year, run.lease_until) == ("waiting", 2099, None)
    assert sweeping.wake_runs(run.organisation_id, {"rollout:y"}) == 0
    assert engine.advance(run.organisation_id, run.pk) is True
    assert engine.advance(run.organisation_id, run.pk) is True
    assert reload(run).status == "running"
    assert rows(Step, run)[0].attempt == 1


def test_a_neighbours_call_wakes_nobody_here(committed_world, silent, monkeypatch):
    acts(monkeypatch, "debug:log", lambda ctx, given: Wait(ctx.run_created_at.replace(year=2099), ("rollout:x",)))
    run = start_run(committed_world, [log()])
    engine.advance(run.organisation_id, run.pk)
    assert sweeping.wake_runs(committed_world.rival.pk, {"rollout:x"}) == 0
    assert engine.advance(committed_world.rival.pk, run.pk) is False
