"""Who answers for what as a CSV file, taken out as a list is chosen. It is brought in by catalog/handing."""

from __future__ import annotations

from django.http import HttpResponseBase, StreamingHttpResponse

from catalog.lists.choosing import ListChoice
from catalog.planning import exported
from portal.accounts.access import TenantRequest, gate
from portal.accounts.audit import record


@gate("catalog.view")
def ownership_export(request: TenantRequest) -> HttpResponseBase:
    """Every role of the entities of a list, a line each; the list as its address says. Taking it out is an event."""
    access, wanted = request.access, ListChoice.read(request.GET)
    record(
        organisation=access.organisation,
        actor=access.actor,
        verb="ownership.exported",
        summary="Exported who answers for what as CSV",
        data={"query": wanted.query},
    )
    response = StreamingHttpResponse(exported(access, wanted), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="ownership-{access.organisation.slug}.csv"'
    response["Cache-Control"] = "no-store"
    return response
