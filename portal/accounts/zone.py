"""One time zone a person, everywhere: the one of their profile, else their browser's, else UTC.

It is the current zone of Django for the whole request, so that every date a template or a mail writes is in it. What is
rendered once for all viewers (live fragments) is written in UTC and put right by the browser, which knows the zone from
the page (`<html data-zone>`).
"""

from inspect import iscoroutinefunction
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

COOKIE = "slipway_zone"  # written by app.js: what the browser calls its own zone
KNOWN = frozenset(available_timezones())


def zone_named(name: str) -> ZoneInfo | None:
    """The zone of an IANA name; None for any other text."""
    return ZoneInfo(name) if name in KNOWN else None


def zone_of(request: HttpRequest) -> ZoneInfo:
    """Where the person who asks lives, as far as their profile or their browser said."""
    return (
        zone_named(getattr(request, "chosen_zone", ""))
        or zone_named(request.COOKIES.get(COOKIE, ""))
        or ZoneInfo("UTC")
    )


class ZoneMiddleware(MiddlewareMixin):
    """Sets the zone before the view, and takes it back: threads serve other people afterwards."""

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> None:
        # Programs get UTC with its offset, whoever asks; streams and git show no times of their own.
        if not request.path.startswith("/api/") and not iscoroutinefunction(view):
            request.chosen_zone = str(getattr(request.user, "timezone", ""))  # type: ignore[attr-defined]
            timezone.activate(zone_of(request))

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        timezone.deactivate()
        return response
