"""Background reading of sources. A message is a nudge: the row says whether there is anything to do."""

import logging
from datetime import timedelta

from celery import shared_task
from django.utils.timezone import now

from catalog.intake.ingest import fail, ingest
from catalog.models import Source
from portal.accounts.tenancy import sweep, tenant
from portal.kit.errors import Refusal

log = logging.getLogger(__name__)

# A worker that dies while reading leaves the source due again after this time.
LEASE = timedelta(minutes=3)
AT_ONCE = 50


def due_sources() -> list[tuple[int, int]]:
    """(organisation id, source id) of the sources whose time has come, longest waiting first."""
    with sweep():
        rows = Source.objects.filter(next_refresh_at__lte=now()).order_by("next_refresh_at")
        return list(rows.values_list("organisation_id", "id")[:AT_ONCE])


@shared_task
def refresh_source_task(organisation_id: int, source_id: int) -> None:
    """Reads one source if it is due; harmless when delivered twice."""
    with tenant(organisation_id):
        source = _claim(organisation_id, source_id)
    if source is None:
        return
    try:
        outcome = ingest(source)
    except Refusal as refusal:
        with tenant(organisation_id):
            fail(source, refusal.text)
    else:
        log.info("source %s: %s", source_id, outcome.sentence)


def _claim(organisation_id: int, source_id: int) -> Source | None:
    """The source, when this caller is the one to read it."""
    rows = Source.objects.for_tenant(organisation_id).filter(pk=source_id)
    claimed = rows.filter(next_refresh_at__lte=now()).update(next_refresh_at=now() + LEASE)
    return rows.get() if claimed == 1 else None
