"""A program of the organisation: JSON, signed by Standard Webhooks, with the old secret too while one is exchanged.

The id is the message's own: whoever remembers ids takes a second attempt for what it is, and so it may be made after
any death of the sender.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from portal.kit.posting import PostAnswer
from portal.notices.sending.claiming import Batch
from portal.notices.sending.composing import Letter, compose
from portal.notices.sending.outcomes import Later, Outcome, Refused, Sent, retry_after

PREFIX = "whsec_"


def send(batch: Batch, deliver: Callable[[bytes, dict[str, str]], PostAnswer], secrets: Sequence[str]) -> Outcome:
    """Posts the message under its signatures and reads the answer."""
    body = json.dumps(message_of(batch, compose(batch)), ensure_ascii=False, separators=(",", ":")).encode()
    return judged(deliver(body, headers_of(str(batch.uid), int(time.time()), body, secrets)))


def headers_of(ident: str, moment: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """What is signed is `id.timestamp.body`; a receiver needs to know one of the secrets."""
    signed = f"{ident}.{moment}.".encode() + body
    signatures = [
        base64.b64encode(hmac.new(base64.b64decode(one.removeprefix(PREFIX)), signed, hashlib.sha256).digest()).decode()
        for one in secrets
    ]
    return {
        "Content-Type": "application/json",
        "webhook-id": ident,
        "webhook-timestamp": str(moment),
        "webhook-signature": " ".join(f"v1,{one}" for one in signatures),
    }


def judged(answer: PostAnswer) -> Outcome:
    """What the answer means."""
    if 200 <= answer.status < 300:
        return Sent()
    if answer.status == 410:
        return Refused("It answered 410: it wants nothing more.", is_off=True)
    if 300 <= answer.status < 400:
        return Later(f"It answered {answer.status}, which leads elsewhere. Write the address where it ends.")
    return Later(f"It answered {answer.status}.", retry_after(answer.headers))


def message_of(batch: Batch, letter: Letter) -> dict[str, Any]:
    """The body: every single thing, oldest first, and how it would be said to people."""
    return {
        "type": "notices",
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": {
            "organisation": batch.organisation.slug,
            "subject": letter.subject,
            "notices": [
                {
                    "kind": row.kind,
                    "title": row.title,
                    "text": row.text,
                    "url": f"{letter.home.removesuffix(f'/o/{batch.organisation.slug}/notices/')}{row.link}",
                    "group": row.group,
                    "at": row.at.isoformat(),
                    "lines": row.lines,
                }
                for row in batch.rows
            ],
        },
    }
