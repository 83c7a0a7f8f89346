"""Pages about an organisation's people, its open invitations and its name."""

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from portal.accounts import actions
from portal.accounts.access import TenantRequest, gate
from portal.accounts.forms import InviteForm, RenameForm, RoleForm
from portal.accounts.models import Invitation, Membership, TeamMembership
from portal.accounts.permissions import ROLES
from portal.kit.errors import NotFound, Refusal
from portal.kit.sheets import sheet


def _people_context(request: TenantRequest) -> dict[str, Any]:
    """A page of members with their teams, in three queries, and what waits for an answer."""
    organisation = request.access.organisation
    members = Membership.objects.for_tenant(organisation).select_related("user").order_by("user__name", "user__email")
    words = request.GET.get("q", "").replace("\0", "").strip()[:100]
    if words:
        members = members.filter(Q(user__name__icontains=words) | Q(user__email__icontains=words))
    page = sheet(members, request.GET.get("page", ""))
    people = [member.user_id for member in page.rows]
    teams: dict[int, list[TeamMembership]] = {}
    places = TeamMembership.objects.for_tenant(organisation).filter(user__in=people)
    for place in places.select_related("team").order_by("team__name"):
        teams.setdefault(place.user_id, []).append(place)
    can_manage = request.access.can("people.manage")
    return {
        "rows": [(member, teams.get(member.user_id, [])) for member in page.rows],
        "page": page,
        "words": words,
        "roles": ROLES,
        "can_manage": can_manage,
        "now": timezone.now(),
        "invitations": actions.open_invitations(organisation, with_expired=True)
        .select_related("invited_by")
        .order_by("-created_at")
        if can_manage
        else [],
    }


@gate("people.view")
def people(request: TenantRequest) -> HttpResponse:
    """Who is here, in which role and teams; for admins also who is invited."""
    context = _people_context(request)
    if context["can_manage"]:
        context["invite_form"] = InviteForm()
    return render(request, "accounts/people.html", context)


@gate("people.manage")
@require_POST
def people_invite(request: TenantRequest) -> HttpResponse:
    """Invite somebody by e-mail."""
    form = InviteForm(request.POST)
    if form.is_valid():
        try:
            invitation = actions.invite(
                actor=request.access.actor, organisation=request.access.organisation, **form.cleaned_data
            )
        except Refusal as refusal:
            form.add_error(refusal.field or None, refusal.text)
        else:
            messages.success(request, f"An invitation is on its way to {invitation.email}.")
            return redirect("people", org=request.access.organisation.slug)
    context = {**_people_context(request), "invite_form": form}
    return render(request, "accounts/people.html", context, status=422)


def _invitation(request: TenantRequest, pk: int) -> Invitation:
    found = Invitation.objects.for_tenant(request.access.organisation).filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such invitation.")
    return found


@gate("people.manage")
@require_POST
def invitation_resend(request: TenantRequest, invitation: int) -> HttpResponse:
    """Send an invitation again; its old link stops working."""
    found = _invitation(request, invitation)
    actions.resend_invitation(actor=request.access.actor, organisation=request.access.organisation, invitation=found)
    messages.success(request, f"A new link is on its way to {found.email}; the old one no longer works.")
    return redirect("people", org=request.access.organisation.slug)


@gate("people.manage")
@require_POST
def invitation_revoke(request: TenantRequest, invitation: int) -> HttpResponse:
    """Close an invitation."""
    found = _invitation(request, invitation)
    actions.revoke_invitation(actor=request.access.actor, organisation=request.access.organisation, invitation=found)
    messages.success(request, f"The invitation of {found.email} is revoked.")
    return redirect("people", org=request.access.organisation.slug)


def _member(request: TenantRequest, pk: int) -> Membership:
    found = Membership.objects.for_tenant(request.access.organisation).select_related("user").filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such member.")
    return found


@gate("people.manage")
@require_POST
def member_role(request: TenantRequest, member: int) -> HttpResponse:
    """Change a member's role."""
    found = _member(request, member)
    form = RoleForm(request.POST)
    if form.is_valid():
        role = form.cleaned_data["role"]
        return _done(request, lambda: _change_role(request, found, role), f"{found.user} is now {role}.")
    messages.error(request, "There is no such role.")
    return redirect("people", org=request.access.organisation.slug)


def _change_role(request: TenantRequest, member: Membership, role: str) -> None:
    actions.change_role(actor=request.access.actor, organisation=request.access.organisation, member=member, role=role)


def _done(request: TenantRequest, act: Any, sentence: str) -> HttpResponse:
    """Act, say so, and go back to the list; a refusal is said there too, so that nobody loses their place."""
    try:
        act()
    except Refusal as refusal:
        messages.error(request, refusal.text)
    else:
        messages.success(request, sentence)
    return redirect("people", org=request.access.organisation.slug)


@gate("people.manage")
@require_POST
def member_remove(request: TenantRequest, member: int) -> HttpResponse:
    """Take a member out of the organisation."""
    found = _member(request, member)
    if found.user_id == request.user.pk:
        return _leave(request, found)
    return _done(request, lambda: _remove(request, found), f"{found.user} is no longer in this organisation.")


def _remove(request: TenantRequest, member: Membership) -> None:
    actions.remove_member(actor=request.access.actor, organisation=request.access.organisation, member=member)


@gate("people.view")
@require_POST
def member_leave(request: TenantRequest) -> HttpResponse:
    """Leave the organisation oneself."""
    return _leave(request, request.access.membership)


def _leave(request: TenantRequest, member: Membership) -> HttpResponse:
    try:
        _remove(request, member)
    except Refusal as refusal:
        messages.error(request, refusal.text)
        return redirect("people", org=request.access.organisation.slug)
    messages.success(request, f"You have left {request.access.organisation}.")
    return redirect("start")


@gate("org.manage")
def organisation_settings(request: TenantRequest) -> HttpResponse:
    """The organisation's name."""
    organisation = request.access.organisation
    form = RenameForm(request.POST or None, initial={"name": organisation.name})
    if request.method == "POST" and form.is_valid():
        actions.rename_organisation(
            actor=request.access.actor, organisation=organisation, name=form.cleaned_data["name"]
        )
        messages.success(request, "The organisation’s name is saved.")
        return redirect("settings", org=organisation.slug)
    return render(request, "accounts/settings.html", {"form": form}, status=422 if form.errors else 200)
