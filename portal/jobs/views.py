"""The page of a job: it can be left and come back to, and leads on to what came of it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from portal.accounts.access import Access, TenantRequest, gate
from portal.accounts.models import Organisation
from portal.jobs import actions
from portal.jobs.models import Job
from portal.jobs.panels import context
from portal.jobs.registry import KINDS
from portal.kit.errors import NotFound


def find(access: Access, uid: UUID) -> Job:
    """The job, for whoever asked for it and, unless it is private, for those who may read the audit log.

    Raises NotFound. Pages and API both ask here.
    """
    rows = Job.objects.for_tenant(access.organisation).defer("payload").select_related("actor")
    job: Job | None = rows.filter(uid=uid).first()
    if job is None or not (job.actor_id == access.user.pk or (not _is_private(job) and access.can("audit.view"))):
        raise NotFound("There is no such work under way. What is over is kept for a week.")
    return job


def _is_private(job: Job) -> bool:
    kind = KINDS.get(job.kind)
    return kind is None or kind.is_private


def follow(organisation: Organisation, job: Job) -> HttpResponseBase:
    """Leads the browser to the job's page."""
    return redirect("job", org=organisation.slug, uid=job.uid)


@gate("org.view")
def job(request: TenantRequest, uid: UUID) -> HttpResponseBase:
    """How far it is; leads on by itself once there is something to lead to."""
    found = find(request.access, uid)
    mine = found.actor_id == request.access.user.pk
    if mine and "stay" not in request.GET:
        if found.state == "succeeded" and found.goes_to:
            if found.result_text:
                say = messages.warning if found.is_doubtful else messages.success
                say(request, found.result_text)
            return redirect(found.goes_to)
        if found.state == "refused" and found.back_to:
            return redirect(found.way_back)
    shown: dict[str, Any] = {**context(request.access.organisation, found), "mine": mine}
    return render(request, "jobs/job.html", shown)


@require_POST
@gate("org.view")
def cancel(request: TenantRequest, uid: UUID) -> HttpResponseBase:
    """Calls it off."""
    found = find(request.access, uid)
    actions.cancel(organisation=request.access.organisation, actor=request.access.actor, job=found)
    return redirect("job", org=request.access.organisation.slug, uid=found.uid)
