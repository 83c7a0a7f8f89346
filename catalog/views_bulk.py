"""Pages of changing many entities at once: asking, what became of each, undoing."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from catalog.lists import bulk as many
from catalog.lists.choosing import ListChoice
from catalog.lists.models import Bulk, BulkRow
from catalog.lists.patches import patch_of
from catalog.lists.reading import Listed
from portal.accounts.access import TenantRequest, gate
from portal.jobs.models import Job
from portal.kit.errors import Refusal

SHOWN = 100


class BulkForm(forms.Form):
    """What is to be done, and what goes with it."""

    act = forms.ChoiceField(label="What", choices=[(act.name, act.label) for act in many.ACTS.values()])
    value = forms.CharField(max_length=200, required=False)


@gate("catalog.edit")
@require_POST
def bulk_new(request: TenantRequest) -> HttpResponseBase:
    """Says what would be done to how many, asks for what goes with it, and begins when that is confirmed."""
    access = request.access
    asked = many.ACTS.get(request.POST.get("act", ""))
    if asked is not None and asked.page:
        return redirect(asked.page, org=access.organisation.slug, preserve_request=True)
    wanted = ListChoice.from_query(request.POST.get("query", ""))
    is_all = request.POST.get("which") == "all"
    uids = (
        Listed(access, wanted, is_counted=False).uids(many.MOST + 1)
        if is_all
        else many.chosen(access, request.POST.getlist("e"))
    )
    form = BulkForm(request.POST)
    form.is_valid()
    act = many.ACTS.get(form.cleaned_data.get("act", ""))
    if act is not None and "begin" in request.POST:
        try:
            value = many.clean_value(act, form.cleaned_data.get("value", ""))
            begun = many.begin(access=access, act=act, value=value, uids=uids, back_to=_list_of(request, wanted))
        except Refusal as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.text)
        else:
            return redirect("bulk", org=access.organisation.slug, bulk=begun.pk)
    context = {
        "form": form,
        "act": act,
        "count": len(uids),
        "most": many.MOST,
        "is_too_many": len(uids) > many.MOST,
        "is_all": is_all,
        "picked": request.POST.getlist("e"),
        "wanted": wanted,
        "back_to": _list_of(request, wanted),
    }
    return render(request, "catalog/bulk_new.html", context, status=422 if form.errors else 200)


def _list_of(request: TenantRequest, wanted: ListChoice) -> str:
    return f"/o/{request.access.organisation.slug}/catalog/?{wanted.query}"


@gate("catalog.view")
def bulk(request: TenantRequest, bulk: int) -> HttpResponse:
    """What became of each: live while the job is at it."""
    access = request.access
    found = many.find(access, bulk)
    rows = BulkRow.objects.for_tenant(access.organisation).filter(bulk=found)
    counts = Counter(rows.values_list("outcome", flat=True))
    only = request.GET.get("outcome", "")
    shown = rows.filter(outcome=only) if only in many.OUTCOMES else rows
    job = (
        Job.objects.for_tenant(access.organisation).defer("payload").filter(uid=found.job_uid).first()
        if found.job_uid
        else None
    )
    context: dict[str, Any] = {
        "bulk": found,
        "act": many.act_of(found.act),
        "job": job if job and not job.is_over else None,
        "counts": [(name, outcome, counts[name]) for name, outcome in many.OUTCOMES.items() if counts[name]],
        "total": sum(counts.values()),
        "only": only,
        "rows": [(row, many.OUTCOMES[row.outcome]) for row in shown.order_by("pk")[:SHOWN]],
        "more": max(shown.count() - SHOWN, 0),
        "can_undo": found.ended_at is not None and many.can_undo(found),
        "is_mine": found.actor_id == access.user.pk,
        "has_patch": counts["elsewhere"] > 0,
        "undone_by": found.undone_by.first(),
    }
    return render(request, "catalog/bulk.html", context)


@gate("catalog.edit")
@require_POST
def bulk_undo(request: TenantRequest, bulk: int) -> HttpResponseBase:
    """Everything that was done, back as it was."""
    found: Bulk = many.find(request.access, bulk)
    try:
        begun = many.undo(access=request.access, bulk=found)
    except Refusal as refusal:
        messages.error(request, refusal.text)
        begun = found
    return redirect("bulk", org=request.access.organisation.slug, bulk=begun.pk)


@gate("catalog.view")
def bulk_patch(request: TenantRequest, bulk: int) -> HttpResponse:
    """What has to be changed in files that are not ours to write, for `git apply`."""
    found = many.find(request.access, bulk)
    rows = BulkRow.objects.for_tenant(request.access.organisation).filter(bulk=found, outcome="elsewhere")
    response = HttpResponse(patch_of(rows.order_by("place", "line")), content_type="text/x-diff; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="bulk-{found.pk}.patch"'
    return response
