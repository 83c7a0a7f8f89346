"""What can become of a transfer: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class TransferState:
    """One state; `badge` is the word whose badge it wears, `is_open` whether anything can still become of it."""

    name: str
    label: str
    badge: str
    is_open: bool = False


STATES: Mapping[str, TransferState] = {
    state.name: state
    for state in (
        TransferState("asked", "Waits for an answer", "waiting", is_open=True),
        TransferState("accepted", "Accepted, dated", "queued", is_open=True),
        TransferState("done", "Handed over", "succeeded"),
        TransferState("declined", "Declined", "rejected"),
        TransferState("withdrawn", "Withdrawn", "skipped"),
        TransferState("expired", "Expired", "skipped"),
        TransferState("void", "Came to nothing", "skipped"),
        TransferState("undone", "Undone", "skipped"),
    )
}
MOVES: Mapping[str, frozenset[str]] = {
    "asked": frozenset({"accepted", "done", "declined", "withdrawn", "expired", "void"}),
    "accepted": frozenset({"done", "withdrawn", "void"}),
    "done": frozenset({"undone"}),
}

# What became of one entity of a transfer that counts, by the word that its row keeps.
OUTCOMES: Mapping[str, str] = {
    "": "",
    "handed": "Handed over",
    "same": "Was theirs already",
    "moved": "Left alone: its owner had changed since it was offered",
    "gone": "Not in the catalog any more",
    "undone": "Put back",
    "kept": "Left as it is: it went on to somebody else since",
}


def sources_of(after: str) -> list[str]:
    """The states from which one may come to this one."""
    return [before for before, ways in MOVES.items() if after in ways]
