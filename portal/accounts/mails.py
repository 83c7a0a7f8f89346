"""Mail that the portal sends to people, besides what allauth sends."""

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse

from portal.accounts.models import Invitation, Organisation, User


def send_invitation(invitation: Invitation, organisation: Organisation, inviter: User, secret: str) -> None:
    """The one place where an invitation's secret leaves the portal."""
    path = reverse("join", kwargs={"org": organisation.slug, "secret": secret})
    context = {
        "invitation": invitation,
        "organisation": organisation,
        "inviter": inviter,
        "url": f"{settings.PUBLIC_URL}{path}",
    }
    send_mail(
        subject=f"{_one_line(str(inviter))} invites you to {_one_line(organisation.name)} on Slipway",
        message=render_to_string("accounts/mail/invitation.txt", context),
        from_email=None,
        recipient_list=[invitation.email],
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())[:80]
