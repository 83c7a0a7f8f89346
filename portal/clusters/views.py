"""Pages about clusters: the list, one cluster, connecting, re-keying and forgetting one, and the log of a pod."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from msgspec.structs import replace

from portal.accounts.access import TenantRequest, gate
from portal.clusters import actions, connecting, logrights, panels, podlogs
from portal.clusters.forms import ClusterForm, CredentialForm
from portal.clusters.models import UNAUTHORIZED, Cluster
from portal.clusters.podlogs import Asked
from portal.jobs.lease import as_refusal
from portal.jobs.models import Job
from portal.jobs.views import follow
from portal.kit.errors import NotFound, Refusal


def cluster_for(request: TenantRequest, slug: str) -> Cluster:
    """The organisation's cluster of that name. Raises NotFound."""
    found = Cluster.objects.for_tenant(request.access.organisation).filter(slug=slug).first()
    if found is None:
        raise NotFound("There is no cluster of that name here.")
    return found


@gate("clusters.view")
def cluster_list(request: TenantRequest) -> HttpResponse:
    """Every cluster with its state."""
    context = panels.clusters_context(request.access.organisation)
    context["can_manage"] = request.access.can("clusters.manage")
    return render(request, "clusters/clusters.html", context)


@gate("clusters.view")
def cluster_page(request: TenantRequest, cluster: str) -> HttpResponse:
    """One cluster: nodes, what it serves, workloads with the troubled first."""
    found = cluster_for(request, cluster)
    context = panels.cluster_context(request.access.organisation, found)
    context["can_manage"] = request.access.can("clusters.manage")
    return render(request, "clusters/cluster.html", context)


def _led_back(request: TenantRequest, kind: str) -> Job | None:
    """The person's own job that was refused and led back to its form."""
    try:
        uid = UUID(request.GET.get("job", ""))
    except ValueError:
        return None
    rows = Job.objects.for_tenant(request.access.organisation).defer("payload")
    job: Job | None = rows.filter(uid=uid, kind=kind, actor=request.user, state="refused").first()
    return job


def _refused(form: CredentialForm, refusal: Refusal) -> None:
    form.add_error(refusal.field if refusal.field in form.fields else None, refusal.text)


def _again(form_class: type[CredentialForm], job: Job | None) -> CredentialForm:
    """The form with what was said before, but for the credential, and the sentence at its field."""
    if job is None:
        return form_class()
    said = {name: job.arguments.get(name, "") for name in ("name", "context")}
    form = form_class(data={**said, "kubeconfig": "-"})
    form.is_valid()
    form.data = {**said, "kubeconfig": ""}
    _refused(form, as_refusal(job.refusal))
    return form


@gate("clusters.manage")
def cluster_new(request: TenantRequest) -> HttpResponseBase:
    """Connect a cluster: a job speaks to it, and leads on to its page or back here."""
    if request.method != "POST":
        return _new_page(request, _again(ClusterForm, _led_back(request, connecting.CONNECT)))
    form = ClusterForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            job = connecting.ask_to_connect(
                organisation=request.access.organisation,
                actor=request.access.actor,
                name=form.cleaned_data["name"],
                kubeconfig=form.cleaned_data["kubeconfig"],
                context=form.cleaned_data["context"] or None,
                back_to=reverse("cluster-new", kwargs={"org": request.access.organisation.slug}),
            )
        except Refusal as refusal:
            _refused(form, refusal)
        else:
            return follow(request.access.organisation, job)
    return _new_page(request, form)


def _new_page(request: TenantRequest, form: CredentialForm) -> HttpResponse:
    return render(request, "clusters/new.html", {"form": form}, status=400 if form.errors else 200)


@gate("clusters.manage")
def cluster_credential(request: TenantRequest, cluster: str) -> HttpResponseBase:
    """Replace the credential, keeping history, bindings and rules: the old one stays until the new one works."""
    found = cluster_for(request, cluster)
    if request.method != "POST":
        return _credential_page(request, found, _again(CredentialForm, _led_back(request, connecting.REPLACE)))
    form = CredentialForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            job = connecting.ask_to_replace(
                organisation=request.access.organisation,
                actor=request.access.actor,
                cluster=found,
                kubeconfig=form.cleaned_data["kubeconfig"],
                context=form.cleaned_data["context"] or None,
                back_to=reverse(
                    "cluster-credential", kwargs={"org": request.access.organisation.slug, "cluster": found.slug}
                ),
            )
        except Refusal as refusal:
            _refused(form, refusal)
        else:
            return follow(request.access.organisation, job)
    return _credential_page(request, found, form)


def _credential_page(request: TenantRequest, cluster: Cluster, form: CredentialForm) -> HttpResponse:
    context = {"cluster": cluster, "form": form, "is_refused": cluster.state == UNAUTHORIZED}
    return render(request, "clusters/credential.html", context, status=400 if form.errors else 200)


@gate("clusters.manage")
def cluster_forget(request: TenantRequest, cluster: str) -> HttpResponse:
    """The question, and on POST the deed."""
    found = cluster_for(request, cluster)
    if request.method == "POST":
        actions.forget_cluster(organisation=request.access.organisation, actor=request.access.actor, cluster=found)
        messages.success(request, f"{found.name} is forgotten. Nothing in the cluster was touched.")
        return redirect("clusters", org=request.access.organisation.slug)
    return render(request, "clusters/forget.html", {"cluster": found})


@gate("workloads.logs")
def workload_logs(request: TenantRequest, cluster: str, namespace: str, pod: str) -> HttpResponse:
    """The end of a container's log, fetched by a worker and shown when it arrives."""
    found = cluster_for(request, cluster)
    organisation = request.access.organisation
    asked = Asked(found.pk, namespace, pod, request.GET.get("container", "")[:63], request.GET.get("previous") == "1")
    containers = logrights.pod_for(request.access, found, asked).containers
    if not asked.container and len(containers) > 1:
        asked = replace(asked, container=containers[0])
    # After the transaction: it is the broker that is waited for then.
    transaction.on_commit(partial(podlogs.ask, found, asked))
    context = {
        "cluster": found,
        "asked": asked,
        "containers": containers,
        "logs": podlogs.read(organisation.pk, asked.key),
        "here": reverse(
            "workload-logs",
            kwargs={"org": organisation.slug, "cluster": found.slug, "namespace": namespace, "pod": pod},
        ),
    }
    return render(request, "clusters/logs.html", context)
