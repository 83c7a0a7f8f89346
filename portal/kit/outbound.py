"""Every connection that goes out on somebody's behalf begins here: a name is resolved once, judged, and used as judged.

Git, clusters and descriptor addresses get a destination and connect to its `address`; none of them resolves the name
again, so an answer that changes between look and leap changes nothing. Nobody follows redirects: where one is to be
followed, it is a new destination.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings

from portal.kit import addresses
from portal.kit.away import is_network
from portal.kit.errors import Away, Invalid

Resolver = Callable[[str, int], Iterable[str]]


class UnknownHost(Invalid):
    """The name resolves to no address: perhaps not yet, or not now."""

    code = "unknown_host"


@dataclass(frozen=True)
class JudgedAddress:
    """A host that was judged, and the one address to connect to."""

    host: str
    port: int
    address: str

    @property
    def literal(self) -> str:
        """The address as it stands in a URL."""
        return f"[{self.address}]" if ":" in self.address else self.address

    @property
    def is_public(self) -> bool:
        """Whether it is out in the world rather than inside a network that the operator opened."""
        return addresses.is_public(addresses.parse(self.address))

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine's own loopback."""
        return addresses.parse(self.address).is_loopback

    def connect(self, timeout: float) -> socket.socket:
        """A TCP connection to exactly that address; `timeout` in seconds. Raises Away."""
        try:
            return socket.create_connection((self.address, self.port), timeout=timeout)
        except OSError as error:
            if not is_network(error):
                raise
            raise Away(f"{self.host} cannot be reached.", what=self.host, why=error) from error


def resolve(host: str, port: int) -> list[str]:
    """Every address of a host, in the resolver's order; raises UnknownHost."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnknownHost(f"The host {host} cannot be found.") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def destination(host: str, port: int, *, for_cluster: bool = False, resolver: Resolver = resolve) -> JudgedAddress:
    """Resolve a host and judge *all* of its addresses; Invalid when one of them is not to be reached.

    Private networks are closed but for ALLOWED_NETWORKS; our own listening ports are closed whatever that says, and of
    these only the sandbox's API server opens, to cluster connections. These alone reach CLUSTER_ADDRESSES as well.
    """
    found = list(resolver(host, port))
    if not found:
        raise UnknownHost(f"The host {host} cannot be found.")
    allowed = addresses.networks(settings.ALLOWED_NETWORKS)
    is_cluster = for_cluster and (host.lower().rstrip("."), port) in _clusters()
    for text in found:
        address = addresses.parse(text)
        if _is_ours(host, address, port, for_cluster=for_cluster):
            raise Invalid(
                f"{host}:{port} is a part of this portal itself; it does not connect to its own parts.",
                code="own_address",
            )
        if not (is_cluster or addresses.is_allowed(address, allowed)):
            raise Invalid(
                f"{host} lies on a private network. The operator of this portal can open it with ALLOWED_NETWORKS.",
                code="private_address",
            )
    return JudgedAddress(host, port, found[0])


def _clusters() -> set[tuple[str, int]]:
    """(host, port) of the API servers that the operator named."""
    named = [urlsplit(f"//{text}") for text in (settings.SANDBOX_ADDRESS, *settings.CLUSTER_ADDRESSES) if text]
    return {(one.hostname or "", one.port or 443) for one in named}


def _is_ours(host: str, address: addresses.Address, port: int, *, for_cluster: bool) -> bool:
    """Whether something of ours listens there: on this machine, or at an engine's address."""
    candidates = (address, *addresses.carried(address))
    for own_host, own_port, is_engine in _own(for_cluster=for_cluster):
        if port != own_port:
            continue
        # A proxy in front of several sites has one address for all of them: of a public address only the name is ours.
        if host.lower().rstrip(".") == own_host or any(_is_this_machine(found) for found in candidates):
            return True
        if is_engine and set(candidates) & {addresses.parse(text) for text in _known_addresses(own_host)}:
            return True
    return False


def _own(*, for_cluster: bool) -> Iterator[tuple[str, int, bool]]:
    """(host, port, whether it is an engine) of everything of ours that listens."""
    public = urlsplit(settings.PUBLIC_URL)
    yield public.hostname or "", public.port or (443 if public.scheme == "https" else 80), False
    database = settings.DATABASES["default"]
    if not str(database.get("HOST", "")).startswith("/"):
        yield str(database.get("HOST") or "localhost").lower(), int(database.get("PORT") or 5432), True
    valkey = urlsplit(settings.VALKEY_URL)
    yield valkey.hostname or "localhost", valkey.port or 6379, True
    for text in settings.OWN_ADDRESSES:
        own = urlsplit(f"//{text}")
        yield own.hostname or "", own.port or 0, True
    if settings.SANDBOX_ADDRESS and not for_cluster:
        sandbox = urlsplit(f"//{settings.SANDBOX_ADDRESS}")
        yield sandbox.hostname or "", sandbox.port or 0, True


def _known_addresses(host: str) -> list[str]:
    """The addresses of one of our own hosts; [] while it has none."""
    try:
        return resolve(host, 0)
    except UnknownHost:
        return []


@lru_cache(maxsize=256)
def _is_this_machine(address: addresses.Address) -> bool:
    """Whether the address belongs to this machine: then, and only then, a socket can be bound to it."""
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET6 if isinstance(address, ipaddress.IPv6Address) else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
