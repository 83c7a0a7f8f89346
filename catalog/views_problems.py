"""Pages of what is wrong: the inbox, one problem, and what can be done about it."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from catalog import inbox, mending
from catalog.intake.claims import claims_of
from catalog.models import Problem
from catalog.naming import named
from catalog.views import entity_address
from portal.accounts.access import TenantRequest, gate
from portal.jobs.actions import submit
from portal.jobs.views import follow
from portal.kit.errors import Forbidden, NotFound, Refusal


@gate("catalog.view")
def problems(request: TenantRequest) -> HttpResponse:
    """The inbox: what is wrong anywhere, newest first."""
    access = request.access
    narrow = inbox.narrow_of(request.GET)
    rows = inbox.narrowed(access, narrow)
    page = inbox.page_of(rows, oldest_first=bool(narrow.order), after=request.GET.get("after", ""))
    counts = inbox.counts_of(rows)
    refs = [ref for row in page.rows for ref in (row.entity_ref, row.owner_ref)]
    owners = [owner for owner, _ in counts.owners]
    names = named(access.organisation.pk, [*refs, *owners, narrow.owner])
    context = {
        "narrow": narrow,
        "page": page,
        "counts": counts,
        "names": names,
        "ages": inbox.AGES,
        "chosen_source": next((row for row, _ in counts.sources if row.pk == narrow.source), None),
        "has_teams": bool(access.team_refs),
        "is_first": not request.GET.get("after"),
    }
    template = "catalog/problems.html#results" if request.wants_fragment else "catalog/problems.html"
    return render(request, template, context)


def find_problem(request: TenantRequest, problem: int) -> Problem:
    """The problem; raises NotFound, also for one that was mended meanwhile."""
    rows = Problem.objects.for_tenant(request.access.organisation).select_related("source", "aside_by")
    found: Problem | None = rows.filter(pk=problem).first()
    if found is None:
        raise NotFound("There is no such problem any more: it was mended, or its source is gone.")
    return found


@gate("catalog.view")
def problem(request: TenantRequest, problem: int) -> HttpResponse:
    """One problem with everything that is known of it."""
    return _page(request, find_problem(request, problem))


def _page(request: TenantRequest, found: Problem, refusal: Refusal | None = None) -> HttpResponse:
    access = request.access
    context = {
        "problem": found,
        "finding": found.finding,
        "mending": mending.mending_of(access, found),
        "names": named(access.organisation.pk, [found.entity_ref, found.owner_ref]),
        "may_set_aside": _may_set_aside(request, found),
        "terms": [(term, f"A {term}") for term in mending.TERMS],
        "refusal": refusal,
        "claim": _claim(found),
        "reason": request.POST.get("reason", ""),
    }
    return render(request, "catalog/problem.html", context, status=refusal.status if refusal else 200)


def _claim(found: Problem) -> int:
    """The number of the page where both descriptions of a name stand; 0 where there is none."""
    if found.code != "conflict":
        return 0
    rows = claims_of(found.organisation_id).filter(source=found.source, ref=found.entity_ref)
    return rows.values_list("pk", flat=True).first() or 0


def _may_set_aside(request: TenantRequest, found: Problem) -> bool:
    """Whoever owns what it is about, whoever registered the source, and managers."""
    mine = found.source.created_by_id == request.access.user.pk
    return bool(request.access.can("catalog.edit", found.owner_ref or None, is_requester=mine))


@require_POST
@gate("catalog.edit")
def set_aside(request: TenantRequest, problem: int) -> HttpResponseBase:
    """Takes it out of the inbox for a while, with a reason."""
    found = find_problem(request, problem)
    mine = found.source.created_by_id == request.access.user.pk
    request.access.require("catalog.edit", found.owner_ref or None, is_requester=mine)
    try:
        mending.set_aside(
            organisation=request.access.organisation,
            actor=request.access.actor,
            problem=found,
            reason=request.POST.get("reason", ""),
            term=request.POST.get("term", ""),
        )
    except Refusal as refusal:
        return _page(request, found, refusal)
    inbox.forget_count(request.access)
    messages.success(request, "Set aside. It comes back when its time is over.")
    return redirect("catalog-problems", org=request.access.organisation.slug)


@require_POST
@gate("catalog.edit")
def take_back(request: TenantRequest, problem: int) -> HttpResponseBase:
    """Puts it back into the inbox."""
    found = find_problem(request, problem)
    mine = found.source.created_by_id == request.access.user.pk
    request.access.require("catalog.edit", found.owner_ref or None, is_requester=mine)
    mending.take_back(organisation=request.access.organisation, actor=request.access.actor, problem=found)
    inbox.forget_count(request.access)
    return redirect("problem", org=request.access.organisation.slug, problem=found.pk)


@require_POST
@gate("catalog.edit")
def mend(request: TenantRequest, problem: int) -> HttpResponseBase:
    """Lets the machine mend it where Slipway may write: a commit, by a worker, or a text of the portal's own."""
    found = find_problem(request, problem)
    how = mending.mending_of(request.access, found)
    if how is None or how.way == "patch":
        raise NotFound("Slipway cannot write to where this file lies. Take the patch.")
    if how.refusal:
        raise Forbidden(how.refusal)
    organisation, actor = request.access.organisation, request.access.actor
    if how.way == "save":
        entity = mending.save_mend(organisation=organisation, actor=actor, problem=found)
        messages.success(request, f"Mended {entity.ref}.")
        return redirect(entity_address(request, entity))
    job = submit(
        organisation=organisation,
        actor=actor,
        kind=mending.MEND,
        title=f"Mend {found.path} in {found.source.label}",
        arguments={"problem": found.pk},
        key=f"problem:{found.pk}",
        back_to=request.path.removesuffix("mend/"),
    )
    return follow(organisation, job)


@gate("catalog.view")
def patch(request: TenantRequest, problem: int) -> HttpResponse:
    """The mend as a patch for `git apply`."""
    found = find_problem(request, problem)
    how = mending.mending_of(request.access, found)
    if how is None or not how.patch:
        raise NotFound("There is no patch for this: only a person knows how to mend it.")
    response = HttpResponse(how.patch, content_type="text/x-patch; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="problem-{found.pk}.patch"'
    return response
