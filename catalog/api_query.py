"""The paged query of the API: what is asked, carried from page to page inside a sealed cursor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from catalog.asking.filters import All, Exists, Node
from catalog.asking.paging import seal, unseal
from catalog.index.keyed import MOST_RUNS
from catalog.index.ordering import Order, Page, Place, needed
from catalog.index.ordering import page as page_of
from catalog.index.parts import PIECE, pieces_of
from catalog.index.reading import Condition, Contains, FactTerm, FoundSet, IndexQuestion, all_of, any_of
from catalog.index.several import by_several
from catalog.index.texts import having
from catalog.presenting import ShownEntity, at_page
from portal.accounts.models import Organisation
from portal.kit.errors import Invalid

DEFAULT_PAGE = 20
LARGEST_PAGE = 1000


@dataclass(frozen=True)
class Listing:
    """A question and the place in its answer: `place` is [value or null, as written, number] of the neighbour."""

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

    rows: Sequence[ShownEntity]
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


def entities_page(organisation: Organisation, node: Node, listing: Listing, *, size: int, offset: int) -> EntitiesPage:
    """One page: a statement for the set and one for its entities.

    Entities without the order field are left out and not counted (backstage-compat 4b.4); those that have the field
    without a value that can be compared come last.
    """
    question = IndexQuestion(organisation)
    asked: Condition = all_of([node, Exists(listing.order.lower())]) if listing.order else node
    term = listing.term.replace("\0", "").strip().lower()[:200]
    fields = [_clean(name).lower() for name in listing.term_fields or [listing.order or "metadata.name"]]
    sought = _Sought(term, frozenset(fields)) if term else None
    wanted = question.filter(all_of([asked, sought.condition()]) if sought else asked)
    order = Order("key" if listing.order else "ref", listing.order.lower(), listing.is_descending)
    titled, known = question.filter(Exists(TITLE)), needed(question, order)
    question.ask()
    found = FoundSet(question.organisation_id, wanted.bits, question.live)
    if sought and sought.is_quick:
        found = sought.looked_at(found, titled.bits)
    size = min(size, LARGEST_PAGE)
    if size == 0:
        return EntitiesPage([], found.total if listing.count else 0)
    page = page_of(
        found,
        order,
        size=size,
        place=_place(listing),
        is_backwards=listing.is_backwards,
        offset=0 if listing.place is not None else offset,
        known=known,
    )
    rows = at_page(organisation, page)
    total = found.total
    shown, is_more = page.cut(rows)
    if not shown:
        return EntitiesPage([], total if listing.count else 0)
    has_before = is_more if listing.is_backwards else bool(listing.place or offset)
    has_after = True if listing.is_backwards else is_more
    return EntitiesPage(
        shown,
        total if listing.count else 0,
        after=listing.at(shown[-1].place, backwards=False) if has_after else "",
        before=listing.at(shown[0].place, backwards=True) if has_before else "",
    )


def _place(listing: Listing) -> Place | None:
    if listing.place is None:
        return None
    match listing.place:
        case [str() | None as value, str() as label, int() as number]:
            return value, label, number
    raise Invalid("The cursor belongs to another list.", field="cursor")


NAME, TITLE = "metadata.name", "metadata.title"


@dataclass(frozen=True)
class _Sought:
    """Text that must stand somewhere in one of the fields."""

    term: str
    fields: frozenset[str]

    @property
    def is_quick(self) -> bool:
        """Whether it is looked for in names and titles, which stand in the index."""
        return self.fields <= {NAME, TITLE}

    def condition(self) -> Condition:
        """Those that have the text; those that may have it, where names and titles must be looked at."""
        if not self.is_quick:
            return any_of([Contains(field, self.term) for field in sorted(self.fields)])
        pieces = all_of([FactTerm(PIECE, piece) for piece in dict.fromkeys(pieces_of(self.term))])
        return pieces if NAME in self.fields else all_of([pieces, Exists(TITLE)])

    def looked_at(self, found: FoundSet, titled: int) -> FoundSet:
        """Of those that may have it in name or title, those that have."""
        return having(found, self.term, in_name=NAME in self.fields, titled=titled if TITLE in self.fields else 0)


def window(organisation: Organisation, node: Node, orders: Sequence[Order], *, size: int, offset: int) -> Page:
    """So many entities from a place in several orders, one after the other; in the order of references without any."""
    question = IndexQuestion(organisation)
    wanted = question.filter(node)
    if len(orders) < 2:
        order = orders[0] if orders else Order("ref")
        known = needed(question, order)
        question.ask()
        found = FoundSet(question.organisation_id, wanted.bits, question.live)
        return page_of(found, order, size=size, offset=offset, known=known)
    having = [question.filter(Exists(order.key)) for order in orders]
    values = [question.values(order.key, few=MOST_RUNS) for order in orders]
    question.ask()
    found = FoundSet(question.organisation_id, wanted.bits, question.live)
    keys = zip(orders, values, [each.bits for each in having], strict=True)
    return by_several(found, list(keys), size=size, offset=offset)


def facets(organisation: Organisation, node: Node, keys: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """For each key as asked: its values in their own case with how many entities have them, ordered by value: one
    statement."""
    question = IndexQuestion(organisation)
    is_all = node == All(())
    wanted, counted = question.filter(node), {key: question.values(key, is_bare=is_all) for key in keys}
    question.ask()
    bits = question.live if is_all else wanted.bits
    found = {key: values.count(None if bits == question.live else bits) for key, values in counted.items()}
    return {key: [{"value": value, "count": count} for value, count in sorted(each)] for key, each in found.items()}
