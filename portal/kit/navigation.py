"""The pages one goes to: each room names its own in its app's ready(); the menu and the palette show them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class NavEntry:
    """A page of an organisation that is reached from anywhere.

    name        the URL name it leads to
    permission  who sees it
    order       its place: entries and their sections stand in this order
    section     the heading it stands under in the menu, "" for the first lines
    also        URL names that count as being there; `entity-*` stands for every name that begins with `entity-`
    query       what to open the page with, so that it begins with what most people come for
    words       what else finds it in the palette
    in_menu     False for a page that only the palette offers
    count       how much waits there for whoever asks, in words, "" for nothing; it may cost no statement of its own
    """

    name: str
    label: str
    icon: str
    permission: str
    order: int
    section: str = ""
    also: tuple[str, ...] = ()
    query: str = ""
    words: str = ""
    in_menu: bool = True
    count: Callable[[Any], str] | None = None

    def is_at(self, here: str) -> bool:
        """Whether the page of this URL name belongs to the entry."""
        return here == self.name or any(
            here.startswith(one[:-1]) if one.endswith("*") else here == one for one in self.also
        )


ENTRIES: dict[str, NavEntry] = {}


def register_entry(*entries: NavEntry) -> None:
    """Makes pages known; called from an app's ready()."""
    ENTRIES.update({entry.name: entry for entry in entries})


def in_order() -> list[NavEntry]:
    """All entries, as they stand."""
    return sorted(ENTRIES.values(), key=lambda entry: entry.order)


def menu() -> list[tuple[str, list[NavEntry]]]:
    """(heading, entries) of the menu."""
    sections: dict[str, list[NavEntry]] = {}
    for entry in in_order():
        if entry.in_menu:
            sections.setdefault(entry.section, []).append(entry)
    return list(sections.items())
