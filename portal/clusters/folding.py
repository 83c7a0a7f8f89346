"""Changes of badges are kept for 90 days one by one, and after that as one row a day; done by the live process."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta
from typing import Any

from django.db.models import Exists, OuterRef
from django.utils import timezone

from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
from portal.clusters.models import Transition, TransitionDay

KEPT = timedelta(days=90)
BATCH = 500


def fold_transitions() -> int:
    """Fold one small batch of each organisation. Returns how many changes were folded."""
    return sum(fold_batch(pk) for pk in Organisation.objects.order_by("pk").values_list("pk", flat=True))


def fold_batch(organisation_id: int) -> int:
    """Fold the oldest changes in one transaction: counted and deleted together, however often it is cut off.

    The newest change of an entity stays whatever its age: it says which badge the entity wears.
    """
    with tenant(organisation_id):
        rows = Transition.objects.for_tenant(organisation_id)
        later = rows.filter(cluster=OuterRef("cluster"), entity_uid=OuterRef("entity_uid"), at__gt=OuterRef("at"))
        old = rows.filter(Exists(later), at__lt=timezone.now() - KEPT).order_by("at", "pk")
        batch = list(old[:BATCH])
        for (cluster_id, uid, day), found in _by_day(batch).items():
            _add(organisation_id, cluster_id, uid, day, found)
        rows.filter(pk__in=[row.pk for row in batch]).delete()
    return len(batch)


def _by_day(batch: list[Transition]) -> dict[tuple[int, Any, date], list[Transition]]:
    days: dict[tuple[int, Any, date], list[Transition]] = defaultdict(list)
    for row in batch:
        days[row.cluster_id, row.entity_uid, row.at.date()].append(row)
    return days


def _add(organisation_id: int, cluster_id: int, uid: Any, day: date, found: list[Transition]) -> None:
    row, _ = TransitionDay.objects.for_tenant(organisation_id).get_or_create(
        organisation_id=organisation_id,
        cluster_id=cluster_id,
        entity_uid=uid,
        day=day,
        defaults={"entity_ref": found[-1].entity_ref},
    )
    row.changes += len(found)
    row.became = dict(Counter(row.became) + Counter(change.became for change in found))
    row.save(update_fields=["changes", "became"])
