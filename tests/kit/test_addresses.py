"""The address rule: what is inside stays closed in every dress, and what is outside stays open."""

import ipaddress
import random

import pytest

from portal.kit import addresses
from portal.kit.addresses import is_allowed, is_public, parse

INSIDE = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4",
]  # fmt: skip


def _v6(number: int) -> ipaddress.IPv6Address:
    return ipaddress.IPv6Address(number)


def _behind(prefix: str, number: int, shift: int) -> ipaddress.IPv6Address:
    return _v6(int(ipaddress.IPv6Address(prefix)) | number << shift)


def _rfc6052(prefix: str, number: int, length: int) -> ipaddress.IPv6Address:
    """The IPv4 address behind a NAT64 prefix: from bit `length` on, around bits 64 to 71, which are zero."""
    bits = f"{number:032b}"
    before = max(0, 64 - length) if length < 96 else 0
    first, rest = bits[:before], bits[before:]
    at = length if length >= 64 else 64
    skipped = 8 if length < 96 else 0
    value = int(ipaddress.IPv6Address(prefix))
    if first:
        value |= int(first, 2) << (128 - length - len(first))
    if rest:
        value |= int(rest, 2) << (128 - at - skipped - len(rest))
    return _v6(value)


# Every form in which an IPv6 address leads to an IPv4 one.
DRESSES = {
    "mapped ::ffff:a.b.c.d": lambda n: _behind("::ffff:0:0", n, 0),
    "compatible ::a.b.c.d": lambda n: _v6(n),
    "SIIT ::ffff:0:a.b.c.d": lambda n: _behind("::ffff:0:0:0", n, 0),
    "NAT64 64:ff9b::/96": lambda n: _behind("64:ff9b::", n, 0),
    "NAT64 64:ff9b:1::/48": lambda n: _rfc6052("64:ff9b:1::", n, 48),
    "NAT64 64:ff9b:1::/56": lambda n: _rfc6052("64:ff9b:1::", n, 56),
    "NAT64 64:ff9b:1::/64": lambda n: _rfc6052("64:ff9b:1::", n, 64),
    "NAT64 64:ff9b:1::/96": lambda n: _rfc6052("64:ff9b:1::", n, 96),
    "6to4 2002::/16": lambda n: _behind("2002::", n, 80),
    "Teredo server": lambda n: _behind("2001::", n, 64),
    "Teredo client": lambda n: _behind("2001::", ~n & 0xFFFFFFFF, 0),
    "ISATAP": lambda n: _behind("fe80::5efe:0:0", n, 0),
    "site-local fec0::/10": lambda n: _behind("fec0::", n, 0),
}


def _samples() -> list[ipaddress.IPv4Address]:
    """The edges of every inner network, and a seeded handful between them."""
    dice = random.Random(20260101)
    found = []
    for network in map(ipaddress.IPv4Network, INSIDE):
        found += [network[0], network[1], network[-2], network[-1]]
        found += [network[dice.randrange(network.num_addresses)] for _ in range(40)]
    return found


def test_every_inner_address_is_closed() -> None:
    assert [str(address) for address in _samples() if is_public(address)] == []


@pytest.mark.parametrize("dress", DRESSES)
def test_every_embedding_of_every_inner_address_is_closed(dress: str) -> None:
    dressed = [DRESSES[dress](int(address)) for address in _samples()]
    assert [str(address) for address in dressed if is_allowed(parse(str(address)), [])] == []


@pytest.mark.parametrize("dress", DRESSES)
def test_a_network_that_the_operator_opened_is_not_open_in_other_dresses(dress: str) -> None:
    """10.0.0.0/8 opens 10.1.2.3, and `::ffff:10.1.2.3`, which is the same to a socket; no tunnel to it."""
    opened = addresses.networks(["10.0.0.0/8"])
    number = int(ipaddress.IPv4Address("10.1.2.3"))
    assert is_allowed(parse("10.1.2.3"), opened)
    assert is_allowed(parse(str(DRESSES[dress](number))), opened) is dress.startswith("mapped")


@pytest.mark.parametrize(
    "dress", [name for name in DRESSES if name.split()[0] not in {"ISATAP", "site-local", "mapped"}]
)
def test_what_an_address_carries_is_found_again(dress: str) -> None:
    for address in [*_samples(), ipaddress.IPv4Address("93.184.216.34")]:
        assert address in set(addresses.carried(DRESSES[dress](int(address)))), dress


@pytest.mark.parametrize(
    "address",
    [
        "::", "::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "fec0::1", "100::1", "2001:db8::1", "2001::1",
        "2001:2::1", "2001:10::1", "2001:20::1", "2002::1", "3fff::1", "5f00::1", "64:ff9b:1::1", "4000::1",
    ],
)  # fmt: skip
def test_inner_addresses_of_ipv6_are_closed(address: str) -> None:
    assert not is_allowed(parse(address), [])


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450::1", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_public_addresses_are_open(address: str) -> None:
    assert is_allowed(parse(address), [])


def test_nothing_is_open_that_python_calls_private() -> None:
    dice = random.Random(7)
    for _ in range(20_000):
        four = ipaddress.IPv4Address(dice.getrandbits(32))
        six = ipaddress.IPv6Address(dice.getrandbits(128))
        assert four.is_global or not is_public(four), four
        assert six.is_global or not is_public(six), six


def test_networks_named_by_the_operator_are_open() -> None:
    opened = addresses.networks(["10.0.0.1/8", "fd00::/8"])
    assert is_allowed(parse("10.1.2.3"), opened)
    assert is_allowed(parse("fd00::1"), opened)
    assert not is_allowed(parse("192.168.0.1"), opened)
