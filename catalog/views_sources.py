"""Pages of the sources: the list, one source, registering and removing."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from catalog import actions
from catalog.asking.query import live
from catalog.forms import SourceForm
from catalog.models import Problem, Source
from portal.accounts.access import TenantRequest, gate
from portal.kit.errors import NotFound, Refusal


@gate("catalog.view")
def sources(request: TenantRequest) -> HttpResponse:
    """All sources, those in trouble first."""
    rows = Source.objects.for_tenant(request.access.organisation).select_related("created_by")
    shown = sorted(
        rows, key=lambda row: (row.state != Source.State.FAILED, not row.problem_count, row.kind, row.target)
    )
    return render(
        request, "catalog/sources.html", {"sources": shown, "may_register": request.access.can("catalog.register")}
    )


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
        live(request.access.organisation).filter(source=found).only("ref", "kind", "title", "name", "path", "line")
    )
    context = {
        "source": found,
        "problems": list(
            Problem.objects.for_tenant(request.access.organisation).filter(source=found).order_by("path", "line")[:200]
        ),
        "entities": list(entities.order_by("path", "line")[:500]),
        "may_refresh": request.access.can("catalog.refresh"),
        "may_remove": may_remove(request, found),
    }
    return render(request, "catalog/source.html", context)


def may_remove(request: TenantRequest, found: Source) -> bool:
    """Who registered a source may remove it, and so may managers."""
    mine = found.created_by_id == request.access.user.pk
    return bool(request.access.can("catalog.remove", is_requester=mine))


@require_http_methods(["GET", "HEAD", "POST"])
@gate("catalog.register")
def register(request: TenantRequest) -> HttpResponseBase:
    """The form; "Look" shows what would come in, "Register" takes it in. A refusal stands at its field."""
    form = SourceForm(request.POST or None, request.FILES or None)
    glance = None
    if request.method == "POST" and form.is_valid():
        draft = form.draft()
        try:
            if "look" in request.POST:
                glance = actions.glance(organisation=request.access.organisation, draft=draft)
            else:
                return _registered(request, draft)
        except Refusal as refusal:
            form.add_error(_field_of(refusal, form), refusal.text)
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "catalog/register.html", {"form": form, "glance": glance}, status=status)


def _field_of(refusal: Refusal, form: SourceForm) -> str:
    """Where the sentence stands: what cannot be fetched or read is wrong with the address, or with the upload."""
    if refusal.field == "ref":
        return "revision"
    is_upload = form.cleaned_data["kind"] == Source.Kind.UPLOAD
    if refusal.field in form.fields and not (is_upload and refusal.field == "target"):
        return refusal.field
    return "upload" if is_upload else "target"


def _registered(request: TenantRequest, draft: actions.Draft) -> HttpResponseBase:
    found = actions.add_source(
        organisation=request.access.organisation,
        actor=request.access.actor,
        kind=draft.kind,
        target=draft.target,
        path=draft.path,
        revision=draft.revision,
        content=draft.content,
    )
    messages.success(request, f"Registered {found.label}: {found.entity_count} entities.")
    return redirect("source", org=request.access.organisation.slug, source=found.pk)


@require_POST
@gate("catalog.refresh")
def refresh(request: TenantRequest, source: int) -> HttpResponseBase:
    """Asks for a source to be read now."""
    found = _source(request, source)
    if found.kind == Source.Kind.PORTAL:
        raise NotFound("Entities written in the portal need no refresh.")
    actions.refresh_source(organisation=request.access.organisation, actor=request.access.actor, source=found)
    messages.success(request, "The source is being read again.")
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
