"""The catalog as a list: choices, order, columns, pages, and what can be typed to narrow it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from catalog.descriptors.kinds import KINDS
from catalog.lists import actions, kept
from catalog.lists.bulk import ACTS
from catalog.lists.choosing import COLUMNS, HEALTH, KEYS, WHOSE, Column, ListChoice, columns_of
from catalog.lists.export import FORMS, exported
from catalog.lists.models import SavedView
from catalog.lists.reading import OFFERED, Listed, ListedPage
from catalog.models import Entity
from catalog.naming import named
from catalog.views import with_status
from portal.accounts.access import TenantRequest, gate
from portal.accounts.audit import record
from portal.kit.errors import Invalid, NotFound
from portal.kit.references import Named
from portal.kit.refs import kind_of, parse_ref

# So many rows, with all choices above them, are at most 40 KB.
PAGE_SIZE = 20
# The choices that people fill in, and what stands there for "any".
FIELDS: Mapping[str, tuple[str, str]] = {
    "type": ("Type", "Any type"),
    "owner": ("Owner", "Any owner"),
    "lifecycle": ("Lifecycle", "Any lifecycle"),
    "tag": ("Tag", "Any tag"),
}


EXPLAINED: Mapping[str, str] = {
    "unseen": "Their source is gone or was not read for thirty days: what they say may be over.",
    "alone": "Nothing refers to them, and they name nothing but an owner: no system, no dependency, no API. Either"
    " nobody needs them, or whoever does has not written it down.",
}


@dataclass(frozen=True)
class ShownChoice:
    """A value that can be chosen, as people read it and as they would type it."""

    value: str
    label: str
    count: int
    is_chosen: bool = False

    @property
    def typed(self) -> str:
        """Without what goes without saying: payments for group:default/payments."""
        return short(self.value)


@dataclass(frozen=True)
class Field:
    """One choice: a list to pick from while the values are few, else a field to type in."""

    name: str
    label: str
    any_label: str
    chosen: str
    options: list[ShownChoice]
    is_typed: bool

    @property
    def typed(self) -> str:
        return short(self.chosen)

    @property
    def is_offered(self) -> bool:
        return any(option.is_chosen for option in self.options)


@dataclass(frozen=True)
class Heading:
    """A column's heading: where a click sorts the other way."""

    column: Column
    href: str
    direction: str  # ascending, descending, or "" where the list stands in another order


class ListView:
    """What the page of a list shows."""

    def __init__(self, request: TenantRequest, wanted: ListChoice) -> None:
        self.request, self.wanted = request, wanted
        self.organisation = request.access.organisation
        self.here = reverse("catalog", kwargs={"org": self.organisation.slug})

    @cached_property
    def listed(self) -> Listed:
        return Listed(self.request.access, self.wanted, self.columns)

    def href(self, **changes: Any) -> str:
        """The address of the list with something changed, from its first page on."""
        query = replace(self.wanted, **changes).query
        return f"?{query}&view={self.view.pk}" if self.view else f"?{query}"

    @property
    def address(self) -> str:
        """Where this page is, to come back to."""
        return self.request.get_full_path()

    @property
    def view_query(self) -> str:
        """The list as other pages take it over: to save it, to export it."""
        return self.href().removeprefix("?")

    @property
    def handed_on(self) -> list[tuple[str, str]]:
        """What the form of the choices hands on unchanged."""
        shown = {"q", "health", "tier", *FIELDS}
        return [(name, value) for name, value in parse_qsl(self.view_query, True) if name not in shown]

    @cached_property
    def kept(self) -> kept.ListBeginning:
        """The views that the person sees, and how they have lists: one statement."""
        return kept.kept_of(self.request.access)

    @cached_property
    def view(self) -> SavedView | None:
        """The saved view that was opened, also where something was changed since."""
        pk = self.request.GET.get("view", "")
        return next((view for view in self.kept.views if str(view.pk) == pk), None)

    @property
    def is_changed(self) -> bool:
        """Whether the list is another one by now than the view that was opened."""
        return self.view is not None and self.view.query != self.wanted.query

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """As the address says, else the view, else the person, else the kind."""
        if self.view is not None and self.view.columns:
            return tuple(self.view.columns)
        chosen = self.kept.columns.get(self.wanted.kind)
        return tuple(chosen) if chosen else columns_of(self.wanted.kind)

    @property
    def headings(self) -> list[Heading]:
        at, is_down = self.wanted.order
        return [
            Heading(
                COLUMNS[name],
                self.href(sort=f"-{name}" if name == at and not is_down else name),
                ("descending" if is_down else "ascending") if name == at else "",
            )
            for name in ("name", *self.columns)
        ]

    @property
    def other_columns(self) -> list[tuple[Column, bool]]:
        """Every column that can be chosen, and whether it is."""
        chosen = [(COLUMNS[name], True) for name in self.columns]
        return chosen + [(column, False) for name, column in COLUMNS.items() if name not in ("name", *self.columns)]

    @cached_property
    def page(self) -> ListedPage:
        get = self.request.GET.get
        return self.listed.page(size=PAGE_SIZE, after=get("after", ""), before=get("before", ""))

    @cached_property
    def names(self) -> dict[str, Named]:
        """Of everything on the page that is a reference: one statement."""
        owners = [option.value for option in self.listed.counts["owner"][:OFFERED]]
        refs = [ref for row in self.page.rows for ref in (row.owner_ref, row.system_ref)]
        return named(self.organisation.pk, [self.wanted.owner, self.wanted.system, *owners, *refs])

    @cached_property
    def kinds(self) -> dict[str, int]:
        return {option.value: option.count for option in self.listed.counts["kind"]}

    @property
    def all_count(self) -> int:
        return sum(self.kinds.values())

    @property
    def total(self) -> int:
        return self.listed.total

    @property
    def tabs(self) -> list[tuple[str, str, int, str]]:
        """(kind, what people call them, how many, address) of the kinds that there are."""
        there = [(name, kind.plural, self.kinds.get(name, 0)) for name, kind in KINDS.items()]
        return [
            (name, plural, count, self.href(kind=name, type="", sort=""))
            for name, plural, count in there
            if count or name == self.wanted.kind
        ]

    @property
    def all_href(self) -> str:
        return self.href(kind="", type="", sort="")

    @property
    def everything(self) -> str:
        return f"{self.here}?kind="

    @property
    def clear_href(self) -> str:
        return f"?{ListChoice(kind=self.wanted.kind, sort=self.wanted.sort).query}"

    @property
    def fields(self) -> list[Field]:
        return [self._field(name, label, any_label) for name, (label, any_label) in FIELDS.items()]

    def _field(self, name: str, label: str, any_label: str) -> Field:
        counted = self.listed.counts[name]
        is_typed = self.listed.is_many(name)
        chosen = getattr(self.wanted, name)
        options = [
            ShownChoice(each.value, self._read(each.value), each.count, each.value.lower() == chosen.lower())
            for each in counted[:OFFERED]
        ]
        if not is_typed:
            options.sort(key=lambda option: option.label.lower())
        return Field(name, label, any_label, chosen, options, is_typed)

    def _read(self, value: str) -> str:
        return read(value, self.names)

    @property
    def chips(self) -> list[tuple[str, str]]:
        """What narrows the list and stands in no field: (how it reads, the list without it)."""
        wanted = self.wanted
        said = [
            ("system", f"System: {self._read(wanted.system)}" if wanted.system else ""),
        ]
        return [(text, self.href(**{name: type(getattr(wanted, name))()})) for name, text in said if text]

    @property
    def quick(self) -> list[tuple[str, str, bool]]:
        """Whose: (label, address, whether it is so)."""
        wanted = self.wanted
        offered = [("Everybody’s", {"whose": "", "starred": False})]
        offered += [(label, {"whose": whose, "starred": False}) for whose, label in WHOSE.items()]
        offered.append(("Starred", {"whose": "", "starred": True}))
        shown = [
            (label, self.href(**to), (wanted.whose, wanted.starred) == tuple(to.values())) for label, to in offered
        ]
        problems = ("With problems", self.href(problems=not wanted.problems), wanted.problems)
        unseen = ("Not seen for 30 days", self.href(unseen=not wanted.unseen), wanted.unseen)
        alone = ("Unconnected", self.href(alone=not wanted.alone), wanted.alone)
        fallback = ("Owned by fallback", self.href(fallback=not wanted.fallback), wanted.fallback)
        direct = ("Without teams below", self.href(direct=not wanted.direct), wanted.direct)
        return [*shown, problems, unseen, alone, fallback, *([direct] if self.has_below else [])]

    @property
    def has_below(self) -> bool:
        """Whether the owner that was chosen is a team with teams below it, or was chosen without them."""
        return self.wanted.direct or len(self.listed.mine.owners) > 1

    @property
    def explained(self) -> list[str]:
        """What the choices mean whose name alone does not say it."""
        return [EXPLAINED[name] for name in EXPLAINED if getattr(self.wanted, name)]

    @property
    def view_links(self) -> list[tuple[SavedView, str, bool]]:
        return [(view, f"{self.here}?{address_of(view)}", view == self.view) for view in self.kept.views]

    @property
    def may_change(self) -> bool:
        return bool(self.request.access.verdict("catalog.edit", is_owner=True))

    @property
    def acts(self) -> list[tuple[str, str]]:
        return [(act.name, act.label) for act in ACTS.values()]

    @property
    def health(self) -> Sequence[str]:
        return HEALTH

    @cached_property
    def rows(self) -> list[tuple[Entity, Any]]:
        rows = self.page.rows
        return with_status(self.organisation, rows) if "health" in self.columns else [(row, None) for row in rows]

    @property
    def is_narrowed(self) -> bool:
        return bool(self.wanted.chosen)


def read(value: str, names: Mapping[str, Named]) -> str:
    """A value as people read it: a reference by its title."""
    known = names.get(value)
    return (known.title if known else short(value))[:80]


def short(value: str) -> str:
    """A reference without what goes without saying; any other text as it is."""
    return parse_ref(value).short if kind_of(value) in ("group", "system") else value


@gate("catalog.view")
def catalog(request: TenantRequest) -> HttpResponseBase:
    """The list, with its state in the address. Without any, what the catalog opens with for this person."""
    if not request.GET:
        return _opened(request)
    page = ListView(request, ListChoice.read(request.GET))
    template = "catalog/list.html#results" if request.wants_fragment else "catalog/list.html"
    return render(request, template, {"page": page, "wanted": page.wanted, "names": page.names})


HOUSE_QUERY = "kind=Component"


def _opened(request: TenantRequest) -> HttpResponseBase:
    """Leads to the person's own view, else everybody's, else the components."""
    known = kept.kept_of(request.access)
    mine = (view for view in known.views if view.pk == known.opens_with)
    found = next(mine, None) or next((view for view in known.views if view.is_default), None)
    where = reverse("catalog", kwargs={"org": request.access.organisation.slug})
    return redirect(f"{where}?{address_of(found) if found else HOUSE_QUERY}")


def address_of(view: SavedView) -> str:
    """What stands in the list's address for a saved view."""
    return f"{view.query}&view={view.pk}"


@gate("catalog.view")
def catalog_options(request: TenantRequest, field: str) -> HttpResponse:
    """The commonest values of one choice that begin with what was typed, under all other choices."""
    if field not in FIELDS:
        raise NotFound("There is no such choice.")
    wanted = ListChoice.read({name: value for name, value in request.GET.dict().items() if name != field})
    listed = Listed(request.access, wanted)
    found = listed.options(field, request.GET.get(field, "").replace("\0", "").strip()[:100])
    names = named(request.access.organisation.pk, [option.value for option in found]) if field == "owner" else {}
    options = [ShownChoice(each.value, read(each.value, names), each.count) for each in found]
    return render(request, "catalog/options.html", {"options": options})


@gate("catalog.view")
@require_POST
def catalog_columns(request: TenantRequest) -> HttpResponseBase:
    """Remembers the columns of one kind's lists for the person who asks."""
    wanted = ListChoice.from_query(request.POST.get("query", ""))
    chosen = [] if "reset" in request.POST else request.POST.getlist("column")
    access = request.access
    actions.choose_columns(organisation=access.organisation, user=access.user, kind=wanted.kind, columns=chosen)
    return redirect(f"{reverse('catalog', kwargs={'org': access.organisation.slug})}?{wanted.query}")


@gate("catalog.view")
def catalog_export(request: TenantRequest) -> HttpResponseBase:
    """The list as a file: what is chosen, in its order, with its columns. Taking it out is an event."""
    page = ListView(request, ListChoice.read(request.GET))
    form = request.GET.get("format", "csv")
    if form not in FORMS:
        raise Invalid("A list is exported as csv or json.", field="format")
    access = request.access
    record(
        organisation=access.organisation,
        actor=access.actor,
        verb="catalog.exported",
        summary=f"Exported a list of the catalog as {form.upper()}",
        data={"query": page.wanted.query},
    )
    stream = exported(access, page.wanted, page.columns, form)
    response = StreamingHttpResponse(stream, content_type=FORMS[form])
    response["Content-Disposition"] = f'attachment; filename="catalog-{access.organisation.slug}.{form}"'
    return response


assert set(FIELDS) <= set(KEYS)
