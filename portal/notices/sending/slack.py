"""Slack's incoming webhooks: blocks within their limits, and their answers. Numbers: their documentation, and a total
that it does not write down, near 13,200 characters; messages stay under 10 kB."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from portal.kit.posting import PostAnswer
from portal.notices.sending.claiming import Batch
from portal.notices.sending.composing import Entry, Letter, compose
from portal.notices.sending.outcomes import Later, Outcome, Refused, Sent, retry_after

HEADER, SECTION, FALLBACK = 150, 3000, 1000
MOST_BLOCKS, MOST_BYTES = 48, 10_000
# About one message a second for each webhook.
RESTS = timedelta(seconds=1)
# What ends a webhook for good: its app or channel is gone, or may not be written to.
GONE = {
    "no_service": "Slack says that this webhook was removed.",
    "no_active_hooks": "Slack says that this webhook is switched off.",
    "channel_is_archived": "The channel is archived.",
    "channel_not_found": "The channel is gone.",
    "action_prohibited": "An admin of the Slack workspace forbids it.",
    "posting_to_general_channel_denied": "An admin of the Slack workspace forbids writing to this channel.",
    "team_disabled": "The Slack workspace is switched off.",
    "invalid_token": "Slack does not know this webhook.",
    "no_team": "Slack does not know this workspace.",
}


def send(batch: Batch, deliver: Callable[[bytes, dict[str, str]], PostAnswer]) -> Outcome:
    """Posts the message and reads the answer."""
    body = json.dumps(message_of(compose(batch)), ensure_ascii=False).encode()
    return judged(deliver(body, {"Content-Type": "application/json; charset=utf-8"}))


def judged(answer: PostAnswer) -> Outcome:
    """What Slack's answer means."""
    word = answer.text.strip()[:80]
    if answer.status == 200:
        return Sent(RESTS)
    if answer.status == 429:
        return Later("Slack asked for a pause.", retry_after(answer.headers) or timedelta(seconds=30))
    if word in GONE or answer.status in (404, 410):
        return Refused(GONE.get(word, f"Slack answered {answer.status}: this webhook is no more."), is_off=True)
    if answer.status >= 500:
        return Later(f"Slack answered {answer.status}.", retry_after(answer.headers))
    return Refused(f"Slack answered {answer.status} {word}.".replace(" .", "."))


def message_of(letter: Letter) -> dict[str, Any]:
    """The body: blocks that a person reads, and a text for where blocks are not shown."""
    blocks: list[dict[str, Any]] = []
    for number, entry in enumerate(letter.entries):
        more = _blocks(entry)
        size = len(json.dumps([*blocks, *more], ensure_ascii=False).encode())
        if len(blocks) + len(more) > MOST_BLOCKS or size > MOST_BYTES - 2 * FALLBACK:
            left = len(letter.entries) - number
            blocks.append(_section(f"And {left} more: <{letter.home}|all of them>"))
            break
        blocks += more
    return {"text": escaped(letter.subject, FALLBACK), "blocks": blocks}


def _blocks(entry: Entry) -> list[dict[str, Any]]:
    head = f"*<{entry.url}|{escaped(entry.title, HEADER)}>*"
    said = [head, escaped(entry.text, 600)] if entry.text else [head]
    said += [f"• <{url}|{escaped(text, 120)}>" for text, url in entry.lines[:10]]
    if (left := entry.count - len(entry.lines[:10])) > 0 and entry.lines:
        said.append(f"and {left} more")
    context = {"type": "context", "elements": [{"type": "mrkdwn", "text": escaped(entry.label, 150)}]}
    return [_section("\n".join(said)), context]


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:SECTION]}}


def escaped(text: str, most: int) -> str:
    """Plain text as it stands in theirs: nothing in it is a link, a mention or a call to everybody."""
    plain = " ".join(text.split())
    cut = plain if len(plain) <= most else f"{plain[: most - 1]}…"
    # A bar or a line break would end the words of a link, their marks would set it bold.
    for mark, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "¦"), ("*", "∗"), ("`", "ˋ")):
        cut = cut.replace(mark, written)
    return cut
