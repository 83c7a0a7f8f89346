"""Small secrets of people at rest: sealed with a key made from SECRET_KEY, opened with SECRET_KEY_FALLBACKS as well.

AES-256-GCM under HKDF-SHA256; the associated data is the purpose, so that what was sealed for one does not open for
another. What the web process must read again is sealed here; what it must not is sealed to the workers' key instead
(portal/clusters/credentials.py).
"""

import base64
import binascii
import functools
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

# What stands before the sealed bytes; the accounts migration that seals older rows writes the same.
MARK = "sealed.1."
NONCE = 12


class Unsealable(Exception):
    """The text was not sealed for this purpose by a key of this installation."""


@functools.lru_cache(maxsize=8)
def _cipher(secret: str) -> AESGCM:
    hkdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"slipway people 1")
    return AESGCM(hkdf.derive(secret.encode()))


def is_sealed(text: str) -> bool:
    """Whether it is sealed, by whatever key."""
    return text.startswith(MARK)


def seal(text: str, purpose: str) -> str:
    """The text as letters that only this installation can read."""
    nonce = os.urandom(NONCE)
    hidden = _cipher(settings.SECRET_KEY).encrypt(nonce, text.encode(), purpose.encode())
    return MARK + base64.urlsafe_b64encode(nonce + hidden).decode()


def unseal(sealed: str, purpose: str) -> str:
    """The text again, sealed with the key of today or one of its predecessors. Raises Unsealable."""
    if not is_sealed(sealed):
        raise Unsealable("not sealed")
    try:
        raw = base64.b64decode(sealed.removeprefix(MARK), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unsealable("broken") from error
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            return _cipher(secret).decrypt(raw[:NONCE], raw[NONCE:], purpose.encode()).decode()
        except (InvalidTag, ValueError):
            continue
    raise Unsealable("no key of this installation opens it")
