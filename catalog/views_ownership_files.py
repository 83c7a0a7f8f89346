"""Who answers for what as a CSV file: taken out as a list is chosen, brought in after a look at what it changes."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from catalog.lists.choosing import ListChoice
from catalog.naming import named
from catalog.planning import MOST, MOST_TEXT, Plan, apply, exported, lines_of, planned
from portal.accounts.access import TenantRequest, gate
from portal.accounts.audit import record
from portal.kit.errors import Invalid, Refusal

# So many changes and refusals are shown; all are made or none.
SHOWN = 200


@gate("catalog.view")
def ownership_export(request: TenantRequest) -> HttpResponseBase:
    """Every role of the entities of a list, a line each; the list as its address says. Taking it out is an event."""
    access, wanted = request.access, ListChoice.read(request.GET)
    record(
        organisation=access.organisation,
        actor=access.actor,
        verb="ownership.exported",
        summary="Exported who answers for what as CSV",
        data={"query": wanted.query},
    )
    response = StreamingHttpResponse(exported(access, wanted), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="ownership-{access.organisation.slug}.csv"'
    response["Cache-Control"] = "no-store"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@gate("ownership.state")
def ownership_import(request: TenantRequest) -> HttpResponseBase:
    """A CSV file of statements: `text` or `file` is looked at; with `token`, what was looked at is stated."""
    if request.method != "POST":
        return _page(request, "")
    try:
        text = _text(request)
        plan = planned(request.access, lines_of(text))
        token = request.POST.get("token", "")
        if not token:
            return _page(request, text, plan)
        if plan.refused:
            raise Invalid("Some lines cannot be granted: take them out, and look again.", field="text")
        made = apply(request.access, plan, token=token)
    except Refusal as refusal:
        return _page(request, request.POST.get("text", ""), refusal=refusal)
    messages.success(request, f"Stated: {len(made):,}.")
    return redirect("ownership-import", org=request.access.organisation.slug)


def _text(request: TenantRequest) -> str:
    uploaded = request.FILES.get("file")
    if uploaded is None:
        return request.POST.get("text", "").replace("\r\n", "\n")
    if uploaded.size is None or uploaded.size > MOST_TEXT:
        raise Invalid("The file is too large: at most 2 MB at once.", field="text")
    try:
        return str(uploaded.read().decode("utf-8-sig")).replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise Invalid("The file is no UTF-8 text. Save it as CSV (UTF-8).", field="text") from error


def _page(
    request: TenantRequest, text: str, plan: Plan | None = None, *, refusal: Refusal | None = None
) -> HttpResponse:
    changes = plan.changes[:SHOWN] if plan else []
    refs = [ref for each in changes for ref in (each.entity.ref, each.was, each.holder)]
    context = {
        "text": text,
        "plan": plan,
        "changes": changes,
        "refused": plan.refused[:SHOWN] if plan else [],
        "refusal": refusal,
        "most": MOST,
        "names": named(request.access.organisation.pk, refs),
    }
    return render(request, "catalog/ownership_import.html", context, status=refusal.status if refusal else 200)
