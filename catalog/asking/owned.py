"""How the owner of an entity is known, in the words of the catalog API: shown with it, and found by it."""

from collections.abc import Mapping
from typing import Any

# Its value is a `how` of a statement; `inheritance` where nobody says who owns it and the system or domain stands in.
OWNER_HOW = "slipway.io/owner-how"


def with_owner_how(annotations: Mapping[str, Any], how: str) -> dict[str, Any]:
    """The annotations with ours, and without one of that name that an author wrote."""
    known = {key: value for key, value in annotations.items() if str(key).lower() != OWNER_HOW}
    return {**known, OWNER_HOW: how} if how else known
