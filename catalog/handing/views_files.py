"""Who answers for what, brought in as a CSV file after a look: stated where one may, else offered."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from catalog.handing.forms import TermsForm
from catalog.handing.offering import hand_over, plan_for
from catalog.naming import named
from catalog.planning import MOST, MOST_TEXT, Plan, lines_of
from portal.accounts.access import TenantRequest, gate
from portal.kit.errors import Invalid, Refusal

# So many changes and refusals are shown; all are made or none.
SHOWN = 200


@require_http_methods(["GET", "HEAD", "POST"])
@gate("ownership.state")
def ownership_import(request: TenantRequest) -> HttpResponseBase:
    """A CSV file of statements: `text` or `file` is looked at; with `token`, what was looked at is stated or offered,
    on the terms `on` and `asks`."""
    if request.method != "POST":
        return _page(request, "", TermsForm())
    form = TermsForm(request.POST)
    form.is_valid()
    terms = form.terms()
    try:
        text = _text(request)
        plan = plan_for(request.access, lines_of(text), terms)
        token = request.POST.get("token", "")
        if not token or form.errors:
            return _page(request, text, form, plan)
        if plan.refused:
            raise Invalid("Some lines cannot be granted: take them out, and look again.", field="text")
        hand_over(request.access, plan, terms, token=token)
    except Refusal as refusal:
        return _page(request, request.POST.get("text", ""), form, refusal=refusal)
    told = [f"Stated: {len(plan.changes):,}."] * bool(plan.changes) + [f"Offered: {len(plan.offers):,}."] * bool(
        plan.offers
    )
    messages.success(request, " ".join(told))
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
    request: TenantRequest, text: str, form: TermsForm, plan: Plan | None = None, *, refusal: Refusal | None = None
) -> HttpResponse:
    stated, offered = (plan.changes, plan.offers) if plan else ([], [])
    changes = [*((each, False) for each in stated), *((each, True) for each in offered)][:SHOWN]
    refs = [ref for each, _ in changes for ref in (each.entity.ref, each.was, each.holder)]
    context = {
        "text": text,
        "form": form,
        "count": len(stated) + len(offered),
        "plan": plan,
        "changes": changes,
        "refused": plan.refused[:SHOWN] if plan else [],
        "refusal": refusal,
        "most": MOST,
        "names": named(request.access.organisation.pk, refs),
    }
    return render(request, "handing/import.html", context, status=refusal.status if refusal else 200)
