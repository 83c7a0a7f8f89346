"""How programs prove who they are: an API token as a bearer, or the browser's session with its CSRF token."""

from typing import Any

from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from portal.accounts.access import person_of_token
from portal.accounts.models import ApiToken, User


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer slw_…`; the organisation is the one in the URL."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            return None
        match = request._request.resolver_match
        slug: Any = match.kwargs.get("org", "") if match else ""
        person, token, entering = person_of_token(str(slug), secret.strip())
        request._request.entering = entering  # type: ignore[attr-defined]  # the view enters with it
        return person, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Slipway"'


class BrowserSession(SessionAuthentication):
    """The signed-in browser; writes need the CSRF token as any form does."""
