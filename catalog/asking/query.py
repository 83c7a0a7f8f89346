"""The entities that are there: what look-ups by reference or key begin with. Whatever filters, counts or puts in order
asks catalog/index."""

from __future__ import annotations

from catalog.models import Entity
from portal.accounts.models import Organisation
from portal.accounts.tenancy import TenantQuerySet

Entities = TenantQuerySet[Entity]


def entities_of(organisation: Organisation | int) -> Entities:
    """The entities that are there: tombstones left out."""
    rows: Entities = Entity.objects.for_tenant(organisation)
    return rows.filter(removed_at=None)
