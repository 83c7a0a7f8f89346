"""A call from one process to those that wait for it, over Valkey. It may be lost: whoever waits looks again."""

import logging
import time

from portal.kit import away
from portal.kit.live import valkey

log = logging.getLogger(__name__)

KEPT_SECONDS = 60
# Below the client's own time-out for an answer.
LONGEST_CALL = 4.0


def leave_answer(name: str, answer: bytes = b"1") -> None:
    """Leaves an answer for those who wait under this name: each of up to 20 takes one copy."""
    try:
        pipe = valkey().pipeline(transaction=False)
        pipe.rpush(f"answer:{name}", *[answer] * 20)
        pipe.expire(f"answer:{name}", KEPT_SECONDS)
        pipe.execute()
    except away.BROKER as error:
        log.warning("the answer for %s is lost: %s", name, error)


def wait_for_answer(name: str, seconds: float) -> bytes | None:
    """The answer, or None when there was none in time."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            found = valkey().blpop([f"answer:{name}"], timeout=min(left, LONGEST_CALL))
        except away.BROKER:
            # Without a broker there is nothing to wait at: let the caller look at the row in its own time.
            time.sleep(min(left, 0.5))
            continue
        if isinstance(found, (list, tuple)) and isinstance(found[1], bytes):
            return found[1]
    return None
