"""Names that are the same however often a step is run again: what makes an effect happen once."""

import hashlib
import hmac

MAX_KEY = 200


def effect_key(run_id: int, step: str, iteration: int, kind: str, target: str) -> str:
    """The ledger's key of one outside effect of one iteration of one step of one run.

    Readable while it is short; a long target keeps its beginning and gains a digest.
    """
    key = f"{run_id}/{step}/{iteration}/{kind}:{target}"
    if len(key) <= MAX_KEY:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return f"{key[: MAX_KEY - 17]}~{digest}"


def hidden(name: str, key: str) -> str:
    """A name that holds a secret, as something that is the same every time and tells nobody anything."""
    return f"~{hmac.new(key.encode(), name.encode(), hashlib.sha256).hexdigest()[:32]}"


def marker(organisation_id: int, run_id: int) -> str:
    """What a run writes on a thing outside to recognise it as its own."""
    return f"slipway-run-{organisation_id}-{run_id}"
