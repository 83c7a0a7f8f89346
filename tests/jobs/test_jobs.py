"""Jobs: asked for in a moment, done by a worker once, given up with a sentence, and never anybody else's wait."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, connections, transaction
from django.urls import reverse
from django.utils import timezone

from portal.accounts.tenancy import tenant
from portal.jobs import actions, lease, registry, states, sweeping
from portal.jobs.models import Job
from portal.jobs.registry import JobDone, JobKind
from portal.jobs.waiting import wait
from portal.jobs.work import work
from portal.kit.errors import Conflict, Invalid, TooMany
from tests.conftest import by


@pytest.fixture
def kinds(monkeypatch):
    """Kinds of jobs for one test: kinds(name=runner, …)."""

    def known(**runners):
        for name, run in runners.items():
            monkeypatch.setitem(registry.KINDS, name, JobKind(name, name.capitalize(), run))

    return known


def asked(world, kind="say", actor=None, **rest):
    with tenant(world.acme):
        return actions.submit(
            organisation=world.acme, actor=by(actor or world.dev), kind=kind, title=f"{kind} it", **rest
        )


def again(world, job):
    with tenant(world.acme):
        return Job.objects.for_tenant(world.acme).get(pk=job.pk)


# --- the table ---


def test_every_state_is_known_and_what_is_over_stays_over():
    assert set(states.JOB_MOVES) == set(states.JOB_STATES)
    for name, state in states.JOB_STATES.items():
        assert state.is_final == (not states.JOB_MOVES[name])


# --- one job ---


@pytest.mark.django_db
def test_a_job_is_done_once_and_keeps_its_result(world, kinds):
    told = []

    def say(job):
        job.tell("Half way", 1, 2)
        told.append((bytes(job.payload), job.arguments["words"]))
        return JobDone("Said.", {"words": 2}, "/o/acme/")

    kinds(say=say)
    job = asked(world, arguments={"words": "hello you"}, payload=b"secret")
    work(world.acme.pk, job.pk)
    work(world.acme.pk, job.pk)
    job = again(world, job)
    assert told == [(b"secret", "hello you")]
    assert (job.state, job.result, job.result_text, job.goes_to) == ("succeeded", {"words": 2}, "Said.", "/o/acme/")
    assert (job.progress_text, job.percent) == ("Half way", 50)
    assert job.payload is None
    assert job.keep_until - job.ended_at == registry.KINDS["say"].kept


@pytest.mark.django_db
def test_a_refusal_is_the_end_in_its_words_and_a_bug_says_no_more_than_that(world, kinds, caplog):
    def refuse(job):
        raise Invalid("It is not there.", field="target", code="gone")

    def break_down(job):
        raise ZeroDivisionError("a secret in the traceback")

    kinds(refuse=refuse, break_down=break_down)
    refused, broken = asked(world, "refuse", payload=b"x"), asked(world, "break_down", payload=b"x")
    work(world.acme.pk, refused.pk)
    work(world.acme.pk, broken.pk)
    refused, broken = again(world, refused), again(world, broken)
    assert (refused.state, refused.refusal["text"], refused.refusal["field"]) == (
        "refused", "It is not there.", "target",
    )  # fmt: skip
    assert broken.state == "failed"
    assert "secret" not in broken.sentence
    assert "ZeroDivisionError" in caplog.text
    assert refused.payload is broken.payload is None


@pytest.mark.django_db
def test_what_is_called_off_is_not_done_and_cannot_be_called_off_twice(world, kinds):
    kinds(say=lambda job: pytest.fail("it was called off"))
    job = asked(world)
    with tenant(world.acme):
        actions.cancel(organisation=world.acme, actor=by(world.dev), job=job)
        with pytest.raises(Conflict):
            actions.cancel(organisation=world.acme, actor=by(world.dev), job=job)
    work(world.acme.pk, job.pk)
    assert again(world, job).state == "cancelled"


@pytest.mark.django_db
def test_a_worker_that_is_called_off_at_work_writes_nothing_more(world, kinds):
    def work_long(job):
        with tenant(world.acme):
            lease.call_off(world.acme.pk, job.job.pk)
        job.tell("Still at it")
        pytest.fail("it went on")

    kinds(say=work_long)
    job = asked(world)
    work(world.acme.pk, job.pk)
    assert (again(world, job).state, again(world, job).progress_text) == ("cancelled", "")


@pytest.mark.django_db
def test_the_same_question_in_flight_is_one_job(world, kinds):
    kinds(say=lambda job: JobDone())
    first, second = asked(world, key="k"), asked(world, actor=world.mae, key="k")
    assert first.pk == second.pk
    work(world.acme.pk, first.pk)
    assert asked(world, key="k").pk != first.pk


# --- bounds ---


@pytest.mark.django_db
def test_a_person_and_an_organisation_have_only_so_much_in_flight(world, kinds, settings):
    settings.JOBS_PER_PERSON, settings.JOBS_PER_ORGANISATION = 3, 5
    kinds(say=lambda job: JobDone())
    mine = [asked(world) for _ in range(3)]
    with pytest.raises(TooMany, match="You have 3 pieces of work under way already") as refused:
        asked(world)
    assert refused.value.status == 429
    asked(world, actor=world.mae), asked(world, actor=world.mae)
    with pytest.raises(TooMany, match="Acme has 5"):
        asked(world, actor=world.ada)
    work(world.acme.pk, mine[0].pk)
    assert asked(world).state == "queued"


@pytest.mark.django_db
def test_one_persons_slow_jobs_take_one_worker(world, kinds):
    """A second job of the same person waits while the first is at work; another person's does not."""
    seen = []

    def slow(job):
        if job.arguments.get("outer"):
            assert work(world.acme.pk, mine.pk) is None
            seen.append(again(world, mine).state)
            work(world.acme.pk, theirs.pk)
            seen.append(again(world, theirs).state)
        return JobDone()

    kinds(say=slow)
    first, mine, theirs = asked(world, arguments={"outer": True}), asked(world), asked(world, actor=world.mae)
    work(world.acme.pk, first.pk)
    assert seen == ["queued", "succeeded"]
    work(world.acme.pk, mine.pk)
    assert again(world, mine).state == "succeeded"


@pytest.mark.django_db(transaction=True)
def test_sixty_at_one_moment_are_counted_one_by_one(committed_world, kinds, settings):
    settings.JOBS_PER_PERSON = 7
    kinds(say=lambda job: JobDone())
    taken: list[str] = []

    def ask():
        try:
            asked(committed_world)
            taken.append("yes")
        except TooMany:
            taken.append("no")
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == ["no"] * 13 + ["yes"] * 7


# --- dead workers, lost messages, old rows ---


@pytest.mark.django_db
def test_a_dead_workers_job_goes_on_from_its_notes_and_is_given_up_in_the_end(world, kinds, monkeypatch):
    seen = []

    class Killed(BaseException):
        """Stands for SIGKILL: nothing of ours runs after it."""

    def die(job):
        seen.append(dict(job.notes))
        with tenant(world.acme):
            job.note(step=len(seen))
        raise Killed

    kinds(say=die)
    job = asked(world)
    nudged = []
    monkeypatch.setattr(sweeping, "nudge", lambda organisation, pk: nudged.append(pk) or True)
    for _ in range(registry.KINDS["say"].attempts):
        with pytest.raises(Killed):
            work(world.acme.pk, job.pk)
        assert work(world.acme.pk, job.pk) is None, "its lease holds"
        _lapse(world, job)
        sweeping.sweep_jobs()
    assert nudged == [job.pk] * registry.KINDS["say"].attempts
    assert seen == [{}, {"step": 1}, {"step": 2}, {"step": 3}, {"step": 4}]
    work(world.acme.pk, job.pk)
    assert again(world, job).state == "failed"
    assert "begun 5 times" in again(world, job).sentence


def _lapse(world, job):
    past = timezone.now() - timedelta(seconds=1)
    with tenant(world.acme):
        Job.objects.for_tenant(world.acme).filter(pk=job.pk).update(lease_until=past, wake_at=past)


@pytest.mark.django_db
def test_who_lost_the_lease_writes_nothing(world, kinds):
    def slow(job):
        _lapse(world, job.job)
        assert lease.claim(world.acme.pk, job.job.pk) is not None
        with tenant(world.acme), pytest.raises(lease.JobLost):
            job.note(written="no")
        return JobDone("Mine!")

    kinds(say=slow)
    job = asked(world)
    work(world.acme.pk, job.pk)
    job = again(world, job)
    assert (job.state, job.result_text, job.notes) == ("running", "", {})


@pytest.mark.django_db
def test_what_is_over_for_long_is_forgotten(world, kinds):
    kinds(say=lambda job: JobDone())
    old, new = asked(world), asked(world)
    for job in (old, new):
        work(world.acme.pk, job.pk)
    with tenant(world.acme):
        Job.objects.for_tenant(world.acme).filter(pk=old.pk).update(keep_until=timezone.now())
    assert sweeping.forget_jobs() == 1
    with tenant(world.acme):
        assert [row.pk for row in Job.objects.for_tenant(world.acme)] == [new.pk]


# --- waiting ---


@pytest.mark.django_db(transaction=True)
def test_who_waits_holds_no_connection_and_hears_the_end_at_once(committed_world, kinds):
    world = committed_world
    kinds(say=lambda job: JobDone("Said."))
    job = asked(world)

    def later():
        time.sleep(0.5)
        try:
            work(world.acme.pk, job.pk)
        finally:
            connection.close()

    thread = threading.Thread(target=later)
    thread.start()
    time.sleep(0.2)
    began = time.monotonic()
    held: list[object] = []
    mine = connections["default"]
    watcher = threading.Timer(0.1, lambda: held.append(mine.connection))
    watcher.start()
    done = wait(world.acme.pk, job.uid, 5)
    thread.join()
    assert done.state == "succeeded"
    assert time.monotonic() - began < 1.5, "it was told, and did not look by luck"
    assert held == [None]
    with transaction.atomic(), pytest.raises(transaction.TransactionManagementError):
        wait(world.acme.pk, job.uid, 1)


# --- pages and API ---


@pytest.mark.django_db
def test_the_page_shows_how_far_it_is_and_leads_on(world, kinds, client_for):
    def say(job):
        if job.arguments.get("no"):
            raise Invalid("It is not there.", field="target")
        return JobDone("Said.", {}, "/o/acme/catalog/")

    kinds(say=say)
    good, bad = asked(world), asked(world, arguments={"no": True}, back_to="/o/acme/catalog/new/")
    dev = client_for(world.dev)
    page = reverse("job", kwargs={"org": "acme", "uid": good.uid})
    waiting = dev.get(page)
    assert "Look again" in waiting.content.decode()
    assert f'data-live="job:{good.uid}" data-leads-on="{page}"' in waiting.content.decode()
    work(world.acme.pk, good.pk)
    work(world.acme.pk, bad.pk)
    assert dev.get(page)["Location"] == "/o/acme/catalog/"
    assert dev.get(f"{page}?stay").status_code == 200
    back = dev.get(reverse("job", kwargs={"org": "acme", "uid": bad.uid}))
    assert back["Location"] == f"/o/acme/catalog/new/?job={bad.uid}"


@pytest.mark.django_db
def test_a_job_is_its_persons_and_the_managers_business(world, kinds, client_for):
    kinds(say=lambda job: JobDone("Said.", {"found": 3}))
    job = asked(world)
    for person, status in ((world.dev, 200), (world.mae, 200), (world.vic, 404), (world.eve, 404)):
        for name in ("job", "api-job"):
            address = reverse(name, kwargs={"org": "acme", "uid": job.uid})
            assert client_for(person).get(address).status_code == status
    dev = client_for(world.dev)
    api = reverse("api-job", kwargs={"org": "acme", "uid": job.uid})
    assert dev.get(api).json()["state"] == "queued"
    work(world.acme.pk, job.pk)
    assert dev.get(api).json()["result"] == {"found": 3}
    assert dev.delete(api).status_code == 409
    other = asked(world)
    assert dev.post(reverse("job-cancel", kwargs={"org": "acme", "uid": other.uid})).status_code == 302
    assert dev.get(reverse("api-job", kwargs={"org": "acme", "uid": other.uid})).json()["state"] == "cancelled"


# --- real processes ---


@pytest.mark.django_db(transaction=True)
def test_a_killed_workers_job_is_done_by_the_next_one(committed_world, start_process, tmp_path):
    """A real worker is killed with -9 in the middle; the live process's sweep brings the job to another."""
    from tests.conftest import worker_argv

    world = committed_world
    extra = {"DJANGO_SETTINGS_MODULE": "tests.jobs.settings", "JOB_LEASE_SECONDS": "2", "SWEEP_SECONDS": "1"}
    file = tmp_path / "steps"
    with tenant(world.acme):
        job = Job.objects.create(
            organisation=world.acme, kind="slow", lane="outside", title="slow", actor=world.dev,
            arguments={"file": str(file)}, wake_at=timezone.now(),
        )  # fmt: skip
    first = start_process("jobs-worker-1", worker_argv(1), **extra)
    start_process("jobs-live", [sys.executable, "manage.py", "live"], **extra)
    _until(lambda: file.exists())
    for pid in _family(first.popen.pid):
        os.kill(pid, signal.SIGKILL)
    start_process("jobs-worker-2", worker_argv(1), **extra)
    _until(lambda: again(world, job).state == "succeeded", seconds=40)
    job = again(world, job)
    assert (job.epoch, job.notes) == (2, {"begun": 2})


def _family(pid: int) -> list[int]:
    found = [pid]
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += _family(int(child))
    return found


def _until(is_so, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
