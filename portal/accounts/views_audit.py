"""The audit log as a page and as a file."""

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render

from portal.accounts import audit, trail
from portal.accounts.access import TenantRequest, gate
from portal.accounts.forms import AuditFilterForm
from portal.accounts.models import AuditEvent
from portal.kit.errors import Invalid
from portal.kit.references import named

EXPORTS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson; charset=utf-8"}


@gate("audit.view")
def audit_log(request: TenantRequest) -> HttpResponse:
    """Who did what, newest first, narrowed by actor, verb, subject and date."""
    organisation = request.access.organisation
    form = AuditFilterForm(request.GET, organisation=organisation)
    form.is_valid()  # a broken value narrows by nothing; the page shows the error beside its field
    found = trail.narrowed(organisation, form.cleaned_data).select_related("actor")
    if after := request.GET.get("after", ""):
        found = trail.below(found, after)
    events = list(found[: trail.PAGE + 1])
    context = {
        "form": form,
        "events": events[: trail.PAGE],
        "names": named(organisation.pk, [event.subject_label for event in events if ":" in event.subject_label]),
        "after": trail.cursor_of(events[trail.PAGE - 1]) if len(events) > trail.PAGE else "",
        "verbs": AuditEvent.objects.for_tenant(organisation).order_by("verb").values_list("verb", flat=True).distinct(),
        "is_narrowed": any(form.cleaned_data.values()),
        "is_first": not after,
    }
    return render(request, "accounts/audit.html", context, status=422 if form.errors else 200)


@gate("audit.view")
def audit_export(request: TenantRequest) -> HttpResponseBase:
    """The narrowed log as CSV or JSON lines. Taking it out is itself an event."""
    organisation = request.access.organisation
    form = AuditFilterForm(request.GET, organisation=organisation)
    if not form.is_valid():
        field, errors = next(iter(form.errors.items()))
        raise Invalid(f"{field}: {errors[0]}", field=field)
    kind = request.GET.get("format", "csv")
    kind = kind if kind in EXPORTS else "csv"
    audit.record(
        organisation=organisation,
        actor=request.access.actor,
        verb="audit.exported",
        summary=f"Exported the audit log as {'CSV' if kind == 'csv' else 'JSON lines'}",
        data={key: str(value) for key, value in form.cleaned_data.items() if value},
    )
    stream = trail.exported(organisation, form.cleaned_data, kind)
    response = StreamingHttpResponse(stream, content_type=EXPORTS[kind])
    response["Content-Disposition"] = f'attachment; filename="audit-{organisation.slug}.{kind}"'
    response["Cache-Control"] = "no-store"
    return response
