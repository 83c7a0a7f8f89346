"""Who may push to a repository: the page that says so, and the forms that change it."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from portal.accounts.access import TenantRequest, gate
from portal.accounts.models import Team
from portal.accounts.permissions import Verdict
from portal.githosts import actions, rights
from portal.githosts.forms import GrantForm, OwnerForm
from portal.githosts.models import Grant, Repository
from portal.githosts.views import find
from portal.kit.errors import Forbidden


@dataclass(frozen=True)
class AccessPage:
    """What the page shows: who owns it, who else may push, and what the visitor may do about it."""

    owner: Team | None
    grants: list[Grant]
    may_push: Verdict
    may_manage: Verdict
    may_unprotect: Verdict
    owner_form: OwnerForm
    grant_form: GrantForm


def _page(
    request: TenantRequest, repository: Repository, *, owner: OwnerForm | None = None, grant: GrantForm | None = None
) -> HttpResponse:
    access = request.access
    grants = Grant.objects.for_tenant(access.organisation).filter(repository=repository)
    shown = AccessPage(
        owner=rights.owning_team(repository),
        grants=list(grants.select_related("team", "person", "granted_by").order_by("granted_at")),
        may_push=rights.may_push(access, repository),
        may_manage=rights.may_manage(access, repository),
        may_unprotect=rights.may_unprotect(access),
        owner_form=owner or OwnerForm(organisation=access.organisation, repository=repository),
        grant_form=grant or GrantForm(organisation=access.organisation),
    )
    is_wrong = any(form is not None and form.errors for form in (owner, grant))
    context = {"repository": repository, "shown": shown, "tab": "access"}
    return render(request, "githosts/access.html", context, status=422 if is_wrong else 200)


def _managed(request: TenantRequest, name: str) -> Repository:
    """A repository whose access the visitor may change."""
    repository = find(request, name)
    if not (verdict := rights.may_manage(request.access, repository)):
        raise Forbidden(verdict.sentence)
    return repository


def _back(request: TenantRequest, repository: Repository, said: str) -> HttpResponse:
    messages.success(request, said)
    return redirect("repo-access", org=request.access.organisation.slug, repo=repository.name)


@gate("repos.view")
def repo_access(request: TenantRequest, repo: str) -> HttpResponse:
    """Owner, protection and grants."""
    return _page(request, find(request, repo))


@require_POST
@gate("repos.manage")
def repo_hand_over(request: TenantRequest, repo: str) -> HttpResponse:
    """Another team becomes the owner."""
    repository = _managed(request, repo)
    form = OwnerForm(request.POST, organisation=request.access.organisation, repository=repository)
    if not form.is_valid():
        return _page(request, repository, owner=form)
    team = form.cleaned_data["team"]
    actions.hand_over(
        organisation=request.access.organisation,
        actor=request.access.actor,
        repository=repository,
        team=team,
    )
    return _back(request, repository, f"{repository.name} belongs to {team}.")


@require_POST
@gate("repos.manage")
def repo_grant(request: TenantRequest, repo: str) -> HttpResponse:
    """A team or a person may push as well."""
    repository = _managed(request, repo)
    form = GrantForm(request.POST, organisation=request.access.organisation)
    if not form.is_valid():
        return _page(request, repository, grant=form)
    grant = actions.let_push(
        organisation=request.access.organisation,
        actor=request.access.actor,
        repository=repository,
        **form.cleaned_data,
    )
    return _back(request, repository, f"{grant} may push to {repository.name}.")


@require_POST
@gate("repos.manage")
def repo_withdraw(request: TenantRequest, repo: str, grant: int) -> HttpResponse:
    """A grant is taken back."""
    repository = _managed(request, repo)
    found = rights.grant_of(repository, grant)
    who = str(found)
    actions.withdraw(
        organisation=request.access.organisation,
        actor=request.access.actor,
        repository=repository,
        grant=found,
    )
    return _back(request, repository, f"{who} no longer has a grant for {repository.name}.")


@require_POST
@gate("repos.manage")
def repo_protect(request: TenantRequest, repo: str) -> HttpResponse:
    """Protects the default branch (`protected=1`), or lifts the protection, which admins alone may."""
    repository = _managed(request, repo)
    is_protected = request.POST.get("protected") == "1"
    if not is_protected and not (verdict := rights.may_unprotect(request.access)):
        raise Forbidden(verdict.sentence)
    actions.set_protection(
        organisation=request.access.organisation,
        actor=request.access.actor,
        repository=repository,
        is_protected=is_protected,
    )
    word = "is protected" if is_protected else "is no longer protected"
    return _back(request, repository, f"{repository.default_branch} of {repository.name} {word}.")
