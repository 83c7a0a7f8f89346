"""What provisioning adds to other rooms' pages: an entity's recent runs."""

from dataclasses import dataclass

from django.db.models import QuerySet

from catalog.panels import OVERVIEW, Card, Look, register_card
from portal.kit.statements import written_once
from portal.provisioning.listing import Filters, runs
from portal.provisioning.models import Run

MOST = 5


@dataclass(frozen=True)
class RecentRuns:
    """The newest runs that made or changed an entity."""

    runs: list[Run]
    has_more: bool


@written_once
def _runs_of(organisation_id: int, ref: str) -> QuerySet[Run]:
    return runs(organisation_id, Filters(entity=ref), None)[: MOST + 1]


def recent_runs(look: Look) -> RecentRuns | None:
    """None for an entity that no run ever touched."""
    if look.entity.removed_at:
        return None
    found = _runs_of(look.organisation.pk, look.entity.ref)
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
