"""Pages about clusters: the list, one cluster, connecting and forgetting one, and the log of a pod."""

from __future__ import annotations

from functools import partial

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from portal.accounts.access import TenantRequest, gate
from portal.clusters import actions, panels, podlogs, status
from portal.clusters.forms import ClusterForm
from portal.clusters.models import Cluster
from portal.clusters.podlogs import Asked
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


@gate("clusters.manage")
def cluster_new(request: TenantRequest) -> HttpResponse:
    """Connect a cluster."""
    form = ClusterForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            cluster = actions.register_cluster(
                organisation=request.access.organisation,
                actor=request.access.actor,
                name=form.cleaned_data["name"],
                kubeconfig=form.cleaned_data["kubeconfig"],
                context=form.cleaned_data["context"] or None,
            )
        except Refusal as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.text)
        else:
            messages.success(request, f"{cluster.name} is connected. Its workloads appear within seconds.")
            return redirect("cluster", org=request.access.organisation.slug, cluster=cluster.slug)
    return render(request, "clusters/new.html", {"form": form}, status=400 if form.errors else 200)


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
    containers = status.containers_of(found, namespace, pod)
    container = request.GET.get("container", "")[:63] or (containers[0] if len(containers) > 1 else "")
    asked = Asked(found.pk, namespace, pod, container, request.GET.get("previous") == "1")
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
