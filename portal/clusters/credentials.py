"""Cluster credentials at rest (kit/sealing.py), bound to their organisation, cluster, server and its authority."""

from __future__ import annotations

from dataclasses import dataclass

from portal.kit import sealing
from portal.kit.errors import Unavailable
from portal.kit.sealing import fingerprint, key_id

__all__ = ["CredentialPlace", "fingerprint", "key_id", "seal", "unseal"]


@dataclass(frozen=True)
class CredentialPlace:
    """Where a credential belongs; it opens nowhere else: not in another row, nor when the row names another server."""

    organisation: int
    cluster: str
    server: str
    ca: str

    @property
    def binding(self) -> sealing.Binding:
        """What it is sealed with."""
        return (self.organisation, self.cluster, self.server, self.ca, "credential")


def seal(plain: dict[str, str], place: CredentialPlace) -> str:
    """The credential as text that only the holder of the private key can open."""
    return sealing.seal(plain, place.binding)


def unseal(sealed: str, place: CredentialPlace) -> dict[str, str]:
    """Opens a sealed credential; only live and worker can. Raises Unavailable with the reason when it does not open."""
    try:
        return sealing.unseal(sealed, place.binding)
    except sealing.DoesNotOpen as error:
        raise Unavailable(
            f"The cluster's credential does not belong to this cluster or this installation. {error.text}"
            " Connect the cluster again."
        ) from error
