"""Where allauth asks us: who may sign up, and where people go next."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import record_authentication
from allauth.core import context as allauth
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.base import AuthProcess
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse

from portal.accounts import mails, sealing
from portal.accounts.actions import find_invitation
from portal.accounts.fresh import is_fresh
from portal.accounts.models import Invitation, User
from portal.kit.errors import NotFound, Unavailable

INVITATION = "invitation"  # session key: [organisation's slug, digest of the secret]
SIGN_UPS = frozenset({"account_signup", "socialaccount_signup"})
AUTHENTICATOR = "authenticator"  # what authenticators' secrets are sealed for
# Type of authenticator -> the field of its data that is sealed.
SEALED_FIELDS = {Authenticator.Type.TOTP: "secret", Authenticator.Type.RECOVERY_CODES: "seed"}
UNREADABLE = (
    "Authenticators cannot be read: they were sealed with a key that this portal no longer has."
    " Its operator finds it under SECRET_KEY_FALLBACKS in docs/configuration.md."
)


def keep_invitation(request: HttpRequest, slug: str, digest: str) -> None:
    """Remember on the way through sign-up or sign-in which invitation brought the person; never its secret."""
    request.session[INVITATION] = [slug, digest]


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


def is_open(request: HttpRequest) -> bool:
    """Whether anybody may sign up: open installations, and whoever comes first to a new one."""
    return settings.SIGNUP == "open" or not User.objects.exists()


def may_sign_up(request: HttpRequest) -> bool:
    """Everybody where it is open, else invited people, as the address that was invited."""
    return is_open(request) or kept_invitation(request) is not None


def is_admitted(request: HttpRequest, email: str) -> bool:
    """Whether an account may be made with this address: where it is not open, with the invited one alone."""
    if is_open(request):
        return True
    invitation = kept_invitation(request)
    return invitation is not None and invitation.email.lower() == email.strip().lower()


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts are for the invited unless SIGNUP=open."""

    def is_reauthentication_required(self, *, app: str, **more: Any) -> bool:
        """allauth's own question before what it calls sensitive: decided by our one rule."""
        return super().is_reauthentication_required(app=app, **more) and not is_fresh(allauth.request)

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return may_sign_up(request)

    def is_email_verified(self, request: HttpRequest, email: str) -> bool:
        """The link in an invitation proves its address, as a verification mail would."""
        invitation = kept_invitation(request)
        if invitation is not None and invitation.email.lower() == email.lower():
            return True
        return bool(super().is_email_verified(request, email))

    def clean_email(self, email: str) -> str:
        """Sign-up by invitation is for the invited address alone; other forms are not concerned."""
        request = allauth.request
        match = request.resolver_match if request is not None else None
        if match and match.url_name in SIGN_UPS and not is_admitted(request, email):
            invitation = kept_invitation(request)
            for_whom = invitation.email if invitation else "somebody else"
            raise ValidationError(f"The invitation is for {for_whom}. Make your account with that address.")
        return str(super().clean_email(email))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        with mails.delivery():
            super().send_mail(template_prefix, email, mails.with_public_links(context))

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Password and second factors as allauth knows them, and the identity providers of who has some."""
        ways: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        if user.is_authenticated and SocialAccount.objects.filter(user=user).exists():
            url = reverse("reauthenticate-provider")
            ways.append({"id": "provider", "description": "Sign in at my identity provider again", "url": url})
        return ways

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        return _next(request)

    def get_signup_redirect_url(self, request: HttpRequest) -> str:
        return _next(request)


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """The same rule for people who come through an identity provider."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """With the address that the provider names; where it names none, the form asks and checks."""
        named = [each.email for each in sociallogin.email_addresses]
        return may_sign_up(request) and (not named or any(is_admitted(request, email) for email in named))

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Somebody came back from proving at their provider that it is them (views_again.py)."""
        is_proof = sociallogin.state.get("process") == AuthProcess.REDIRECT
        if is_proof and sociallogin.is_existing and sociallogin.user == request.user:
            record_authentication(
                request,
                request.user,
                "socialaccount",
                provider=sociallogin.account.provider,
                uid=sociallogin.account.uid,
                reauthenticated=True,
            )


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """How keys and authenticator apps call us, and how their secrets are kept."""

    def encrypt(self, text: str) -> str:
        return sealing.seal(text, AUTHENTICATOR)

    def decrypt(self, encrypted_text: str) -> str:
        """Also what an older release wrote in clear while this one was being rolled out; `reseal` seals it."""
        if not sealing.is_sealed(encrypted_text):
            return encrypted_text
        try:
            return sealing.unseal(encrypted_text, AUTHENTICATOR)
        except sealing.Unsealable as error:
            raise Unavailable(UNREADABLE) from error

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
        return reverse("join-invited", kwargs={"org": kept[0]})
    return reverse("start")
