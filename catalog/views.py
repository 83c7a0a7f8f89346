"""The catalog's pages: the list, and an entity."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from catalog.cards import edit_address, grouped, is_portal
from catalog.choosing import KEYS, MOST_OFFERED, Choice, Listed, listed, offered
from catalog.descriptors.kinds import COLUMNS, KINDS, owner_ref
from catalog.models import Entity, Problem
from catalog.naming import named
from catalog.panels import OVERVIEW, TABS, Look, Tab, cards_of, edges_of, neighbours, tabs_of, with_configured
from portal.accounts.access import TenantRequest, gate
from portal.accounts.models import Organisation
from portal.clusters import status
from portal.kit.errors import NotFound
from portal.kit.references import Named
from portal.kit.refs import kind_of, parse_ref, ref_to

PAGE_SIZE = 50
FILTERS = (
    ("type", "Type", "Any type"),
    ("owner", "Owner", "Any owner"),
    ("lifecycle", "Lifecycle", "Any lifecycle"),
    ("tag", "Tag", "Any tag"),
)


@dataclass(frozen=True)
class Filter:
    """One choice as the list offers it: `options` are (value, what people read, how many). Where there are more than
    these, `is_typed`: people type, and are offered what begins so."""

    name: str
    label: str
    any_label: str
    chosen: str
    options: list[tuple[str, str, int]]
    is_typed: bool


@gate("catalog.view")
def catalog(request: TenantRequest) -> HttpResponse:
    """The list, with its state in the address."""
    choice = _choice(request)
    organisation = request.access.organisation
    after, before = request.GET.get("after", ""), request.GET.get("before", "")
    page = listed(organisation, choice, size=PAGE_SIZE, after=after, before=before)
    kinds = dict(page.counts["kind"])
    kind = KINDS.get(choice.kind)
    shown = {row.owner_ref for row in page.rows} | {row.system_ref for row in page.rows}
    names = named(organisation.pk, [choice.owner, *(owner for owner, _ in page.counts["owner"]), *shown])
    context = {
        "choice": choice,
        "names": names,
        "columns": kind.columns if kind else COLUMNS,
        "kinds": [(name, kind.plural, kinds.get(name, 0)) for name, kind in KINDS.items()],
        "all_count": sum(kinds.values()),
        "page": page,
        "rows": with_status(organisation, page.rows),
        "total": page.total,
        "is_filtered": any((choice.type, choice.owner, choice.lifecycle, choice.tag, choice.text)),
        "filters": [_filter(page, choice, names, *each) for each in FILTERS],
    }
    template = "catalog/list.html#results" if request.wants_fragment else "catalog/list.html"
    return render(request, template, context)


@gate("catalog.view")
def choices(request: TenantRequest) -> HttpResponse:
    """What a choice with many values offers while somebody types."""
    name = request.GET.get("of", "")
    if name not in KEYS:
        raise NotFound("The list cannot be narrowed by that.")
    organisation = request.access.organisation
    found = offered(organisation, _choice(request), name, _parameter(request, name))
    names = named(organisation.pk, [value for value, _ in found]) if name == "owner" else {}
    options = [(value, _read(value, names), count) for value, count in found]
    return render(request, "catalog/choices.html", {"options": options})


def _choice(request: TenantRequest) -> Choice:
    wanted = {name: _parameter(request, name) for name in KEYS}
    wanted["kind"] = next((name for name in KINDS if name.lower() == wanted["kind"].lower()), wanted["kind"])
    wanted["owner"] = owner_ref(wanted["owner"]) or wanted["owner"].lower()
    wanted["tag"] = wanted["tag"].lower()
    return Choice(**wanted, text=_parameter(request, "q"))


def _filter(page: Listed, choice: Choice, names: Mapping[str, Named], name: str, label: str, any_label: str) -> Filter:
    """Owners by their titles, all in the order of what is read; what is chosen is among them."""
    chosen = getattr(choice, name)
    counted = page.counts[name][:MOST_OFFERED]
    values = {value.lower(): (value, count) for value, count in counted}
    if chosen:
        known = values.pop(chosen.lower(), None)
        values[chosen.lower()] = (chosen, known[1] if known else page.total)
    options = [(value, _read(value, names), count) for value, count in values.values()]
    options.sort(key=lambda option: option[1].lower())
    return Filter(name, label, any_label, chosen, options, name in page.more)


def _read(value: str, names: Mapping[str, Named]) -> str:
    known = names.get(value)
    return (known.title if known else (parse_ref(value).short if kind_of(value) == "group" else value))[:80]


def _parameter(request: TenantRequest, name: str) -> str:
    return request.GET.get(name, "").replace("\0", "").strip()[:200]


def with_status(organisation: Organisation, rows: Any) -> list[tuple[Entity, Any]]:
    """Each entity with what live says of its workloads, or None."""
    found = status.of_entities(organisation.pk, [row.uid for row in rows if row.has_workloads])
    return [(row, found.get(str(row.uid))) for row in rows]


def find_entity(request: TenantRequest, kind: str, namespace: str, name: str) -> Entity | None:
    """The entity of an address, tombstones included."""
    return _entities(request, kind, namespace, name).first()


def _entities(request: TenantRequest, kind: str, namespace: str, name: str) -> QuerySet[Entity]:
    rows = Entity.objects.for_tenant(request.access.organisation).select_related("source", "body")
    return rows.filter(ref=ref_to(kind, name, namespace))


@gate("catalog.view")
def entity(request: TenantRequest, kind: str, namespace: str, name: str) -> HttpResponse:
    """One entity; a name that others point to but nobody describes gets a page that says so."""
    found = with_configured(_entities(request, kind, namespace, name)).first()
    if found is None:
        return _missing(request, ref_to(kind, name, namespace), name)
    look = Look(request, found)
    return _tab_page(look, tabs_of(look), TABS[OVERVIEW])


@gate("catalog.view")
def entity_tab(request: TenantRequest, kind: str, namespace: str, name: str, tab: str) -> HttpResponse:
    """Another tab of an entity's page."""
    found = find_entity(request, kind, namespace, name)
    if found is None:
        raise NotFound(f"There is no {ref_to(kind, name, namespace)} in this catalog.")
    look, wanted = Look(request, found), TABS.get(tab)
    if wanted is not None:
        request.access.require(wanted.permission)
    tabs = tabs_of(look)
    if wanted not in tabs or wanted is None or wanted.name == OVERVIEW:
        raise NotFound(f"The page of {found.display_name} has no tab “{tab[:60]}”.")
    return _tab_page(look, tabs, wanted)


def _tab_page(look: Look, tabs: list[Tab], tab: Tab) -> HttpResponse:
    found, access = look.entity, look.request.access
    cards = cards_of(look, tab.name)
    context = {
        "entity": found,
        "kind": look.kind,
        "tab": tab,
        "tabs": [(each, _tab_address(look, each)) for each in tabs],
        "cards": cards,
        "names": look.names,
        "status": look.status,
        "is_portal": is_portal(found),
        "may_edit": access.can("catalog.edit", found.owner_ref or None),
        "may_remove": access.can("catalog.remove", found.owner_ref or None),
        "edit_address": edit_address(found),
        "team": found.ref if look.kind and look.kind.is_team else "",
    }
    return render(look.request, "catalog/entity.html", context, status=410 if found.removed_at else 200)


def _tab_address(look: Look, tab: Tab) -> str:
    page = entity_address(look.request, look.entity)
    return page if tab.name == OVERVIEW else f"{page}{tab.name}/"


def _missing(request: TenantRequest, ref: str, name: str) -> HttpResponse:
    organisation = request.access.organisation
    pairs = edges_of(organisation, ref)
    names = named(organisation.pk, [target for _, target in pairs])
    edges = neighbours(pairs, names)
    rows = Problem.objects.for_tenant(organisation).filter(entity_ref=ref).select_related("source")
    problems = list(rows.order_by("path", "line")[:50])
    if not (edges or problems):
        raise NotFound(f"There is no {ref} in this catalog.")
    shown = {"ref": ref, "name": name, "groups": grouped(edges), "problems": problems, "names": names}
    return render(request, "catalog/missing.html", shown, status=404)


def entity_address(request: TenantRequest, found: Entity) -> str:
    """The address of an entity's page."""
    where = {"kind": found.kind.lower(), "namespace": found.namespace, "name": found.name}
    return reverse("entity", kwargs={"org": request.access.organisation.slug, **where})
