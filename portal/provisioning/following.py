"""Runs go with what they made: who gets the entity may steer, retry and undo the run that it came from."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import connection

from catalog.handing.following import given_of
from catalog.owners.telling import Handed
from portal.accounts.models import Organisation
from portal.provisioning.models import Run

# A run belongs to the entity that it registered first; it goes along where it belonged to whoever gave that.
_FOLLOW = """
UPDATE provisioning_run r SET owner_ref = w.is_now
FROM unnest(%s::text[], %s::text[], %s::text[]) AS w (ref, was, is_now)
WHERE r.organisation_id = %s AND r.entity_refs @> ARRAY[w.ref]::varchar[] AND r.entity_refs[1] = w.ref
  AND r.owner_ref = w.was AND length(w.is_now) <= 300
"""


def launched(organisation_id: int, refs: Collection[str]) -> dict[str, tuple[int, str]]:
    """Who launched the run that registered each of these entities first: reference -> (their id, their name)."""
    wanted = set(refs)
    if not wanted:
        return {}
    rows = Run.objects.for_tenant(organisation_id).filter(entity_refs__overlap=list(wanted)).exclude(requester=None)
    found: dict[str, tuple[int, str]] = {}
    for made, user, name, mail in rows.order_by("pk").values_list(
        "entity_refs", "requester_id", "requester__name", "requester__email"
    ):
        for ref in wanted.intersection(made):
            found.setdefault(ref, (user, name or mail))
    return found


def after_stated(organisation: Organisation | int, handed: Sequence[Handed]) -> None:
    """The hook of statements: inside their transaction. One statement beside those that find what went along."""
    organisation_id = organisation if isinstance(organisation, int) else organisation.pk
    given = given_of(organisation_id, handed)
    if not given:
        return
    refs, was, is_now = zip(*((each.ref, each.was, each.is_now) for each in given), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_FOLLOW, [list(refs), list(was), list(is_now), organisation_id])
