"""Sources whose time has come are asked for as jobs; the row says whether there is anything to do."""

from datetime import timedelta

from django.utils.timezone import now

from catalog.models import Source
from portal.accounts.actor import Actor
from portal.accounts.models import Organisation
from portal.accounts.tenancy import sweep, tenant
from portal.jobs.actions import submit
from portal.jobs.models import Job

REFRESH = "catalog.refresh"
# A source that was registered, moved or taken up and not read to its end is due again after this time.
UNFINISHED = timedelta(minutes=3)
AT_ONCE = 50


def due_sources() -> list[tuple[int, int]]:
    """(organisation id, source id) of the sources whose time has come, longest waiting first."""
    with sweep():
        rows = Source.objects.filter(next_refresh_at__lte=now()).order_by("next_refresh_at")
        return list(rows.values_list("organisation_id", "id")[:AT_ONCE])


def sweep_sources() -> int:
    """Asks for the refresh of each source that is due. For the live process; returns how many."""
    due = due_sources()
    for organisation_id, source_id in due:
        with tenant(organisation_id):
            source = _claim(organisation_id, source_id)
            if source is not None:
                ask_refresh(source.organisation, source, Actor.slipway())
    return len(due)


def _claim(organisation_id: int, source_id: int) -> Source | None:
    """The source, when this caller is the one to ask for it."""
    rows = Source.objects.for_tenant(organisation_id).filter(pk=source_id)
    claimed = rows.filter(next_refresh_at__lte=now()).update(next_refresh_at=now() + UNFINISHED)
    return rows.select_related("organisation").get() if claimed == 1 else None


def key_of(source: Source) -> str:
    """One refresh of a source is in flight at a time."""
    return f"source:{source.pk}"


def ask_refresh(organisation: Organisation, source: Source, actor: Actor) -> Job:
    """The job that reads the source: the one in flight, or a new one. Must run inside the tenant."""
    return submit(
        organisation=organisation,
        actor=actor,
        kind=REFRESH,
        title=f"Read {source.label} again",
        arguments={"source": source.pk},
        key=key_of(source),
        back_to=f"/o/{organisation.slug}/catalog/sources/{source.pk}/",
    )
