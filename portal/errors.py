"""The pages for what went wrong outside any view, and the health check for load balancers."""

import re
import sys

from django.core.exceptions import DisallowedHost
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.decorators.csrf import requires_csrf_token

from portal.accounts.access import lost
from portal.kit.errors import Forbidden, Invalid, NotFound, Refusal
from portal.kit.middleware import as_refusal
from portal.kit.refusing import answer

INSIDE = re.compile(r"^/o/(?P<org>[-\w]+)/")


@requires_csrf_token
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """400 for what Django itself refused; plain for a host that is not ours, for no page of ours has links there."""
    if isinstance(exception, DisallowedHost):
        return HttpResponse("There is no such site here.\n", status=400, content_type="text/plain; charset=utf-8")
    return answer(request, as_refusal(exception) or Invalid("The request did not make sense, so nothing was done."))


@requires_csrf_token
def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    """403 for what Django itself forbade."""
    return answer(request, Forbidden("You may not do that here."))


@requires_csrf_token
def forbidden_form(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """403 for a form whose token does not fit the session."""
    return answer(
        request,
        Forbidden(
            "This form is too old or was not ours. Go back, copy what you typed, reload the page and send it again."
        ),
    )


@requires_csrf_token
def missing(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """404 for an address that leads nowhere; inside an organisation it keeps its members there."""
    nothing = NotFound("There is nothing at this address.")
    inside = INSIDE.match(request.path)
    return lost(request, inside["org"], nothing) if inside else answer(request, nothing)


@requires_csrf_token
def broken(request: HttpRequest) -> HttpResponse:
    """500: a bug of ours, said plainly, or what middleware could not do for want of a database: that is 503.

    The templates need no database.
    """
    bug = Refusal("Something broke on our side. It has been logged; please try again.", status=500, code="broken")
    exception = sys.exc_info()[1]
    return answer(request, (as_refusal(exception) if exception else None) or bug)


def healthz(request: HttpRequest) -> JsonResponse:
    """200 when this process can reach the database; used by load balancers and by `make up`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok"})


healthz.permission = "public"  # type: ignore[attr-defined]
