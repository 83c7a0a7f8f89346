"""Schedules as Kubernetes reads them (robfig/cron v3): when one last came due, when it comes next, if it ever does.

Five fields, macros, `@every 1h30m`, and `TZ=` or `CRON_TZ=` in front. Where crontab(5) and Kubernetes differ,
Kubernetes is right: Sunday is 0 and never 7, and a day restricted by a step (`*/2`) counts as restricted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
DAYS = {name: number for number, name in enumerate(_DAY_NAMES)}
BOUNDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, MONTHS),
    (0, 6, DAYS),
)
NUMBER = re.compile(r"\+?[0-9]+")
DURATION = re.compile(r"([+-]?)((?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+|0)")
DURATION_PART = re.compile(r"([0-9.]+)(ns|us|µs|μs|ms|s|m|h)")
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
HORIZON_YEARS = 5  # how far Kubernetes looks for the next time; what is not within that never comes


class BadSchedule(ValueError):
    """The text is not a schedule that Kubernetes would accept."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The minutes, hours, days, months and weekdays (Sunday is 0) of a schedule; or, with `every`, a plain interval.

    `is_either`: both kinds of days are restricted, and either is enough. `zone` is what the schedule itself names.
    """

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    is_either: bool = False
    every: timedelta | None = None
    zone: str | None = None

    def is_day(self, moment: datetime) -> bool:
        """Whether it comes due on that day at all."""
        if moment.month not in self.months:
            return False
        by_day, by_weekday = moment.day in self.days, moment.isoweekday() % 7 in self.weekdays
        return (by_day or by_weekday) if self.is_either else (by_day and by_weekday)


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not NUMBER.fullmatch(text):
        raise BadSchedule(text)
    return int(text)


def _piece(text: str, low: int, high: int, names: dict[str, int]) -> tuple[range, bool]:
    """The numbers of one piece of a field, and whether it leaves the field unrestricted."""
    span, *steps = text.split("/")
    ends = span.split("-")
    if len(steps) > 1:
        raise BadSchedule(text)
    step = _number(steps[0], {}) if steps else 1
    if ends[0] in ("*", "?"):
        start, end, is_open = low, high, step <= 1  # whatever a hyphen adds to a star is not even looked at
    elif len(ends) > 2:
        raise BadSchedule(text)
    else:
        start, is_open = _number(ends[0], names), False
        end = _number(ends[1], names) if len(ends) == 2 else (high if steps else start)
    if not low <= start <= end <= high or step == 0:
        raise BadSchedule(text)
    return range(start, end + 1, step), is_open


def _field(text: str, low: int, high: int, names: dict[str, int]) -> tuple[frozenset[int], bool]:
    pieces = [_piece(piece, low, high, names) for piece in text.split(",") if piece]
    return frozenset(number for numbers, _ in pieces for number in numbers), any(is_open for _, is_open in pieces)


def _duration(text: str) -> timedelta:
    match = DURATION.fullmatch(text)
    if not match:
        raise BadSchedule(text)
    seconds = sum(float(number) * UNITS[unit] for number, unit in DURATION_PART.findall(match[2]))
    try:
        return timedelta(seconds=max(int(-seconds if match[1] == "-" else seconds), 1))
    except OverflowError as error:
        raise BadSchedule(text) from error


def _zone(name: str | None) -> tzinfo:
    if name is None or name in ("", "Local", "UTC"):
        return UTC  # a control plane's own zone is UTC wherever anybody has looked
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadSchedule(name) from error


@lru_cache(maxsize=1024)
def parse(schedule: str) -> Schedule:
    """Reads a schedule. Raises BadSchedule."""
    text, zone = schedule, None
    if text.startswith(("TZ=", "CRON_TZ=")):
        head, _, text = text.partition(" ")
        zone, text = head.partition("=")[2], text.strip()
        _zone(zone)
    if text.startswith("@every "):
        return Schedule(every=_duration(text.removeprefix("@every ")), zone=zone)
    if text.startswith("@"):
        if text not in MACROS:
            raise BadSchedule(schedule)
        text = MACROS[text]
    fields = text.split()
    if len(fields) != len(BOUNDS):
        raise BadSchedule(schedule)
    read = [_field(field, low, high, names) for field, (low, high, names) in zip(fields, BOUNDS, strict=True)]
    minutes, hours, days, months, weekdays = (numbers for numbers, _ in read)
    return Schedule(minutes, hours, days, months, weekdays, not read[2][1] and not read[4][1], None, zone)


def _days(sets: Schedule, first: datetime, step: int) -> Iterator[datetime]:
    """The days on which it comes due, from `first` on, forwards or backwards, within the horizon."""
    day = first
    while abs(day.year - first.year) <= HORIZON_YEARS:
        if day.month not in sets.months:  # skip the month
            day = day.replace(day=1) + timedelta(days=32) if step > 0 else day.replace(day=1) - timedelta(days=1)
            day = day.replace(day=1) if step > 0 else day
            continue
        if sets.is_day(day):
            yield day
        day += timedelta(days=step)


def previous(schedule: str, before: datetime, time_zone: str | None = None) -> datetime | None:
    """The last moment strictly before `before` at which the schedule came due; None if there was none in five years.

    An interval (`@every`) has no moments of its own, only distances from the last run: see `missed`.
    """
    sets = parse(schedule)
    if sets.every:
        return before - sets.every
    moment = (before - timedelta(microseconds=1)).astimezone(_zone(sets.zone or time_zone))
    for day in _days(sets, moment, -1):
        limit = (moment.hour, moment.minute) if day.date() == moment.date() else (23, 59)
        times = ((hour, minute) for hour in sorted(sets.hours, reverse=True) for minute in sorted(sets.minutes)[::-1])
        for hour, minute in times:
            if (hour, minute) <= limit:
                return day.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return None


def upcoming(schedule: str, after: datetime, time_zone: str | None = None) -> datetime | None:
    """The first moment after `after` at which the schedule comes due; None when it never does."""
    sets = parse(schedule)
    if sets.every:
        return (after + sets.every).replace(microsecond=0)
    moment = after.astimezone(_zone(sets.zone or time_zone)).replace(second=0, microsecond=0) + timedelta(minutes=1)
    for day in _days(sets, moment, 1):
        limit = (moment.hour, moment.minute) if day.date() == moment.date() else (0, 0)
        times = ((hour, minute) for hour in sorted(sets.hours) for minute in sorted(sets.minutes))
        for hour, minute in times:
            if (hour, minute) >= limit:
                return day.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return None


@lru_cache(maxsize=1024)
def _never(schedule: str, year: int) -> bool:
    return upcoming(schedule, datetime(year, 1, 1, tzinfo=UTC)) is None


def never(schedule: str, now: datetime) -> bool:
    """Whether Kubernetes will never start it: no such day is in the calendar."""
    return _never(schedule, now.year)


def missed_at(schedule: str, last: datetime, grace_seconds: int, time_zone: str | None = None) -> datetime | None:
    """From when on two runs in a row count as missed that came due since `last`; None when there are never two."""
    sets = parse(schedule)
    grace = timedelta(seconds=grace_seconds)
    if sets.every:
        return last + 2 * sets.every + grace
    first = upcoming(schedule, last, time_zone)
    second = upcoming(schedule, first, time_zone) if first else None
    return second + grace if second else None


def missed(schedule: str, last: datetime, now: datetime, grace_seconds: int, time_zone: str | None = None) -> bool:
    """Whether two runs in a row came due since `last` and neither was started within the grace."""
    at = missed_at(schedule, last, grace_seconds, time_zone)
    return at is not None and now > at
