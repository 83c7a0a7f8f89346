"""Pages that look across the rooms: home, search, the API's reference."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from portal.accounts.access import TenantRequest, gate
from portal.accounts.contract import document
from portal.accounts.visits import note_visit
from portal.desk import apidocs
from portal.desk.finding import page
from portal.desk.mine import overview
from portal.kit.errors import Invalid
from portal.kit.refs import completed


@gate("org.view")
def home(request: TenantRequest) -> HttpResponse:
    """What is mine, what runs, what needs me."""
    return render(request, "desk/home.html", {"overview": overview(request.access)})


@gate("org.view")
def palette(request: TenantRequest) -> HttpResponse:
    """What was typed, found: a fragment for the palette, a page of its own without JavaScript."""
    asked = request.GET.get("q", "")
    if request.wants_fragment:
        return render(request, "desk/palette.html", {"it": page.for_palette(request.access, asked)})
    number = request.GET.get("page", "")
    it = page.for_page(
        request.access,
        asked,
        only=request.GET.get("in", ""),
        number=int(number) if number.isdecimal() and len(number) < 5 else 1,
    )
    return render(request, "desk/search.html", {"it": it})


@require_POST
@gate("org.view")
def seen(request: TenantRequest) -> HttpResponse:
    """What a page says that was looked at: the reference of what it shows."""
    ref = completed(request.POST.get("ref", "").replace("\0", "")[:300], kind="")
    if not ref:
        raise Invalid("This is no reference.", field="ref")
    note_visit(access=request.access, ref=ref)
    return HttpResponse(status=204)


@gate("org.view")
def api_docs(request: TenantRequest) -> HttpResponse:
    """The API's reference for reading, made from the same description that programs get."""
    rows = apidocs.sections(document(), organisation=request.access.organisation.slug)
    return render(request, "desk/api_docs.html", {"sections": rows})
