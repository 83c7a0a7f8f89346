"""When a refused step is worth trying again by itself: only for parts that were away, only so often."""

from datetime import timedelta

from portal.kit.errors import Refusal

# 502 is not among them: a cluster or a git that answered "no" is reported with it.
TRANSIENT = frozenset({429, 503, 504})
# Seconds before the second, third, … attempt: half a minute together, the length of a rolling restart.
DELAYS: tuple[float, ...] = (1, 2, 4, 8, 15)
# A step whose worker died this often in a row is itself the likely murderer.
MAX_STRIKES = 5


def is_transient(error: Refusal) -> bool:
    """Whether the refusal says "away for now" rather than "no"."""
    return error.status in TRANSIENT


def next_delay(error: Refusal, failures: int) -> timedelta | None:
    """How long to wait after the `failures`-th refusal in a row, or None to give up (the step fails)."""
    if not is_transient(error) or not 1 <= failures <= len(DELAYS):
        return None
    return timedelta(seconds=DELAYS[failures - 1])
