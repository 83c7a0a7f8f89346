"""The paged query of the API: what is asked, carried from page to page inside a sealed cursor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, Q
from django.db.models.functions import Lower
from django.http import QueryDict

from catalog.asking.paging import seal, unseal
from catalog.asking.query import Entities, FactValue
from catalog.models import Entity
from portal.kit.errors import Invalid

DEFAULT_PAGE = 20
LARGEST_PAGE = 1000


@dataclass(frozen=True)
class Listing:
    """A question and the place in its answer: `place` is [order value or null, id] of the neighbour row."""

    filters: list[str] = field(default_factory=list)
    query: Any = None
    order: str = ""
    is_descending: bool = False
    term: str = ""
    term_fields: list[str] = field(default_factory=list)
    count: bool = True
    place: list[Any] | None = None
    is_backwards: bool = False

    def at(self, place: list[Any], *, backwards: bool) -> str:
        """The cursor for the same question at another place."""
        return seal(
            [
                self.filters,
                self.query,
                self.order,
                self.is_descending,
                self.term,
                self.term_fields,
                self.count,
                place,
                backwards,
            ]
        )


@dataclass(frozen=True)
class EntitiesPage:
    """A page with its cursors and how many entities there are in all."""

    rows: Sequence[Entity]
    total: int
    after: str = ""
    before: str = ""


def from_cursor(cursor: str) -> Listing:
    """The question inside a cursor; raises Invalid."""
    content = unseal(cursor)
    if not isinstance(content, list) or len(content) != 9 or not isinstance(content[7], list):
        raise Invalid("The cursor belongs to another list.", field="cursor")
    return Listing(*content)


def listing_from_query(query: QueryDict) -> Listing:
    """The GET form; a cursor wins over everything else."""
    if cursor := query.get("cursor"):
        return from_cursor(cursor)
    order, descending = _order((query.getlist("orderField") or [""])[0])
    fields = [each for each in query.get("fullTextFilterFields", "").split(",") if each]
    return Listing(
        filters=query.getlist("filter"),
        order=order,
        is_descending=descending,
        term=query.get("fullTextFilterTerm", ""),
        term_fields=fields,
        count=query.get("totalItems") != "exclude",
    )


def listing_from_body(body: Mapping[str, Any]) -> Listing:
    """The POST form, in the shape that the contract has checked."""
    if cursor := body.get("cursor"):
        return from_cursor(cursor)
    orders = body.get("orderBy") or []
    orders = orders if isinstance(orders, list) else [orders]
    first = orders[0] if orders else {}
    text = body.get("fullTextFilter") or {}
    return Listing(
        query=body.get("query", {}),
        order=_clean(first.get("field", "")),
        is_descending=first.get("order") == "desc",
        term=text.get("term", ""),
        term_fields=text.get("fields", []),
        count=body.get("totalItems") != "exclude",
    )


def _order(text: str) -> tuple[str, bool]:
    name, comma, direction = text.partition(",")
    if comma and direction not in ("asc", "desc"):
        raise Invalid(f'"{text}" is no order. Write field,asc or field,desc.', field="orderField")
    return _clean(name), direction == "desc"


def _clean(text: str) -> str:
    return text.replace("\0", "").strip()[:200]


def entities_page(rows: Entities, listing: Listing, *, size: int, offset: int) -> EntitiesPage:
    """One page: a query for the rows and one for the total. Entities without the order field come last."""
    rows = rows.filter(_text(listing))
    total = rows.count() if listing.count else 0
    size = min(size, LARGEST_PAGE)
    if size == 0:
        return EntitiesPage([], total)
    found, is_more = _window(rows, listing, size, offset)
    if not found:
        return EntitiesPage([], total)
    first, last = _place(found[0]), _place(found[-1])
    has_before = is_more if listing.is_backwards else bool(listing.place or offset)
    has_after = True if listing.is_backwards else is_more
    return EntitiesPage(
        found,
        total,
        after=listing.at(last, backwards=False) if has_after else "",
        before=listing.at(first, backwards=True) if has_before else "",
    )


def _window(rows: Entities, listing: Listing, size: int, offset: int) -> tuple[list[Entity], bool]:
    placed = rows.annotate(order_value=FactValue(listing.order) if listing.order else Lower("ref"))
    if listing.place is not None:
        placed = placed.filter(_beyond(listing))
        offset = 0
    forwards = listing.is_descending == listing.is_backwards
    by_value = "order_value" if forwards else "-order_value"
    ordered = placed.order_by(
        _nulls(by_value, last=not listing.is_backwards), "id" if not listing.is_backwards else "-id"
    )
    found = list(ordered[offset : offset + size + 1])
    is_more = len(found) > size
    found = found[:size]
    shown: list[Entity] = found[::-1] if listing.is_backwards else found  # type: ignore[assignment]  # annotated rows
    return shown, is_more


def _nulls(name: str, *, last: bool) -> Any:
    column = F(name.removeprefix("-"))
    options: dict[str, Any] = {"nulls_last": True} if last else {"nulls_first": True}
    return column.desc(**options) if name.startswith("-") else column.asc(**options)


def _beyond(listing: Listing) -> Q:
    """The rows behind the place (or before it, backwards); NULL values lie at the end in both directions."""
    assert listing.place is not None
    value, ident = listing.place
    ids = Q(id__lt=ident) if listing.is_backwards else Q(id__gt=ident)
    if value is None:
        same = Q(order_value=None) & ids
        return same | Q(order_value__isnull=False) if listing.is_backwards else same
    is_upwards = listing.is_descending == listing.is_backwards
    strictly = Q(order_value__gt=value) if is_upwards else Q(order_value__lt=value)
    same = Q(order_value=value) & ids
    return strictly | same if listing.is_backwards else strictly | same | Q(order_value=None)


def _place(row: Any) -> list[Any]:
    return [row.order_value, row.pk]


def _text(listing: Listing) -> Q:
    """Substring over the listed fields, or the order field, or the name."""
    term = listing.term.replace("\0", "").strip().lower()[:200]
    if not term:
        return Q()
    wanted = Q()
    for name in listing.term_fields or [listing.order or "metadata.name"]:
        wanted |= Q(facts__hassubstring=(f"{_clean(name).lower()}=", term))
    return wanted
