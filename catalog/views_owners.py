"""Stating who answers for an entity, taking it back, and bringing its file in line with the record."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from catalog import settling
from catalog.holders import holder_named, offered
from catalog.models import Entity, How, Role
from catalog.naming import named
from catalog.owners import stating
from catalog.owners.reading import statements_of
from catalog.owners.rights import require_state
from catalog.views import entity_address, find_entity
from portal.accounts.access import TenantRequest, gate
from portal.jobs.actions import submit
from portal.jobs.views import follow
from portal.kit.errors import Conflict, Forbidden, Invalid, NotFound


def _found(request: TenantRequest, kind: str, namespace: str, name: str) -> Entity:
    found = find_entity(request, kind, namespace, name)
    if found is None or found.removed_at is not None:
        raise NotFound("There is no such entity.")
    return found


def _role(request: TenantRequest) -> str:
    role = request.POST.get("role", "")
    if role not in Role.values:
        raise Invalid("There is no such role.", field="role")
    return role


@require_POST
@gate("ownership.state")
def state(request: TenantRequest, kind: str, namespace: str, name: str) -> HttpResponseBase:
    """States who holds a role (`role`, `holder`, `why` of the form)."""
    found, role, organisation = _found(request, kind, namespace, name), _role(request), request.access.organisation
    require_state(request.access, found, role)
    holder = holder_named(organisation, request.POST.get("holder", ""))
    require_state(request.access, found, role, holder)
    made = stating.state(
        organisation=organisation,
        actor=request.access.actor,
        changes=[(found, role, holder)],
        how=How.TRANSFER.value,
        why=request.POST.get("why", "").replace("\0", ""),
    )
    said = "Stated." if made else "That is on record already."
    messages.success(request, said)
    return _tab(request, found)


@require_POST
@gate("ownership.state")
def undo(request: TenantRequest, kind: str, namespace: str, name: str) -> HttpResponseBase:
    """Takes the latest statement of a role back; `latest` is the one that was looked at."""
    found, role = _found(request, kind, namespace, name), _role(request)
    latest = request.POST.get("latest", "")
    if not latest.isdecimal() or len(latest) > 18:
        raise Invalid("Say which statement to take back.", field="latest")
    rows = statements_of(request.access.organisation).filter(entity=found.pk, role=role).order_by("-id")
    told = list(rows.values_list("holder_ref", flat=True)[:2])
    require_state(request.access, found, role, told[1] if len(told) > 1 else "")
    stating.undo(
        organisation=request.access.organisation,
        actor=request.access.actor,
        entity=found,
        role=role,
        latest=int(latest),
    )
    messages.success(request, "Taken back.")
    return _tab(request, found)


def _tab(request: TenantRequest, found: Entity) -> HttpResponseBase:
    return redirect(f"{entity_address(request, found)}ownership/")


@require_http_methods(["GET", "HEAD", "POST"])
@gate("catalog.view")
def settle(request: TenantRequest, kind: str, namespace: str, name: str) -> HttpResponseBase:
    """Shows the change that brings the file in line with the record, and makes it where Slipway may write."""
    found = _found(request, kind, namespace, name)
    how = settling.settling_of(request.access, found)
    if how is None:
        raise NotFound("The record and the file agree: there is nothing to settle.")
    if request.method == "POST":
        return _settled(request, found, how)
    names = named(request.access.organisation.pk, [found.owner_ref, how.said])
    context = {"entity": found, "settling": how, "names": names, "back_to": entity_address(request, found)}
    return render(request, "catalog/settle.html", context)


def _settled(request: TenantRequest, found: Entity, how: settling.Settling) -> HttpResponseBase:
    if how.way == "patch":
        raise Conflict("Slipway cannot write to where this file lies. Take the patch.")
    if how.refusal:
        raise Forbidden(how.refusal)
    if how.way == "save":
        settling.write_into_text(request.access, found)
        messages.success(request, "Its text names the owner on record now.")
        return redirect(entity_address(request, found))
    job = submit(
        organisation=request.access.organisation,
        actor=request.access.actor,
        kind=settling.SETTLE,
        title=f"Write the owner of {found.display_name} into {found.path}",
        arguments={"entity": str(found.uid)},
        key=f"settle:{found.uid}",
        back_to=reverse("entity", kwargs={"org": request.access.organisation.slug, **_where(found)}),
    )
    return follow(request.access.organisation, job)


def _where(found: Entity) -> dict[str, str]:
    return {"kind": found.kind.lower(), "namespace": found.namespace, "name": found.name}


@gate("people.view")
def holders(request: TenantRequest) -> HttpResponseBase:
    """Teams and people whose name has what was typed (`holder`), as options of the field; no page of its own."""
    if not request.wants_fragment:
        return redirect("catalog", org=request.access.organisation.slug)
    options = offered(request.access.organisation, request.GET.get("holder", ""))
    return render(request, "catalog/holders.html", {"options": options})
