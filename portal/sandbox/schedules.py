"""Cron schedules as Kubernetes reads them (robfig/cron v3): what is accepted, and the next time that one is due."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_MONTHS = {
    name: index + 1
    for index, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
}
_DAYS = {name: index for index, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_INTEGER = re.compile(r"\+?[0-9]+")
_DURATION = re.compile(r"[+-]?(?:(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+|0)")
_DURATION_PART = re.compile(r"([0-9.]+)(ns|us|µs|μs|ms|s|m|h)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_HORIZON = 366 * 5


class ScheduleError(ValueError):
    """The text is not a schedule."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The minutes, hours, days, months and weekdays at which a job is due; or a plain interval."""

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    any_day: bool = True
    any_weekday: bool = True
    every: timedelta | None = None
    zone: str | None = None

    def _day(self, day: datetime) -> bool:
        by_date, by_weekday = day.day in self.days, (day.isoweekday() % 7) in self.weekdays
        if self.any_day or self.any_weekday:
            return by_date and by_weekday
        return by_date or by_weekday

    def after(self, moment: datetime, zone: str = "UTC") -> datetime | None:
        """The first due time later than the moment, in UTC; None when there is none within five years."""
        if self.every:
            return (moment + self.every).replace(microsecond=0)
        where = _zone(self.zone or zone)
        local = moment.astimezone(where).replace(second=0, microsecond=0) + timedelta(minutes=1)
        for _ in range(_HORIZON):
            if local.month in self.months and self._day(local):
                for hour in sorted(self.hours):
                    for minute in sorted(self.minutes):
                        if (hour, minute) >= (local.hour, local.minute):
                            return local.replace(hour=hour, minute=minute).astimezone(UTC)
            local = local.replace(hour=0, minute=0) + timedelta(days=1)
        return None


def _zone(name: str) -> ZoneInfo:
    if name in ("", "Local"):
        return ZoneInfo("UTC")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ScheduleError(f"provided bad location {name}: unknown time zone {name}") from error


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ScheduleError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)


def _number(text: str, names: dict[str, int]) -> int:
    found = names.get(text.lower())
    return _integer(text) if found is None else found


def _part(text: str, low: int, high: int, names: dict[str, int]) -> tuple[range, bool]:
    """The numbers of one part of a field, and whether it is an unrestricted `*`."""
    span, *steps = text.split("/")
    ends = span.split("-")
    is_star = ends[0] in ("*", "?")
    if is_star:
        first, last = low, high
    else:
        if len(ends) > 2:
            raise ScheduleError(f"too many hyphens: {text}")
        first = _number(ends[0], names)
        last = _number(ends[1], names) if len(ends) == 2 else (high if steps else first)
    if len(steps) > 1:
        raise ScheduleError(f"too many slashes: {text}")
    step = _integer(steps[0]) if steps else 1
    if first < low:
        raise ScheduleError(f"beginning of range ({first}) below minimum ({low}): {text}")
    if last > high:
        raise ScheduleError(f"end of range ({last}) above maximum ({high}): {text}")
    if first > last:
        raise ScheduleError(f"beginning of range ({first}) beyond end of range ({last}): {text}")
    if step == 0:
        raise ScheduleError(f"step of range should be a positive number: {text}")
    return range(first, last + 1, step), is_star and step <= 1


def _field(text: str, low: int, high: int, names: dict[str, int]) -> tuple[frozenset[int], bool]:
    parts = [_part(part, low, high, names) for part in text.split(",") if part]
    return frozenset(number for numbers, _ in parts for number in numbers), any(is_star for _, is_star in parts)


def _every(text: str) -> Schedule:
    if not _DURATION.fullmatch(text):
        raise ScheduleError(f'failed to parse duration @every {text}: time: invalid duration "{text}"')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(text))
    try:
        return Schedule(every=timedelta(seconds=max(int(-seconds if text.startswith("-") else seconds), 1)))
    except OverflowError as error:
        raise ScheduleError(f'failed to parse duration @every {text}: time: invalid duration "{text}"') from error


def parse_schedule(schedule: str) -> Schedule:
    """Read five cron fields, a macro, or `@every 1h30m`; with `TZ=` or `CRON_TZ=` in front or without."""
    text, zone = schedule, None
    if text.startswith(("TZ=", "CRON_TZ=")):
        head, _, text = text.partition(" ")
        zone, text = head.partition("=")[2], text.strip()
        _zone(zone)
    if text.startswith("@every "):
        found = _every(text.removeprefix("@every "))
        return Schedule(every=found.every, zone=zone)
    if text.startswith("@") and text not in _MACROS:
        raise ScheduleError(f"unrecognized descriptor: {text}")
    fields = _MACROS.get(text, text).split()
    if len(fields) != 5:
        raise ScheduleError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    names: tuple[dict[str, int], ...] = ({}, {}, {}, _MONTHS, _DAYS)
    read = [_field(value, *_RANGES[index], names[index]) for index, value in enumerate(fields)]
    minutes, hours, days, months, weekdays = (numbers for numbers, _ in read)
    return Schedule(minutes, hours, days, months, weekdays, any_day=read[2][1], any_weekday=read[4][1], zone=zone)
