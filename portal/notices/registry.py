"""Which kinds of notices there are: rooms fill this in their app's ready(). What happened comes in here, who is told
and in which words goes out; how it reaches them is the business of this room alone. docs/adr/0195."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

PORTAL, MAIL, TEAM_MAIL = "portal", "mail", "team-mail"
NOW, DAILY, WEEKLY, OFF = "now", "daily", "weekly", "off"
# Ordered: of several teams' wishes the foremost counts.
MODES: Mapping[str, str] = {NOW: "At once", DAILY: "Once a day", WEEKLY: "Once a week", OFF: "Not at all"}
# Channel -> its name, and the modes that it knows.
CHANNELS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    PORTAL: ("Here", (NOW, OFF)),
    MAIL: ("Mail", (NOW, DAILY, WEEKLY, OFF)),
    TEAM_MAIL: ("Mail to the team’s address", (NOW, DAILY, WEEKLY, OFF)),
}
# So many things stand one by one in a notice; the rest is a number.
MOST_LINES = 20


@dataclass(frozen=True)
class Happened:
    """An audit event, or what a room told without one (telling.tell).

    key     unique in the organisation, the same however often it is looked at
    verb    of the event; the kind's key for what was told
    actor   who did it, by name; actor_id their id, None for Slipway itself
    data    the facts that the event, or the room that told, gave it
    """

    organisation: Any
    key: str
    verb: str
    at: datetime
    summary: str
    actor_id: int | None = None
    actor: str = ""
    subject_kind: str = ""
    subject_id: str = ""
    subject_label: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def org(self) -> str:
        """The organisation's slug, for addresses."""
        return str(self.organisation.slug)


@dataclass(frozen=True)
class Audience:
    """Whom it concerns, each with the reason as a sentence ("You launched it.").

    people  by the person's id; who is no member, may not read it, or did it themselves is left out by this room
    teams   references of the teams that it is about: their channels and, where `mails` says so, their address
    mails   reference of a team -> the reason, where its mail address is told rather than a person
    """

    people: Mapping[int, str] = field(default_factory=dict)
    teams: Sequence[str] = ()
    mails: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NoticeText:
    """What is told. Plain text; `link` is a path of this site; lines are (text, path) of the single things, if any."""

    title: str
    link: str
    text: str = ""
    lines: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class NoticeKind:
    """One kind of notice.

    key, label   `run.ended` and "Your runs", as the preferences call it; `section` is the heading that it stands under
    about        what of it one is told, as half a sentence that completes "Told when …"
    verbs        of the audit events that it is made of; besides, rooms may tell it by its key (telling.tell)
    audience     whom it concerns; nobody: an empty Audience. Inside the tenant; at most a few statements
    words        what is said of it. Inside the tenant
    grouping     alike ones within `window` become one with a count: those whose grouping is the same
    channels     how it reaches somebody who chose nothing, and whose team and organisation chose nothing
    permission   who lacks it is not told
    """

    key: str
    label: str
    section: str
    about: str
    audience: Callable[[Happened], Audience]
    words: Callable[[Happened], NoticeText]
    verbs: tuple[str, ...] = ()
    grouping: Callable[[Happened], str] = lambda happened: happened.subject_id
    window: timedelta = timedelta(minutes=10)
    channels: Mapping[str, str] = field(default_factory=lambda: {PORTAL: NOW, MAIL: DAILY})
    permission: str = "org.view"

    def default(self, channel: str) -> str:
        """How it goes over a channel when nobody chose."""
        return self.channels.get(channel, OFF)


KINDS: dict[str, NoticeKind] = {}
# Verb of an event, or key of a told kind -> the kinds that are made of it.
VERBS: dict[str, list[NoticeKind]] = {}


def register_kind(*kinds: NoticeKind) -> None:
    """Makes kinds known; called from an app's ready(). Naming one again puts the new one in its place."""
    for kind in kinds:
        KINDS[kind.key] = kind
    VERBS.clear()
    for kind in KINDS.values():
        for verb in dict.fromkeys((kind.key, *kind.verbs)):
            VERBS.setdefault(verb, []).append(kind)


def in_sections() -> list[tuple[str, list[NoticeKind]]]:
    """(heading, kinds) as preferences and filters show them."""
    sections: dict[str, list[NoticeKind]] = {}
    for kind in KINDS.values():
        sections.setdefault(kind.section, []).append(kind)
    return [(name, sorted(kinds, key=lambda kind: kind.label)) for name, kinds in sorted(sections.items())]
