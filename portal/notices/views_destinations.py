"""Pages where admins say where notices of the organisation go, and see what could not be delivered."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts.access import TenantRequest, gate
from portal.kit.errors import Invalid, NotFound, Refusal
from portal.notices import destinations as actions
from portal.notices.forms import DestinationForm
from portal.notices.models import Destination
from portal.notices.registry import KINDS

MADE = "new_destination"  # session key: [the destination's uid, its secret], until it has been shown
MOST_SHOWN = 100


def find(request: TenantRequest, uid: UUID) -> Destination:
    """The destination; raises NotFound."""
    rows = Destination.objects.for_tenant(request.access.organisation).filter(uid=uid)
    found = rows.select_related("team").first()
    if found is None:
        raise NotFound("There is no such destination.")
    return found


def _list(request: TenantRequest) -> HttpResponseBase:
    return redirect("destinations", org=request.access.organisation.slug)


@gate("notices.manage")
@never_cache
def destinations(request: TenantRequest) -> HttpResponse:
    """Every destination and how it does; what was not delivered."""
    organisation = request.access.organisation
    rows = list(Destination.objects.for_tenant(organisation).select_related("team").order_by("name"))
    undelivered = list(actions.undelivered(organisation)[: MOST_SHOWN + 1])
    uid, secret = request.session.pop(MADE, (None, ""))
    context = {
        "rows": [(row, [KINDS[key].label for key in row.kinds if key in KINDS]) for row in rows],
        "undelivered": undelivered[:MOST_SHOWN],
        "has_more": len(undelivered) > MOST_SHOWN,
        "made": next((row for row in rows if str(row.uid) == uid), None),
        "secret": secret,
    }
    return render(request, "notices/destinations.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@gate("notices.manage")
def destination_new(request: TenantRequest) -> HttpResponseBase:
    """Add one; a webhook's secret is on the page that follows, once."""
    access = request.access
    form = DestinationForm(request.POST or None, organisation=access.organisation, is_new=True)
    if request.method == "POST" and form.is_valid():
        try:
            row, secret = actions.add_destination(
                organisation=access.organisation, actor=access.actor, **form.cleaned_data
            )
        except Refusal as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.text)
        else:
            return _made(request, row, secret)
    context = {"form": form, "row": None}
    return render(request, "notices/destination.html", context, status=422 if form.errors else 200)


def _made(request: TenantRequest, row: Destination, secret: str) -> HttpResponseBase:
    """Reloading a form's answer would make another one: the secret waits for the page, sealed as sessions are."""
    if secret:
        request.session[MADE] = [str(row.uid), secret]
    else:
        messages.success(request, f"{row} is saved. Send a test to see that it arrives.")
    return _list(request)


@require_http_methods(["GET", "HEAD", "POST"])
@gate("notices.manage")
def destination_edit(request: TenantRequest, destination: UUID) -> HttpResponseBase:
    """Its name, what goes there, another address."""
    access = request.access
    row = find(request, destination)
    said = {"name": row.name, "team": row.team, "kinds": row.kinds}
    form = DestinationForm(request.POST or None, initial=said, organisation=access.organisation, is_new=False)
    if request.method == "POST" and form.is_valid():
        try:
            actions.change_destination(
                organisation=access.organisation, actor=access.actor, destination=row, **form.cleaned_data
            )
        except Refusal as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.text)
        else:
            messages.success(request, f"{row} is saved.")
            return _list(request)
    context = {"form": form, "row": row}
    return render(request, "notices/destination.html", context, status=422 if form.errors else 200)


@require_POST
@gate("notices.manage")
def destination_secret(request: TenantRequest, destination: UUID) -> HttpResponseBase:
    """A new secret, shown once on the page that follows."""
    access = request.access
    row = find(request, destination)
    secret = actions.rotate_secret(organisation=access.organisation, actor=access.actor, destination=row)
    return _made(request, row, secret)


@require_POST
@gate("notices.manage")
def destination_switch(request: TenantRequest, destination: UUID) -> HttpResponseBase:
    """On (`on`) or off."""
    access = request.access
    row = find(request, destination)
    is_on = "on" in request.POST
    actions.switch(organisation=access.organisation, actor=access.actor, destination=row, is_on=is_on)
    messages.success(request, f"{row} is switched {'on' if is_on else 'off'}.")
    return _list(request)


@require_POST
@gate("notices.manage")
def destination_test(request: TenantRequest, destination: UUID) -> HttpResponseBase:
    """One message that says that it is a test."""
    access = request.access
    row = find(request, destination)
    actions.send_test(organisation=access.organisation, actor=access.actor, destination=row)
    messages.success(request, f"A test is on its way to {row}.")
    return _list(request)


@require_POST
@gate("notices.manage")
def destination_remove(request: TenantRequest, destination: UUID) -> HttpResponseBase:
    """Forgets it."""
    access = request.access
    row = find(request, destination)
    actions.remove_destination(organisation=access.organisation, actor=access.actor, destination=row)
    messages.success(request, f"{row} is removed.")
    return _list(request)


@require_POST
@gate("notices.manage")
def deliveries_retry(request: TenantRequest) -> HttpResponseBase:
    """Tries again what was not delivered: each `delivery` by its number."""
    access = request.access
    named = request.POST.getlist("delivery")
    if not named or not all(one.isascii() and one.isdigit() and len(one) < 18 for one in named):
        raise Invalid("Choose what to try again.", field="delivery")
    numbers = [int(one) for one in named]
    actions.retry(organisation=access.organisation, actor=access.actor, deliveries=numbers)
    messages.success(request, "It is tried again.")
    return redirect(reverse("destinations", kwargs={"org": access.organisation.slug}))
