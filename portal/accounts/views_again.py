"""The page where people who sign in at an identity provider prove there that it is them."""

from urllib.parse import urlencode

from allauth.account.internal.flows.reauthentication import resume_request
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.base import AuthProcess
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from portal.accounts.fresh import is_fresh
from portal.accounts.views import SIGNED_IN, declares
from portal.kit.errors import NotFound

# What makes a provider ask for the password although its own session still stands, where it can be told so.
ASK = {
    "openid_connect": {"prompt": "login"},
    "google": {"prompt": "select_account"},
    "github": {"prompt": "select_account"},
}


@declares(SIGNED_IN)
@login_required
@never_cache
def provider_again(request: HttpRequest) -> HttpResponse:
    """GET: the person's providers, or on to what they were about to do. POST `account`: out to that provider."""
    if is_fresh(request):
        resumed: HttpResponse | None = resume_request(request)
        return resumed or redirect("start")
    accounts = SocialAccount.objects.filter(user=request.user).order_by("pk")
    following = request.GET.get("next", "")
    if request.method != "POST":
        return render(request, "account/reauthenticate_provider.html", {"accounts": accounts, "next": following})
    chosen = request.POST.get("account", "")
    account = accounts.filter(pk=chosen).first() if chosen.isdecimal() and len(chosen) < 19 else None
    if account is None:
        raise NotFound("That is not one of your identity providers.")
    provider = account.get_provider(request)
    more = {"auth_params": {**provider.get_auth_params(), **ASK[provider.id]}} if provider.id in ASK else {}
    back = f"{reverse('reauthenticate-provider')}?{urlencode({'next': following})}"
    # Redirecting, not signing in: the session stays as it is, and adapter.pre_social_login notes the proof.
    left: HttpResponse = provider.redirect(request, process=AuthProcess.REDIRECT, next_url=back, **more)
    return left
