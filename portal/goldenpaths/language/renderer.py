"""The rendering server: one small process that has imported everything, and forks a bounded child for each request.

Started as `python -I renderer.py FD` with an empty environment; FD is a socket on which each message brings two file
descriptors: a socket that carries one request and its answer as JSON, and a pipe for the child's exit status. It has
one thread, so that a fork finds no lock held; it ends when its socket does, or after a while without work.
`children.py` is its only caller.
"""

import contextlib
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

MEMORY = 256 * 1024 * 1024
CPU_SECONDS = 5
WALL_SECONDS = 10
OUTPUT_BYTES = 48 * 1024 * 1024
IDLE_SECONDS = 60
# How a child ends that has no answer and was not killed.
TOO_MUCH_OUTPUT = 3
NO_MEMORY = 4


def serve(control: socket.socket) -> None:
    """Fork a child for each message until the other end is gone, or nobody has asked for IDLE_SECONDS."""
    perform = _imported()
    gc.collect()
    gc.freeze()  # what is warm stays shared: no collection in a child touches it
    running: dict[int, tuple[int, int]] = {}  # pidfd -> (pid, where its status goes)
    while True:
        ready, _, _ = select.select([control.fileno(), *running], [], [], None if running else IDLE_SECONDS)
        if not ready:
            return
        for ended in [one for one in ready if one in running]:
            _report(ended, *running.pop(ended))
        if control.fileno() in ready:
            word, fds, _, _ = socket.recv_fds(control, 16, 2)
            if not word:
                return
            running.update(_started(perform, *fds))


def _imported() -> Any:
    # -I leaves the project off the path; only this package's own pure modules are wanted from it.
    sys.path.append(str(Path(__file__).resolve().parents[3]))
    from portal.goldenpaths.language import batches

    batches.warm()
    return batches.perform


def _started(perform: Any, conversation: int, status: int) -> dict[int, tuple[int, int]]:
    pid = os.fork()
    if pid == 0:
        _child(perform, conversation)
    os.close(conversation)
    return {os.pidfd_open(pid): (pid, status)}


def _report(ended: int, pid: int, status: int) -> None:
    """Bury the child and say how it ended; whoever asked may be gone."""
    _, code = os.waitpid(pid, 0)
    os.close(ended)
    with contextlib.suppress(BrokenPipeError):
        os.write(status, str(os.waitstatus_to_exitcode(code)).encode())
    os.close(status)


def _child(perform: Any, conversation: int) -> None:
    """Answer one request, bounded in memory, time, output and reach before a byte of it is read. Never returns."""
    code = 1
    try:
        bound(conversation)
        code = answer(perform)
    except MemoryError:
        code = NO_MEMORY
    finally:
        os._exit(code)


def bound(conversation: int) -> None:
    """Give up everything but the conversation, which becomes standard input and output: no file and no socket opens."""
    os.dup2(conversation, 0)
    os.dup2(conversation, 1)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    signal.setitimer(signal.ITIMER_REAL, WALL_SECONDS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    # The softer bound is told by a signal of its own; at the harder one the kernel only kills.
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))


def answer(perform: Any) -> int:
    """Read the request, write the answer; the exit code."""
    with open(0, "rb", closefd=False) as source:
        request = json.load(source)
    each = (lambda _, job: _match(job)) if request["kind"] == "match" else perform
    results = [_bounded(each, request, job) for job in request["jobs"]]
    text = json.dumps({"results": results}, ensure_ascii=True).encode()
    if len(text) > OUTPUT_BYTES:
        return TOO_MUCH_OUTPUT
    with open(1, "wb", closefd=False) as sink:
        sink.write(text)
    return 0


def _match(job: dict[str, Any]) -> dict[str, Any]:
    import re  # in a process of its own: a pattern that backtracks for ever ends with the process

    try:
        return {"value": re.search(job["pattern"], job["text"]) is not None}
    except (re.error, OverflowError) as error:
        return {"error": str(error), "line": 1}


def _bounded(perform: Any, request: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
    try:
        result: dict[str, Any] = perform(request, job)
    except MemoryError as error:
        return {"error": "It needs more memory than a template may use.", "line": _line(error.__traceback__)}
    except RecursionError:
        return {"error": "It is nested too deeply.", "line": 1}
    return result


def _line(traceback: TracebackType | None) -> int:
    line = 1
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == "<template>":
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
