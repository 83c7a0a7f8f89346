"""The page of what is nobody's: whom it should belong to, and why; taken or declined, one by one or many at once."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from catalog.handing import claiming, suggesting
from catalog.naming import named
from portal.accounts.access import TenantRequest, gate
from portal.jobs.models import Job
from portal.jobs.views import follow
from portal.kit.errors import Invalid

PAGE = 50
WHOSE = {"mine": "For your teams", "all": "All"}


@gate("catalog.view")
def suggestions(request: TenantRequest) -> HttpResponse:
    """The open suggestions, the surest first: of the person's teams (?whose=mine) or all; from `?from=` on."""
    access = request.access
    may = claiming.answerable(access)
    whose = request.GET.get("whose", "")
    if whose not in WHOSE:
        whose = "mine" if may else "all"
    start = request.GET.get("from", "")
    start_at = int(start) if start.isdecimal() and len(start) < 7 else 0
    rows = claiming.open_of(access, mine=whose == "mine")
    found = list(rows[start_at : start_at + PAGE + 1])
    looks = Job.objects.for_tenant(access.organisation).filter(kind=suggesting.LOOK).order_by("-pk")
    context = {
        "rows": [(row, may is None or row.to_ref in may) for row in found[:PAGE]],
        "whose": whose,
        "choices": list(WHOSE.items()),
        "more": start_at + PAGE if len(found) > PAGE else 0,
        "total": rows.count(),
        "may_answer": bool(access.verdict("ownership.state", is_owner=True)) and (may is None or bool(may)),
        "may_look": access.can("ownership.state"),
        "looked_at": looks.filter(ended_at__isnull=False).values_list("ended_at", flat=True).first(),
        "names": named(access.organisation.pk, [ref for row in found for ref in (row.ref, row.to_ref)]),
    }
    return render(request, "handing/suggestions.html", context)


@require_POST
@gate("ownership.state")
def suggestions_answer(request: TenantRequest) -> HttpResponseBase:
    """Takes or declines: `accept` or `decline` names one by its number, or is `chosen` for all of `e`."""
    access, post = request.access, request.POST
    word = "accept" if "accept" in post else "decline" if "decline" in post else ""
    if not word:
        raise Invalid("Say whether to accept or decline.")
    said = post.getlist("e") if post[word] == "chosen" else [post[word]]
    pks = {int(each) for each in said if each.isdecimal() and len(each) < 18}
    if word == "accept":
        messages.success(request, f"Taken: {claiming.accept(access=access, pks=pks)}.")
    else:
        count = claiming.decline(access=access, pks=pks, reason=post.get("reason", ""))
        messages.success(request, f"Declined: {count}. It is not suggested again.")
    return redirect("suggestions", org=access.organisation.slug)


@require_POST
@gate("ownership.state")
def suggestions_look(request: TenantRequest) -> HttpResponseBase:
    """Looks again, now: managers."""
    request.access.require("ownership.state")
    return follow(request.access.organisation, suggesting.ask(request.access.organisation, request.access.actor))
