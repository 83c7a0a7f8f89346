"""How notices come to those who chose nothing: for a team's people, and for everybody; and following a team."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts.access import TenantRequest, gate
from portal.accounts.models import Team
from portal.accounts.teams import require_manage
from portal.kit.errors import NotFound
from portal.notices import actions
from portal.notices.choosing import Choices, Chosen
from portal.notices.forms import table, wishes_in
from portal.notices.models import Preference
from portal.notices.registry import CHANNELS, KINDS, MAIL, PORTAL, TEAM_MAIL

FOR_ALL = (PORTAL, MAIL)
FOR_TEAM = (PORTAL, MAIL, TEAM_MAIL)


def _by_itself(kind: str, channel: str) -> Chosen:
    return Chosen(KINDS[kind].default(channel))


def _team(request: TenantRequest, slug: str) -> Team:
    found = Team.objects.for_tenant(request.access.organisation).filter(slug=slug).first()
    if found is None:
        raise NotFound("There is no such team.")
    return found


@require_http_methods(["GET", "HEAD", "POST"])
@gate("notices.manage")
def notice_defaults(request: TenantRequest) -> HttpResponseBase:
    """What holds for everybody in the organisation who chose nothing."""
    access = request.access
    if request.method == "POST":
        actions.choose(organisation=access.organisation, actor=access.actor, wishes=wishes_in(request.POST))
        messages.success(request, "Saved.")
        return redirect("notice-defaults", org=access.organisation.slug)
    rows = Preference.objects.for_tenant(access.organisation).filter(membership=None, team=None)
    return _page(request, None, rows, FOR_ALL, _by_itself)


@require_http_methods(["GET", "HEAD", "POST"])
@gate("teams.manage")
def team_notices(request: TenantRequest, team: str) -> HttpResponseBase:
    """What holds for a team's people who chose nothing, and for its mail address. For whoever may change the team."""
    access = request.access
    found = _team(request, team)
    require_manage(access, found)
    if request.method == "POST":
        actions.choose(organisation=access.organisation, actor=access.actor, team=found, wishes=wishes_in(request.POST))
        messages.success(request, "Saved.")
        return redirect("team-notices", org=access.organisation.slug, team=found.slug)
    rows = Preference.objects.for_tenant(access.organisation).filter(team=found)
    choices = Choices.of(access.organisation, [])
    return _page(request, found, rows, FOR_TEAM if found.mail else FOR_ALL, choices.for_all)


def _page(
    request: TenantRequest,
    team: Team | None,
    rows: Iterable[Preference],
    channels: Sequence[str],
    otherwise: Callable[[str, str], Chosen],
) -> HttpResponse:
    chosen = {(row.kind, row.channel): row.mode for row in rows}
    context = {
        "team": team,
        "channels": [CHANNELS[channel][0] for channel in channels],
        "sections": table(channels, chosen, otherwise),
    }
    return render(request, "notices/defaults.html", context)


@require_POST
@gate("notices.own")
def team_follow(request: TenantRequest, team: str) -> HttpResponse:
    """Hear of a team (`follow`), or no more of it."""
    found = _team(request, team)
    actions.follow_team(membership=request.access.membership, team=found, follows="follow" in request.POST)
    return redirect("team", org=request.access.organisation.slug, team=found.slug)
