"""Pages that make and change teams; a team's own page belongs to the catalog."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_POST

from portal.accounts import teams
from portal.accounts.access import TenantRequest, gate
from portal.accounts.contact import FIELDS
from portal.accounts.forms import TeamForm, TeamMemberForm
from portal.accounts.models import Team, TeamMembership, User
from portal.kit.errors import Conflict, Forbidden, NotFound, Refusal


def _team(request: TenantRequest, slug: str) -> Team:
    """A team that the visitor may change."""
    found = Team.objects.for_tenant(request.access.organisation).select_related("parent").filter(slug=slug).first()
    if found is None:
        raise NotFound("There is no such team.")
    teams.require_manage(request.access, found)
    return found


@gate("teams.manage")
def team_new(request: TenantRequest) -> HttpResponse:
    """Make a team: managers anywhere, leads below a team of theirs."""
    organisation = request.access.organisation
    initial = {
        "parent": Team.objects.for_tenant(organisation).filter(slug=slugify(request.GET.get("parent", ""))).first()
    }
    form = TeamForm(request.POST or None, organisation=organisation, initial=initial)
    if not teams.may_manage(request.access, None) and not _leads_any(request):
        raise Forbidden(teams.may_manage(request.access, None).sentence)
    if request.method == "POST" and form.is_valid():
        try:
            teams.require_manage(request.access, form.cleaned_data["parent"])
            stands = bool(teams.may_manage(request.access, None))
            made = teams.create_team(
                actor=request.access.actor, organisation=organisation, stands=stands, **form.cleaned_data
            )
        except Refusal as refusal:
            form.add_error(refusal.field or None, refusal.text)
        else:
            waits = "" if stands else " It gives no rights until a manager confirms it."
            messages.success(request, f"The team {made} is made. Put people into it.{waits}")
            return redirect("team-edit", org=organisation.slug, team=made.slug)
    return render(request, "accounts/team_new.html", {"form": form}, status=422 if form.errors else 200)


def _leads_any(request: TenantRequest) -> bool:
    places = TeamMembership.objects.for_tenant(request.access.organisation)
    return places.filter(user=request.user, is_lead=True).exists()


def _edit_context(request: TenantRequest, team: Team) -> dict[str, Any]:
    organisation = request.access.organisation
    initial = {"name": team.name, "parent": team.parent, "description": team.description}
    initial |= {name: getattr(team, name) for name in FIELDS}
    places = TeamMembership.objects.for_tenant(organisation).filter(team=team).select_related("user")
    return {
        "team": team,
        "form": TeamForm(organisation=organisation, team=team, initial=initial),
        "member_form": TeamMemberForm(organisation=organisation, team=team),
        "places": places.order_by("-is_lead", "user__name", "user__email"),
        "children": Team.objects.for_tenant(organisation).filter(parent=team),
        "may_move": bool(teams.may_manage(request.access, None)),
    }


@gate("teams.manage")
def team_edit(request: TenantRequest, team: str) -> HttpResponse:
    """A team's name, place and people."""
    found = _team(request, team)
    if request.method != "POST":
        return render(request, "accounts/team_edit.html", _edit_context(request, found))
    if found.is_filed:
        raise Conflict(f"{found} is described in {found.described_in}. Change it there.")
    organisation = request.access.organisation
    form = TeamForm(request.POST, organisation=organisation, team=found)
    if form.is_valid():
        wanted = dict(form.cleaned_data)
        if not teams.may_manage(request.access, None):
            wanted["parent"] = found.parent  # leads keep the team where it is: its place decides about others' rights
        try:
            teams.change_team(actor=request.access.actor, organisation=organisation, team=found, **wanted)
        except Refusal as refusal:
            form.add_error(refusal.field or None, refusal.text)
        else:
            messages.success(request, f"{found} is saved.")
            return redirect("team-edit", org=organisation.slug, team=found.slug)
    fresh = _team(request, team)
    return render(request, "accounts/team_edit.html", {**_edit_context(request, fresh), "form": form}, status=422)


@gate("teams.manage")
@require_POST
def team_delete(request: TenantRequest, team: str) -> HttpResponse:
    """Delete a team; the ones below it move up."""
    found = _team(request, team)
    name = found.name
    teams.delete_team(actor=request.access.actor, organisation=request.access.organisation, team=found)
    messages.success(request, f"The team {name} is deleted.")
    return redirect("people", org=request.access.organisation.slug)


@gate("teams.manage")
@require_POST
def team_member_add(request: TenantRequest, team: str) -> HttpResponse:
    """Put somebody into a team."""
    found = _team(request, team)
    form = TeamMemberForm(request.POST, organisation=request.access.organisation, team=found)
    if form.is_valid():
        teams.put_in_team(
            actor=request.access.actor,
            organisation=request.access.organisation,
            team=found,
            **form.cleaned_data,
        )
        messages.success(request, f"{form.cleaned_data['person']} is in {found}.")
        return redirect("team-edit", org=request.access.organisation.slug, team=found.slug)
    context = {**_edit_context(request, found), "member_form": form}
    return render(request, "accounts/team_edit.html", context, status=422)


def _place(request: TenantRequest, team: Team, person: int) -> User:
    places = TeamMembership.objects.for_tenant(request.access.organisation).filter(team=team, user_id=person)
    found = places.select_related("user").first()
    if found is None:
        raise NotFound(f"There is no such person in {team}.")
    return found.user


@gate("teams.manage")
@require_POST
def team_member_lead(request: TenantRequest, team: str, person: int) -> HttpResponse:
    """Make somebody lead of a team (`is_lead` in the form), or no longer."""
    found = _team(request, team)
    user = _place(request, found, person)
    is_lead = "is_lead" in request.POST
    teams.put_in_team(
        actor=request.access.actor,
        organisation=request.access.organisation,
        team=found,
        person=user,
        is_lead=is_lead,
    )
    messages.success(request, f"{user} {'leads' if is_lead else 'no longer leads'} {found}.")
    return _back(request, found)


@gate("teams.manage")
@require_POST
def team_member_remove(request: TenantRequest, team: str, person: int) -> HttpResponse:
    """Take somebody out of a team."""
    found = _team(request, team)
    user = _place(request, found, person)
    teams.take_out_of_team(
        actor=request.access.actor, organisation=request.access.organisation, team=found, person=user
    )
    messages.success(request, f"{user} is no longer in {found}.")
    return _back(request, found)


def _back(request: TenantRequest, team: Team) -> HttpResponse:
    """To the team's settings, unless what was just done took away the right to see them."""
    request.access.__dict__.pop("team_refs", None)
    if not teams.may_manage(request.access, team):
        return redirect("people", org=request.access.organisation.slug)
    return redirect("team-edit", org=request.access.organisation.slug, team=team.slug)
