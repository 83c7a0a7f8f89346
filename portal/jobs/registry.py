"""Which kinds of jobs there are: rooms fill this in their app's ready()."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portal.jobs.models import Job
    from portal.jobs.work import Work
    from portal.kit.errors import Refusal


@dataclass(frozen=True)
class JobDone:
    """A good end. `result` is for programs (plain JSON), `goes_to` the page that shows it (a path of this site)."""

    text: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    goes_to: str = ""
    # The work is done, and something is wrong with what came of it.
    is_doubtful: bool = False


Runner = Callable[["Work"], JobDone]


@dataclass(frozen=True)
class JobKind:
    """One kind of job.

    run     does the work in a worker, outside any transaction; may be called again after a worker died, so what it
            writes goes together with `work.note(…)`. A Refusal is the job's end, in its words.
    lane    jobs of one person and lane are done `at_once` at a time; "outside" waits for strangers' machines,
            "asking" for something that answers in seconds.
    kept    how long the row stays after the end.
    attempts  how often a worker may die over it before it is given up.
    is_private  whether only the person who asked for it reads it: its result holds what they answered.
    ended_badly  called in the transaction that ends the job as refused or failed, with why.
    """

    name: str
    label: str
    run: Runner
    lane: str = "outside"
    at_once: int = 1
    kept: timedelta = timedelta(days=7)
    attempts: int = 5
    is_private: bool = False
    ended_badly: Callable[[Job, Refusal], None] | None = None


KINDS: dict[str, JobKind] = {}


def register(kind: JobKind) -> None:
    """Makes a kind known."""
    KINDS[kind.name] = kind
