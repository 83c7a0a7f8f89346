"""Cron schedules: reading them, and the next time that one is due."""

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
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MONTHS = {
    name: index + 1
    for index, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
}
_DAYS = {name: index for index, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_EVERY = re.compile(r"^@every (\d+)(s|m|h)$")
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

    def _day(self, day: datetime) -> bool:
        by_date, by_weekday = day.day in self.days, (day.isoweekday() % 7) in self.weekdays
        if self.any_day or self.any_weekday:
            return by_date and by_weekday
        return by_date or by_weekday

    def after(self, moment: datetime, zone: str = "UTC") -> datetime | None:
        """The first due time later than the moment, in UTC; None when there is none within five years."""
        if self.every:
            return moment + self.every
        local = moment.astimezone(_zone(zone)).replace(second=0, microsecond=0) + timedelta(minutes=1)
        for _ in range(_HORIZON):
            if local.month in self.months and self._day(local):
                for hour in sorted(self.hours):
                    for minute in sorted(self.minutes):
                        if (hour, minute) >= (local.hour, local.minute):
                            return local.replace(hour=hour, minute=minute).astimezone(UTC)
            local = local.replace(hour=0, minute=0) + timedelta(days=1)
        return None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _number(text: str, names: dict[str, int], low: int, high: int) -> int:
    value = names.get(text.lower()[:3]) if text.isalpha() else None
    if value is None:
        if not text.isdigit():
            raise ScheduleError(f"failed to parse int from {text}: invalid syntax")
        value = int(text)
    if not low <= value <= high:
        side = "below minimum" if value < low else "above maximum"
        raise ScheduleError(f"value ({value}) {side} ({low if value < low else high}): {text}")
    return value


def _field(text: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step_text = part.partition("/")
        step = _number(step_text, {}, 1, 10_000) if step_text else 1
        if span in ("*", "?"):
            first, last = low, high
        elif "-" in span:
            begin, _, end = span.partition("-")
            first, last = _number(begin, names, low, high), _number(end, names, low, high)
            if first > last:
                raise ScheduleError(f"beginning of range ({first}) beyond end of range ({last}): {part}")
        else:
            first = _number(span, names, low, high)
            last = high if step_text else first
        found.update(range(first, last + 1, step))
    return frozenset(found)


def parse_schedule(text: str) -> Schedule:
    """Read five cron fields, a macro, or `@every 10s`."""
    if every := _EVERY.match(text.strip()):
        seconds = int(every[1]) * {"s": 1, "m": 60, "h": 3600}[every[2]]
        return Schedule(every=timedelta(seconds=max(seconds, 1)))
    fields = _MACROS.get(text.strip(), text).split()
    if text.startswith("@") and text.strip() not in _MACROS:
        raise ScheduleError(f"unrecognized descriptor: {text}")
    if len(fields) != 5:
        raise ScheduleError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    names: tuple[dict[str, int], ...] = ({}, {}, {}, _MONTHS, _DAYS)
    sets = [_field(value, *_RANGES[index], names[index]) for index, value in enumerate(fields)]
    weekdays = frozenset(day % 7 for day in sets[4])
    return Schedule(
        sets[0],
        sets[1],
        sets[2],
        sets[3],
        weekdays,
        any_day=fields[2].startswith(("*", "?")),
        any_weekday=fields[4].startswith(("*", "?")),
    )
