"""Reading one address on the web, without letting anybody choose what we connect to: one GET, bounded, no redirects."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from portal.kit import outbound
from portal.kit.away import is_network
from portal.kit.errors import Away, Invalid
from portal.kit.plain import split_url

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 20.0


class Unfetched(Invalid):
    """The address gives nothing that can be used; the sentence says why."""

    code = "unfetched"


@dataclass(frozen=True)
class FetchedPage:
    """What was answered with 200: the bytes, and what they are said to be (`text/html`, lower case; "" unsaid)."""

    content: bytes
    media_type: str


def fetch(
    address: str, *, most: int, deadline: float, headers: Mapping[str, str] | None = None, accept: str = "*/*"
) -> FetchedPage:
    """What stands at the address: at most `most` bytes, by the monotonic moment `deadline`.

    Raises Unfetched, Away, or the refusal of the address rule (outbound.destination). Unencrypted addresses are read
    only inside networks that the operator named.
    """
    reached = reach(address, deadline)
    sent = {"Host": reached.name, "User-Agent": "Slipway", "Accept": accept, **(headers or {})}
    return _Exchange(reached.connection, most, deadline).get(reached.path, sent)


@dataclass(frozen=True)
class Reached:
    """An open connection to what an address names: the path to ask for, and the host as the address writes it."""

    connection: http.client.HTTPConnection
    path: str
    name: str


def reach(address: str, deadline: float) -> Reached:
    """Connects to where the address leads, by the address rule. Raises as `fetch` does."""
    parts = split_url(address)
    if parts is None:
        raise Unfetched(f'"{address}" is not a web address.')
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise Unfetched("Write a whole web address that starts with https://.")
    if parts.username is not None or parts.password is not None:
        raise Unfetched("An address must not hold a user name or password.")
    found = outbound.destination(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
    if parts.scheme == "http" and found.is_public:
        raise Unfetched("The address must start with https://.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Reached(_connect(found, parts.scheme == "https", deadline), path, parts.netloc)


def _connect(found: outbound.JudgedAddress, is_encrypted: bool, deadline: float) -> http.client.HTTPConnection:
    """A connection to exactly the address that was checked, with the host's own name for TLS."""
    patience = max(min(CONNECT_SECONDS, deadline - time.monotonic()), 0.1)
    try:
        sock = found.connect(patience)
        if is_encrypted:
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=found.host)
    except ssl.SSLCertVerificationError as error:
        raise Unfetched(f"The certificate of {found.host} cannot be trusted.") from error
    except OSError as error:
        if not is_network(error):
            raise
        raise Away(f"{found.host} cannot be reached.", what=found.host, why=error) from error
    connection = http.client.HTTPConnection(found.host, found.port, timeout=patience)
    connection.sock = sock
    return connection


@dataclass
class _Exchange:
    """One question and its answer over one connection."""

    connection: http.client.HTTPConnection
    most: int
    deadline: float

    def get(self, path: str, headers: Mapping[str, str]) -> FetchedPage:
        host = self.connection.host
        try:
            with cut_at(self.connection.sock, self.deadline):
                return self._answer(path, headers)
        except http.client.InvalidURL as error:
            raise Unfetched("The address holds a space or a line break; write %20 for a space.") from error
        except (ConnectionError, TimeoutError, ssl.SSLError, http.client.HTTPException) as error:
            self._check_time()
            raise Away(f"{host} broke off the transfer.", what=host, why=error) from error
        finally:
            self.connection.close()

    def _answer(self, path: str, headers: Mapping[str, str]) -> FetchedPage:
        self.connection.request("GET", path, headers=headers)
        answer = self.connection.getresponse()
        host = self.connection.host
        if 300 <= answer.status < 400:
            raise Unfetched(
                f"{host} sends readers elsewhere ({answer.status}). Write the address where it ends.",
                code="redirected",
            )
        if answer.status != 200:
            raise Unfetched(f"{host} answered {answer.status} for {path}.")
        return FetchedPage(self._body(answer), answer.headers.get_content_type())

    def _body(self, answer: http.client.HTTPResponse) -> bytes:
        content = bytearray()
        while chunk := answer.read1(65536):
            content += chunk
            if len(content) > self.most:
                raise Unfetched(f"The file at this address is larger than {_size(self.most)}.", code="too-large")
        self._check_time()  # cut off, an answer without a length looks whole
        if answer.length:
            # The connection ended before the announced length: half an answer says something else than the whole.
            raise http.client.IncompleteRead(bytes(content), answer.length)
        return bytes(content)

    def _check_time(self) -> None:
        if time.monotonic() >= self.deadline:
            host = self.connection.host
            raise Away(f"{host} takes too long to answer.", what=host)


@contextmanager
def cut_at(sock: socket.socket, deadline: float) -> Iterator[None]:
    """Ends the connection at the moment, whatever is being read: a line that comes one letter at a time, too."""
    with socket.socket(fileno=os.dup(sock.fileno())) as ours:

        def cut() -> None:
            with contextlib.suppress(OSError):  # it has ended by itself
                ours.shutdown(socket.SHUT_RDWR)

        fuse = threading.Timer(max(deadline - time.monotonic(), 0.0), cut)
        fuse.start()
        try:
            yield
        finally:
            fuse.cancel()
            fuse.join()


def _size(size: int) -> str:
    return f"{size // 2**20} MiB" if size >= 2**20 else f"{size // 2**10} KiB"
