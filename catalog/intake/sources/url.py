"""A single descriptor at an address on the web, fetched without letting anybody choose what we connect to."""

import hashlib
import http.client
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import quote, unquote

from catalog.intake.sources.tree import (
    Bounds,
    FileUnreadable,
    MemoryTree,
    RawFile,
    SourceAway,
    SourceUnreadable,
    Tree,
    inside,
    mark_of,
    text_of,
)
from catalog.models import Source
from portal.githosts.weburls import raw_address
from portal.kit import outbound
from portal.kit.away import is_network
from portal.kit.errors import Away, Refusal
from portal.kit.plain import split_url
from portal.kit.yamltext import MAX_BYTES

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 20.0


class UrlTree:
    """The file at the address, and files beside or below it."""

    revision = ""
    author = ""

    def __init__(self, target: str) -> None:
        base, _, self.name = raw_address(target).rpartition("/")
        self.base = base + "/"
        self.deadline = time.monotonic() + TOTAL_SECONDS
        self.read_so_far: dict[str, bytes] = {}

    def read(self, path: str) -> str:
        return text_of(self._bytes(path), path)

    def _bytes(self, path: str) -> bytes:
        if path not in self.read_so_far:
            address = self.base + quote(inside(path), safe="/:@!$&'()*+,;=~%-._?")
            try:
                self.read_so_far[path] = fetch(address, deadline=self.deadline)
            except Away:
                raise  # not this file alone: nothing there can be read now
            except Refusal as refusal:
                raise FileUnreadable(refusal.text) from refusal
        return self.read_so_far[path]

    def mark(self, path: str) -> str:
        try:
            return mark_of(self._bytes(path))
        except FileUnreadable:
            return ""

    def ahead(self, paths: Sequence[str]) -> None:
        """An address is asked for one file at a time."""

    def own(self, address: str) -> str | None:
        """Files beside or below the descriptor; what an address calls its root is not known."""
        there = raw_address(address)
        return unquote(there.removeprefix(self.base)) if there.startswith(self.base) else None

    def below(self, folder: str, bounds: Bounds) -> dict[str, RawFile]:
        """Only what was named and read: an address does not say what lies beside it."""
        return MemoryTree(self.read_so_far, "").below(folder, bounds)

    def paths(self) -> list[str]:
        raise SourceUnreadable("Files at an address cannot be listed. Name one file, without *.", field="path")


@contextmanager
def opened(source: Source) -> Iterator[Tree]:
    """The descriptor at the address; an address that cannot be read at all is the source's own failure."""
    tree = UrlTree(source.target)
    try:
        text = tree.read(start_of(source.target))
    except FileUnreadable as error:
        raise SourceUnreadable(str(error), field="target") from error
    tree.revision = hashlib.sha256(text.encode()).hexdigest()[:12]
    yield tree


def start_of(target: str) -> str:
    """The name of the file at the address, inside its own tree."""
    return raw_address(target).rpartition("/")[2]


def fetch(address: str, *, deadline: float | None = None) -> bytes:
    """The bytes at the address, at most 1 MiB, without redirects; raises Refusal."""
    end = deadline or time.monotonic() + TOTAL_SECONDS
    parts = split_url(address)
    if parts is None:
        raise SourceUnreadable(f'"{address}" is not a web address.', field="target")
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise SourceUnreadable("Write a whole web address that starts with https://.", field="target")
    if parts.username is not None or parts.password is not None:
        raise SourceUnreadable("An address must not hold a user name or password.", field="target")
    found = outbound.destination(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
    # Unencrypted only inside networks that the operator named.
    if parts.scheme == "http" and found.is_public:
        raise SourceUnreadable("The address must start with https://.", field="target")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _exchange(_connect(found, parts.scheme == "https"), path, parts.netloc, end)


def _connect(found: outbound.Destination, is_encrypted: bool) -> http.client.HTTPConnection:
    """A connection to exactly the address that was checked, with the host's own name for TLS."""
    try:
        sock = found.connect(CONNECT_SECONDS)
        if is_encrypted:
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=found.host)
    except ssl.SSLCertVerificationError as error:
        raise SourceUnreadable(f"The certificate of {found.host} cannot be trusted.", field="target") from error
    except Away as error:
        raise SourceAway(error.text, field="target", what=found.host, why=error.__cause__) from error
    except OSError as error:
        if not is_network(error):
            raise
        raise SourceAway(f"{found.host} cannot be reached.", field="target", what=found.host, why=error) from error
    connection = http.client.HTTPConnection(found.host, found.port, timeout=CONNECT_SECONDS)
    connection.sock = sock
    return connection


def _exchange(connection: http.client.HTTPConnection, path: str, host: str, end: float) -> bytes:
    try:
        connection.request("GET", path, headers={"Host": host, "User-Agent": "Slipway", "Accept": "*/*"})
        answer = connection.getresponse()
        if 300 <= answer.status < 400:
            raise SourceUnreadable(
                f"{connection.host} sends readers elsewhere ({answer.status}). Register the final address.",
                field="target",
            )
        if answer.status != 200:
            raise SourceUnreadable(f"{connection.host} answered {answer.status} for {path}.", field="target")
        return _body(answer, connection, end)
    except http.client.InvalidURL as error:
        raise SourceUnreadable(
            "The address holds a space or a line break; write %20 for a space.", field="target"
        ) from error
    except (
        ConnectionError,
        TimeoutError,
        ssl.SSLError,
        http.client.IncompleteRead,
        http.client.BadStatusLine,
    ) as error:
        raise _broke_off(connection, error) from error
    finally:
        connection.close()


def _broke_off(connection: http.client.HTTPConnection, error: Exception | None = None) -> SourceAway:
    text = f"{connection.host} broke off the transfer."
    return SourceAway(text, field="target", what=connection.host, why=error)


def _body(answer: http.client.HTTPResponse, connection: http.client.HTTPConnection, end: float) -> bytes:
    content = bytearray()
    while chunk := answer.read1(65536):
        content += chunk
        if len(content) > MAX_BYTES:
            raise SourceUnreadable("The file at this address is larger than 1 MiB.", field="target")
        if time.monotonic() > end:
            raise SourceAway(f"{connection.host} takes too long to answer.", field="target", what=connection.host)
    if answer.length:
        # The connection ended before the announced length: half a file would bury the entities of the other half.
        raise _broke_off(connection)
    return bytes(content)
