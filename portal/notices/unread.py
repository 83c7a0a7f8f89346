"""How many notices a member has not read: kept beside the membership, which every page reads anyway.

Always changed by how many, never set: two transactions that count at the same time both count.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping

from django.db import transaction
from django.db.models import F

from portal.accounts.models import Membership
from portal.kit.announcing import announce_all


def count_up(organisation_id: int, fresh: Mapping[int, int]) -> None:
    """membership -> how many notices it has got now. Rows are locked in one order: no two wait for each other."""
    by_number: dict[int, list[int]] = defaultdict(list)
    for membership, number in fresh.items():
        by_number[number].append(membership)
    rows = Membership.objects.for_tenant(organisation_id)
    list(rows.filter(pk__in=list(fresh)).order_by("pk").select_for_update().values_list("pk", flat=True))
    for number, memberships in by_number.items():
        rows.filter(pk__in=memberships).update(unread_notices=F("unread_notices") + number)


def count_down(organisation_id: int, membership: int, number: int) -> None:
    """So many were read, or were put back for a negative number."""
    if number:
        Membership.objects.for_tenant(organisation_id).filter(pk=membership).update(
            unread_notices=F("unread_notices") - number
        )


def ring(organisation_id: int, users: Collection[int]) -> None:
    """Every open page of these people shows their number anew, when this is written."""
    topics = [f"bell:{user}" for user in Counter(users)]
    transaction.on_commit(lambda: announce_all(organisation_id, topics))
