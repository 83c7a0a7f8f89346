"""How programs prove who they are: an API token as a bearer, or the browser's session with its CSRF token."""

from typing import Any

from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from portal.accounts.access import person_of_token
from portal.accounts.models import ApiToken, User


def bearer_of(header: str) -> str:
    """The secret in an Authorization header; empty when there is none, or another scheme's."""
    scheme, _, secret = header.partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer slw_…`; the organisation is the one in the URL."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        secret = bearer_of(request.headers.get("Authorization", ""))
        if not secret:
            return None
        match = request._request.resolver_match
        slug: Any = match.kwargs.get("org", "") if match else ""
        person, token, entering = person_of_token(str(slug), secret)
        request._request.entering = entering  # type: ignore[attr-defined]  # the view enters with it
        return person, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Slipway"'


class BrowserSession(SessionAuthentication):
    """The signed-in browser; writes need the CSRF token as any form does."""
