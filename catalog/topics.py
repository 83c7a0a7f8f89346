"""What the catalog shows live: the state of a source, and an entity's workloads as the clusters' room renders them."""

from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import mark_safe

from catalog.models import Entity, Source
from portal.accounts.access import TenantRequest
from portal.accounts.models import Organisation
from portal.clusters import status
from portal.kit.announcing import TOPICS


def source_state(organisation: Organisation, key: str) -> str | None:
    """The fragment of the topic `source:<id>`."""
    if not key.isdigit() or len(key) > 18:
        return None
    source = Source.objects.for_tenant(organisation).filter(pk=int(key)).first()
    if source is None:
        return None
    return render_to_string("catalog/source_state.html", {"source": source, "org": organisation})


def workloads_panel(request: TenantRequest, entity: Entity) -> str:
    """The card of what runs for an entity; away for entities that have never had anything to do with a cluster."""
    topic = TOPICS.get("workloads")
    organisation = request.access.organisation
    if topic is None or not entity.has_workloads or not _may_run(organisation, entity):
        return ""
    html = topic.render(organisation, str(entity.uid))
    # The fragment is rendered by the topic's own template.
    return format_html('<div data-live="workloads:{}">{}</div>', entity.uid, mark_safe(html)) if html else ""  # noqa: S308


def _may_run(organisation: Organisation, entity: Entity) -> bool:
    if any(key.startswith("backstage.io/kubernetes-") for key in entity.annotations):
        return True
    return bool(status.of_entities(organisation.pk, [entity.uid]))
