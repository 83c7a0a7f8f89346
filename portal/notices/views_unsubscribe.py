"""Ending a mail by the address in it, without signing in: looking shows, posting acts.

Programs that look at links in mails before people do change nothing, for they only look. Mail programs post by
themselves (RFC 8058): without a cookie, a form or a token of ours, so none is asked for. What is sealed in the address
is all that can be changed with it.
"""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from portal.accounts.access import address_of
from portal.accounts.actor import Actor
from portal.accounts.models import Organisation, Way
from portal.accounts.tenancy import tenant
from portal.accounts.views import PUBLIC, declares
from portal.kit.errors import NotFound, Refusal
from portal.notices import actions
from portal.notices.unsubscribing import GONE, Ending, read


@declares(PUBLIC)
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def notice_unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET says what would end, POST ends it."""
    try:
        ending = read(token)
        organisation = _organisation(ending)
        is_done = request.method == "POST"
        if is_done:
            actor = Actor(way=Way.PAGE, name="Whoever has the link in the mail", address=address_of(request))
            actions.end_by_link(actor=actor, ending=ending)
    except Refusal as refusal:
        return render(request, "notices/unsubscribe.html", {"refusal": refusal}, status=refusal.status)
    context = {"what": actions.ended_words(ending), "place": organisation.name, "is_done": is_done}
    return render(request, "notices/unsubscribe.html", context)


def _organisation(ending: Ending) -> Organisation:
    organisation = Organisation.objects.filter(pk=ending.organisation).first()
    if organisation is None:
        raise NotFound(GONE)
    with transaction.atomic(), tenant(organisation):
        actions.recipients(organisation, ending)
    return organisation
