"""The catalog's pages: an entity."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from catalog.cards import edit_address, grouped, is_portal
from catalog.lists.seen import with_star
from catalog.models import Entity, FormerName, Problem
from catalog.naming import named
from catalog.panels import (
    OVERVIEW,
    TABS,
    Look,
    Tab,
    cards_of,
    edges_of,
    neighbours,
    tabs_of,
    with_configured,
    with_names,
    with_standing,
)
from portal.accounts.access import TenantRequest, gate
from portal.accounts.models import Organisation
from portal.clusters import status
from portal.kit.errors import NotFound
from portal.kit.refs import ref_to
from portal.kit.statements import written_once

LISTED = (
    "id", "uid", "organisation_id", "kind", "namespace", "name", "ref", "title", "description", "type", "lifecycle",
    "owner_ref", "owner_how", "system_ref", "tags", "sort_name",
)  # fmt: skip


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


@written_once
def _page_entity(organisation_id: int, user_id: int, ref: str) -> QuerySet[Entity]:
    """The entity with all that its page shows of its own row, in one statement."""
    rows = Entity.objects.for_tenant(organisation_id).select_related("source", "body").filter(ref=ref)
    found: QuerySet[Entity] = with_star(with_standing(with_names(with_configured(rows))), user_id)
    return found


@gate("catalog.view")
def entity(request: TenantRequest, kind: str, namespace: str, name: str) -> HttpResponseBase:
    """One entity; a name that others point to but nobody describes gets a page that says so."""
    access = request.access
    found = next(iter(_page_entity(access.organisation.pk, access.user.pk, ref_to(kind, name, namespace))), None)
    if found is None:
        if now_called := _renamed(request, ref_to(kind, name, namespace)):
            return redirect(entity_address(request, now_called))
        return _missing(request, ref_to(kind, name, namespace), name)
    look = Look(request, found)
    return _tab_page(look, tabs_of(look), TABS[OVERVIEW])


def _renamed(request: TenantRequest, ref: str) -> Entity | None:
    """The entity that was called so before its file called it something else."""
    rows = FormerName.objects.for_tenant(request.access.organisation).filter(ref=ref)
    found = rows.select_related("entity").first()
    return found.entity if found is not None else None


@gate("catalog.view")
def entity_tab(request: TenantRequest, kind: str, namespace: str, name: str, tab: str) -> HttpResponse:
    """Another tab of an entity's page."""
    found = with_star(_entities(request, kind, namespace, name), request.access.user.pk).first()
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
