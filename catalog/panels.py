"""Panels of the entity page: higher rooms register theirs here."""

from collections.abc import Callable
from dataclasses import dataclass

from catalog.models import Entity
from portal.accounts.access import TenantRequest


@dataclass(frozen=True)
class Panel:
    """A card on the entity page. `render` gives its HTML, or "" to stay away for this entity."""

    key: str
    title: str
    order: int
    render: Callable[[TenantRequest, Entity], str]


PANELS: dict[str, Panel] = {}


def rendered(request: TenantRequest, entity: Entity) -> list[tuple[Panel, str]]:
    """The panels with something to say, in their order."""
    shown = ((panel, panel.render(request, entity)) for panel in sorted(PANELS.values(), key=lambda each: each.order))
    return [(panel, html) for panel, html in shown if html]
