"""Runs go with what they made: who gets the entity may steer, retry and undo the run that it came from."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from catalog.handing.following import given_of
from catalog.owners.telling import Handed
from portal.accounts.models import Organisation

# A run belongs to the entity that it registered first; it goes along where it belonged to whoever gave that.
_FOLLOW = """
UPDATE provisioning_run r SET owner_ref = w.is_now
FROM unnest(%s::text[], %s::text[], %s::text[]) AS w (ref, was, is_now)
WHERE r.organisation_id = %s AND r.entity_refs @> ARRAY[w.ref]::varchar[] AND r.entity_refs[1] = w.ref
  AND r.owner_ref = w.was AND length(w.is_now) <= 300
"""


def after_stated(organisation: Organisation | int, handed: Sequence[Handed]) -> None:
    """The hook of statements: inside their transaction. One statement beside those that find what went along."""
    organisation_id = organisation if isinstance(organisation, int) else organisation.pk
    given = given_of(organisation_id, handed)
    if not given:
        return
    refs, was, is_now = zip(*((each.ref, each.was, each.is_now) for each in given), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_FOLLOW, [list(refs), list(was), list(is_now), organisation_id])
