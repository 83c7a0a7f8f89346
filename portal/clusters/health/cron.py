"""When a cron expression last came due: enough of crontab(5) to notice a schedule that was missed."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
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
MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
DAYS = {name: number for number, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
BOUNDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, MONTHS),
    (0, 7, DAYS),
)
PART = re.compile(r"(\*|\?|\w+)(?:-(\w+))?(?:/(\d+))?")
LOOK_BACK_DAYS = 366 * 4 + 1  # 29 February may be that far away


class BadSchedule(ValueError):
    """The text is not a cron expression that we understand."""


def _number(text: str, names: dict[str, int]) -> int:
    if text.isdigit():
        return int(text)
    if text.lower() in names:
        return names[text.lower()]
    raise BadSchedule(text)


def _field(text: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    chosen: set[int] = set()
    for piece in text.split(","):
        match = PART.fullmatch(piece)
        if not match:
            raise BadSchedule(piece)
        first, last, step = match.groups()
        if first in "*?":
            start, end = low, high
        else:
            start = _number(first, names)
            end = _number(last, names) if last else (high if step else start)
        if not low <= start <= end <= high or step == "0":
            raise BadSchedule(piece)
        chosen.update(range(start, end + 1, int(step or 1)))
    return frozenset(chosen)


def parse(schedule: str) -> tuple[frozenset[int], ...]:
    """The five sets of a schedule (minute, hour, day, month, weekday with Sunday as 0)."""
    fields = MACROS.get(schedule.strip().lower(), schedule).split()
    if len(fields) != 5:
        raise BadSchedule(schedule)
    minute, hour, day, month, weekday = (
        _field(text, low, high, names) for text, (low, high, names) in zip(fields, BOUNDS, strict=True)
    )
    weekday = frozenset(number % 7 for number in weekday)
    # cron's oldest oddity: when both days are restricted, either is enough
    either = not fields[2].startswith(("*", "?")) and not fields[4].startswith(("*", "?"))
    return minute, hour, day, month, weekday, frozenset({1} if either else ())


def _is_day(moment: datetime, sets: tuple[frozenset[int], ...]) -> bool:
    _, _, day, month, weekday, either = sets
    if moment.month not in month:
        return False
    by_day, by_weekday = moment.day in day, (moment.weekday() + 1) % 7 in weekday
    return (by_day or by_weekday) if either else (by_day and by_weekday)


def previous(schedule: str, before: datetime, time_zone: str | None = None) -> datetime | None:
    """The last moment strictly before `before` at which the schedule came due; None if there was none in four years."""
    sets = parse(schedule)
    try:
        zone = ZoneInfo(time_zone) if time_zone else before.tzinfo
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadSchedule(time_zone) from error
    moment = before.astimezone(zone)
    limit = (moment.hour, moment.minute) if moment.second or moment.microsecond else (moment.hour, moment.minute - 1)
    for _ in range(LOOK_BACK_DAYS):
        if _is_day(moment, sets):
            for hour in sorted(sets[1], reverse=True):
                for minute in sorted(sets[0], reverse=True):
                    if (hour, minute) <= limit:
                        return moment.replace(hour=hour, minute=minute, second=0, microsecond=0)
        moment -= timedelta(days=1)
        limit = (23, 59)
    return None


def missed(schedule: str, last: datetime, now: datetime, grace_seconds: int, time_zone: str | None = None) -> bool:
    """Whether two runs in a row came due since `last` and neither was started within the grace."""
    edge = now - timedelta(seconds=grace_seconds)
    due = previous(schedule, edge, time_zone)
    before = previous(schedule, due, time_zone) if due else None
    return before is not None and last < before
