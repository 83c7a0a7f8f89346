"""What a run says, between a step's mouth and the table: redacted first, then kept until a transaction takes it."""

import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from portal.provisioning.models import LogLine, Run
from portal.provisioning.redaction import Redactor

MAX_LINE = 4_000
MAX_LINES_PER_VISIT = 20_000


@dataclass(frozen=True)
class Said:
    """A line that has no number yet."""

    step_idx: int | None
    at: datetime
    level: str
    text: str


class Logbook:
    """Lines of one visit of a worker to a run. `lock` is held from numbering them until they are committed."""

    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor
        self.lock = threading.RLock()
        self._waiting: deque[Said] = deque()
        self._room = MAX_LINES_PER_VISIT

    @property
    def has_news(self) -> bool:
        return bool(self._waiting)

    def write(self, text: str, *, level: str = "info", step_idx: int | None = None) -> None:
        """Keep `text`, one line of it at a time, secrets masked."""
        # PostgreSQL's text cannot hold NUL.
        for line in self.redactor.clean(text.replace("\0", "�")).splitlines() or [""]:
            if self._room <= 0:
                return
            self._room -= 1
            if self._room == 0:
                line, level = f"More than {MAX_LINES_PER_VISIT} lines: the rest of this step is not kept.", "warning"
            if len(line) > MAX_LINE:
                line = f"{line[:MAX_LINE]}… ({len(line) - MAX_LINE} characters more)"
            self._waiting.append(Said(step_idx, timezone.now(), level, line))

    def store(self, run: Run) -> int:
        """Number and insert what waits, in the caller's transaction on the locked run; returns how many lines."""
        lines = list(self._waiting)
        LogLine.objects.bulk_create(
            LogLine(
                organisation_id=run.organisation_id,
                run_id=run.pk,
                seq=run.log_seq + number,
                step_idx=said.step_idx,
                at=said.at,
                level=said.level,
                text=said.text,
            )
            for number, said in enumerate(lines, start=1)
        )
        run.log_seq += len(lines)
        return len(lines)

    def forget(self, count: int) -> None:
        """Let go of the first `count` lines: their transaction is committed."""
        for _ in range(count):
            self._waiting.popleft()
