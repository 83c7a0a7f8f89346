"""The child process that renders templates: bounded in memory, time, output and reach before it reads a byte of them.

Started as `python -I renderer.py` with an empty environment; one request as JSON on standard input, one answer on
standard output. It can open no file and no socket once it has started. `rendering.py` is its only caller.
"""

import errno
import json
import os
import resource
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

MEMORY = 256 * 1024 * 1024
CPU_SECONDS = 5
OUTPUT_BYTES = 48 * 1024 * 1024
MAX_TEXT = 8 * 1024 * 1024


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT_BYTES, OUTPUT_BYTES))
    request = json.load(sys.stdin.buffer)
    results = [_match(job) for job in request["jobs"]] if request["kind"] == "match" else _templates(request)
    sys.stdout.buffer.write(json.dumps({"results": results}, ensure_ascii=True).encode())
    sys.stdout.buffer.flush()


def _match(job: dict[str, Any]) -> dict[str, Any]:
    import re  # in a process of its own: a pattern that backtracks for ever ends with the process

    try:
        return {"value": re.search(job["pattern"], job["text"]) is not None}
    except (re.error, OverflowError) as error:
        return {"error": str(error), "line": 1}


def _templates(request: dict[str, Any]) -> list[dict[str, Any]]:
    # -I leaves the project off the path; only this package's own pure modules are wanted from it.
    sys.path.append(str(Path(__file__).resolve().parents[3]))
    from portal.goldenpaths.language import batches

    batches.warm()
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))  # everything is imported: no file, no socket from here on
    return [_bounded(batches.perform, request, job) for job in request["jobs"]]


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
    try:
        main()
    except MemoryError:
        os._exit(77)  # rendering.OUT_OF_MEMORY; nothing is left to tidy up with
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        os._exit(78)  # rendering.TOO_MUCH_OUTPUT
