"""Tells the clusters' room how each entity finds its workloads, and who owns it."""

from collections.abc import Collection
from uuid import UUID

from catalog.models import Entity, Source
from portal.accounts.models import Organisation
from portal.clusters.actions import BindingWish, set_many_bindings
from portal.clusters.labels import label_value


def after_ingest(organisation: Organisation, source: Source, entities: list[Entity]) -> None:
    """Binds what was added or changed."""
    mine = [entity for entity in entities if entity.has_workloads]
    set_many_bindings(organisation, [BindingWish(row.uid, row.ref, row.annotations, slipway_id(row)) for row in mine])


def after_removal(organisation: Organisation, entities: list[Entity]) -> None:
    """Unbinds what left."""
    set_many_bindings(organisation, [BindingWish(row.uid, row.ref, {}) for row in entities if row.has_workloads])


def owners_of(organisation: Organisation, uids: Collection[str]) -> dict[str, str]:
    """Who owns each of these entities that are in the catalog, as a lower-cased reference."""
    rows = Entity.objects.for_tenant(organisation).filter(uid__in=uids, removed_at=None).exclude(owner_ref="")
    return {str(uid): ref.lower() for uid, ref in rows.values_list("uid", "owner_ref")}


def is_known(organisation: Organisation | int, uid: UUID) -> bool:
    """Whether the catalog has an entity of this uid."""
    return Entity.objects.for_tenant(organisation).filter(uid=uid, removed_at=None).exists()


def slipway_id(entity: Entity) -> str:
    """The value of the label `slipway.io/entity` on what Slipway itself puts into a cluster."""
    return label_of(entity.ref)


def label_of(ref: str) -> str:
    """A reference as a label's value: component:default/checkout -> component.default.checkout."""
    return label_value(ref)
