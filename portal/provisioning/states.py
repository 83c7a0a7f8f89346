"""What a run and a step can be, and the only ways from one state to the next: data in, data out."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class RunState:
    """One word of the vocabulary.

    tone is the colour of its badge (good, busy, held, idle, bad); the label always stands beside it.
    is_final means that nothing happens to it any more unless a person asks.
    """

    name: str
    label: str
    tone: str
    is_final: bool = False

    @property
    def badge(self) -> str:
        """The word whose badge it wears on pages."""
        return "failed" if self.tone == "bad" else self.name


def _vocabulary(*states: RunState) -> dict[str, RunState]:
    return {state.name: state for state in states}


# In the order of a run's life; pages list and filter in this order.
RUN_STATES = _vocabulary(
    RunState("queued", "Queued", "idle"),
    RunState("running", "Running", "busy"),
    RunState("waiting", "Waiting", "held"),
    RunState("succeeded", "Succeeded", "good", is_final=True),
    RunState("failed", "Failed", "bad", is_final=True),
    RunState("cancelled", "Cancelled", "idle", is_final=True),
    RunState("undoing", "Undoing", "busy"),
    RunState("undone", "Undone", "idle", is_final=True),
    RunState("undo_failed", "Undo failed", "bad", is_final=True),
)

STEP_STATES = _vocabulary(
    RunState("pending", "Pending", "idle"),
    RunState("running", "Running", "busy"),
    RunState("waiting", "Waiting", "held"),
    RunState("succeeded", "Succeeded", "good", is_final=True),
    RunState("skipped", "Skipped", "idle", is_final=True),
    RunState("failed", "Failed", "bad", is_final=True),
    RunState("cancelled", "Cancelled", "idle", is_final=True),
)

Moves = Mapping[str, frozenset[str]]

# from -> to. `running -> running` is a worker that takes over from a dead one.
RUN_MOVES: Moves = {
    "queued": frozenset({"running"}),
    "running": frozenset({"running", "waiting", "succeeded", "failed", "cancelled"}),
    "waiting": frozenset({"running"}),
    "succeeded": frozenset({"undoing"}),
    "failed": frozenset({"queued", "undoing"}),
    "cancelled": frozenset({"queued", "undoing"}),
    "undoing": frozenset({"undoing", "undone", "undo_failed"}),
    "undone": frozenset(),
    "undo_failed": frozenset({"undoing"}),
}

STEP_MOVES: Moves = {
    "pending": frozenset({"running", "skipped", "cancelled", "failed"}),
    "running": frozenset({"running", "waiting", "succeeded", "skipped", "failed", "cancelled"}),
    "waiting": frozenset({"running", "failed", "cancelled"}),
    # Back to pending by a retry alone: what ran because another step failed, and files that were not kept.
    "succeeded": frozenset({"pending"}),
    "skipped": frozenset({"pending"}),
    "failed": frozenset({"pending"}),
    "cancelled": frozenset({"pending"}),
}

# A worker may pick these up; `undoing` keeps its name while it is worked on.
ACTIVE_RUN = tuple(name for name, state in RUN_STATES.items() if not state.is_final)
CANCELLABLE_RUN = ("queued", "running", "waiting")
UNFINISHED_STEP = tuple(name for name, state in STEP_STATES.items() if not state.is_final)


def sources(moves: Moves, target: str) -> tuple[str, ...]:
    """The states from which `target` may be entered: the WHERE of a compare-and-set."""
    return tuple(state for state, targets in moves.items() if target in targets)


def claimed(status: str) -> str:
    """What a run is called once a worker holds it."""
    return "undoing" if status == "undoing" else "running"


def can_retry(status: str) -> bool:
    """Whether a person may ask for another attempt from the step that stopped."""
    return "queued" in RUN_MOVES.get(status, frozenset())


def can_undo(status: str) -> bool:
    """Whether a person may ask for the run's effects to be taken back."""
    return status != "undoing" and "undoing" in RUN_MOVES.get(status, frozenset())


def can_cancel(status: str) -> bool:
    """Whether there is something left to stop."""
    return status in CANCELLABLE_RUN
