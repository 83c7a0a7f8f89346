"""What provisioning adds to other rooms' pages: an entity's recent runs."""

from django.template.loader import render_to_string

from catalog.models import Entity
from catalog.panels import PANELS, Panel
from portal.accounts.access import TenantRequest
from portal.provisioning.listing import Filters, runs

MOST = 5


def recent_runs(request: TenantRequest, entity: Entity) -> str:
    """The newest runs that made or changed the entity; nothing for an entity that no run ever touched."""
    access = request.access
    found = list(runs(access.organisation, Filters(entity=entity.ref), access.user)[: MOST + 1])
    if not found:
        return ""
    context = {"org": access.organisation, "runs": found[:MOST], "entity": entity, "has_more": len(found) > MOST}
    return render_to_string("provisioning/_panel.html", context, request=request)


def register() -> None:
    """Put the panel on entity pages; called when the app is ready."""
    PANELS["runs"] = Panel("runs", "Recent runs", 60, recent_runs)
