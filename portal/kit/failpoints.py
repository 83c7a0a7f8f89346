"""Named places where a test may end the process: how `kill -9` at the worst moment is tried on purpose.

`SLIPWAY_FAILPOINT=publish.after-effect` ends the process with SIGKILL there, `…:TERM` with another signal.
`SLIPWAY_FAILPOINT=@/folder` looks for a file named after the scope (a run's idempotency key) that holds such lines; a
line is taken out before it acts, so that each strikes its run once. Unset, which it is everywhere but in tests, nothing
is looked up.
"""

import os
import signal
from pathlib import Path

VARIABLE = "SLIPWAY_FAILPOINT"


def failpoint(name: str, scope: str = "") -> None:
    """End this process here if the environment says so."""
    wish = os.environ.get(VARIABLE, "")
    if wish.startswith("@"):
        wish = _taken(Path(wish[1:]) / scope, name)
    if not wish:
        return
    wanted, _, sent = wish.partition(":")
    if wanted == name:
        os.kill(os.getpid(), signal.Signals[f"SIG{sent or 'KILL'}"])


def _taken(note: Path, name: str) -> str:
    """The note's line that is meant for `name`, taken out of the note; empty when there is none."""
    try:
        lines = note.read_text().split()
    except FileNotFoundError:
        return ""
    hit = next((line for line in lines if line.partition(":")[0] == name), "")
    if hit:
        lines.remove(hit)
        rest = note.with_suffix(".rest")
        rest.write_text("\n".join(lines))
        rest.replace(note)
    return hit
