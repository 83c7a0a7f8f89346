"""Whoever launched a run is told how it ended, once, and when it cannot go on without them."""

import pytest

from portal.accounts.tenancy import tenant
from portal.kit.errors import Conflict
from portal.notices import consuming
from portal.notices.models import Notice
from portal.provisioning import actions
from portal.provisioning.acting.outcomes import Done
from tests.conftest import by
from tests.provisioning.conftest import acts, reload, start_run

pytestmark = pytest.mark.django_db(transaction=True)
LOG = {"id": "log", "name": "Log", "action": "debug:log", "input": {"message": "hello"}}


@pytest.fixture
def told(committed_world, monkeypatch):
    """told() -> (person, kind, title, text) of every notice, oldest first."""
    monkeypatch.setattr(consuming, "nudge", lambda organisation_id: True)

    def turn():
        consuming.turn()
        with tenant(committed_world.acme):
            rows = Notice.objects.select_related("membership__user").order_by("pk")
            return [(row.membership.user, row.kind, row.title, row.text) for row in rows]

    return turn


def test_a_run_that_succeeds_is_told_once(committed_world, silent, finish, told):
    run = finish(start_run(committed_world, [LOG]))
    assert told() == [(run.requester, "run.ended", f"{run.subject} ({run.title}): succeeded", "")]
    with tenant(committed_world.acme):
        assert Notice.objects.get().link == f"/o/acme/runs/{run.pk}/"
    assert len(told()) == 1


def test_a_run_that_fails_says_why_and_each_attempt_is_news(committed_world, silent, finish, told, monkeypatch):
    def refuse(context, inputs):
        raise Conflict("The name is taken.")

    acts(monkeypatch, "debug:log", refuse)
    run = finish(start_run(committed_world, [LOG]))
    [(person, kind, title, text)] = told()
    assert (person, kind, title) == (run.requester, "run.ended", f"{run.subject} ({run.title}): failed")
    assert "The name is taken." in text
    with tenant(committed_world.acme):
        actions.retry(organisation=committed_world.acme, actor=by(committed_world.dev), run=reload(run))
    finish(run)
    assert len(told()) == 1
    with tenant(committed_world.acme):
        assert Notice.objects.get().count == 2


def test_what_may_be_taken_over_waits_for_a_decision(committed_world, silent, finish, told, monkeypatch):
    def refuse(context, inputs):
        raise Conflict("It stands there already.", detail={"claims": [{"object": "x", "adopt": "y"}]})

    acts(monkeypatch, "debug:log", refuse)
    run = finish(start_run(committed_world, [LOG]))
    [(person, kind, title, _)] = told()
    assert (person, kind, title) == (run.requester, "run.waits", f"{run.subject} ({run.title}) needs your decision")


def test_who_called_it_off_is_not_told_and_its_requester_is(committed_world, silent, finish, told, monkeypatch):
    acts(monkeypatch, "debug:log", lambda context, inputs: Done({}))
    steps = [LOG, {**LOG, "id": "again"}]
    for steers, count in ((committed_world.dev, 0), (committed_world.mae, 1)):
        run = start_run(committed_world, steps, slug=f"path-{steers.name.lower()}")
        with tenant(committed_world.acme):
            actions.cancel(organisation=committed_world.acme, actor=by(steers), run=run)
        finish(run)
        assert reload(run).status == "cancelled"
        assert len(told()) == count
