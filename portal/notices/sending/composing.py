"""What a message says, before any channel spells it: alike things under one heading, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from portal.notices.models import Delivery
from portal.notices.registry import KINDS, MOST_LINES, NOW
from portal.notices.sending.claiming import Batch


@dataclass(frozen=True)
class Entry:
    """One thing, or several alike: `count` in all, of which `lines` (text, address) stand one by one."""

    kind: str
    label: str
    title: str
    text: str
    url: str
    why: str
    count: int
    lines: Sequence[tuple[str, str]]

    @property
    def more(self) -> int:
        """How many do not stand one by one."""
        return max(0, self.count - len(self.lines)) if self.lines else 0


@dataclass(frozen=True)
class Letter:
    """A whole message."""

    organisation: str
    subject: str
    entries: Sequence[Entry]
    home: str
    settings: str

    @property
    def kinds(self) -> list[str]:
        """The kinds in it."""
        return list(dict.fromkeys(entry.kind for entry in self.entries))


def compose(batch: Batch) -> Letter:
    """The message of a batch; its links stand at PUBLIC_URL."""
    groups: dict[tuple[str, str], list[Delivery]] = {}
    for row in reversed(batch.rows):
        groups.setdefault((row.kind, row.group), []).append(row)
    entries = [_entry(rows) for rows in groups.values()]
    home = f"{settings.PUBLIC_URL}/o/{batch.organisation.slug}"
    return Letter(
        organisation=batch.organisation.name,
        subject=_subject(batch, entries),
        entries=entries,
        home=f"{home}/notices/",
        settings=f"{home}/notices/preferences/",
    )


def _entry(rows: list[Delivery]) -> Entry:
    newest = rows[0]
    lines = [(line["text"], url_of(line["link"])) for row in rows for line in row.lines]
    if not lines and len(rows) > 1:
        lines = [(row.title, url_of(row.link)) for row in rows]
    listed = sum(len(row.lines) or 1 for row in rows)
    return Entry(
        kind=newest.kind,
        label=KINDS[newest.kind].label if newest.kind in KINDS else "Slipway",
        title=newest.title,
        text=newest.text,
        url=url_of(newest.link),
        why=newest.why,
        count=listed if len(rows) > 1 else 1,
        lines=lines[:MOST_LINES],
    )


def url_of(path: str) -> str:
    """The address of a page of ours."""
    return f"{settings.PUBLIC_URL}{path}"


def _subject(batch: Batch, entries: Sequence[Entry]) -> str:
    first = entries[0]
    if len(entries) == 1:
        alike = f" (and {first.count - 1} alike)" if first.count > 1 else ""
        subject = f"{first.title}{alike}"
    else:
        count = sum(entry.count for entry in entries)
        digest = any(row.mode != NOW for row in batch.rows)
        subject = f"{batch.organisation.name}: {count} {'things since the last mail' if digest else 'notices'}"
    return " ".join(subject.split())[:200]
