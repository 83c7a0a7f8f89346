"""Fresh: what protects an account is changed only by somebody who has just proved that it is them.

One list of such acts outside organisations, asked before any view; a page inside one asks after its gate. People
prove it by password, second factor, or, who has neither here, at their identity provider. What they were about to send
is kept and done when they come back.
"""

import time
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import suspend_request
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.deprecation import MiddlewareMixin

from portal.kit.errors import Forbidden
from portal.kit.refusing import answer

# By the names of their addresses. Shown only to who is fresh: what they show opens the account.
SHOWN = frozenset(
    {
        "account_set_password",
        "mfa_activate_totp",
        "mfa_deactivate_totp",
        "mfa_generate_recovery_codes",
        "mfa_view_recovery_codes",
        "mfa_download_recovery_codes",
        "mfa_add_webauthn",
        "mfa_edit_webauthn",
        "mfa_remove_webauthn",
    }
)
# Done only by who is fresh; the page may be looked at. (Changing a password asks for the present one in its own form.)
DONE = frozenset({"account_email", "socialaccount_connections"})
# What is typed there is kept nowhere, not even for the moment: the form is shown again.
NOT_KEPT = frozenset({"account_set_password"})
NO_WAY = (
    "Nothing here can prove that it is you: your account has no password, no second factor and no identity provider."
    " Sign out and use “Forgot your password?” to set one."
)


# A sign-in by one of these is a proof like the one asked for later. What a link or a code in a mail opened, or what an
# identity provider's own session vouched for without asking anybody, is none.
PROOFS = frozenset({"password", "mfa"})


def is_fresh(request: HttpRequest) -> bool:
    """Whether the person proved it within the last 15 minutes, in this session: signing in, or since then."""
    user = request.user if request.user.is_authenticated else None
    end = time.time() - settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
    return any(
        record["at"] > end
        for record in get_authentication_records(request, user)
        if record.get("reauthenticated") or record.get("method") in PROOFS
    )


def needs_freshness(request: HttpRequest) -> bool:
    """Whether this request is one of the acts; connecting an identity provider is one wherever it begins."""
    name = request.resolver_match.url_name if request.resolver_match else ""
    is_connecting = request.path.startswith("/accounts/") and "connect" in (
        request.GET.get("process"),
        request.POST.get("process") if request.method == "POST" else "",
    )
    return name in SHOWN or (name in DONE and request.method == "POST") or is_connecting


def ask_again(request: HttpRequest) -> HttpResponse:
    """To the page where they prove it, and back."""
    ways = get_adapter().get_reauthentication_methods(request.user)
    if not ways:
        return answer(request, Forbidden(NO_WAY))
    place = str(ways[0]["url"])
    name = request.resolver_match.url_name if request.resolver_match else ""
    if getattr(request, "wants_fragment", False):
        back = urlencode({"next": request.path if request.method == "GET" else "/"})
        return HttpResponse(status=403, headers={"HX-Redirect": f"{place}?{back}"})
    if name in NOT_KEPT:
        return redirect(f"{place}?{urlencode({'next': request.path})}")
    suspended: HttpResponse = suspend_request(request, place)
    return suspended


class FreshMiddleware(MiddlewareMixin):
    """Asks before the view runs."""

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> HttpResponseBase | None:
        if not needs_freshness(request) or not request.user.is_authenticated or is_fresh(request):
            return None
        return ask_again(request)
