"""A refusal as an answer, in one place: a page, an htmx fragment or JSON, always with the sentence."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from portal.kit.errors import Refusal


def body_of(refusal: Refusal, *, method: str = "", url: str = "") -> dict[str, Any]:
    """The refusal as JSON, in the shape that clients of the catalog API expect (backstage-compat 4b.6)."""
    error: dict[str, Any] = {"name": refusal.wire_name, "message": refusal.text, "code": refusal.code}
    if refusal.field:
        error["field"] = refusal.field
    if refusal.detail:
        error["detail"] = refusal.detail
    return {"error": error, "request": {"method": method, "url": url}, "response": {"statusCode": refusal.status}}


def answer(request: HttpRequest, refusal: Refusal, *, shown: Mapping[str, Any] | None = None) -> HttpResponse:
    """The refusal as the kind of answer that the asker can show; `shown` is what else its page knows.

    A page gets the frame with the navigation where `shown` names it ("frame"): that needs a database and a tenant.
    """
    if request.path.startswith("/api/"):
        body = body_of(refusal, method=request.method or "", url=request.get_full_path())
        return JsonResponse(body, status=refusal.status)
    if getattr(request, "wants_fragment", False):
        response = render(request, "errors/fragment.html", {"refusal": refusal, **(shown or {})}, status=refusal.status)
        response["HX-Retarget"] = "#toasts"
        response["HX-Reswap"] = "beforeend"
        return response
    context = {"refusal": refusal, "status": refusal.status, "frame": "base_plain.html", **(shown or {})}
    return render(request, "errors/refusal.html", context, status=refusal.status)
