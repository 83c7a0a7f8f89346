"""Where a cluster may be: its address is resolved once, judged, and connected to as judged."""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from portal.clusters.errors import KubeUnreachable
from portal.clusters.kubeconfig import ClusterTarget
from portal.kit import outbound
from portal.kit.errors import Invalid


@dataclass(frozen=True)
class Endpoint:
    """A server, resolved: connect to `address` (as it stands in a URL), speak to `host`."""

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
        return f"{'https' if self.is_tls else 'http'}://{self.address}:{self.port}{self.path}"


def resolve(server: str) -> Endpoint:
    """Resolves a server's address and judges it. Raises Invalid (not allowed) or KubeUnreachable (no such name)."""
    parts = urlsplit(server)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    try:
        found = outbound.destination(host, port, for_cluster=True)
    except outbound.UnknownHost as error:
        raise KubeUnreachable(f"The name {host} does not resolve to an address.", field="kubeconfig") from error
    except Invalid as error:
        raise Invalid(error.text, code=error.code, field="kubeconfig") from error
    if not is_tls and not found.is_loopback:
        raise Invalid("The server address should begin with https://.", field="kubeconfig")
    return Endpoint(host, port, found.literal, is_tls, parts.path.rstrip("/"))


def tls_context(target: ClusterTarget) -> ssl.SSLContext:
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
