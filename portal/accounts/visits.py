"""What a member looked at last. It moves search and nothing else, so it is no event of the audit log; a page says it
after it is shown, so that reading waits for no writing."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils import timezone

from portal.accounts.access import Access
from portal.accounts.models import Visit

KEPT = 40


def note_visit(*, access: Access, ref: str) -> None:
    """Remembers that this member looked at what the complete reference names; the oldest beyond KEPT are forgotten."""
    row = Visit(organisation=access.organisation, membership=access.membership, ref=ref, at=timezone.now())
    Visit.objects.bulk_create(
        [row], update_conflicts=True, unique_fields=["organisation", "membership", "ref"], update_fields=["at"]
    )
    old = _mine(access).values("pk")[KEPT:]
    Visit.objects.for_tenant(access.organisation).filter(pk__in=old).delete()


def visited(access: Access) -> list[str]:
    """The references, the last one first. One statement."""
    return list(_mine(access).values_list("ref", flat=True)[:KEPT])


def _mine(access: Access) -> QuerySet[Visit]:
    rows = Visit.objects.for_tenant(access.organisation).filter(membership=access.membership)
    return rows.order_by("-at", "-pk")
