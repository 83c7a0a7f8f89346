"""A reading child: parses files that are sent to it, one after the other, and can do nothing else.

Started as `python -I child.py MEMORY SECONDS` with an empty environment; requests come on standard input and answers
go to standard output, each a length and JSON. What a placeholder includes is asked for in between: a child opens no
file and no socket. It ends when its input does, or the process that started it. `readers.py` is its only caller.
"""

import ctypes
import json
import os
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1  # prctl(2)
LENGTH = struct.Struct(">I")
NICENESS = 5
# How a child ends that has no answer and was not killed.
NO_MEMORY = 4


def serve(memory: int, seconds: float) -> None:
    """Answer until nobody asks. memory in bytes; seconds for one file, not counting the wait for what it includes."""
    # -I leaves the project off the path; only pure modules are wanted from it.
    sys.path.append(str(Path(__file__).resolve().parents[2]))
    from catalog.descriptors.placeholders import CannotRead
    from catalog.intake.onefile import parsed

    def include(target: str) -> str:
        signal.setitimer(signal.ITIMER_REAL, 0)
        send(1, {"include": target})
        said = receive(0)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        if said is None:
            os._exit(0)
        if "error" in said:
            raise CannotRead(said["error"])
        return str(said["text"])

    bound(memory)
    while (request := receive(0)) is not None:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        answer = parsed(request["text"], request["path"], include)
        signal.setitimer(signal.ITIMER_REAL, 0)
        send(1, answer)


def bound(memory: int) -> None:
    """Give up everything but the conversation, and stand behind whoever answers people."""
    os.nice(NICENESS)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))


def send(to: int, message: Any) -> None:
    """Write one message whole. Raises OSError when nobody reads any more."""
    body = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
    rest = memoryview(LENGTH.pack(len(body)) + body)
    while rest:
        rest = rest[os.write(to, rest) :]


def receive(source: int) -> Any:
    """Read one message; None where the other end has nothing more to say."""
    head = _exactly(source, LENGTH.size)
    if head is None:
        return None
    body = _exactly(source, LENGTH.unpack(head)[0])
    return None if body is None else json.loads(body.decode("utf-8", "surrogatepass"))


def _exactly(source: int, size: int) -> bytes | None:
    parts = list[bytes]()
    while size:
        part = os.read(source, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


if __name__ == "__main__":
    try:
        serve(int(sys.argv[1]), float(sys.argv[2]))
    except MemoryError:
        os._exit(NO_MEMORY)
    except BrokenPipeError:
        os._exit(0)
