"""What the catalog shows live: the state of a source."""

from django.template.loader import render_to_string

from catalog.models import Source
from portal.accounts.models import Organisation


def source_state(organisation: Organisation, key: str) -> str | None:
    """The fragment of the topic `source:<id>`."""
    if not key.isdigit() or len(key) > 18:
        return None
    source = Source.objects.for_tenant(organisation).filter(pk=int(key)).first()
    if source is None:
        return None
    return render_to_string("catalog/source_state.html", {"source": source, "org": organisation})
