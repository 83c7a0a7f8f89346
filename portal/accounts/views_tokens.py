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
from portal.accounts.models import ApiToken
from portal.accounts.tokens import create_token, revoke_token
from portal.kit.errors import NotFound, Refusal

MOST = 200


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
    """One's tokens, and a form for a new one, whose secret is on the answering page and nowhere else."""
    form = TokenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            token, secret = create_token(
                actor=request.access.actor, organisation=request.access.organisation, **form.cleaned_data
            )
        except Refusal as refusal:
            form.add_error(refusal.field or None, refusal.text)
        else:
            context = {**_context(request, TokenForm()), "new_token": token, "secret": secret}
            return render(request, "accounts/tokens.html", context)
    return render(request, "accounts/tokens.html", _context(request, form), status=422 if form.errors else 200)


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
