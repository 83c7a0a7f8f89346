"""What a job can be, and the only ways from one state to the next: data in, data out."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class JobState:
    """One word of the vocabulary; `badge` is the word whose badge it wears on pages."""

    name: str
    label: str
    badge: str
    is_final: bool = False


JOB_STATES: Mapping[str, JobState] = {
    state.name: state
    for state in (
        JobState("queued", "Waiting", "queued"),
        JobState("running", "Working", "running"),
        JobState("succeeded", "Done", "succeeded", is_final=True),
        JobState("refused", "Refused", "rejected", is_final=True),
        JobState("failed", "Failed", "failed", is_final=True),
        JobState("cancelled", "Cancelled", "cancelled", is_final=True),
    )
}

# from -> to. `running -> running` is a worker that takes over from a dead one, `running -> queued` one that lets go.
JOB_MOVES: Mapping[str, frozenset[str]] = {
    "queued": frozenset({"running", "cancelled", "failed"}),
    "running": frozenset({"running", "queued", "succeeded", "refused", "failed", "cancelled"}),
    "succeeded": frozenset(),
    "refused": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
}

ACTIVE_JOB = tuple(name for name, state in JOB_STATES.items() if not state.is_final)


def sources(target: str) -> tuple[str, ...]:
    """The states from which `target` may be entered: the WHERE of a compare-and-set."""
    return tuple(state for state, targets in JOB_MOVES.items() if target in targets)
