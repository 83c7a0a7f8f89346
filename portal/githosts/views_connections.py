"""Pages where admins connect git hosts: the list, adding, trying, replacing and removing."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from portal.accounts.access import TenantRequest, gate
from portal.githosts import connections
from portal.githosts.forms import ConnectionForm, HostCredentialForm
from portal.githosts.models import Connection
from portal.jobs import actions as jobs
from portal.jobs.models import Job
from portal.kit.errors import NotFound, Refusal


def _connection(request: TenantRequest, pk: int) -> Connection:
    found = Connection.objects.for_tenant(request.access.organisation).filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such connection.")
    return found


def _list(request: TenantRequest) -> str:
    return reverse("git-hosts", kwargs={"org": request.access.organisation.slug})


def _try(request: TenantRequest, row: Connection) -> Job:
    """Asks a worker to try it: web cannot open the credential."""
    return jobs.submit(
        organisation=request.access.organisation,
        actor=request.access.actor,
        kind=connections.JOB,
        title=f"Try {row}",
        arguments={"connection": row.pk},
        key=str(row.pk),
        back_to=_list(request),
    )


@gate("repos.connect")
def git_hosts(request: TenantRequest) -> HttpResponse:
    """Every connection and whether it works."""
    rows = Connection.objects.for_tenant(request.access.organisation).order_by("base_url")
    return render(request, "githosts/connections.html", {"connections": rows})


@gate("repos.connect")
def git_host_new(request: TenantRequest) -> HttpResponseBase:
    """Connect a host; it is tried at once."""
    form = ConnectionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            row = connections.add_connection(
                organisation=request.access.organisation, actor=request.access.actor, **form.cleaned_data
            )
        except Refusal as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.text)
        else:
            return redirect("job", org=request.access.organisation.slug, uid=_try(request, row).uid)
    context = {"form": form, "title": "Connect a git host"}
    return render(request, "githosts/connection.html", context, status=422 if form.errors else 200)


@gate("repos.connect")
def git_host_replace(request: TenantRequest, connection: int) -> HttpResponseBase:
    """Another credential for the same address; it is tried at once."""
    row = _connection(request, connection)
    form = HostCredentialForm(request.POST or None, initial={"username": row.username})
    if request.method == "POST" and form.is_valid():
        try:
            connections.replace_credential(
                organisation=request.access.organisation,
                actor=request.access.actor,
                connection=row,
                **form.cleaned_data,
            )
        except Refusal as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.text)
        else:
            return redirect("job", org=request.access.organisation.slug, uid=_try(request, row).uid)
    context = {"form": form, "title": f"Replace the credential of {row}"}
    return render(request, "githosts/connection.html", context, status=422 if form.errors else 200)


@require_POST
@gate("repos.connect")
def git_host_try(request: TenantRequest, connection: int) -> HttpResponseBase:
    """A worker reads the repository to try."""
    job = _try(request, _connection(request, connection))
    return redirect("job", org=request.access.organisation.slug, uid=job.uid)


@require_POST
@gate("repos.connect")
def git_host_remove(request: TenantRequest, connection: int) -> HttpResponse:
    """Forgets the account."""
    row = _connection(request, connection)
    connections.remove_connection(organisation=request.access.organisation, actor=request.access.actor, connection=row)
    messages.success(request, f"{row} is removed. What was fetched stays.")
    return redirect(_list(request))
