"""Credentials at rest: sealed to a public key, so that the web process can store them and never read them.

X25519 with a fresh key for each sealing, HKDF-SHA256, AES-256-GCM. The associated data says where a credential belongs
(`binding`, any plain JSON) and names the key: what was sealed for one place does not open in another.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from portal.kit.errors import Unavailable

Binding = Sequence[str | int]


class DoesNotOpen(Unavailable):
    """The key is another one, or the credential was sealed for another place."""


def key_id(public: bytes) -> str:
    """The short name of a public key, kept beside what was sealed to it."""
    return hashlib.sha256(public).hexdigest()[:16]


def fingerprint(secret: str) -> str:
    """What a person may see of a credential: enough to tell two apart, nothing to use."""
    return hashlib.sha256(secret.encode()).hexdigest()[:12]


def _derive(shared: bytes, ephemeral: bytes, public: bytes) -> AESGCM:
    # The label is older than this module; another one would not open what is sealed already.
    kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"slipway cluster credential" + ephemeral + public)
    return AESGCM(kdf.derive(shared))


def _bound(binding: Binding, key: str) -> bytes:
    return json.dumps([*binding, key]).encode()


def seal(plain: Mapping[str, str], binding: Binding) -> str:
    """The credential as text that only the holder of the private key can open. Raises Unavailable without a key."""
    if not settings.CLUSTER_PUBLIC_KEY:
        raise Unavailable("This installation has no key to seal credentials with: set CLUSTER_PUBLIC_KEY.")
    public = base64.b64decode(settings.CLUSTER_PUBLIC_KEY)
    once = X25519PrivateKey.generate()
    ephemeral = once.public_key().public_bytes_raw()
    cipher = _derive(once.exchange(X25519PublicKey.from_public_bytes(public)), ephemeral, public)
    nonce, name = os.urandom(12), key_id(public)
    sealed = cipher.encrypt(nonce, json.dumps(dict(plain)).encode(), _bound(binding, name))
    return f"1.{name}.{base64.b64encode(ephemeral + nonce + sealed).decode()}"


def unseal(sealed: str, binding: Binding) -> dict[str, str]:
    """Opens a sealed credential; only live and worker can. Raises Unavailable (no key here) or DoesNotOpen."""
    if not settings.CLUSTER_PRIVATE_KEY:
        raise Unavailable("This process cannot open credentials: it has no CLUSTER_PRIVATE_KEY.")
    private = X25519PrivateKey.from_private_bytes(base64.b64decode(settings.CLUSTER_PRIVATE_KEY))
    public = private.public_key().public_bytes_raw()
    try:
        version, name, body = sealed.split(".", 2)
        raw = base64.b64decode(body)
    except ValueError as error:
        raise DoesNotOpen("It is damaged.") from error
    if version != "1" or name != key_id(public):
        raise DoesNotOpen("It was sealed with another key.")
    ephemeral, nonce, hidden = raw[:32], raw[32:44], raw[44:]
    cipher = _derive(private.exchange(X25519PublicKey.from_public_bytes(ephemeral)), ephemeral, public)
    try:
        plain: dict[str, str] = json.loads(cipher.decrypt(nonce, hidden, _bound(binding, name)))
    except InvalidTag as error:
        raise DoesNotOpen("It was sealed for another place.") from error
    return plain
