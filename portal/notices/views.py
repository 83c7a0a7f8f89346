"""The pages of one's own notices: the list, reading and putting back, and how they come."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts.access import TenantRequest, gate
from portal.accounts.zone import zone_of
from portal.kit.errors import Invalid, Refusal
from portal.notices import actions, reading
from portal.notices.choosing import Choices, Chosen
from portal.notices.forms import HoursForm, table, wishes_in, words_of
from portal.notices.models import FollowedTeam, Notice, Preference, Rhythm
from portal.notices.reading import NoticeChoice
from portal.notices.registry import CHANNELS, KINDS, MAIL, PORTAL

OWN = (PORTAL, MAIL)


@gate("org.view")
def notices(request: TenantRequest) -> HttpResponse:
    """What the person is told, newest first."""
    access = request.access
    choice = NoticeChoice.read(request.GET)
    after = request.GET.get("after", "")
    page = reading.page_of(reading.chosen(access, choice), after)
    choices = Choices.of(access.organisation, [access.membership.pk], [access.user.pk]) if page.rows else Choices()
    context = {
        "rows": [(row, _ways(choices, row, access.user.pk)) for row in page.rows],
        "choice": choice,
        "kinds": reading.kinds_of(access, choice),
        "after": page.after,
        "is_first": not after,
        "unread": access.membership.unread_notices,
        "may_manage": access.can("notices.manage"),
    }
    return render(request, "notices/notices.html", context)


def _ways(choices: Choices, row: Notice, user: int) -> list[tuple[str, str, str, list[tuple[str, str]]]]:
    """How a notice's kind comes: (channel, its name, what holds, the other modes as (mode, words))."""
    if row.kind not in KINDS:
        return []
    found = []
    for channel in OWN:
        held = choices.mode(row.membership_id, user, row.kind, channel).mode
        others = [(mode, words_of(channel, mode)) for mode in CHANNELS[channel][1] if mode != held]
        found.append((channel, CHANNELS[channel][0], words_of(channel, held), others))
    return found


@require_POST
@gate("notices.own")
def notices_read(request: TenantRequest) -> HttpResponseBase:
    """Marks notices as read (`read`) or unread (`unread`), each by its number; or `all`, of a `kind` if one is said."""
    access = request.access
    if "all" in request.POST:
        kind = request.POST.get("kind", "")
        changed = actions.mark(membership=access.membership, is_read=True, kind=kind)
        if changed:
            messages.success(request, f"{changed} marked as read.")
    else:
        for word, is_read in (("read", True), ("unread", False)):
            if named := request.POST.getlist(word):
                actions.mark(membership=access.membership, is_read=is_read, notices=_numbers(named))
    if request.wants_fragment:
        return HttpResponse(status=204)
    return redirect(_way_back(request, "notices"))


def _numbers(named: list[str]) -> list[int]:
    if not all(one.isascii() and one.isdigit() and len(one) < 18 for one in named):
        raise Invalid("A notice is named by its number.", field="read")
    return [int(one) for one in named]


def _way_back(request: TenantRequest, name: str) -> str:
    """Where the form says that it stands, if that is a page of this site."""
    wanted = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts=None):
        return wanted
    return reverse(name, kwargs={"org": request.access.organisation.slug})


@require_http_methods(["GET", "HEAD", "POST"])
@gate("notices.own")
def notice_preferences(request: TenantRequest) -> HttpResponseBase:
    """How notices come to the person: by kind and channel, and at which hours."""
    access = request.access
    if request.method == "POST" and "hour" not in request.POST:
        changed = actions.choose(
            organisation=access.organisation,
            actor=access.actor,
            membership=access.membership,
            wishes=wishes_in(request.POST),
        )
        messages.success(request, "Saved." if changed else "Nothing was changed.")
        return redirect(_way_back(request, "notice-preferences"))
    hours = HoursForm(request.POST) if request.method == "POST" else HoursForm.of(_rhythm(request))
    if request.method == "POST" and hours.is_valid():
        try:
            actions.set_hours(membership=access.membership, **hours.said)
        except Refusal as refusal:
            hours.add_error(refusal.field if refusal.field in hours.fields else None, refusal.text)
        else:
            messages.success(request, "Your hours are saved.")
            return redirect("notice-preferences", org=access.organisation.slug)
    return render(request, "notices/preferences.html", _context(request, hours), status=422 if hours.errors else 200)


def _rhythm(request: TenantRequest) -> Rhythm | None:
    rows = Rhythm.objects.for_tenant(request.access.organisation)
    return rows.filter(membership=request.access.membership).first()


def _context(request: TenantRequest, hours: HoursForm) -> dict[str, Any]:
    access = request.access
    pk, user = access.membership.pk, access.user.pk
    rows = Preference.objects.for_tenant(access.organisation).filter(membership=access.membership)
    chosen = {(row.kind, row.channel): row.mode for row in rows}
    choices = Choices.of(access.organisation, [pk], [user])

    def otherwise(kind: str, channel: str) -> Chosen:
        own = choices.own.get(pk, {})
        without = {key: mode for key, mode in own.items() if key != (kind, channel)}
        choices.own[pk] = without
        held = choices.mode(pk, user, kind, channel)
        choices.own[pk] = own
        return held

    followed = FollowedTeam.objects.for_tenant(access.organisation).filter(membership=access.membership)
    return {
        "hours": hours,
        "channels": [CHANNELS[channel][0] for channel in OWN],
        "sections": table(OWN, chosen, otherwise),
        "no_mail": chosen.get(("", MAIL)) == "off",
        "zone": access.user.timezone or str(zone_of(request)),
        "has_zone": bool(access.user.timezone),
        "followed": [row.team for row in followed.select_related("team").order_by("team__name")],
    }
