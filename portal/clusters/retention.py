"""How long the history of badges is kept in full: ninety days, and then one line a day for each entity and cluster."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from uuid import UUID

from django.db.models import Count
from django.db.models.functions import TruncDate
from django.utils import timezone

from portal.accounts.tenancy import sweep, tenant
from portal.clusters.models import Cluster, Transition

KEPT = timedelta(days=90)
DAYS_AT_ONCE = 200

Day = tuple[int, UUID, date]


def fold_transitions() -> int:
    """Folds what is older than KEPT; answers how many rows went. What is left over for the next turn is no harm."""
    with sweep():
        organisations = sorted(set(Cluster.objects.values_list("organisation_id", flat=True)))
    return sum(_fold(organisation_id) for organisation_id in organisations)


def _fold(organisation_id: int) -> int:
    with tenant(organisation_id):
        old = Transition.objects.for_tenant(organisation_id).filter(at__lt=timezone.now() - KEPT)
        days = old.annotate(day=TruncDate("at")).values_list("cluster_id", "entity_uid", "day")
        busy = list(days.annotate(rows=Count("pk")).filter(rows__gt=1).order_by("day")[:DAYS_AT_ONCE])
        wanted = {(cluster, uid, day) for cluster, uid, day, _ in busy}
        if not wanted:
            return 0
        found: dict[Day, list[Transition]] = defaultdict(list)
        rows = old.filter(entity_uid__in={uid for _, uid, _ in wanted}).annotate(day=TruncDate("at"))
        for row in rows.filter(day__in={day for *_, day in wanted}).order_by("at", "pk"):
            key = (row.cluster_id, row.entity_uid, row.day)
            if key in wanted:
                found[key].append(row)
        return sum(_fold_day(rows) for rows in found.values())


def _fold_day(rows: list[Transition]) -> int:
    """Leaves the day's last change, from what the day began with; nothing, when it ended as it began."""
    first, last = rows[0], rows[-1]
    gone = [row.pk for row in (rows if first.was == last.became else rows[:-1])]
    kept = Transition.objects.for_tenant(last.organisation_id)
    kept.filter(pk=last.pk).update(was=first.was)
    kept.filter(pk__in=gone).delete()
    return len(gone)
