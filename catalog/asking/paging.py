"""Keyset pages: a cursor is the place of a row in its order, sealed against tampering."""

import base64
import binascii
import json
from typing import Any

from django.core.signing import BadSignature, Signer

from portal.kit.errors import Invalid

_SIGNER = Signer(salt="catalog.cursor")


def seal(content: Any) -> str:
    """An opaque cursor. It does not decode to JSON on purpose: callers must not look inside."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(_SIGNER.sign(text).encode()).decode().rstrip("=")


def unseal(cursor: str) -> Any:
    """What was sealed; raises Invalid for anything else."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return json.loads(_SIGNER.unsign(base64.urlsafe_b64decode(padded.encode()).decode()))
    except (BadSignature, ValueError, binascii.Error, UnicodeError) as error:
        raise Invalid("The cursor is not one of ours. Start again from the first page.", field="cursor") from error
