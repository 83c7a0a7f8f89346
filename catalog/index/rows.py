"""The entities of a page, or of a small set, as rows."""

# ruff: noqa: S608  # the pieces of SQL that are put together here are all our own constants
from __future__ import annotations

from collections.abc import Sequence

from catalog.index.ordering import Order, Page, Place, listed, needed, page
from catalog.index.reading import Condition, FoundSet, IndexQuestion
from catalog.models import Entity
from portal.accounts.models import Organisation

# What lists show.
LISTED = (
    "id", "num", "uid", "organisation_id", "kind", "namespace", "name", "ref", "title", "description", "type",
    "lifecycle", "owner_ref", "owner_how", "system_ref", "tags", "sort_name",
)  # fmt: skip


def entities(organisation: Organisation | int, chosen: Page, columns: Sequence[str] = LISTED) -> list[Entity]:
    """The entities of a page in the page's order, with these columns: one statement. `cut` them as the page says."""
    organisation_id = organisation if isinstance(organisation, int) else organisation.pk
    names = ", ".join(f"e.{name}" for name in columns)
    sql = (
        f"SELECT {names} FROM ({chosen.sql}) p"
        " JOIN catalog_entity e ON e.organisation_id = %s AND e.num = p.num ORDER BY p.place"
    )
    return list(Entity.objects.raw(sql, [*chosen.parameters, organisation_id]))


def first(
    organisation: Organisation | int,
    node: Condition,
    most: int,
    *,
    order: Order | None = None,
    columns: Sequence[str] = LISTED,
) -> tuple[list[Entity], int]:
    """The first of those who fit, by name unless told otherwise, and how many there are: two statements."""
    question, order = IndexQuestion(organisation), order or Order()
    wanted, known = question.filter(node), needed(question, order)
    question.ask()
    found = FoundSet(question.organisation_id, wanted.bits, question.live)
    chosen = page(found, order, size=most, known=known)
    return entities(organisation, chosen, columns)[:most], found.total


def numbered(organisation: Organisation | int, numbers: Sequence[int], columns: Sequence[str] = LISTED) -> list[Entity]:
    """These entities in this order: one statement."""
    return entities(organisation, listed(numbers), columns) if numbers else []


def by_name(
    found: FoundSet, size: int, *, after: Place | None = None, before: Place | None = None
) -> tuple[Page, list[Entity], bool]:
    """A page by name behind or before a place: the page, its entities, and whether there are more that way."""
    chosen = page(found, Order(), size=size, place=before or after, is_backwards=before is not None)
    shown, is_more = chosen.cut(entities(found.organisation_id, chosen))
    return chosen, shown, is_more
