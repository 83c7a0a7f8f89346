"""Pages about people and organisations."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portal.accounts.models import Membership, User
from portal.accounts.tenancy import asking_as


@login_required
def start(request: HttpRequest) -> HttpResponse:
    """The front door: on to the person's last organisation, or to a page that says how to get into one."""
    user = request.user
    assert isinstance(user, User)
    with asking_as(user.pk):
        memberships = list(Membership.objects.filter(user=user).select_related("organisation").order_by("created_at"))
    chosen = next((m for m in memberships if m.organisation_id == user.last_organisation_id), None) or next(
        iter(memberships), None
    )
    if chosen is None:
        return render(request, "accounts/nowhere.html")
    return redirect("home", org=chosen.organisation.slug)


start.permission = "public"  # type: ignore[attr-defined]
