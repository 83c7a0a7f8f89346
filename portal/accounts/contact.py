"""How a team is reached: pure data, the same for a team made in the portal and for one that a file describes."""

from __future__ import annotations

import re
from dataclasses import dataclass

FIELDS = ("mail", "chat", "on_call", "runbook")
# A person may have a telephone as well; teams are reached by those on call.
WAYS = (*FIELDS, "phone")
LABELS = {"mail": "E-mail", "chat": "Chat", "on_call": "On call", "runbook": "Runbook", "phone": "Phone"}
ICONS = {"mail": "mail", "chat": "message-circle", "on_call": "phone", "runbook": "book", "phone": "phone"}
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{2,30}", re.ASCII)


@dataclass(frozen=True)
class Line:
    """One way to reach somebody; `url` is "" where the words are no address that a browser may follow."""

    label: str
    icon: str
    text: str
    url: str = ""


@dataclass(frozen=True)
class Contact:
    """E-mail address, chat, on-call, runbook and telephone: words or addresses, "" for what there is not."""

    mail: str = ""
    chat: str = ""
    on_call: str = ""
    runbook: str = ""
    phone: str = ""

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in WAYS)

    @property
    def lines(self) -> list[Line]:
        """Those that there are."""
        return [
            Line(LABELS[name], ICONS[name], text, _address(name, text))
            for name in WAYS
            if (text := getattr(self, name))
        ]

    def before(self, other: Contact) -> Contact:
        """These ways, and those of the other where there is none."""
        return Contact(**{name: getattr(self, name) or getattr(other, name) for name in WAYS})

    @property
    def note(self) -> str:
        """All of it in a few words, line by line."""
        return "\n".join(f"{line.label}: {line.text}" for line in self.lines)


def _address(name: str, text: str) -> str:
    """Only web and mail addresses become links: a descriptor is not trusted with scripts."""
    if name == "mail":
        return f"mailto:{text}"
    if name == "phone":
        return f"tel:{''.join(each for each in text if each in '+0123456789')}" if _PHONE.fullmatch(text) else ""
    return text if text.lower().startswith(("https://", "http://", "mailto:")) else ""
