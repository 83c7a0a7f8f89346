"""Cluster credentials at rest: sealed to a public key, so that the web process can store them and never read them.

X25519 with a fresh key for each sealing, HKDF-SHA256, AES-256-GCM. The associated data names the organisation, the
cluster, the server, its authority and the key: a sealed credential that is moved to another row, or whose row is
pointed at another server, does not open.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from portal.kit.errors import Unavailable


@dataclass(frozen=True)
class Place:
    """Where a credential belongs; it opens nowhere else."""

    organisation: int
    cluster: str
    server: str
    ca: str

    def bound_to(self, key: str) -> bytes:
        """The associated data."""
        return json.dumps([self.organisation, self.cluster, self.server, self.ca, "credential", key]).encode()


def key_id(public: bytes) -> str:
    """The short name of a public key, kept beside what was sealed to it."""
    return hashlib.sha256(public).hexdigest()[:16]


def fingerprint(secret: str) -> str:
    """What a person may see of a credential: enough to tell two apart, nothing to use."""
    return hashlib.sha256(secret.encode()).hexdigest()[:12]


def _derive(shared: bytes, ephemeral: bytes, public: bytes) -> AESGCM:
    kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"slipway cluster credential" + ephemeral + public)
    return AESGCM(kdf.derive(shared))


def seal(plain: dict[str, str], place: Place) -> str:
    """The credential as text that only the holder of the private key can open."""
    if not settings.CLUSTER_PUBLIC_KEY:
        raise Unavailable("This installation has no key to seal cluster credentials with: set CLUSTER_PUBLIC_KEY.")
    public = base64.b64decode(settings.CLUSTER_PUBLIC_KEY)
    once = X25519PrivateKey.generate()
    ephemeral = once.public_key().public_bytes_raw()
    cipher = _derive(once.exchange(X25519PublicKey.from_public_bytes(public)), ephemeral, public)
    nonce, name = os.urandom(12), key_id(public)
    sealed = cipher.encrypt(nonce, json.dumps(plain).encode(), place.bound_to(name))
    return f"1.{name}.{base64.b64encode(ephemeral + nonce + sealed).decode()}"


def unseal(sealed: str, place: Place) -> dict[str, str]:
    """Opens a sealed credential; only live and worker can. Raises Unavailable with the reason when it does not open."""
    if not settings.CLUSTER_PRIVATE_KEY:
        raise Unavailable("This process cannot open cluster credentials: it has no CLUSTER_PRIVATE_KEY.")
    private = X25519PrivateKey.from_private_bytes(base64.b64decode(settings.CLUSTER_PRIVATE_KEY))
    public = private.public_key().public_bytes_raw()
    version, name, body = sealed.split(".", 2)
    raw = base64.b64decode(body)
    if version != "1" or name != key_id(public):
        raise Unavailable("The cluster's credential was sealed with another key. Connect the cluster again.")
    ephemeral, nonce, hidden = raw[:32], raw[32:44], raw[44:]
    cipher = _derive(private.exchange(X25519PublicKey.from_public_bytes(ephemeral)), ephemeral, public)
    try:
        plain: dict[str, str] = json.loads(cipher.decrypt(nonce, hidden, place.bound_to(name)))
    except InvalidTag as error:
        raise Unavailable("The cluster's credential does not belong to this cluster. Connect it again.") from error
    return plain
