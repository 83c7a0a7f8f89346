"""Pages that look across the rooms."""

from django.http import HttpResponse
from django.shortcuts import render

from portal.accounts.access import TenantRequest, gate


@gate("org.view")
def home(request: TenantRequest) -> HttpResponse:
    """What is mine, what runs, what needs me."""
    return render(request, "insights/home.html")
