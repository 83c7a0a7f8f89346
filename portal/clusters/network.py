"""Where a cluster may be: its address is resolved once, judged, and connected to as judged."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from portal.clusters.errors import KubeUnreachable
from portal.clusters.kubeconfig import Target
from portal.kit.errors import Invalid

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True)
class Endpoint:
    """A server, resolved: connect to `address`, speak to `host`."""

    host: str
    port: int
    address: str
    is_tls: bool
    path: str

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.is_tls else 80
        return host if self.port == default else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address to connect to, with no name left to resolve."""
        literal = f"[{self.address}]" if ":" in self.address else self.address
        return f"{'https' if self.is_tls else 'http'}://{literal}:{self.port}{self.path}"


def _plain(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, where there is one to hide in."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address.sixtofour:
            return address.sixtofour
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_allowed(address: str, networks: Sequence[str]) -> bool:
    """Whether an address may be connected to: public ones always, others only inside a network the operator named."""
    plain = _plain(ipaddress.ip_address(address.partition("%")[0]))
    if any(plain in ipaddress.ip_network(network, strict=False) for network in networks):
        return True
    return plain.is_global and not plain.is_multicast


def resolve(server: str, networks: Sequence[str]) -> Endpoint:
    """Resolves a server's address and judges it. Raises Invalid (not allowed) or KubeUnreachable (no such name)."""
    parts = urlsplit(server)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise KubeUnreachable(f"The name {host} does not resolve to an address.", field="kubeconfig") from error
    addresses = [str(item[4][0]) for item in found]
    for address in addresses:
        if not is_allowed(address, networks):
            raise Invalid(
                f"The server {host} is at {address}, a private address that Slipway may not connect to."
                " An operator can allow its network with ALLOWED_NETWORKS.",
                field="kubeconfig",
            )
    if not is_tls and not all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in addresses):
        raise Invalid("The server address should begin with https://.", field="kubeconfig")
    return Endpoint(host, port, addresses[0], is_tls, parts.path.rstrip("/"))


def tls_context(target: Target) -> ssl.SSLContext:
    """TLS as the cluster wants it: its own authority, our client certificate where that is the credential."""
    context = ssl.create_default_context(cadata=target.ca or None)
    if target.certificate:
        # Python loads a certificate chain from files only; this one is gone again before the function returns
        with tempfile.TemporaryDirectory() as folder:
            pair = Path(folder) / "client.pem"
            pair.touch(mode=0o600)
            pair.write_text(f"{target.certificate}\n{target.key}\n")
            context.load_cert_chain(pair)
    return context
