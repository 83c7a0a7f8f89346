"""Pages of a person outside any organisation: the front door, invitations, profile, a new organisation."""

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from portal.accounts import actions
from portal.accounts.access import actor_of, digest_of
from portal.accounts.adapter import INVITATION, keep_invitation
from portal.accounts.forms import OrganisationForm, ProfileForm
from portal.accounts.models import Membership, User
from portal.accounts.tenancy import asking_as
from portal.kit.errors import Forbidden, Refusal

PUBLIC = "public"
SIGNED_IN = "signed in"

View = TypeVar("View", bound=Callable[..., HttpResponse])


def declares(permission: str) -> Callable[[View], View]:
    """Says who may open a page outside organisations; the test that walks the URLs reads it."""

    def mark(view: View) -> View:
        view.permission = permission  # type: ignore[attr-defined]
        return view

    return mark


def memberships_of(user: User) -> list[Membership]:
    """Every membership of the person, across organisations, oldest first."""
    with asking_as(user.pk):
        return list(Membership.objects.filter(user=user).select_related("organisation").order_by("created_at"))


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


@declares(PUBLIC)
@login_required
def start(request: HttpRequest) -> HttpResponse:
    """The front door: on to the person's last organisation, or to a page that says how to get into one."""
    user = _person(request)
    memberships = memberships_of(user)
    chosen = next((m for m in memberships if m.organisation_id == user.last_organisation_id), None) or next(
        iter(memberships), None
    )
    if chosen is None:
        return render(request, "accounts/nowhere.html", {"may_create": actions.may_create_organisation(user)})
    return redirect("home", org=chosen.organisation.slug)


@declares(SIGNED_IN)
@login_required
def profile(request: HttpRequest) -> HttpResponse:
    """A person's own name and time zone, and the organisations they are in."""
    user = _person(request)
    form = ProfileForm(request.POST or None, initial={"name": user.name, "timezone": user.timezone})
    if request.method == "POST" and form.is_valid():
        user.name = form.cleaned_data["name"]
        user.timezone = form.cleaned_data["timezone"]
        user.save(update_fields=["name", "timezone"])
        messages.success(request, "Your profile is saved.")
        return redirect("profile")
    context = {"form": form, "memberships": memberships_of(user)}
    return render(request, "accounts/profile.html", context, status=422 if form.errors else 200)


@declares(SIGNED_IN)
@login_required
def organisation_new(request: HttpRequest) -> HttpResponse:
    """Make an organisation and become its admin."""
    user = _person(request)
    form = OrganisationForm(request.POST or None)
    if not actions.may_create_organisation(user):
        if memberships_of(user):
            raise Forbidden(actions.OPERATORS)
        return render(request, "accounts/nowhere.html", {"may_create": False}, status=403)
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.create_organisation(actor=actor_of(request, user), **form.cleaned_data)
        except Refusal as refusal:
            form.add_error(refusal.field or None, refusal.text)
        else:
            messages.success(request, f"{made.name} is ready. Invite the others.")
            return redirect("people", org=made.slug)
    return render(request, "accounts/organisation_new.html", {"form": form}, status=422 if form.errors else 200)


@declares(PUBLIC)
@never_cache
def join(request: HttpRequest, org: str, secret: str) -> HttpResponse:
    """The link of an invitation."""
    return _invited(request, org, digest_of(secret))


@declares(PUBLIC)
@never_cache
def join_invited(request: HttpRequest, org: str) -> HttpResponse:
    """The same page after sign-up or sign-in, for the browser that followed the link."""
    kept = request.session.get(INVITATION)
    return _invited(request, org, kept[1] if kept and kept[0] == org else "")


def _invited(request: HttpRequest, org: str, digest: str) -> HttpResponse:
    """An invitation: accept it, or sign in or up first."""
    try:
        with transaction.atomic():
            invitation = actions.find_invitation(org, digest)
    except Refusal as refusal:
        request.session.pop(INVITATION, None)
        return render(request, "accounts/join_gone.html", {"refusal": refusal}, status=refusal.status)
    if request.user.is_authenticated:
        return _join_as(request, _person(request), org, digest, {"invitation": invitation})
    if request.method == "POST":
        keep_invitation(request, org, digest)
        return _to_account(request, invitation.email)
    has_account = User.objects.filter(email__iexact=invitation.email).exists()
    return render(request, "accounts/join.html", {"invitation": invitation, "has_account": has_account})


def _to_account(request: HttpRequest, email: str) -> HttpResponse:
    """Sign-up, with the only address that may be used filled in, or sign-in."""
    if request.POST.get("go") != "signup":
        return redirect("account_login")
    return redirect(f"{reverse('account_signup')}?{urlencode({'email': email})}")


def _join_as(request: HttpRequest, user: User, org: str, digest: str, context: dict[str, object]) -> HttpResponse:
    status = 200
    if request.method == "POST":
        try:
            organisation = actions.accept_invitation(actor=actor_of(request, user), slug=org, digest=digest)
        except Refusal as refusal:
            context["refusal"] = refusal
            status = refusal.status
        else:
            request.session.pop(INVITATION, None)
            messages.success(request, f"Welcome to {organisation.name}.")
            return redirect("home", org=organisation.slug)
    return render(request, "accounts/join.html", context, status=status)
