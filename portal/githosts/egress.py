"""Where the portal may connect on somebody's behalf: one look-up, no private addresses but those the operator names."""

import ipaddress
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from portal.kit.errors import Invalid

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], Iterable[str]]


@dataclass(frozen=True)
class Destination:
    """A host that was checked, and the one address to connect to: resolving again would let the answer change."""

    host: str
    port: int
    address: str


def resolve(host: str, port: int) -> list[str]:
    """Every address of a host, in the resolver's order."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Invalid(f"The host {host} cannot be found.", code="unknown_host") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def check_destination(host: str, port: int, *, allowed: Iterable[str], resolver: Resolver = resolve) -> Destination:
    """Resolve once and refuse the host if *any* of its addresses is inside; return the address to connect to.

    `allowed` holds the operator's networks in CIDR notation (setting ALLOWED_NETWORKS).
    """
    networks = [ipaddress.ip_network(cidr, strict=False) for cidr in allowed]
    addresses = list(resolver(host, port))
    if not addresses:
        raise Invalid(f"The host {host} cannot be found.", code="unknown_host")
    for text in addresses:
        if not _is_reachable(ipaddress.ip_address(text.partition("%")[0]), networks):
            raise Invalid(
                f"{host} lies on a private network. Ask the operator of this portal to allow it.",
                code="private_address",
            )
    return Destination(host, port, addresses[0])


def _is_reachable(address: Address, allowed: Iterable[Network]) -> bool:
    plain = _unwrapped(address)
    if any(plain in network for network in allowed if network.version == plain.version):
        return True
    return plain.is_global and not plain.is_multicast


def _unwrapped(address: Address) -> Address:
    """An IPv4 address dressed as IPv6 (mapped, 6to4, NAT64) is judged as the IPv4 address it leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    if address in ipaddress.IPv6Network("64:ff9b::/96"):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
