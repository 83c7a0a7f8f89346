"""The job: what one run does, and the command that runs it."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TextIO


@dataclass(frozen=True)
class Outcome:
    """What a run did."""

    handled: int
    skipped: int = 0


def work(now: datetime, *, dry_run: bool) -> Outcome:
    """The work itself: replace this. Handles each hour of the day up to now, as an example that can be tested."""
    hours = now.hour + 1
    return Outcome(handled=0, skipped=hours) if dry_run else Outcome(handled=hours)


def run(
    arguments: Sequence[str],
    *,
    job: Callable[..., Outcome] = work,
    out: TextIO | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """Run the job once and say so as JSON lines; the answer is the exit code."""
    parser = argparse.ArgumentParser(prog="${{ values.name }}", description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    options = parser.parse_args(arguments)
    out = out or sys.stdout
    began = time.perf_counter()
    _say(out, clock(), "INFO", "started", dry_run=options.dry_run)
    try:
        outcome = job(clock(), dry_run=options.dry_run)
    except Exception as error:  # the outermost frame: whatever went wrong is reported and fails the run
        _say(out, clock(), "ERROR", "failed", error=f"{type(error).__name__}: {error}")
        return 1
    _say(out, clock(), "INFO", "finished", seconds=round(time.perf_counter() - began, 3), **asdict(outcome))
    return 0


def _say(out: TextIO, now: datetime, level: str, message: str, **fields: object) -> None:
    entry = {"time": now.isoformat(timespec="seconds"), "level": level, "message": message, **fields}
    out.write(json.dumps(entry, ensure_ascii=False) + "\n")
    out.flush()


def main() -> None:
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
