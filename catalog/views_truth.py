"""Pages of what is not as one would think: names that two describe, what was removed, what nobody has seen for long."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from catalog import actions, freshness
from catalog.asking.query import entities_of
from catalog.inbox import Narrow, narrowed
from catalog.intake.claims import claims_of
from catalog.models import Entity, NameChoice, NameClaim
from catalog.naming import named
from catalog.views import entity_address, find_entity
from portal.accounts.access import TenantRequest, gate
from portal.kit.errors import NotFound, Refusal

PAGE = 50


@gate("catalog.view")
def conflicts(request: TenantRequest) -> HttpResponse:
    """Names that several sources describe, newest first."""
    organisation = request.access.organisation
    rows = claims_of(organisation.pk).select_related("source").defer("document", "raw").order_by("-id")
    before = request.GET.get("before", "")
    if before.isdecimal() and len(before) < 18:
        rows = rows.filter(pk__lt=int(before))
    found = list(rows[: PAGE + 1])
    shown = found[:PAGE]
    holders = entities_of(organisation).filter(ref__in=[claim.ref for claim in shown]).select_related("source")
    by_ref = {row.ref: row for row in holders.only("ref", "path", "line", "source__target", "source__kind")}
    context = {
        "conflicts": [(claim, by_ref.get(claim.ref)) for claim in shown],
        "names": named(organisation.pk, [claim.ref for claim in shown]),
        "before": shown[-1].pk if len(found) > PAGE else 0,
        "is_first": not before,
    }
    return render(request, "catalog/conflicts.html", context)


def _claim(request: TenantRequest, claim: int) -> NameClaim:
    found: NameClaim | None = (
        claims_of(request.access.organisation.pk).select_related("source").filter(pk=claim).first()
    )
    if found is None:
        raise NotFound("There is no such conflict any more: one of the two files says something else now.")
    return found


@gate("catalog.view")
def conflict(request: TenantRequest, claim: int) -> HttpResponse:
    """Both files side by side."""
    return _conflict_page(request, _claim(request, claim))


def _conflict_page(request: TenantRequest, found: NameClaim, refusal: Refusal | None = None) -> HttpResponse:
    organisation = request.access.organisation
    holder = entities_of(organisation).filter(ref=found.ref).select_related("source", "body").first()
    choice = NameChoice.objects.for_tenant(organisation).filter(ref=found.ref).select_related("chosen_by").first()
    context = {
        "claim": found,
        "holder": holder,
        "choice": choice,
        "names": named(organisation.pk, [found.ref]),
        "may_choose": request.access.can("org.manage"),
        "refusal": refusal,
        "reason": request.POST.get("reason", ""),
    }
    return render(request, "catalog/conflict.html", context, status=refusal.status if refusal else 200)


@require_POST
@gate("org.manage")
def choose(request: TenantRequest, claim: int) -> HttpResponseBase:
    """Gives the name to the source of the claim."""
    found = _claim(request, claim)
    try:
        chosen = actions.choose_name(
            organisation=request.access.organisation,
            actor=request.access.actor,
            claim=found,
            reason=request.POST.get("reason", ""),
        )
    except Refusal as refusal:
        return _conflict_page(request, found, refusal)
    messages.success(request, f"{chosen.ref} comes from {found.source.label} now. Both sources are being read again.")
    return redirect(entity_address(request, chosen))


@gate("catalog.view")
def removed(request: TenantRequest) -> HttpResponse:
    """Tombstones: what left the catalog in the last two weeks, when, and why."""
    organisation = request.access.organisation
    rows = Entity.objects.for_tenant(organisation).only(
        "kind", "namespace", "name", "ref", "title", "removed_at", "removed_reason"
    )
    page = freshness.removed(rows, request.GET.get("after", ""))
    return render(request, "catalog/removed.html", {"page": page, "is_first": not request.GET.get("after")})


@require_POST
@gate("catalog.edit")
def restore(request: TenantRequest, kind: str, namespace: str, name: str) -> HttpResponseBase:
    """Brings a tombstone back, written in the portal."""
    found = find_entity(request, kind, namespace, name)
    if found is None:
        raise NotFound("There is no such entity.")
    request.access.require("catalog.edit", found.owner_ref or None)
    restored = actions.restore_entity(
        organisation=request.access.organisation, actor=request.access.actor, entity=found
    )
    messages.success(request, f"Restored {restored.ref}.")
    return redirect(entity_address(request, restored))


@gate("catalog.view")
def unseen(request: TenantRequest) -> HttpResponse:
    """What was not seen for thirty days."""
    access = request.access
    stale = list(freshness.stale_sources(access.organisation)[: PAGE + 1])
    orphans = entities_of(access.organisation).filter(source=None)
    orphans = orphans.only("ref", "kind", "namespace", "name", "title", "path", "line", "updated_at")
    page = freshness.entities_at(orphans, request.GET.get("after", ""))
    broken = narrowed(access, Narrow(severity="error", age="month")).order_by()[:1000].count()
    context = {"stale": stale[:PAGE], "is_more": len(stale) > PAGE, "page": page, "broken": broken}
    return render(request, "catalog/unseen.html", context)
