"""Whatever goes out asks one rule, connects to what it judged, and never to a part of ours."""

import re
import socket
from pathlib import Path

import pytest

from catalog.intake.sources import url
from portal.clusters import network
from portal.clusters.kube import Client
from portal.clusters.kubeconfig import ClusterTarget
from portal.githosts import fetch
from portal.kit import addresses, outbound
from portal.kit.errors import Invalid, Refusal

ROOT = Path(__file__).resolve().parents[2]


def to(*found: str):
    return lambda host, port: found


def test_one_inner_address_among_outer_ones_is_enough_to_refuse(settings):
    settings.ALLOWED_NETWORKS = []
    with pytest.raises(Invalid, match="lies on a private network"):
        outbound.destination("x.example", 443, resolver=to("93.184.216.34", "10.0.0.1"))


def test_the_first_address_is_the_one_to_connect_to(settings):
    settings.ALLOWED_NETWORKS = ["10.0.0.0/8"]
    found = outbound.destination("x.example", 443, resolver=to("10.0.0.1", "93.184.216.34"))
    assert found == outbound.JudgedAddress("x.example", 443, "10.0.0.1")
    assert not found.is_public
    assert outbound.destination("x.example", 443, resolver=to("2606:4700::1111")).literal == "[2606:4700::1111]"


def test_a_name_without_an_address_is_an_unknown_host():
    with pytest.raises(outbound.UnknownHost, match=r"nowhere\.invalid cannot be found"):
        outbound.destination("nowhere.invalid", 443)
    with pytest.raises(outbound.UnknownHost):
        outbound.destination("x.example", 443, resolver=to())


@pytest.mark.parametrize("networks", [["0.0.0.0/0", "::/0"], ["127.0.0.0/8", "::1/128"]])
@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.0.0.2", "0.0.0.0", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"],
)
@pytest.mark.parametrize("setting", ["PUBLIC_URL", "VALKEY_URL", "OWN_ADDRESSES", "SANDBOX_ADDRESS", "DATABASES"])
def test_our_own_ports_are_closed_whatever_the_operator_opened(settings, monkeypatch, networks, address, setting):
    settings.ALLOWED_NETWORKS = networks
    own = {
        "PUBLIC_URL": "http://127.0.0.1:9999",
        "VALKEY_URL": "redis://127.0.0.1:9999/0",
        "OWN_ADDRESSES": ["127.0.0.1:9999"],
        "SANDBOX_ADDRESS": "127.0.0.1:9999",
    }
    if setting == "DATABASES":
        monkeypatch.setitem(settings.DATABASES["default"], "HOST", "127.0.0.1")
        monkeypatch.setitem(settings.DATABASES["default"], "PORT", 9999)
    else:
        setattr(settings, setting, own[setting])
    with pytest.raises(Invalid) as caught:
        outbound.destination("x.example", 9999, resolver=to(address))
    assert caught.value.code in {"own_address", "private_address"}
    if networks[0] == "0.0.0.0/0":
        assert caught.value.code == "own_address"
        assert outbound.destination("x.example", 9998, resolver=to(address)).port == 9998


def test_this_machines_other_addresses_are_its_own_too(settings):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: only asks the kernel which of our addresses it would use
        mine = probe.getsockname()[0]
    settings.ALLOWED_NETWORKS = ["0.0.0.0/0"]
    settings.OWN_ADDRESSES = ["127.0.0.1:9999"]
    with pytest.raises(Invalid, match="a part of this portal itself"):
        outbound.destination("x.example", 9999, resolver=to(mine))


def test_an_engine_elsewhere_is_closed_by_its_address(settings, monkeypatch):
    settings.ALLOWED_NETWORKS = ["10.0.0.0/8"]
    settings.VALKEY_URL = "redis://valkey.example:6379/0"
    monkeypatch.setattr(outbound, "resolve", lambda host, port: ["10.0.0.7"])
    with pytest.raises(Invalid, match="a part of this portal itself"):
        outbound.destination("other.example", 6379, resolver=to("10.0.0.7"))
    assert outbound.destination("other.example", 6379, resolver=to("10.0.0.8")).address == "10.0.0.8"


def test_the_portals_name_is_closed_and_its_neighbours_behind_one_proxy_are_open(settings):
    settings.PUBLIC_URL = "https://slipway.example"
    with pytest.raises(Invalid, match="a part of this portal itself"):
        outbound.destination("Slipway.example.", 443, resolver=to("93.184.216.34"))
    assert outbound.destination("git.example", 443, resolver=to("93.184.216.34"))


def test_only_cluster_connections_reach_the_sandbox(settings):
    settings.ALLOWED_NETWORKS = ["127.0.0.0/8"]
    settings.SANDBOX_ADDRESS = "127.0.0.1:7443"
    assert network.resolve("https://127.0.0.1:7443").port == 7443
    with pytest.raises(Invalid, match="a part of this portal itself"):
        url.fetch("https://127.0.0.1:7443/api")


def test_clusters_that_the_operator_named_are_reached_as_clusters_alone(settings):
    """A private network is not opened to everybody's sources because a cluster lies in it."""
    settings.ALLOWED_NETWORKS = []
    settings.SANDBOX_ADDRESS = "127.0.0.1:7443"
    settings.CLUSTER_ADDRESSES = ["10.0.0.7:6443", "k8s.corp.example"]
    inside = to("10.0.0.7")
    for host, port in (("10.0.0.7", 6443), ("k8s.corp.example", 443), ("127.0.0.1", 7443)):
        assert outbound.destination(host, port, for_cluster=True, resolver=inside)
        with pytest.raises(Invalid):
            outbound.destination(host, port, resolver=inside)
    for host, port in (("10.0.0.7", 6444), ("10.0.0.8", 6443), ("k8s.corp.example", 6443), ("other.example", 443)):
        with pytest.raises(Invalid, match="private network"):
            outbound.destination(host, port, for_cluster=True, resolver=inside)


def _git(address: str):
    return lambda into: fetch.fetch_tree(address, "", into)


WAYS_OUT = {
    "git over https": _git("https://git.example:8443/a/b"),
    "git over ssh": _git("ssh://git@git.example/a/b"),
    "git over ssh, scp form": _git("git@git.example:a/b"),
    "an address": lambda into: url.fetch("https://git.example/catalog-info.yaml"),
    "a watched cluster": lambda into: network.resolve("https://git.example:6443"),
    "a called cluster": lambda into: Client("c", ClusterTarget("https://git.example:6443", "", token="t")),
}


@pytest.mark.parametrize("way", WAYS_OUT)
def test_a_fault_in_the_one_rule_shows_in_every_way_out(way, tmp_path, monkeypatch):
    """All of them refuse what the rule refuses, even a public address; so all of them ask it."""
    monkeypatch.setattr(outbound.socket, "getaddrinfo", lambda *args, **kwargs: [(2, 1, 6, "", ("93.184.216.34", 0))])
    monkeypatch.setattr(addresses, "is_allowed", lambda address, allowed: False)
    with pytest.raises(Refusal, match=r"git\.example lies on a private network"):
        WAYS_OUT[way](tmp_path)


def test_nobody_else_resolves_or_judges():
    """Names are looked up, and addresses taken apart, in two modules."""
    words = re.compile(r"getaddrinfo|gethostby|import ipaddress|create_connection|urllib\.request|import requests")
    own = {"portal/kit/addresses.py", "portal/kit/outbound.py"}
    # The supervisor and the sandbox speak to their own loopback; the database that we are set up with is asked whether
    # it is there at all.
    plumbing = {
        "portal/wish.py", "portal/house.py", "portal/supervisor.py", "portal/embedded.py",
        "portal/kit/postgres/waiting.py",
    }  # fmt: skip
    found = {
        path.relative_to(ROOT).as_posix()
        for top in ("portal", "catalog")
        for path in (ROOT / top).rglob("*.py")
        if words.search(path.read_text()) and not {"sandbox", "shipped"} & set(path.parts)
    }
    assert found - plumbing == own
