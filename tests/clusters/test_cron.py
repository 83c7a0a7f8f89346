"""When a schedule last came due, when it comes next, and what Kubernetes takes for a schedule at all."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.clusters.health import cron
from portal.sandbox.schedules import ScheduleError, parse_schedule

NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("* * * * *", "2026-03-02 11:59"),
        ("*/15 * * * *", "2026-03-02 11:45"),
        ("0 3 * * *", "2026-03-02 03:00"),
        ("30 14 * * *", "2026-03-01 14:30"),
        ("0 0 * * 0", "2026-03-01 00:00"),
        ("0 9 * * mon-fri", "2026-03-02 09:00"),
        ("0 9 * * SAT", "2026-02-28 09:00"),
        ("0 0 1 jan *", "2026-01-01 00:00"),
        ("0 0 29 2 *", "2024-02-29 00:00"),
        ("5,35 8-10/2 * * *", "2026-03-02 10:35"),
        ("5/20 * * * *", "2026-03-02 11:45"),
        ("0 0 ? * MON", "2026-03-02 00:00"),
        # both kinds of days restricted: either is enough, and a step restricts
        ("0 0 13 * 5", "2026-02-27 00:00"),
        ("0 0 */30 * 5", "2026-03-01 00:00"),
        ("@hourly", "2026-03-02 11:00"),
        ("@weekly", "2026-03-01 00:00"),
        ("TZ=Asia/Tokyo 0 9 * * *", "2026-03-02 00:00"),
        ("CRON_TZ=America/New_York 0 9 * * *", "2026-03-01 14:00"),
    ],
)
def test_came_due(schedule, expected):
    assert cron.previous(schedule, NOON).astimezone(UTC).strftime("%Y-%m-%d %H:%M") == expected


@pytest.mark.parametrize("schedule", ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31 feb ?"])
def test_a_day_that_is_in_no_calendar_never_comes(schedule):
    assert cron.previous(schedule, NOON) is None
    assert cron.never(schedule, NOON)
    assert parse_schedule(schedule).after(NOON) is None


@pytest.mark.parametrize("schedule", ["0 0 29 2 *", "0 0 31 2 1", "@every 48h", "@yearly", "0 0 31 1-2 *"])
def test_a_rare_day_comes(schedule):
    assert not cron.never(schedule, NOON)


def test_a_schedule_is_read_in_its_own_time_zone():
    due = cron.previous("0 9 * * *", NOON, "America/New_York")
    assert due.astimezone(UTC) == datetime(2026, 3, 1, 14, 0, tzinfo=UTC)


def test_an_unknown_time_zone_is_nonsense():
    with pytest.raises(cron.BadSchedule):
        cron.previous("* * * * *", NOON, "Mars/Olympus")


def test_one_late_run_is_not_missed_but_two_are():
    assert not cron.missed("*/15 * * * *", NOON - timedelta(minutes=20), NOON, 60)
    assert cron.missed("*/15 * * * *", NOON - timedelta(minutes=50), NOON, 60)


def test_an_interval_counts_from_the_last_run():
    assert not cron.missed("@every 48h", NOON - timedelta(hours=90), NOON, 60)
    assert cron.missed("@every 48h", NOON - timedelta(hours=97), NOON, 60)


# What a real API server (1.20) answers to these; time zones in front came with 1.22.
ACCEPTED = [
    "* * * * *", "0 0 * * 0-6", "*-5 * * * *", "*-1-2 * * * *", "1,,2 * * * *", "+5 * * * *", "*/+2 * * * *",
    "0 0 31 2 *", "@every 48h", "@every 1h30m", "@every 1.5h", "@every 0", "@every -1h", "@every 500ms", "@hourly",
    "? ? ? ? ?", "0 0 ? * MON", "0 0 * JAN-mar mon,wed", "5/15 * * * *", "0 0 1-31/2 * *", "  0 0 1 1 *  ",
    "0\t0 1 1 *", "007 * * * *", ", * * * *", "TZ=Europe/Berlin 0 9 * * *", "CRON_TZ=Europe/Berlin 0 9 * * *",
    "TZ=UTC @daily", "TZ=Asia/Tokyo @every 2h",
]  # fmt: skip
REFUSED = [
    "", "* * * *", "0 0 * * 7", "1-2-3 * * * *", "1/2/3 * * * *", "-5 * * * *", "*/0 * * * *", "@every 90", "@every",
    "@every ", "@Hourly", "@reboot", "TZ=Mars/Olympus 0 9 * * *", "0 0 * * monday", "0 0 * january *", "60 * * * *",
    "0 24 * * *", "0 0 0 * *", "0 0 32 * *", "0 0 1 13 *", " @daily", "@daily ", "0 0 1 1 * *", "5-1 * * * *",
    "0 0 L * *", "H * * * *", "a b c d e", "every now and then", "TZ=UTC",
]  # fmt: skip


@pytest.mark.parametrize("schedule", ACCEPTED)
def test_what_kubernetes_accepts_is_read_here_and_by_the_sandbox(schedule):
    cron.parse(schedule)
    parse_schedule(schedule)


@pytest.mark.parametrize("schedule", REFUSED)
def test_what_kubernetes_refuses_is_refused_here_and_by_the_sandbox(schedule):
    with pytest.raises(cron.BadSchedule):
        cron.parse(schedule)
    with pytest.raises(ScheduleError):
        parse_schedule(schedule)


def _piece(low, high, names=()):
    number = st.integers(low, high).map(str)
    pair = (
        st.tuples(st.integers(low, high), st.integers(low, high)).map(sorted).map(lambda ends: f"{ends[0]}-{ends[1]}")
    )
    span = st.one_of(st.sampled_from(["*", "?"]), number, pair, *([st.sampled_from(names)] if names else []))
    return st.tuples(span, st.one_of(st.just(""), st.integers(1, 40).map(lambda step: f"/{step}"))).map("".join)


def _field(low, high, names=()):
    return st.lists(_piece(low, high, names), min_size=1, max_size=3).map(",".join)


SCHEDULES = st.tuples(
    st.sampled_from(["", "", "TZ=Europe/Berlin ", "CRON_TZ=America/New_York "]),
    st.tuples(_field(0, 59), _field(0, 23), _field(1, 31), _field(1, 12, ["feb", "DEC"]), _field(0, 6, ["sun", "Fri"])),
).map(lambda parts: parts[0] + " ".join(parts[1]))
MOMENTS = st.integers(0, 4 * 365 * 86400).map(
    lambda second: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
)


@given(SCHEDULES, MOMENTS)
def test_the_two_readers_agree_on_the_next_time(schedule, moment):
    ours = cron.upcoming(schedule, moment)
    theirs = parse_schedule(schedule).after(moment)
    if ours is None or theirs is None:
        # the sandbox counts days, we count years: at the edge of the horizon one may still see what the other does not
        assert ours is theirs or abs((ours or theirs) - moment) > timedelta(days=365 * 5 - 2)
    else:
        assert ours.astimezone(UTC) == theirs


@given(SCHEDULES, MOMENTS)
def test_nothing_comes_due_between_a_time_and_the_next(schedule, moment):
    due = cron.upcoming(schedule, moment)
    if due is None or due.utcoffset() != moment.astimezone(due.tzinfo).utcoffset():
        return  # across a change of the clocks the wall skips or repeats an hour
    assert cron.previous(schedule, due + timedelta(seconds=1)) == due
    before = cron.previous(schedule, due)
    assert before is None or before.astimezone(UTC) <= moment


@given(st.text(max_size=30))
def test_any_text_is_read_alike_or_refused_alike(text):
    try:
        cron.parse(text)
    except cron.BadSchedule:
        with pytest.raises(ScheduleError):
            parse_schedule(text)
    else:
        parse_schedule(text)
