"""One time zone a person, everywhere; and times that say what they mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.template import Context, Template
from django.utils import timezone

from portal.accounts.models import AuditEvent
from portal.accounts.tenancy import tenant
from portal.provisioning import actions
from portal.provisioning.models import LogLine, Run
from tests.conftest import by
from tests.provisioning.conftest import finish, reload, silent, start_run

__all__ = ["finish", "silent"]
AT = datetime(2026, 7, 1, 22, 30, 5, tzinfo=UTC)


def shown(template: str, at: datetime = AT) -> str:
    return Template("{% load ui %}" + template).render(Context({"at": at}))


@pytest.fixture
def logged(world, silent, finish):
    """A finished run of Dev's whose log was written at AT."""
    run = finish(start_run(world, [{"id": "say", "action": "debug:log", "input": {"message": "hello"}}]))
    with tenant(world.acme):
        LogLine.objects.filter(run=run).update(at=AT)
    return run


def in_zone(person, name: str) -> None:
    person.timezone = name
    person.save(update_fields=["timezone"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("chosen", "browsers", "clock"),
    [
        ("Europe/Berlin", "America/New_York", "00:30:05"),
        ("", "America/New_York", "18:30:05"),
        ("", "", "22:30:05"),
        ("", "Made/Up", "22:30:05"),
        ("", "../../etc/passwd", "22:30:05"),
    ],
)
def test_a_runs_log_is_in_the_persons_zone_else_the_browsers_else_utc(
    world, client_for, logged, chosen, browsers, clock
):
    in_zone(world.dev, chosen)
    browser = client_for(world.dev)
    browser.cookies["slipway_zone"] = browsers
    page = browser.get(f"/o/acme/runs/{logged.pk}/").content.decode()
    assert f'data-zone="{chosen}"' in page
    assert f"data-clock>{clock}</time>" in page
    text = browser.get(f"/o/acme/runs/{logged.pk}/log/").content.decode()
    assert f"T{clock}" in text.splitlines()[0]


@pytest.mark.django_db
def test_the_next_person_in_the_thread_has_their_own_zone(world, client_for):
    in_zone(world.dev, "Asia/Tokyo")
    client_for(world.dev).get("/o/acme/")
    assert timezone.get_current_timezone_name() == "UTC"


@pytest.mark.django_db
def test_programs_get_utc_whoever_asks(world, client_for):
    in_zone(world.mae, "Asia/Tokyo")
    with tenant(world.acme):
        AuditEvent.objects.create(organisation=world.acme, actor_label="x", verb="x.y", summary="x", at=AT)
    [item] = client_for(world.mae).get("/api/o/acme/audit/").json()["items"]
    assert item["at"] == "2026-07-01T22:30:05+00:00"


@pytest.mark.django_db
def test_days_to_filter_by_are_the_persons_days(world, client_for):
    """22:30 UTC on 1 July is 2 July in Berlin."""
    with tenant(world.acme):
        AuditEvent.objects.create(organisation=world.acme, actor_label="x", verb="x.y", summary="Late that day", at=AT)
    in_zone(world.mae, "Europe/Berlin")
    mae = client_for(world.mae)
    assert "Late that day" in mae.get("/o/acme/audit/?since=2026-07-02").content.decode()
    assert "Late that day" not in mae.get("/o/acme/audit/?until=2026-07-01").content.decode()


def test_every_form_of_a_time_says_the_whole_time_in_its_title():
    with timezone.override("Europe/Berlin"):
        for form, words in (("full", "2 Jul 2026, 00:30:05 CEST"), ("day", "2 Jul 2026"), ("clock", "00:30:05")):
            said = shown('{% moment at "' + form + '" %}')
            assert f"data-{form}>{words}</time>" in said
            assert 'title="2 Jul 2026, 00:30:05 CEST"' in said
            assert 'datetime="2026-07-01T22:30:05+00:00"' in said
        assert 'title="2 Jul 2026, 00:30:05 CEST"' in shown("{% ago at %}")
    assert "22:30:05 UTC" in shown("{% moment at %}")


def test_no_template_writes_times_by_itself():
    """A `date` filter or a time tag of one's own would know neither the person's zone nor the browser's."""
    import re
    from pathlib import Path

    strays = []
    for file in Path("templates").rglob("*.html"):
        text = file.read_text()
        if re.search(r"\|\s*(date|time)\s*:|<time\b", text):
            strays.append(str(file))
    assert strays == []


# --- durations stop when the thing stops ---


def aged(run, **was: datetime) -> None:
    with tenant(run.organisation_id):
        Run.objects.filter(pk=run.pk).update(**was)


@pytest.mark.django_db
def test_what_a_run_took_does_not_grow_when_it_is_undone_later(world, silent, finish):
    steps = [
        {"id": "fetch", "action": "fetch:plain", "input": {"url": "."}},
        {"id": "publish", "action": "publish:slipway", "input": {"repo": "took"}},
    ]
    run = finish(start_run(world, steps, files={"a.txt": b"a"}))
    ended = timezone.now() - timedelta(days=7)
    aged(run, started_at=ended - timedelta(minutes=3), ended_at=ended)
    with tenant(world.acme):
        actions.undo(organisation=world.acme, actor=by(world.dev), run=run)
    assert reload(run).elapsed == timedelta(minutes=3), "while it is being undone"
    assert finish(run).elapsed == timedelta(minutes=3), "and after"


@pytest.mark.django_db
def test_what_a_run_took_does_not_count_the_night_before_its_retry(world, silent, finish):
    run = start_run(world, [{"id": "say", "action": "debug:log", "input": {"message": "${{ parameters.gone }}"}}])
    assert finish(run).status == "failed"
    long_ago = timezone.now() - timedelta(days=1)
    aged(run, started_at=long_ago, ended_at=long_ago)
    with tenant(world.acme):
        actions.retry(organisation=world.acme, actor=by(world.dev), run=run)
    assert finish(run).elapsed < timedelta(minutes=1)
