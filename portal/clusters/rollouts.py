"""Who hears that the health of a workload became another: rooms above add themselves in their app's ready()."""

from collections.abc import Callable

# each is called with the organisation's id and `rollout:<cluster>/<namespace>/<kind>/<name>`, and must be quick
LISTENERS: list[Callable[[int, str], None]] = []


def tell(organisation_id: int, key: str) -> None:
    """Calls every listener."""
    for listener in LISTENERS:
        listener(organisation_id, key)
