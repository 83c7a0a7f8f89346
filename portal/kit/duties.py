"""What must go on for ever: a room names it in its app's ready(), the live process (portal/live) does it.

A duty is named by the dotted path of its function, so that a process that does no duties imports nothing for them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Duty:
    """One thing that goes on for ever. Exactly one of `turn` and `watch` is given.

    turn: a synchronous function without arguments, called every `every` seconds in a thread of its own, in one live
    process at a time. It must bear being cut off and being done again. What it answers is counted into its health line.
    watch: an asyncio function that is given an event and goes on until that is set, in every live process: it shares
    its work among them by leases of its own, or keeps what only its own process needs.
    """

    name: str
    turn: str = ""
    watch: str = ""
    every: float = 0.0

    def __post_init__(self) -> None:
        if bool(self.turn) == bool(self.watch) or bool(self.turn) != (self.every > 0):
            raise ValueError(f"{self.name}: a duty takes turns every so many seconds, or watches.")


DUTIES: dict[str, Duty] = {}


def register_duty(duty: Duty) -> None:
    """Makes a duty known; called from an app's ready()."""
    DUTIES[duty.name] = duty
