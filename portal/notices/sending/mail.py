"""Mail: text and HTML in one message, with the headers by which programs know what it is and how to end it.

SMTP cannot tell a second message from the first. What can be done is done: everything before the text itself (who it
is from, who it is for) is asked for first, then it is written down that it leaves, then it leaves. A sender that dies
in between has perhaps sent it, and it is not sent again by itself; the Message-ID is the message's own, so that a
second one, which an admin asked for, is the same to every program that looks. docs/adr/0196.
"""

from __future__ import annotations

import hashlib
import smtplib
from collections.abc import Callable
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.template.loader import render_to_string

from portal.kit.away import is_network
from portal.notices.sending.claiming import Batch
from portal.notices.sending.composing import Letter, compose
from portal.notices.sending.outcomes import Later, Outcome, Refused, Sent, Unsure
from portal.notices.unsubscribing import Ending, address_of

AWAY = "The mail server does not answer."


def send(batch: Batch, leaving: Callable[[], None]) -> Outcome:
    """Hands the message to the mail server."""
    message = message_of(batch)
    connection = get_connection()
    try:
        try:
            connection.open()
        except (OSError, smtplib.SMTPException) as error:
            return _before(error)
        smtp = getattr(connection, "connection", None)
        if isinstance(smtp, smtplib.SMTP):
            return _hand_over(smtp, message, leaving)
        # The console, or a test's box: there is nothing in between.
        leaving()
        connection.send_messages([message])
        return Sent()
    finally:
        connection.close()


def _hand_over(smtp: smtplib.SMTP, message: EmailMultiAlternatives, leaving: Callable[[], None]) -> Outcome:
    written: Any = message.message()  # Django's own subclass, whose lines end as SMTP wants them
    content = written.as_bytes(linesep="\r\n")
    try:
        smtp.ehlo_or_helo_if_needed()
        code, said = smtp.mail(parseaddr(message.from_email)[1])
        if code < 400:
            code, said = smtp.rcpt(message.to[0])
        if code >= 400:
            return _refusal(code, said)
    except (OSError, smtplib.SMTPException) as error:
        return _before(error)
    leaving()
    try:
        code, said = smtp.data(content)
    except smtplib.SMTPDataError as error:  # it did not want to hear the text
        return _refusal(error.smtp_code, error.smtp_error)
    except (OSError, smtplib.SMTPException) as error:
        if not (isinstance(error, smtplib.SMTPException) or is_network(error)):
            raise
        return Unsure("The mail server broke off while it was told the mail: it may have taken it.")
    return _refusal(code, said) if code >= 400 else Sent()


def _before(error: OSError | smtplib.SMTPException) -> Outcome:
    """Nothing has left."""
    if isinstance(error, smtplib.SMTPException):
        return Later(f"{AWAY} ({type(error).__name__})")
    if not is_network(error):
        raise error
    return Later(AWAY)


def _refusal(code: int, said: bytes | str) -> Outcome:
    words = " ".join((said.decode("utf-8", "replace") if isinstance(said, bytes) else said).split())[:200]
    sentence = f"The mail server said {code}: {words}"
    return Refused(sentence) if code >= 500 else Later(sentence)


def message_of(batch: Batch) -> EmailMultiAlternatives:
    """The message with its headers."""
    letter = compose(batch)
    ending = _ending(batch, letter)
    unsubscribe = address_of(ending)
    host = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    context = {"letter": letter, "unsubscribe": unsubscribe, "is_team": batch.first.team_id is not None}
    message = EmailMultiAlternatives(
        subject=letter.subject,
        body=render_to_string("notices/mail/letter.txt", context),
        to=[_recipient(batch)],
        headers={
            "Message-ID": f"<{batch.uid}@{host}>",
            "List-Id": f"{' '.join(batch.organisation.name.split())[:60]} <{batch.organisation.slug}.notices.{host}>",
            "List-Unsubscribe": f"<{unsubscribe}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Auto-Submitted": "auto-generated",
            "Precedence": "bulk",
            **_thread(batch, host),
        },
    )
    message.attach_alternative(render_to_string("notices/mail/letter.html", context), "text/html")
    return message


def _recipient(batch: Batch) -> str:
    row = batch.first
    if row.membership:
        return row.membership.user.email
    return row.team.mail if row.team else ""


def _thread(batch: Batch, host: str) -> dict[str, str]:
    """Mails about one thing stand together in a reader that threads: each refers to a mail that there never was."""
    subjects = {(row.kind.partition(".")[0], row.group) for row in batch.rows}
    if len(subjects) != 1 or not batch.first.group:
        return {}
    digest = hashlib.sha256(repr((batch.organisation.pk, *subjects)).encode()).hexdigest()[:32]
    return {"In-Reply-To": f"<{digest}@{host}>", "References": f"<{digest}@{host}>"}


def _ending(batch: Batch, letter: Letter) -> Ending:
    """What the link in the mail ends: the kind that it is of, or all mail where it is of several."""
    kind = letter.kinds[0] if len(letter.kinds) == 1 else ""
    row = batch.first
    return Ending(
        organisation=batch.organisation.pk,
        membership=row.membership_id or 0,
        team=row.team_id or 0,
        kind=kind,
        channel=row.channel,
    )
