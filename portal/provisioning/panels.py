"""What provisioning adds to other rooms' pages: an entity's recent runs."""

from dataclasses import dataclass

from catalog.panels import OVERVIEW, Card, Look, register_card
from portal.provisioning.listing import Filters, runs
from portal.provisioning.models import Run

MOST = 5


@dataclass(frozen=True)
class RecentRuns:
    """The newest runs that made or changed an entity."""

    runs: list[Run]
    has_more: bool


def recent_runs(look: Look) -> RecentRuns | None:
    """None for an entity that no run ever touched."""
    if look.entity.removed_at:
        return None
    access = look.request.access
    found = list(runs(access.organisation, Filters(entity=look.entity.ref), access.user)[: MOST + 1])
    return RecentRuns(found[:MOST], len(found) > MOST) if found else None


def register() -> None:
    """Put the card on entity pages; called when the app is ready."""
    register_card(
        Card(
            name="runs",
            title="Recent runs",
            tab=OVERVIEW,
            order=60,
            template="provisioning/_panel.html",
            context=recent_runs,
        )
    )
