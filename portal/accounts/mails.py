"""Mail that the portal sends to people, besides what allauth sends."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from smtplib import SMTPException
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse

from portal.accounts.models import Invitation, Organisation
from portal.kit.away import is_network
from portal.kit.errors import Away

log = logging.getLogger(__name__)


@contextmanager
def delivery() -> Iterator[None]:
    """Around the sending of a mail: a server that is away or says no is a sentence, and a line for the operator."""
    try:
        yield
    except SMTPException as error:
        raise _unsent(error) from error
    except OSError as error:
        if not is_network(error):
            raise
        raise _unsent(error) from error


def _unsent(error: Exception) -> Away:
    log.warning("mail not sent: %s", error)
    return Away(
        "The mail could not be sent: the mail server is away or refused it. What you did is kept; send it again later.",
        what="the mail server",
        why=error,
    )


def with_public_links(context: dict[str, Any]) -> dict[str, Any]:
    """The context of a mail with every link at PUBLIC_URL: the Host header of whoever asked for it has no say."""
    public = urlsplit(settings.PUBLIC_URL)
    said = {name: public_link(value) if _is_link(value) else value for name, value in context.items()}
    return {**said, "current_site": SimpleNamespace(name="Slipway", domain=public.netloc)}


def _is_link(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def public_link(url: str) -> str:
    """The same page at PUBLIC_URL. Mails link to nothing but our own pages."""
    path = urlsplit(url)._replace(scheme="", netloc="").geturl()
    return f"{settings.PUBLIC_URL}{path}"


def send_invitation(invitation: Invitation, organisation: Organisation, inviter: str, secret: str) -> None:
    """The one place where an invitation's secret leaves the portal."""
    path = reverse("join", kwargs={"org": organisation.slug, "secret": secret})
    context = {
        "invitation": invitation,
        "organisation": organisation,
        "inviter": inviter,
        "url": f"{settings.PUBLIC_URL}{path}",
    }
    send_text(
        to=invitation.email,
        subject=f"{_one_line(inviter)} invites you to {_one_line(organisation.name)} on Slipway",
        template="accounts/mail/invitation.txt",
        context=context,
    )


def send_text(*, to: str, subject: str, template: str, context: dict[str, Any]) -> None:
    """Sends one mail in plain text; its links must be at PUBLIC_URL. Outside transactions. Raises Away."""
    with delivery():
        send_mail(
            subject=" ".join(subject.split())[:200],
            message=render_to_string(template, context),
            from_email=None,
            recipient_list=[to],
        )


def _one_line(text: str) -> str:
    return " ".join(text.split())[:80]
