"""Pages of reorganisations: the plans there are, one of them with what it would change, and what is done with it."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from catalog.handing.forms import due_on
from catalog.handing.models import Reorganisation
from catalog.handing.plans import applying, drafting, foreseeing
from catalog.naming import named
from catalog.planning import lines_of
from portal.accounts.access import TenantRequest, gate
from portal.accounts.models import Team
from portal.kit.errors import Invalid, Refusal

SHOWN, FEW = 200, 50
# What a step does, the words of its fields: (field, label, example).
STEPS: dict[str, tuple[str, tuple[tuple[str, str, str], ...]]] = {
    "team": (
        "Make a team", (("slug", "Address", "checkout"), ("name", "Name", "Checkout"), ("parent", "Below", "payments"))
    ),
    "rename": ("Rename a team", (("team", "Team", "payments"), ("name", "Name", "Money"))),
    "move": ("Move a team", (("team", "Team", "payments"), ("parent", "Below", "commerce"))),
    "merge": ("Merge a team into another", (("team", "Team", "refunds"), ("into", "Into", "payments"))),
    "give": ("Give by a rule", (("filter", "Filter", "kind=component,owner=payments"), ("to", "To", "checkout"))),
    "rows": ("Give by rows", (("rows", "Rows (CSV: entity, holder)", "entity,holder"),)),
}  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@gate("catalog.view")
def reorganisations(request: TenantRequest) -> HttpResponseBase:
    """The plans that this person may read, the newest first; a `name` posted begins one."""
    access = request.access
    if request.method == "POST":
        made = drafting.begin(access=access, name=request.POST.get("name", ""))
        return redirect("reorganisation", org=access.organisation.slug, plan=made.pk)
    rows = Reorganisation.objects.for_tenant(access.organisation).order_by("-pk").defer("before")
    may_plan = drafting.may_plan(access)
    plans = list((rows if may_plan else rows.filter(is_shared=True))[:SHOWN])
    return render(request, "handing/plans.html", {"plans": plans, "may_plan": may_plan})


@gate("catalog.view")
def reorganisation(request: TenantRequest, plan: int) -> HttpResponse:
    """One plan."""
    return _page(request, drafting.plan_for(request.access, plan))


def _page(request: TenantRequest, plan: Reorganisation, refusal: Refusal | None = None) -> HttpResponse:
    access, is_open = request.access, plan.state in ("draft", "dated")
    found = foreseeing.foresee(access, plan) if is_open else None
    other = [] if is_open else foreseeing.still_other(plan)
    changes = found.changes[:SHOWN] if found else []
    done = plan.before.get("roles", [])[:SHOWN]
    refs = [ref for each in changes for ref in (each.entity.ref, each.was, each.to)]
    refs += [ref for _, _, was, to in done for ref in (was, to)]
    refs += [each.ref for each in (found.files if found else other)[:FEW]]
    context: dict[str, Any] = {
        "plan": plan,
        "may_plan": drafting.may_plan(access),
        "steps": [(number, STEPS[step["kind"]][0], _words(step), _wrong(found, number)) for number, step in
                  enumerate(plan.steps, 1)],
        "kinds": [(kind, label, fields) for kind, (label, fields) in STEPS.items()],
        "found": found,
        "whole": _wrong(found, 0),
        "can_apply": found is not None and not found.wrong and bool(plan.steps),
        "changes": changes,
        "more": max(len(found.changes) - SHOWN, 0) if found else 0,
        "rights": found.rights[:FEW] if found else [],
        "files": (found.files if found else other)[:FEW],
        "file_count": len(found.files if found else other),
        "ours": sum(each.is_ours for each in (found.files if found else other)),
        "done_count": len(plan.before.get("roles", [])),
        "can_undo": applying.can_undo(plan),
        "teams": Team.objects.for_tenant(access.organisation).order_by("slug").values_list("slug", "name")[:500],
        "refusal": refusal,
        "posted": request.POST,
        "names": named(access.organisation.pk, refs),
    }  # fmt: skip
    return render(request, "handing/plan.html", context, status=refusal.status if refusal else 200)


def _words(step: dict[str, Any]) -> str:
    if step["kind"] == "rows":
        return f"{len(step['rows']):,} rows"
    told = [f"{label.lower()} {step[name] or 'the top'}" for name, label, _ in STEPS[step["kind"]][1]]
    return ", ".join(told)


def _wrong(found: foreseeing.Foreseen | None, number: int) -> str:
    return next((sentence for place, sentence in found.wrong if place == number), "") if found else ""


@require_POST
@gate("teams.manage")
def reorganisation_step(request: TenantRequest, plan: int) -> HttpResponseBase:
    """Writes a step (`kind` and its words; `rows` as CSV), or takes the step `drop` out."""
    found, post = drafting.plan_for(request.access, plan), request.POST
    try:
        if post.get("drop", "").isdecimal() and len(post["drop"]) < 6:
            drafting.drop_step(access=request.access, plan=found, number=int(post["drop"]))
        else:
            said: dict[str, Any] = {name: post.get(name, "") for name in post}
            if said.get("kind") == "rows":
                said["rows"] = [[each.ref, each.holder] for each in lines_of(said.get("rows", ""))]
            drafting.add_step(access=request.access, plan=found, said=said)
    except Invalid as refusal:
        return _page(request, found, refusal)
    return redirect("reorganisation", org=request.access.organisation.slug, plan=found.pk)


@require_POST
@gate("teams.manage")
def reorganisation_do(request: TenantRequest, plan: int) -> HttpResponseBase:
    """`do`: apply, date (`on`), draft, undo, share, hide, drop or files."""
    access, found, word = request.access, drafting.plan_for(request.access, plan), request.POST.get("do", "")
    org = access.organisation.slug
    try:
        if word == "apply":
            drafting.apply(access=access, plan=found)
            messages.success(request, "Applied.")
        elif word == "date":
            drafting.date(access=access, plan=found, due_at=due_on(_day(request.POST.get("on", ""))))
        elif word == "draft":
            drafting.date(access=access, plan=found, due_at=None)
        elif word == "undo":
            messages.success(request, f"Put back: {drafting.undo(access=access, plan=found):,}.")
        elif word in ("share", "hide"):
            drafting.share(access=access, plan=found, is_shared=word == "share")
        elif word == "drop":
            drafting.drop(access=access, plan=found)
            return redirect("reorganisations", org=org)
        elif word == "files":
            return redirect("bulk", org=org, bulk=drafting.settle_files(access=access, plan=found))
        else:
            raise Invalid("Say what to do with it.")
    except Invalid as refusal:
        return _page(request, found, refusal)
    return redirect("reorganisation", org=org, plan=found.pk)


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise Invalid("Say on which day.", field="on") from error
    if due_on(day) is None:
        raise Invalid("The day has to be after today. Or apply it now.", field="on")
    return day
