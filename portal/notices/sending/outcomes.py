"""What can become of a message that was handed over, and when another attempt is worth it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# After the first attempt, the second …; then it is given up, more than a day after it began.
BACK_OFF = tuple(
    timedelta(seconds=seconds) for seconds in (10, 60, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600)
)
JITTER = 0.2
# Longer than this nobody is let wait, whatever they say.
LONGEST = timedelta(days=1)


@dataclass(frozen=True)
class Sent:
    """It arrived. `rests`: nothing more goes there before."""

    rests: timedelta = timedelta()


@dataclass(frozen=True)
class Later:
    """It did not arrive, and may another time. `wait`: what the other side asked for; `counts`: whether it refused."""

    sentence: str
    wait: timedelta | None = None
    counts: bool = False


@dataclass(frozen=True)
class Refused:
    """It will never arrive so. `is_off`: nor will anything else there."""

    sentence: str
    is_off: bool = False


@dataclass(frozen=True)
class Unsure:
    """Nobody knows whether it arrived."""

    sentence: str


Outcome = Sent | Later | Refused | Unsure


def pause(attempts: int, wait: timedelta | None = None) -> timedelta | None:
    """How long to wait after that many attempts; None when it was tried often enough. Spread, so that what failed
    together does not come back together; never earlier than what was asked for."""
    if attempts > len(BACK_OFF):
        return None
    planned = BACK_OFF[attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads, no secret
    return planned if wait is None else min(wait * random.uniform(1, 1 + JITTER), LONGEST)  # noqa: S311


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """What `Retry-After` asks for, in seconds or as a date; None where it says nothing sensible."""
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit() and len(said) < 9:
        return min(timedelta(seconds=int(said)), LONGEST)
    try:
        there = parsedate_to_datetime(said)
    except ValueError:
        return None
    if there.tzinfo is None:
        there = there.replace(tzinfo=UTC)
    return min(max(there - datetime.now(UTC), timedelta()), LONGEST)
