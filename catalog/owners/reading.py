"""What has been stated about entities: who holds which role now, and what was before."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.utils.timezone import now

from catalog.index import owning
from catalog.models import Entity, Role, Statement
from portal.accounts.models import Organisation
from portal.accounts.tenancy import TenantQuerySet


def statements_of(organisation: Organisation | int) -> TenantQuerySet[Statement]:
    """Every statement that is written down."""
    return Statement.objects.for_tenant(organisation)


def standing(
    organisation: Organisation | int, entities: Collection[int], roles: Iterable[str] = Role.values
) -> dict[tuple[int, str], Statement]:
    """The statements that stand, by (entity's key, role); those that name nobody among them. One statement.

    The first statement about an owner is not written down: where there is none, see `first`.
    """
    rows = statements_of(organisation).filter(entity__in=entities, role__in=list(roles), until=None)
    return {(row.entity_id, row.role): row for row in rows.select_related("by")}


def held_by(organisation: Organisation | int, refs: Collection[str]) -> TenantQuerySet[Statement]:
    """The written statements that stand and name one of these holders. Owners that only files named: owner_ref."""
    return statements_of(organisation).filter(holder_ref__in=refs, until=None, entity__removed_at=None)


def first(entity: Entity) -> Statement | None:
    """What the entity's first document said of its owner, where nothing was written down since: not a row."""
    found = owning.first_of(entity, until=now())
    if found is not None:
        found.until = None
    return found


def history(organisation: Organisation | int, entity: Entity, role: str = "") -> list[Statement]:
    """All that was stated about an entity (in one role), the newest first; what its first document said is among it.
    One statement."""
    rows = statements_of(organisation).filter(entity=entity.pk).select_related("by").order_by("-id")
    found = list(rows.filter(role=role) if role else rows)
    begun = first(entity) if role in ("", Role.OWNER.value) else None
    return [*found, begun] if begun else found
