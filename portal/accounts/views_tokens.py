"""The page of API tokens: one's own, and for admins everybody's."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from portal.accounts.access import TenantRequest, gate
from portal.accounts.forms import TokenForm
from portal.accounts.fresh import ask_again, is_fresh
from portal.accounts.models import ApiToken
from portal.accounts.tokens import create_token, revoke_token
from portal.kit.errors import NotFound, Refusal

MOST = 200
MADE = "new_token"  # session key: [the token's number, its secret], until it has been shown


def _tokens(request: TenantRequest) -> QuerySet[ApiToken]:
    """The tokens that the visitor may see: their own, or as an admin all of the organisation."""
    found = ApiToken.objects.for_tenant(request.access.organisation).select_related("user")
    if not request.access.can("people.manage"):
        found = found.filter(user=request.user)
    return found


def _context(request: TenantRequest, form: TokenForm) -> dict[str, Any]:
    live = _tokens(request).filter(revoked_at=None).order_by("-created_at")
    rows = list(live[:MOST])
    return {
        "form": form,
        "mine": [token for token in rows if token.user_id == request.user.pk],
        "others": [token for token in rows if token.user_id != request.user.pk],
        "now": timezone.now(),
    }


@gate("tokens.own")
@never_cache
def tokens(request: TenantRequest) -> HttpResponse:
    """One's tokens, and a form for a new one, whose secret is on the page that follows, once, and nowhere else."""
    if request.method == "POST" and not is_fresh(request):
        return ask_again(request)
    form = TokenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            token, secret = create_token(
                actor=request.access.actor, organisation=request.access.organisation, **form.cleaned_data
            )
        except Refusal as refusal:
            form.add_error(refusal.field or None, refusal.text)
        else:
            # Reloading a form's answer would make another one: the secret waits for the page, sealed as sessions are.
            request.session[MADE] = [token.pk, secret]
            return redirect("tokens", org=request.access.organisation.slug)
    context = {**_context(request, form), **_new(request)}
    return render(request, "accounts/tokens.html", context, status=422 if form.errors else 200)


def _new(request: TenantRequest) -> dict[str, Any]:
    """The token that was made a moment ago, with its secret: this once."""
    pk, secret = request.session.pop(MADE, (None, ""))
    found = _tokens(request).filter(pk=pk, user=request.user).first() if pk else None
    return {"new_token": found, "secret": secret} if found else {}


@gate("tokens.own")
@require_POST
def token_revoke(request: TenantRequest, token: int) -> HttpResponse:
    """Stop a token of one's own; admins stop any."""
    found = _tokens(request).filter(pk=token).first()
    if found is None:
        raise NotFound("There is no such token.")
    revoke_token(actor=request.access.actor, organisation=request.access.organisation, token=found)
    messages.success(request, f"The token {found.name} no longer works.")
    return redirect("tokens", org=request.access.organisation.slug)
