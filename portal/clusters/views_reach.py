"""The page where an admin says where runs may write in a cluster, and sees what that means for each team."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from portal.accounts.access import TenantRequest, gate
from portal.accounts.teams import standing
from portal.clusters import actions, reach
from portal.clusters.forms import KindForm, NamespacesForm
from portal.clusters.models import AllowedKind, Cluster
from portal.clusters.reach import Reach
from portal.clusters.views import cluster_for
from portal.kit.errors import NotFound, Refusal

SAMPLE = "my-service"
MOST_TEAMS = 200


@dataclass(frozen=True)
class Meaning:
    """What the patterns come to for one team."""

    team: str
    namespaces: list[str]


def meanings(request: TenantRequest, patterns: tuple[str, ...]) -> list[Meaning]:
    """The open namespaces of each team's people, for an entity called my-service."""
    teams = standing(request.access.organisation)[:MOST_TEAMS]
    return [Meaning(team.name, reach.shown(Reach(patterns, team=team.slug, entity=SAMPLE))) for team in teams]


@gate("clusters.manage")
def cluster_reach(request: TenantRequest, cluster: str) -> HttpResponse:
    """Patterns and allowed kinds; `preview` shows what patterns would mean and keeps nothing."""
    found = cluster_for(request, cluster)
    if request.method != "POST":
        return _page(request, found, NamespacesForm(initial={"namespaces": found.namespaces}), found.patterns)
    form = NamespacesForm(request.POST)
    patterns = tuple(form.data.get("namespaces", "").split())
    if "preview" in request.POST:
        for fault in reach.faults(patterns) if form.is_valid() else ():
            form.add_error("namespaces", fault)
        return _page(request, found, form, patterns)
    try:
        actions.open_namespaces(
            organisation=request.access.organisation, actor=request.access.actor, cluster=found, patterns=patterns
        )
    except Refusal as refusal:
        form.is_valid()
        form.add_error("namespaces", refusal.text)
        return _page(request, found, form, patterns)
    messages.success(request, "The open namespaces are changed. Runs that are under way go by them from now on.")
    return redirect("cluster-reach", org=request.access.organisation.slug, cluster=found.slug)


def _page(
    request: TenantRequest,
    cluster: Cluster,
    form: NamespacesForm,
    patterns: tuple[str, ...],
    kind_form: KindForm | None = None,
) -> HttpResponse:
    kinds = AllowedKind.objects.for_tenant(request.access.organisation).filter(cluster=cluster)
    context: dict[str, Any] = {
        "cluster": cluster,
        "form": form,
        "kind_form": kind_form or KindForm(),
        "kinds": kinds.select_related("created_by"),
        "meanings": meanings(request, patterns),
        "sample": SAMPLE,
    }
    is_wrong = form.errors or (kind_form is not None and kind_form.errors)
    return render(request, "clusters/reach.html", context, status=400 if is_wrong else 200)


@require_POST
@gate("clusters.manage")
def kind_allow(request: TenantRequest, cluster: str) -> HttpResponse:
    """Allow a kind for a golden path."""
    found = cluster_for(request, cluster)
    form = KindForm(request.POST)
    if form.is_valid():
        try:
            row = actions.allow_kind(
                organisation=request.access.organisation, actor=request.access.actor, cluster=found, **form.cleaned_data
            )
        except Refusal as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.text)
        else:
            messages.success(
                request, f"{row.path} may write {row.kind}{f' in {row.namespace}' if row.namespace else ''}."
            )
            return redirect("cluster-reach", org=request.access.organisation.slug, cluster=found.slug)
    return _page(request, found, NamespacesForm(initial={"namespaces": found.namespaces}), found.patterns, form)


@require_POST
@gate("clusters.manage")
def kind_remove(request: TenantRequest, cluster: str, allowed: int) -> HttpResponse:
    """Take such a permission back."""
    found = cluster_for(request, cluster)
    rows = AllowedKind.objects.for_tenant(request.access.organisation).filter(cluster=found)
    row = rows.select_related("cluster").filter(pk=allowed).first() if allowed < 2**63 else None
    if row is None:
        raise NotFound("It is not allowed any more.")
    actions.disallow_kind(organisation=request.access.organisation, actor=request.access.actor, row=row)
    messages.success(request, f"{row.path} may no longer write {row.kind}.")
    return redirect("cluster-reach", org=request.access.organisation.slug, cluster=found.slug)
