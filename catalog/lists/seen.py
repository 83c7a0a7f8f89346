"""Stars, asked with the entity's own row, and what of them and of the last visits a page shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef

from catalog.lists.models import Star
from portal.accounts.access import Access
from portal.accounts.models import Organisation, User


def with_star(rows: Any, user_id: int) -> Any:
    """Entities with `is_starred`: no statement of its own."""
    stars = Star.objects.filter(organisation=OuterRef("organisation_id"), user_id=user_id, entity_uid=OuterRef("uid"))
    return rows.annotate(is_starred=Exists(stars))


@dataclass(frozen=True)
class SeenEntity:
    """An entity that a person starred or looked at, as far as a link to it needs."""

    ref: str
    kind: str
    namespace: str
    name: str
    title: str
    description: str

    @property
    def display_name(self) -> str:
        return self.title or self.name


_COLUMNS = "e.ref, e.kind, e.namespace, e.name, e.title, left(e.description, 200)"
_NEWEST = f"""
SELECT * FROM (
  SELECT 'star' AS what, s.at, {_COLUMNS} FROM (
    SELECT entity_uid, at FROM lists_star WHERE organisation_id = %s AND user_id = %s ORDER BY at DESC LIMIT %s
  ) s JOIN catalog_entity e ON e.organisation_id = %s AND e.uid = s.entity_uid AND e.removed_at IS NULL
  UNION ALL
  SELECT 'visit', v.at, {_COLUMNS} FROM (
    SELECT ref, at FROM accounts_visit WHERE organisation_id = %s AND membership_id = %s ORDER BY at DESC LIMIT %s
  ) v JOIN catalog_entity e ON e.organisation_id = %s AND e.ref = v.ref AND e.removed_at IS NULL
) told ORDER BY at DESC
"""  # noqa: S608 - the columns are written above


def starred_and_visited(access: Access, most: int) -> tuple[list[SeenEntity], list[SeenEntity]]:
    """What a person starred and what they looked at, each the newest first: one statement.

    What is not in the catalog any more is left out.
    """
    here = access.organisation.pk
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [here, access.user.pk, most, here, here, access.membership.pk, most, here])
        rows = [(what, SeenEntity(*rest)) for what, _, *rest in cursor.fetchall()]
    return [kept for what, kept in rows if what == "star"], [kept for what, kept in rows if what == "visit"]


def starred_uids(organisation: Organisation, user: User) -> list[UUID]:
    """All that the person starred."""
    return list(Star.objects.for_tenant(organisation).filter(user=user).values_list("entity_uid", flat=True))
