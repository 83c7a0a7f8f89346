"""What stands around every request: refusals become answers, answers get their headers."""

import logging
import re
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers
from django.utils.deprecation import MiddlewareMixin
from rest_framework import exceptions as rest
from rest_framework.response import Response
from rest_framework.views import exception_handler

from portal.kit import addresses
from portal.kit.away import is_database_away
from portal.kit.errors import Away, Forbidden, Invalid, NotAllowed, NotFound, Refusal, TooLarge, Unauthenticated
from portal.kit.refusing import answer, body_of

log = logging.getLogger(__name__)


def as_refusal(exception: BaseException) -> Refusal | None:
    """Django's own refusals in our words; None for what is a bug."""
    if isinstance(exception, Refusal):
        return exception
    if isinstance(exception, RequestDataTooBig):
        return TooLarge("That is larger than this form accepts. Send less, or split it.")
    if isinstance(exception, TooManyFieldsSent | TooManyFilesSent):
        return TooLarge("That form has more fields than we accept.")
    if is_database_away(exception):
        log.warning("the database is away: %s", exception)
        return Away(
            "The database does not answer at the moment. Try again in a minute; nothing is lost.",
            what="the database",
            why=exception,
        )
    return None


class PlainAddressMiddleware(MiddlewareMixin):
    """Addresses are what they should be before anybody reads them.

    A NUL in a query becomes the replacement character, as bytes do that are no UTF-8: no row can be asked for it. A
    client's address that is none, as a proxy may hand on what the client made up, is refused: the audit log, sessions
    and limits would otherwise stumble over it, each in its own way. Over a local socket there is none, which is fine.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        client = request.META.get("REMOTE_ADDR") or ""
        if client and not is_address(client):
            refusal = Invalid("The proxy in front of this portal names no address that you come from.", code="address")
            if request.path.startswith("/api/"):
                return answer(request, refusal)
            return HttpResponse(f"{refusal.text}\n", status=400, content_type="text/plain; charset=utf-8")
        query = request.META.get("QUERY_STRING", "")
        if "%00" in query:
            request.META["QUERY_STRING"] = query.replace("%00", "%EF%BF%BD")
        return None


def is_address(text: str) -> bool:
    """Whether it is an IP address that a row can keep: without a zone."""
    try:
        addresses.parse(text)
    except ValueError:
        return False
    return "%" not in text


# What no page of ours uses, closed for whatever a page might be made to load; passkeys and the copy buttons stay.
PERMISSIONS_POLICY = ", ".join(
    [f"{name}=()" for name in (
        "accelerometer", "ambient-light-sensor", "autoplay", "battery", "bluetooth", "browsing-topics", "camera",
        "display-capture", "encrypted-media", "gamepad", "geolocation", "gyroscope", "hid", "idle-detection",
        "local-fonts", "magnetometer", "microphone", "midi", "payment", "picture-in-picture", "screen-wake-lock",
        "serial", "speaker-selection", "usb", "web-share", "xr-spatial-tracking",
    )]
    + [f"{name}=(self)" for name in ("clipboard-write", "publickey-credentials-create", "publickey-credentials-get")]
)  # fmt: skip


class PrivateMiddleware(MiddlewareMixin):
    """What somebody sees while signed in is kept nowhere: no proxy, no machine's disk, no Back after signing out.

    Stands inside the middleware that serves static files, which are for everybody and may be kept. Signed in is who
    sends a session or a token, or is given one: it asks no database.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        name = settings.SESSION_COOKIE_NAME
        if name in request.COOKIES or name in response.cookies or "Authorization" in request.headers:
            response["Cache-Control"] = "private, no-store"
        return response


class FragmentMiddleware(MiddlewareMixin):
    """One address, two bodies: the whole page, or for htmx the part that it swaps in; the one place that decides which.

    A view asks `request.wants_fragment`. Somebody who goes Back gets the whole page: htmx then asks for the page that
    its history lost, and a browser that asks again after closing sends no word of htmx at all. Every answer says on
    which words it depends, so that nothing between keeps one for the other.
    """

    WORDS = ("HX-Request", "HX-Boosted", "HX-History-Restore-Request")

    def process_request(self, request: HttpRequest) -> None:
        said = [request.headers.get(word) == "true" for word in self.WORDS]
        request.wants_fragment = said == [True, False, False]  # type: ignore[attr-defined]

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        # Of whatever type: a view that answers a file today may answer a refusal, which is a page or a part, tomorrow.
        patch_vary_headers(response, self.WORDS)
        return response


# Pages that show a secret once: compressed beside something a stranger chose, its length would tell about it (BREACH).
_SHOWS_SECRETS = re.compile(r"^/accounts/|/(tokens|people|invitations|join|connections)/")
_COMPRESSIBLE = ("text/", "application/json", "application/javascript", "image/svg+xml")
_LEAST = 1024


class CompressMiddleware(GZipMiddleware):
    """Compresses whole answers of text from 1 KiB up; never a stream, nothing that shows a secret, nothing of git's."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if (
            not isinstance(response, HttpResponse)
            or len(response.content) < _LEAST
            or not response.headers.get("Content-Type", "").startswith(_COMPRESSIBLE)
            or _SHOWS_SECRETS.search(request.path)
        ):
            return response
        return super().process_response(request, response)


class RefusalMiddleware(MiddlewareMixin):
    """Turns a raised Refusal into its answer; leaves every other exception to Django's 500."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        refusal = as_refusal(exception)
        return answer(request, refusal) if refusal else None

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Django's empty 405, where somebody opened the address of a button, becomes a page with a way on."""
        if response.status_code != 405 or not isinstance(response, HttpResponse) or response.content:
            return response
        worded = answer(request, NotAllowed("This address belongs to a button or a form: there is no page behind it."))
        worded["Allow"] = response["Allow"]
        return worded


_REST_KINDS: list[tuple[type[rest.APIException], type[Refusal]]] = [
    (rest.NotAuthenticated, Unauthenticated),
    (rest.AuthenticationFailed, Unauthenticated),
    (rest.PermissionDenied, Forbidden),
    (rest.NotFound, NotFound),
]


def _sentence(detail: Any) -> str:
    """REST framework's nested error details as one sentence."""
    if isinstance(detail, dict):
        parts = [
            _sentence(v) if k in {"detail", "non_field_errors"} else f"{k}: {_sentence(v)}" for k, v in detail.items()
        ]
        return " ".join(parts)
    if isinstance(detail, list):
        return " ".join(_sentence(part) for part in detail)
    return str(detail)


def api_exception(exception: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's exception hook: every error body has the one shape."""
    request = context["request"]
    refusal = as_refusal(exception)
    if refusal is None and isinstance(exception, Http404):
        refusal = NotFound("There is no such thing here.")
    if refusal is None:
        plain = exception_handler(exception, context)
        if plain is None or not isinstance(exception, rest.APIException):
            return plain
        kind = next((ours for theirs, ours in _REST_KINDS if isinstance(exception, theirs)), Invalid)
        refusal = kind(_sentence(exception.detail), status=exception.status_code)
    response = Response(
        body_of(refusal, method=request.method, url=request.get_full_path()), status=refusal.status, exception=True
    )
    if refusal.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="Slipway"'
    return response
