"""Pages of the sources: the list, one source, registering and removing."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Case, When
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from catalog import actions, freshness, readings
from catalog.asking.query import entities_of
from catalog.descriptors.findings import found_in
from catalog.forms import SourceForm
from catalog.intake.claims import claims_of
from catalog.jobs import LOOK, REGISTER, arguments_of
from catalog.models import Source
from catalog.problems import rows_of
from catalog.sourcefacts import facts_of
from catalog.tasks import REFRESH, key_of
from portal.accounts.access import TenantRequest, gate
from portal.jobs.actions import submit
from portal.jobs.lease import as_refusal
from portal.jobs.models import Job
from portal.jobs.states import ACTIVE_JOB
from portal.jobs.views import follow
from portal.kit.errors import NotFound, Refusal
from portal.kit.sheets import sheet

# The inbox has them all.
MOST_PROBLEMS = 30


@gate("catalog.view")
def sources(request: TenantRequest) -> HttpResponse:
    """All sources, those in trouble first."""
    rows = Source.objects.for_tenant(request.access.organisation)
    trouble = Case(When(state=Source.State.FAILED, then=0), When(problem_count__gt=0, then=1), default=2)
    ordered = rows.order_by(trouble, "kind", "target", "pk")
    context = {
        "page": sheet(ordered, request.GET.get("page", "")),
        "may_register": request.access.can("catalog.register"),
    }
    return render(request, "catalog/sources.html", context)


def _source(request: TenantRequest, source: int) -> Source:
    rows = Source.objects.for_tenant(request.access.organisation).select_related("created_by")
    found: Source | None = rows.filter(pk=source).first()
    if found is None:
        raise NotFound("There is no such source.")
    return found


@gate("catalog.view")
def source(request: TenantRequest, source: int) -> HttpResponse:
    """One source: its state, its problems and its entities."""
    found = _source(request, source)
    entities = (
        entities_of(request.access.organisation)
        .filter(source=found)
        .only("ref", "kind", "title", "name", "path", "line")
    )
    context = {
        "source": found,
        "problems": list(rows_of(found).order_by("path", "line")[:MOST_PROBLEMS]),
        "page": freshness.entities_at(entities, request.GET.get("after", "")),
        "is_first": not request.GET.get("after"),
        "history": list(readings.of(found)[: readings.KEPT]),
        "facts": facts_of(request.access, found),
        "claims": claims_of(found.organisation_id).filter(source=found).count(),
        "job": under_way(found),
        "may_refresh": request.access.can("catalog.refresh"),
        "may_remove": may_remove(request, found),
    }
    return render(request, "catalog/source.html", context)


def under_way(found: Source) -> Job | None:
    """The job that reads the source at the moment."""
    rows = Job.objects.for_tenant(found.organisation_id).filter(kind=REFRESH, key=key_of(found), state__in=ACTIVE_JOB)
    job: Job | None = rows.defer("payload", "result").first()
    return job


def may_remove(request: TenantRequest, found: Source) -> bool:
    """Who registered a source may remove it, and so may managers."""
    mine = found.created_by_id == request.access.user.pk
    return bool(request.access.can("catalog.remove", is_requester=mine))


@require_http_methods(["GET", "HEAD", "POST"])
@gate("catalog.register")
def register(request: TenantRequest) -> HttpResponseBase:
    """The form; "Look" shows what would come in, "Register" takes it in. Both are jobs that lead back here: a refusal
    stands at its field, and the answers stay."""
    if request.method == "POST":
        return _asked(request)
    job = _job_of(request)
    if job is None:
        return _page(request, SourceForm())
    form = SourceForm({**job.arguments})
    form.is_valid()
    form.errors.pop("upload", None)  # browsers do not keep a chosen file
    if job.refusal:
        refusal = as_refusal(job.refusal)
        form.add_error(_field_of(refusal, job.arguments.get("kind", "")), refusal.text)
    return _page(request, form, job.result if job.kind == LOOK and job.state == "succeeded" else None)


def _page(request: TenantRequest, form: SourceForm, glance: dict[str, Any] | None = None) -> HttpResponse:
    status = 422 if form.is_bound and form.errors else 200
    if glance is not None:
        glance = {**glance, "findings": [found_in(each) for each in glance["problems"]]}
    return render(request, "catalog/register.html", {"form": form, "glance": glance}, status=status)


def _job_of(request: TenantRequest) -> Job | None:
    """The person's own job that led back to the form."""
    try:
        uid = UUID(request.GET.get("job", ""))
    except ValueError:
        return None
    rows = Job.objects.for_tenant(request.access.organisation).filter(uid=uid, actor=request.user)
    found: Job | None = rows.filter(kind__in=(LOOK, REGISTER)).defer("payload").first()
    return found


def _asked(request: TenantRequest) -> HttpResponseBase:
    form = SourceForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, form)
    draft = form.draft()
    try:
        return follow(request.access.organisation, _submitted(request, draft))
    except Refusal as refusal:
        form.add_error(_field_of(refusal, draft.kind), refusal.text)
        return _page(request, form)


def _submitted(request: TenantRequest, draft: actions.Draft) -> Job:
    organisation = request.access.organisation
    here = reverse("source-register", kwargs={"org": organisation.slug})
    is_look = "look" in request.POST
    if is_look:
        draft.source(organisation)
    else:
        actions.check_new(organisation=organisation, draft=draft)
    return submit(
        organisation=organisation,
        actor=request.access.actor,
        kind=LOOK if is_look else REGISTER,
        title=f"{'Look at' if is_look else 'Register'} {draft.target}",
        arguments=arguments_of(draft),
        payload=draft.content,
        back_to=here,
    )


def _field_of(refusal: Refusal, kind: str) -> str:
    """Where the sentence stands: what cannot be fetched or read is wrong with the address, or with the upload."""
    if refusal.field == "ref":
        return "revision"
    is_upload = kind == Source.Kind.UPLOAD
    if refusal.field in SourceForm.base_fields and not (is_upload and refusal.field == "target"):
        return refusal.field
    return "upload" if is_upload else "target"


@require_POST
@gate("catalog.refresh")
def refresh(request: TenantRequest, source: int) -> HttpResponseBase:
    """Asks for a source to be read now."""
    found = _source(request, source)
    if found.kind == Source.Kind.PORTAL:
        raise NotFound("Entities written in the portal need no refresh.")
    actions.refresh_source(organisation=request.access.organisation, actor=request.access.actor, source=found)
    return redirect("source", org=request.access.organisation.slug, source=found.pk)


@require_POST
@gate("catalog.remove")
def remove(request: TenantRequest, source: int) -> HttpResponseBase:
    """Removes a source."""
    found = _source(request, source)
    mine = found.created_by_id == request.access.user.pk
    request.access.require("catalog.remove", is_requester=mine)
    label = found.label
    count = actions.remove_source(organisation=request.access.organisation, actor=request.access.actor, source=found)
    messages.success(request, f"Removed {label}; {count} entities left the catalog with it.")
    return redirect("sources", org=request.access.organisation.slug)
