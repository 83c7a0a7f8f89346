"""Microsoft Teams by a Workflows address: one adaptive card within 28 KB, and the answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from portal.kit.posting import PostAnswer
from portal.notices.sending.claiming import Batch
from portal.notices.sending.composing import Entry, Letter, compose
from portal.notices.sending.outcomes import Later, Outcome, Refused, Sent, retry_after

MOST_BYTES = 24_000
RESTS = timedelta(seconds=1)
# A flow dies with its owner's account and then says so to everybody: so often in a row, and it is switched off.
MOST_REFUSALS = 3


def send(batch: Batch, deliver: Callable[[bytes, dict[str, str]], PostAnswer]) -> Outcome:
    """Posts the card and reads the answer."""
    body = json.dumps(message_of(compose(batch)), ensure_ascii=False).encode()
    refused = batch.destination.refused if batch.destination else 0
    return judged(deliver(body, {"Content-Type": "application/json"}), refused)


def judged(answer: PostAnswer, refused: int = 0) -> Outcome:
    """What the answer means; `refused` is how often it has refused already, one after the other."""
    if answer.status == 429 or (answer.status == 200 and "429" in answer.text):
        return Later("Teams asked for a pause.", retry_after(answer.headers) or timedelta(seconds=30))
    if answer.status in (200, 202):
        return Sent(RESTS)
    if answer.status == 410:
        return Refused("Teams says that this workflow is gone.", is_off=True)
    if answer.status == 413:
        return Refused("Teams says that the message is too large.")
    if 400 <= answer.status < 500:
        sentence = f"Teams answered {answer.status}: the workflow may be switched off, or its owner has left."
        if refused + 1 >= MOST_REFUSALS:
            return Refused(sentence, is_off=True)
        return Later(sentence, counts=True)
    return Later(f"Teams answered {answer.status}.", retry_after(answer.headers))


def message_of(letter: Letter) -> dict[str, Any]:
    """The body that a workflow "When a Teams webhook request is received" takes."""
    body: list[dict[str, Any]] = [_text(escaped(letter.subject, 200), weight="Bolder", size="Medium")]
    for number, entry in enumerate(letter.entries):
        more = [_container(entry)]
        if len(json.dumps([*body, *more], ensure_ascii=False).encode()) > MOST_BYTES:
            body.append(_text(f"And {len(letter.entries) - number} more."))
            break
        body += more
    url = letter.entries[0].url if len(letter.entries) == 1 else letter.home
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": "Open in Slipway", "url": url}],
    }
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [content]}


def _container(entry: Entry) -> dict[str, Any]:
    items = [_text(f"[{escaped(entry.title, 200)}]({entry.url})")]
    if entry.text:
        items.append(_text(escaped(entry.text, 600), isSubtle=True))
    items += [_text(f"- [{escaped(text, 120)}]({url})") for text, url in entry.lines[:10]]
    if (left := entry.count - len(entry.lines[:10])) > 0 and entry.lines:
        items.append(_text(f"and {left} more", isSubtle=True))
    items.append(_text(escaped(entry.label, 150), isSubtle=True, size="Small"))
    return {"type": "Container", "separator": True, "items": items}


def _text(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text, "wrap": True, **more}


def escaped(text: str, most: int) -> str:
    """Plain text in a card's Markdown: nothing in it is a link, a list or emphasis."""
    plain = " ".join(text.split())
    cut = plain if len(plain) <= most else f"{plain[: most - 1]}…"
    for mark in ("\\", "[", "]", "(", ")", "*", "_", "`", "<", ">", "~", "#"):
        cut = cut.replace(mark, f"\\{mark}")
    return cut
