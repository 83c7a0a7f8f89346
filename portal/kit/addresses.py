"""Which addresses the portal may connect to on somebody's behalf: one rule, on numbers alone, for all that goes out.

The tables are IANA's registries of special-purpose addresses. What Python's own `is_global` says differs between its
versions, and knows few of the forms in which an IPv6 address carries an IPv4 one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_INSIDE_4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared between a provider and its customers
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local; clouds keep their metadata there
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments, NAT64 discovery among them
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # automatic multicast tunnels
        "192.88.99.0/24",  # the relays of 6to4
        "192.168.0.0/16",
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the broadcast address
    )
)
# Only what is given out as global unicast can be public; of that, these are not.
_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
_INSIDE_6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID and their like
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address follows
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
_6TO4 = ipaddress.IPv6Network("2002::/16")
_TEREDO = ipaddress.IPv6Network("2001::/32")
# Forms with the IPv4 address in the last 32 bits: IPv4-compatible, IPv4-translated (SIIT).
_LAST_32 = tuple(ipaddress.IPv6Network(network) for network in ("::/96", "::ffff:0:0:0/96"))
# Where RFC 6052 puts the IPv4 address behind prefixes of 48, 56, 64 and 96 bits, as (shift, width) pieces from the top;
# bits 64 to 71 are skipped.
_RFC6052 = (((64, 16), (40, 16)), ((64, 8), (32, 24)), ((24, 32),), ((0, 32),))


def parse(text: str) -> Address:
    """The address that would really be connected to: without its zone, and IPv4 where IPv6 only wraps it (`::ffff:…`).

    Raises ValueError for what is no address.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def networks(cidrs: Iterable[str]) -> list[Network]:
    """Networks in CIDR notation, taken apart; host bits are forgiven."""
    return [ipaddress.ip_network(cidr, strict=False) for cidr in cidrs]


def is_public(address: Address) -> bool:
    """Whether anybody's machine may stand there. NAT64's well-known prefix is as public as what it carries."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _INSIDE_4)
    if address in _NAT64:
        return is_public(_last_32(address))
    return address in _GLOBAL_6 and not any(address in network for network in _INSIDE_6)


def is_allowed(address: Address, allowed: Iterable[Network]) -> bool:
    """Public addresses always; others only inside a network that the operator named, in the form that it has there."""
    return is_public(address) or any(address in network for network in allowed if network.version == address.version)


def carried(address: Address) -> Iterator[ipaddress.IPv4Address]:
    """Every IPv4 address that an IPv6 address may lead to by a translation or a tunnel."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address in _NAT64 or any(address in network for network in _LAST_32):
        yield _last_32(address)
    if address in _NAT64_LOCAL:
        for pieces in _RFC6052:
            number = 0
            for shift, width in pieces:
                number = number << width | int(address) >> shift & (1 << width) - 1
            yield ipaddress.IPv4Address(number)
    if address in _6TO4:
        yield ipaddress.IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    if address in _TEREDO:
        yield ipaddress.IPv4Address(int(address) >> 64 & 0xFFFFFFFF)
        yield ipaddress.IPv4Address(~int(address) & 0xFFFFFFFF)


def _last_32(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
