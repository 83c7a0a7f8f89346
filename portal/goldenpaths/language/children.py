"""The way to a rendering child: a server of this process's own, started when it is wanted, started again when it died.

A forked process gets a server of its own; any number of threads may ask at once.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

RENDERER = Path(__file__).with_name("renderer.py")
# The child ends itself by then (renderer.WALL_SECONDS); this is for a machine that is too busy to let it.
PATIENCE = 15.0


@dataclass(frozen=True)
class Ended:
    """What a child answered and how it ended: its exit code, minus the number of the signal that killed it, or None
    when nobody came to say (its server died, or it never answered)."""

    answer: bytes
    code: int | None


class Server:
    """One server process and the socket on which it takes requests."""

    def __init__(self) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # The child of a process with threads does nothing between fork and exec but exec.
            self.process = subprocess.Popen(
                [sys.executable, "-I", str(RENDERER), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def send(self, conversation: socket.socket, status: int) -> None:
        """Hand over the ends of one request. Raises OSError when the server is gone."""
        socket.send_fds(self.control, [b"render"], [conversation.fileno(), status])

    def end(self) -> None:
        """Let go of it; it ends when its socket does. One that hangs is killed, and buried either way."""
        self.control.close()
        self.process.kill()
        self.process.wait()


class Children:
    """Asks for children, one request each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: Server | None = None

    def ask(self, request: bytes, most: int) -> Ended:
        """Have a child answer with at most `most` bytes; once more when the server died meanwhile: asking is free."""
        ended = self._once(request, most)
        return self._once(request, most) if ended.code is None else ended

    def pid(self) -> int:
        """The server's process, or 0."""
        return self._server.process.pid if self._server else 0

    def forget(self) -> None:
        """In a forked child: the server is the parent's, and so is whatever lock it held."""
        if self._server is not None:
            self._server.control.close()
        self._lock = threading.Lock()
        self._server = None

    def _once(self, request: bytes, most: int) -> Ended:
        mine, theirs = socket.socketpair()
        said, says = os.pipe()
        with mine, open(said, "rb", buffering=0) as status:
            server = self._sent(theirs, says)
            mine.settimeout(PATIENCE)
            answer = _converse(mine, request, most)
            if answer is None:
                self._drop(server)
                return Ended(b"", -signal.SIGALRM)
            code = status.read(16)
            return Ended(answer, int(code) if code else None)

    def _sent(self, conversation: socket.socket, status: int) -> Server:
        """Hand the ends to a living server, and close them here: the child's death must be the end of the stream."""
        try:
            with self._lock:
                if self._server is None:
                    self._server = Server()
                try:
                    self._server.send(conversation, status)
                except OSError:
                    self._server.end()
                    self._server = Server()
                    self._server.send(conversation, status)
                return self._server
        finally:
            conversation.close()
            os.close(status)

    def _drop(self, server: Server) -> None:
        with self._lock:
            if self._server is server:
                server.end()
                self._server = None


def _converse(conversation: socket.socket, request: bytes, most: int) -> bytes | None:
    """Send the request and read to the end; None when nobody moved for a long time."""
    parts, size = [], 0
    try:
        try:
            conversation.sendall(request)
            conversation.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            return b""  # it died before it had heard everything: its status says how
        while size <= most and (part := conversation.recv(1 << 20)):
            parts.append(part)
            size += len(part)
    except TimeoutError:
        return None
    except ConnectionResetError:
        return b""
    return b"".join(parts)


CHILDREN = Children()
os.register_at_fork(after_in_child=CHILDREN.forget)
