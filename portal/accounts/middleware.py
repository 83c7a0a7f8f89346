"""What stands between sign-in and the world outside."""

import re
from datetime import timedelta
from urllib.parse import urlsplit

from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

from portal.accounts.access import digest_of, entering_of
from portal.accounts.authentication import bearer_of
from portal.accounts.entering import by_session, place_of_token
from portal.kit.errors import Unauthenticated
from portal.kit.refusing import answer

_SLUG = re.compile(r"^/(?:api/)?o/([^/]+)/")
# How old "last seen" may grow before a request writes it anew.
SEEN_EVERY = timedelta(minutes=1)


class EnteringMiddleware(SessionMiddleware):
    """Django's sessions; for a signed-in browser, session, person, organisation and membership come at once.

    What was told is laid where Django's own middleware looks first, so that it asks nothing again. Where nothing was
    told (an unknown key, a password changed since) everything goes Django's own way.
    """

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        if not key:
            return
        match = _SLUG.match(request.path)
        entering = by_session(key, match.group(1) if match else "")
        if entering is None:
            return
        request.entering = entering  # type: ignore[attr-defined]
        request.session._session_cache = entering.session  # type: ignore[attr-defined]
        request._cached_user = entering.person  # type: ignore[attr-defined]


# Backstage serves its plugins below /api/<plugin>: clients that know one root are pointed at an organisation by token.
_ROOTED = re.compile(r"^/api/(catalog)/")


class RootedMiddleware(MiddlewareMixin):
    """`/api/catalog/…` is the catalog of the organisation that the request's API token belongs to.

    It only chooses the view; the gate then enters with the same token as at the organisation's own address.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        if not _ROOTED.match(request.path_info):
            return None
        secret = bearer_of(request.headers.get("Authorization", ""))
        slug = place_of_token(digest_of(secret)) if secret else None
        if slug is None:
            said = "Send an API token as a bearer token: it says which organisation is meant at this address."
            refused = answer(request, Unauthenticated(f"This token is not accepted here. {said}" if secret else said))
            refused["WWW-Authenticate"] = 'Bearer realm="Slipway"'
            return refused
        request.path_info = f"/api/o/{slug}/{request.path_info.removeprefix('/api/')}"
        return None


class SeenMiddleware(MiddlewareMixin):
    """Keeps the list of a person's sessions true: written when browser or address change, else once a minute."""

    def process_request(self, request: HttpRequest) -> None:
        entering = entering_of(request)
        if entering is None:
            # Nobody, or somebody whose session has to be noted for the first time.
            if request.session.session_key and request.user.is_authenticated:
                UserSession.objects.create_from_request(request)
            return
        tracked = entering.tracked
        agent = request.META.get("HTTP_USER_AGENT", "")[: UserSession._meta.get_field("user_agent").max_length]
        if (
            tracked is None
            or tracked.user_agent != agent
            or tracked.ip != get_adapter().get_client_ip(request)
            or tracked.last_seen_at < timezone.now() - SEEN_EVERY
        ):
            UserSession.objects.create_from_request(request)


class LeaveByPageMiddleware(MiddlewareMixin):
    """A sign-in form that would redirect to an identity provider answers with a page that leads there instead.

    Chromium applies `form-action` to every redirect that follows a form, however many there are, and which hosts a
    company's provider passes people through cannot be listed. A page that leads on is an ordinary navigation.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if request.method != "POST" or response.status_code != 302 or not request.path.startswith("/accounts/"):
            return response
        where = urlsplit(response["Location"])
        if where.scheme not in {"http", "https"} or where.netloc == request.get_host():
            return response
        page: HttpResponse = render(
            request, "socialaccount/leaving.html", {"url": where.geturl(), "host": where.netloc}
        )
        page.cookies = response.cookies
        page["Cache-Control"] = "no-store"
        return page
