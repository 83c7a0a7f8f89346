"""Pages about runs: the list, one run, its whole log, and the questions before cancel, retry and undo."""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from portal.accounts.access import TenantRequest, gate
from portal.accounts.models import User
from portal.goldenpaths.models import GoldenPath
from portal.goldenpaths.questions.unseen import PREFIX
from portal.kit.errors import Invalid
from portal.kit.references import named
from portal.provisioning import actions, fragments, listing, states
from portal.provisioning.answering import refs_in, shown_answers
from portal.provisioning.models import Effect, LogLine, Run, Step
from portal.provisioning.steering import may_control, require_control, run_for


@gate("runs.view")
def run_list(request: TenantRequest) -> HttpResponse:
    """All runs, newest first."""
    access = request.access
    filters = listing.filters_of(request.GET.dict())
    found, older = listing.page_of(listing.runs(access.organisation, filters, access.user))
    context = {
        "runs": found,
        "names": named(access.organisation.pk, [*(run.owner_ref for run in found), filters.entity]),
        "older": older,
        "filters": filters,
        "states": states.RUN_STATES.values(),
        "paths": GoldenPath.objects.for_tenant(access.organisation).order_by("title").only("slug", "title"),
        "people": _requesters(request),
        "can_launch": access.can("runs.launch"),
        "is_empty": not found and not filters.is_narrow,
    }
    return render(request, "provisioning/runs.html", context)


def _requesters(request: TenantRequest) -> list[User]:
    launched = Run.objects.for_tenant(request.access.organisation).values("requester").distinct()
    return list(User.objects.filter(pk__in=launched).exclude(pk=request.access.user.pk).order_by("name", "email"))


@gate("runs.view")
def run_page(request: TenantRequest, run: int) -> HttpResponse:
    """One run: how far it is, what it said, what it made."""
    access = request.access
    row = run_for(access, run)
    answered = shown_answers(row.version, row.values)
    context = {
        **fragments.run_context(access.organisation, row, also_named=refs_in(answered)),
        **fragments.log_context(access.organisation, row),
        **fragments.buttons_context(access.organisation, row),
        "answers": answered,
        # An unseen answer has its row among the answers.
        "told": [name for name in row.secret_names if not name.startswith(PREFIX)],
        "may_control": may_control(access, row),
    }
    return render(request, "provisioning/run.html", context)


@gate("runs.view")
def run_log(request: TenantRequest, run: int) -> HttpResponse:
    """The whole log as plain text."""
    row = run_for(request.access, run)
    lines = LogLine.objects.for_tenant(row.organisation_id).filter(run=row).order_by("seq")
    text = [f"{timezone.localtime(line.at).isoformat()} {line.level:<7} {line.text}\n" for line in lines.iterator(2000)]
    response = HttpResponse("".join(text), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'inline; filename="run-{row.pk}.log"'
    return response


def _asking(verb: str, act: Callable[..., Run]) -> Callable[..., HttpResponse]:
    """A page that asks before it acts: GET says what will happen, POST does it."""

    def view(request: TenantRequest, run: int) -> HttpResponse:
        row = run_for(request.access, run)
        require_control(request.access, row)
        if request.method != "POST":
            return render(request, f"provisioning/{verb}.html", _question(request, row))
        more = {}
        if verb == "retry":
            more = {"secrets": _secrets(request, row), "adoptions": request.POST.getlist("adopt")}
        try:
            act(organisation=request.access.organisation, actor=request.access.actor, run=row, **more)
        except Invalid as refusal:
            context = {**_question(request, row), "refusal": refusal}
            return render(request, f"provisioning/{verb}.html", context, status=422)
        return redirect(reverse("run", kwargs={"org": request.access.organisation.slug, "run": row.pk}))

    view.__name__ = f"run_{verb}"
    view.__doc__ = f"Ask, then {verb}."
    return view


def _secrets(request: TenantRequest, run: Run) -> dict[str, str]:
    return {name: request.POST.get(f"secret.{name}", "") for name in run.secret_names}


def _question(request: TenantRequest, run: Run) -> dict[str, Any]:
    organisation = request.access.organisation
    effects = list(Effect.objects.for_tenant(organisation).filter(run=run).exclude(undo="undone").order_by("-id"))
    steps = Step.objects.for_tenant(organisation).filter(run=run)
    return {
        **fragments.buttons_context(organisation, run),
        "goes": [effect for effect in effects if effect.before is None],
        "stays": [effect for effect in effects if effect.before is not None],
        "claims": _claims(request, run),
        "step": steps.filter(status__in=("failed", "cancelled", "pending")).order_by("idx").first(),
    }


def _claims(request: TenantRequest, run: Run) -> list[dict[str, Any]]:
    """What this person may adopt of what the run was refused over; of the rest they see no more than the sentence."""
    if not states.can_retry(run.status):
        return []
    found = actions.claims_of(run)
    return [one for one in found if request.access.can("workloads.adopt", one.get("owner") or None)]


run_cancel = gate("runs.control")(_asking("cancel", actions.cancel))
run_retry = gate("runs.control")(_asking("retry", actions.retry))
run_undo = gate("runs.control")(_asking("undo", actions.undo))
