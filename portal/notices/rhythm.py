"""When something that waits goes out: at once, with the day's or the week's, and never in somebody's quiet hours.

Pure: times in, times out. Every time is aware; the person's zone decides what an hour and a day are, so that a digest
of eight o'clock comes at eight in summer and in winter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from portal.notices.registry import DAILY, WEEKLY

DIGEST_HOUR = 8
UTC_ZONE = ZoneInfo("UTC")
SATURDAY = 5


@dataclass(frozen=True)
class PersonalRhythm:
    """A person's zone, the hour of their digests, and when they want none of it.

    quiet  (from, until) in minutes of the day; until before from spans midnight; None for no such hours
    """

    zone: ZoneInfo = UTC_ZONE
    hour: int = DIGEST_HOUR
    quiet: tuple[int, int] | None = None
    quiet_weekend: bool = False

    def is_quiet(self, at: datetime) -> bool:
        """Whether nothing may reach them at the moment."""
        return self._quiet_until(at.astimezone(self.zone)) is not None

    def due(self, mode: str, at: datetime) -> datetime:
        """When something of the moment `at` goes out; `at` itself when it goes at once."""
        local = at.astimezone(self.zone)
        if mode == DAILY:
            local = self._at_hour(local, lambda day: True)
        elif mode == WEEKLY:
            local = self._at_hour(local, lambda day: day.weekday() == 0)
        waited = self._after_quiet(local)
        return at if waited == at else waited.astimezone(UTC)

    def _at_hour(self, local: datetime, fits: Callable[[datetime], bool]) -> datetime:
        """The first digest hour from that moment on, on a day that fits."""
        for days in range(9):
            day = (local + timedelta(days=days)).date()
            there = datetime.combine(day, time(self.hour), tzinfo=self.zone)
            if there.astimezone(UTC) >= local.astimezone(UTC) and fits(there):
                return there
        raise AssertionError("a week has a Monday")

    def _after_quiet(self, local: datetime) -> datetime:
        # A weekend after a night after a weekend: each end is later than the last, and a day has one of each.
        while (end := self._quiet_until(local)) is not None:
            local = end
        return local

    def _quiet_until(self, local: datetime) -> datetime | None:
        """The end of the quiet hours that the moment lies in; None when it lies in none."""
        if self.quiet_weekend and local.weekday() >= SATURDAY:
            return self._midnight(local, 7 - local.weekday())
        if self.quiet is None:
            return None
        begin, end = self.quiet
        minute = local.hour * 60 + local.minute
        if begin <= minute < end if begin < end else minute >= begin or minute < end:
            day = self._midnight(local, 1 if begin >= end and minute >= begin else 0)
            there = datetime.combine(day.date(), time(end // 60, end % 60), tzinfo=self.zone)
            return there if there.astimezone(UTC) > local.astimezone(UTC) else None
        return None

    def _midnight(self, local: datetime, days: int) -> datetime:
        return datetime.combine((local + timedelta(days=days)).date(), time(0), tzinfo=self.zone)
