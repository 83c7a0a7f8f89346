"""The guard, which the terminal sees: it starts the supervisor, and starts it again should it be killed.

It lives as long as the product and does nothing meanwhile, so it sleeps as a shell (docs/adr/0178-asleep-as-a-shell.md)
and becomes a Python process when the supervisor has ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
from types import FrameType
from typing import NoReturn

from portal import stem as stems
from portal.supervisor import Ledger, spawn
from portal.wish import ROOT, StartWish, environment, holder, say

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
HESITATION = 2.0  # seconds
# $1 is the supervisor, the rest what to become at its end: it alone holds the other end of our standard input, and
# writes there with which status it ends (some shells collect a child that they never started). A signal is handed on
# as `guard` does it, and interrupts the reading, which then says so by a status beyond 128.
ASLEEP = """\
supervisor=$1; shift
trap 'kill -TERM $supervisor 2>/dev/null' TERM INT HUP
while read -r said || [ $? -gt 128 ]; do status=$said; done
exec "$@" "${status:-0}"
"""


def asleep(role: str, supervisor: int, private: int) -> list[str]:
    """The command of a guard that waits for the supervisor's end; its standard input ends with that."""
    awake = [sys.executable, "-m", "portal.up", role, str(private), str(supervisor)]
    return ["/bin/sh", "-c", ASLEEP, f"slipway-{role}", str(supervisor), *awake]


def begin(wish: StartWish, private: int) -> NoReturn:
    """Starts the first supervisor and becomes its guard."""
    # Set here: it outlives the change of programs, and what a killed supervisor leaves behind becomes ours.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    lifeline, end = os.pipe()
    supervisor = start_supervisor(wish, private, "guard", end)
    os.dup2(lifeline, 0)
    # A shell cannot catch what its starter ignored, as one in the background does of Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    command = asleep("guard", supervisor, private)
    os.execv(command[0], command)  # noqa: S606 - a shell of ours with a script of ours


def guard(wish: StartWish, supervisor: int, private: int, *, role: str, status: int) -> int:
    """Waits for the supervisor's end; one that did not end by itself is started again. Returns the exit status, which
    is `status` for a supervisor that had ended before us.

    A spare guard hesitates: most likely the first one has started another supervisor by then.
    """
    ledger = Ledger(wish.var / "up.json")
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)

    def forward(number: int, frame: FrameType | None) -> None:
        # Ctrl-C and a closed terminal reach the supervisor by themselves; a signal sent to us alone does not.
        with contextlib.suppress(ProcessLookupError):
            os.kill(supervisor, signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, forward)
    while True:
        await_end(supervisor)
        status = exit_status(supervisor) or status
        time.sleep(HESITATION if role == "spare" else 0.0)
        if not ledger.file.exists():
            return status
        successor = holder(wish.var)
        if successor is None:
            say("The supervisor was killed; another one takes over. What it kept goes on.")
            successor = start_supervisor(wish, private, role)
        supervisor = successor


def await_end(pid: int) -> None:
    """Waits until the process is gone, and meanwhile collects what a killed supervisor has left to us."""
    try:
        gone = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    while not select.select([gone], [], [], 5.0)[0]:
        reap(but=pid)
    os.close(gone)


def reap(*, but: int) -> None:
    """Collects orphans that ended: whatever a killed supervisor leaves behind becomes ours."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and found.si_pid != but:
            os.waitpid(found.si_pid, os.WNOHANG)


def exit_status(pid: int) -> int:
    """The process's exit status; 0 where it was another's child."""
    with contextlib.suppress(ChildProcessError):
        return max(0, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    return 0


def start_supervisor(wish: StartWish, private: int, role: str, *ends: int) -> int:
    """The pid of a supervisor that we, in this role, started. It sees nothing of what is private: that lies in the
    descriptor it hands on. `ends` are descriptors that stay open for as long as it lives.
    """
    public = {name: value for name, value in environment(wish).items() if name not in stems.PRIVATE}
    return spawn(
        [sys.executable, "-m", "portal.up", "supervise", str(private), role, str(os.getpid()), *map(str, ends)],
        env=public, cwd=ROOT, pass_fds=[private, *ends],
    )  # fmt: skip
