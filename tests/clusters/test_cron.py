"""When a schedule last came due."""

from datetime import UTC, datetime, timedelta

import pytest

from portal.clusters.health import cron

NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("* * * * *", "2026-03-02 11:59"),
        ("*/15 * * * *", "2026-03-02 11:45"),
        ("0 3 * * *", "2026-03-02 03:00"),
        ("30 14 * * *", "2026-03-01 14:30"),
        ("0 0 * * 0", "2026-03-01 00:00"),
        ("0 0 * * 7", "2026-03-01 00:00"),
        ("0 9 * * mon-fri", "2026-03-02 09:00"),
        ("0 9 * * SAT", "2026-02-28 09:00"),
        ("0 0 1 jan *", "2026-01-01 00:00"),
        ("0 0 29 2 *", "2024-02-29 00:00"),
        ("5,35 8-10/2 * * *", "2026-03-02 10:35"),
        ("0 0 13 * 5", "2026-02-27 00:00"),
        ("@hourly", "2026-03-02 11:00"),
        ("@weekly", "2026-03-01 00:00"),
    ],
)
def test_came_due(schedule, expected):
    assert cron.previous(schedule, NOON).strftime("%Y-%m-%d %H:%M") == expected


def test_a_day_that_never_comes_never_came_due():
    assert cron.previous("0 0 31 2 *", NOON) is None


def test_a_schedule_is_read_in_its_own_time_zone():
    due = cron.previous("0 9 * * *", NOON, "America/New_York")
    assert due.astimezone(UTC) == datetime(2026, 3, 1, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize("schedule", ["", "* * * *", "61 * * * *", "*/0 * * * *", "a b c d e", "5-1 * * * *"])
def test_nonsense_is_named_as_such(schedule):
    with pytest.raises(cron.BadSchedule):
        cron.previous(schedule, NOON)


def test_an_unknown_time_zone_is_nonsense_too():
    with pytest.raises(cron.BadSchedule):
        cron.previous("* * * * *", NOON, "Mars/Olympus")


def test_one_late_run_is_not_missed_but_two_are():
    assert not cron.missed("*/15 * * * *", NOON - timedelta(minutes=20), NOON, 60)
    assert cron.missed("*/15 * * * *", NOON - timedelta(minutes=50), NOON, 60)
