"""Pages that look across the rooms: home, search, the API's reference."""

from django.http import HttpResponse
from django.shortcuts import render

from portal.accounts.access import TenantRequest, gate
from portal.accounts.contract import document
from portal.desk import apidocs, search
from portal.desk.mine import overview


@gate("org.view")
def home(request: TenantRequest) -> HttpResponse:
    """What is mine, what runs, what needs me."""
    return render(request, "desk/home.html", {"overview": overview(request.access)})


@gate("org.view")
def palette(request: TenantRequest) -> HttpResponse:
    """What was typed, found: a fragment for the palette, a page of its own without JavaScript."""
    words = request.GET.get("q", "").replace("\0", "")
    is_fragment = request.wants_fragment
    groups = search.find(request.access, words, most=search.EACH if is_fragment else search.EVERYTHING)
    template = "desk/palette.html#results" if is_fragment else "desk/palette.html"
    return render(request, template, {"groups": groups, "words": words, "in_palette": is_fragment})


@gate("org.view")
def api_docs(request: TenantRequest) -> HttpResponse:
    """The API's reference for reading, made from the same description that programs get."""
    rows = apidocs.sections(document(), organisation=request.access.organisation.slug)
    return render(request, "desk/api_docs.html", {"sections": rows})
