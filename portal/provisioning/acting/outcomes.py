"""What a step can answer: done, or wait until woken; a failure is a raised Refusal with its sentence."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Done:
    """The step is finished; `output` is what later steps see as `steps.<id>.output`."""

    output: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Wait:
    """The step has nothing to do before `until`, or before one of the keys in `woken_by` is called out.

    No worker is held meanwhile: the run's row remembers both, and the live process wakes it.
    """

    until: datetime
    woken_by: tuple[str, ...] = ()
    sentence: str = ""


Outcome = Done | Wait
