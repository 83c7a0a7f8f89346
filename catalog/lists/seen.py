"""Stars and what was looked at: asked with the entity's own row, written when there is something to write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, Subquery
from django.utils.timezone import now

from catalog.lists.models import Star, Viewed
from catalog.models import Entity
from portal.accounts.models import Organisation, User

# So many entities that somebody looked at are remembered, and looking again within this time is not written.
KEPT = 50
AGAIN = timedelta(minutes=10)


def with_star(rows: Any, user: User) -> Any:
    """Entities with `is_starred`: no statement of its own."""
    stars = Star.objects.filter(organisation=OuterRef("organisation_id"), user=user, entity_uid=OuterRef("uid"))
    return rows.annotate(is_starred=Exists(stars))


def with_look(rows: Any, user: User) -> Any:
    """The same, and `viewed_at`: when the person last looked at it."""
    looks = Viewed.objects.filter(organisation=OuterRef("organisation_id"), user=user, entity_uid=OuterRef("uid"))
    return with_star(rows, user).annotate(viewed_at=Subquery(looks.values("at")[:1]))


# One statement: the look is written, and what is no longer among the newest goes.
_NOTE = """
WITH looked AS (
  INSERT INTO lists_viewed (organisation_id, user_id, entity_uid, at) VALUES (%s, %s, %s, %s)
  ON CONFLICT (organisation_id, user_id, entity_uid) DO UPDATE SET at = excluded.at
)
DELETE FROM lists_viewed WHERE organisation_id = %s AND id IN (
  SELECT id FROM lists_viewed WHERE organisation_id = %s AND user_id = %s ORDER BY at DESC OFFSET %s
)
"""


def note_look(organisation: Organisation, user: User, found: Entity) -> None:
    """Writes down that the person looked at an entity of `with_look`, unless that was just now."""
    moment, before = now(), getattr(found, "viewed_at", None)
    if before is not None and moment - before < AGAIN:
        return
    here = [organisation.pk, user.pk]
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, [*here, found.uid, moment, organisation.pk, *here, KEPT])


@dataclass(frozen=True)
class Kept:
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


_NEWEST = """
SELECT told.what, e.ref, e.kind, e.namespace, e.name, e.title, left(e.description, 200) FROM (
  (SELECT 'star' AS what, entity_uid AS uid, at FROM lists_star
    WHERE organisation_id = %s AND user_id = %s ORDER BY at DESC LIMIT %s)
  UNION ALL
  (SELECT 'viewed', entity_uid, at FROM lists_viewed
    WHERE organisation_id = %s AND user_id = %s ORDER BY at DESC LIMIT %s)
) told
JOIN catalog_entity e ON e.organisation_id = %s AND e.uid = told.uid AND e.removed_at IS NULL
ORDER BY told.at DESC
"""


def starred_and_viewed(organisation: Organisation, user: User, most: int) -> tuple[list[Kept], list[Kept]]:
    """What a person starred and what they looked at, each the newest first: one statement.

    What is not in the catalog any more is left out.
    """
    here = [organisation.pk, user.pk, most]
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [*here, *here, organisation.pk])
        rows = [(what, Kept(*rest)) for what, *rest in cursor.fetchall()]
    return [kept for what, kept in rows if what == "star"], [kept for what, kept in rows if what == "viewed"]


def recent(organisation: Organisation, user: User, most: int = KEPT) -> dict[str, int]:
    """reference -> place among the things that the person looked at last, 0 for the last."""
    return {kept.ref: place for place, kept in enumerate(starred_and_viewed(organisation, user, most)[1])}


def starred_uids(organisation: Organisation, user: User) -> list[UUID]:
    """All that the person starred."""
    return list(Star.objects.for_tenant(organisation).filter(user=user).values_list("entity_uid", flat=True))
