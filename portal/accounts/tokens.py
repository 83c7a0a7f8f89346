"""Verbs on API tokens."""

import secrets
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from portal.accounts import audit
from portal.accounts.access import digest_of
from portal.accounts.actor import Actor
from portal.accounts.models import ApiToken, Organisation
from portal.accounts.permissions import SCOPES
from portal.kit.errors import Conflict, Invalid

LONGEST_DAYS = 366
MOST = 50


@transaction.atomic
def create_token(
    *,
    actor: Actor,
    organisation: Organisation,
    name: str,
    scopes: list[str],
    days: int,
) -> tuple[ApiToken, str]:
    """Make a token for the actor; returns it with its secret, which is kept nowhere and shown once."""
    unknown = set(scopes) - set(SCOPES)
    if unknown or not scopes:
        raise Invalid("Choose at least one of the scopes.", field="scopes")
    if not 1 <= days <= LONGEST_DAYS:
        raise Invalid(f"A token lives between 1 and {LONGEST_DAYS} days.", field="days")
    mine = ApiToken.objects.for_tenant(organisation).filter(
        user=actor.user, revoked_at=None, expires_at__gt=timezone.now()
    )
    if mine.count() >= MOST:
        raise Conflict(f"You have {MOST} tokens here. Revoke one that you no longer use.")
    secret = f"slw_{secrets.token_urlsafe(32)}"
    token = ApiToken.objects.create(
        organisation=organisation,
        user=actor.user,
        name=name,
        prefix=secret[:12],
        digest=digest_of(secret),
        scopes=[scope for scope in SCOPES if scope in scopes],
        expires_at=timezone.now() + timedelta(days=days),
    )
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="token.created",
        subject=token,
        summary=f"Made the API token {name}",
        data={"scopes": token.scopes, "expires_at": token.expires_at.isoformat()},
    )
    return token, secret


@transaction.atomic
def revoke_token(*, actor: Actor, organisation: Organisation, token: ApiToken) -> None:
    """Stop a token for good; twice is once."""
    stopped = (
        ApiToken.objects.for_tenant(organisation).filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())
    )
    if stopped:
        whose = "" if actor.person == token.user else f" of {token.user}"
        audit.record(
            organisation=organisation,
            actor=actor,
            verb="token.revoked",
            subject=token,
            summary=f"Revoked the API token {token.name}{whose}",
        )
