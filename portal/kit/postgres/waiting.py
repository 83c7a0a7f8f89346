"""How long anybody waits for PostgreSQL: for a slow statement as long as it takes, for a silent server a few seconds.

A server that is stopped, swapped out or cut off closes nothing and refuses nothing, and its kernel acknowledges what is
sent: neither a timeout of TCP nor one of the server's own (statement_timeout) ever ends. So a wait that has lasted asks
on a second way, with the one packet that any PostgreSQL answers before it knows who asks. An answer means that the
statement is slow, and the wait goes on; none means that the server is silent. While it is known to be, whoever comes
later is told at once, and one in a while asks again. (Decision 173.)
"""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

_T = TypeVar("_T")
# Seconds. How long a statement waits without a word before the server is asked: those whom nobody waits for need not
# hurry, and a pause of the whole machine costs them nothing.
PATIENT = 30.0
HURRIED = 2.0
# No request of a browser or a program is worth a longer statement.
LONGEST_HURRIED = 25.0
ANSWERED_WITHIN = 2.0
# While the server is silent it is asked this often, by whoever comes by.
ASKED_EVERY = 1.0
# SSLRequest: length, code (PostgreSQL's protocol, "Message Formats"). 'S' or 'N' comes back, from poolers too.
_ARE_YOU_THERE = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"

_Address = tuple[str, int]  # a host or the folder of a socket, and a port


class Silent(psycopg.OperationalError):
    """The server says nothing. Without an SQLSTATE: to portal/kit/away.py it is away."""


@dataclass
class Waits:
    """What this process is willing to wait for."""

    patience: float = PATIENT
    longest: float | None = None  # seconds for one statement


waits = Waits()


def hurry() -> None:
    """For a process that somebody waits for: web."""
    waits.patience, waits.longest = HURRIED, LONGEST_HURRIED


@dataclass
class KnownServer:
    """One server as this process knows it: whether it answered when it was last asked. Shared by all threads."""

    address: _Address
    is_silent: bool = False
    _asked: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_there(self) -> bool:
        """Whether it answers. Of many who want to know at once, one asks and all are told; takes ANSWERED_WITHIN."""
        with self._lock:
            if time.monotonic() - self._asked > ASKED_EVERY:
                self.is_silent = not answers(self.address)
                self._asked = time.monotonic()
            return not self.is_silent

    def require(self) -> None:
        """Raises Silent where it is known to be; costs nothing where it is not."""
        if self.is_silent and not self.is_there():
            raise Silent("the server says nothing")

    def note_silence(self) -> None:
        """A connection to it could not be made in time."""
        with self._lock:
            self.is_silent, self._asked = True, time.monotonic()


_servers: dict[_Address, KnownServer] = {}


def server_at(address: _Address) -> KnownServer:
    """What this process knows of the server there."""
    return _servers.setdefault(address, KnownServer(address))


def answers(address: _Address) -> bool:
    """Whether a PostgreSQL there says a word within ANSWERED_WITHIN seconds. One that is gone does not."""
    host, port = address
    try:
        if host.startswith(("/", "@")):
            peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        else:
            peer = socket.create_connection((host, port), timeout=ANSWERED_WITHIN)
        with peer:
            peer.settimeout(ANSWERED_WITHIN)
            if peer.family == socket.AF_UNIX:
                peer.connect(f"{host.replace('@', chr(0), 1)}/.s.PGSQL.{port}")
            peer.sendall(_ARE_YOU_THERE)
            return bool(peer.recv(1))
    except OSError:
        return False


class BoundedConnection(psycopg.Connection[Any]):
    """A connection whose waits end when the server is silent. It is closed then: what it was at is lost."""

    server: KnownServer | None = None

    @classmethod
    def connect(cls, conninfo: str = "", **how: Any) -> BoundedConnection:
        """As psycopg's; raises Silent at once where the server is known to be."""
        address = _address_in(how)
        if address:
            server_at(address).require()
        try:
            return super().connect(conninfo, **how)
        except psycopg.errors.ConnectionTimeout:
            if address:
                server_at(address).note_silence()
            raise

    def wait(self, gen: PQGen[_T], interval: float = 0.1, timeout: float | None = None) -> _T:
        """As psycopg's, within the bound."""
        try:
            return super().wait(self._watched(gen), interval, timeout)
        except Silent:
            # Nothing can be rolled back on it, and a second statement would find the first one's state.
            self.close()
            raise

    def _watched(self, gen: PQGen[_T]) -> PQGen[_T]:
        """The same generator; looks at the clock when psycopg's interval passes without anything to read."""
        server = self.server
        if server is None:
            server = self.server = server_at((self.info.host, self.info.port))
        server.require()
        begun = heard = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                heard = time.monotonic() if ready else self._look(server, begun, heard)
                wanted = gen.send(ready)
        except StopIteration as end:
            result: _T = end.value
            return result

    def _look(self, server: KnownServer, begun: float, heard: float) -> float:
        """Nothing came for a moment: gives up where it should, else says when something was heard last."""
        now = time.monotonic()
        if waits.longest is not None and now - begun > waits.longest:
            self.cancel_safe(timeout=ANSWERED_WITHIN)
            raise Silent(f"no answer within {waits.longest:.0f} s")
        if now - heard <= waits.patience:
            return heard
        if not server.is_there():
            raise Silent("the server says nothing")
        return time.monotonic()


def _address_in(how: dict[str, Any]) -> _Address | None:
    """Where these parameters of libpq lead; None where they leave it to the environment or name several places."""
    host = str(how.get("host") or "")
    if not host or "," in host:
        return None
    return host, int(how.get("port") or 5432)
