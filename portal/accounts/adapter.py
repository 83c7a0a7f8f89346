"""Where allauth asks us: who may sign up, and where people go next."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse

from portal.accounts import mails
from portal.accounts.actions import find_invitation
from portal.accounts.models import Invitation, User
from portal.kit.errors import NotFound

INVITATION = "invitation"  # session key: [organisation's slug, secret]


def keep_invitation(request: HttpRequest, slug: str, secret: str) -> None:
    """Remember on the way through sign-up or sign-in which invitation brought the person."""
    request.session[INVITATION] = [slug, secret]


def kept_invitation(request: HttpRequest) -> Invitation | None:
    """The invitation that brought this browser here, if it is still open."""
    kept = request.session.get(INVITATION)
    if not kept:
        return None
    try:
        with transaction.atomic():
            return find_invitation(*kept)
    except NotFound:
        del request.session[INVITATION]
        return None


def may_sign_up(request: HttpRequest) -> bool:
    """Open installations, invited people, and whoever comes first to a new installation."""
    return settings.SIGNUP == "open" or kept_invitation(request) is not None or not User.objects.exists()


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts are for the invited unless SIGNUP=open."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return may_sign_up(request)

    def is_email_verified(self, request: HttpRequest, email: str) -> bool:
        """The link in an invitation proves its address, as a verification mail would."""
        invitation = kept_invitation(request)
        if invitation is not None and invitation.email.lower() == email.lower():
            return True
        return bool(super().is_email_verified(request, email))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        with mails.delivery():
            super().send_mail(template_prefix, email, context)

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        return _next(request)

    def get_signup_redirect_url(self, request: HttpRequest) -> str:
        return _next(request)


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """The same rule for people who come through an identity provider."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return may_sign_up(request)


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """How keys and authenticator apps call us."""

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        entity: dict[str, str] = super().get_public_key_credential_rp_entity()
        return {**entity, "name": settings.MFA_TOTP_ISSUER}

    def generate_authenticator_name(self, user: User, type: str) -> str:  # noqa: A002 - allauth's name for it
        count = Authenticator.objects.filter(user=user, type=type).count()
        return "My key" if not count else f"My key {count + 1}"


def _next(request: HttpRequest) -> str:
    """Back to the invitation that brought them, else to the front door, which knows the last organisation."""
    kept = request.session.get(INVITATION)
    if kept:
        return reverse("join", kwargs={"org": kept[0], "secret": kept[1]})
    return reverse("start")
