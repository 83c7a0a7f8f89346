"""What was typed, taken apart: filters in words, such as `owner:payments tag:"tier 1"`, and the rest. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from catalog.asking.words import run_together, typed
from portal.kit.searching import Sought

LONGEST = 200
MOST_FILTERS = 8

# What people call the fields -> what they are.
FIELDS: Mapping[str, str] = {
    "owner": "owner",
    "team": "owner",
    "kind": "kind",
    "is": "kind",
    "type": "type",
    "tag": "tag",
    "tags": "tag",
    "lifecycle": "lifecycle",
    "stage": "lifecycle",
    "system": "system",
}
_FILTER = re.compile(rf'(?<!\S)({"|".join(FIELDS)}):(?:"([^"]*)"|“([^”]*)”|(\S*))', re.IGNORECASE)
# What no sentence needs and no row can hold.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")


@dataclass(frozen=True)
class Chip:
    """One filter as it is shown: its words, and what would be typed without it."""

    field: str
    value: str
    without: str


@dataclass(frozen=True)
class Typed:
    """`line`: all of it, tidied; `asked`: for the rooms; `chips`: the filters, in the order of typing."""

    line: str = ""
    asked: Sought = field(default_factory=Sought)
    chips: tuple[Chip, ...] = ()


def read(raw: str) -> Typed:
    """Whatever was typed is read: what makes no sense as a filter is a word."""
    line = " ".join(_UNSEEN.sub(" ", raw[: 4 * LONGEST]).split())[:LONGEST].strip()
    found = [match for match in _FILTER.finditer(line) if _value(match)][:MOST_FILTERS]
    text = _cut(line, found)
    filters = {FIELDS[match[1].lower()]: _value(match).lower() for match in found}
    chips = tuple(Chip(FIELDS[match[1].lower()], _value(match), _cut(line, [match])) for match in found)
    return Typed(line, Sought(text, typed(text), run_together(text), filters), chips)


def _value(match: re.Match[str]) -> str:
    return " ".join((match[2] or match[3] or match[4] or "").split())


def _cut(line: str, matches: list[re.Match[str]]) -> str:
    """The line without these parts of it."""
    for match in reversed(matches):
        line = f"{line[: match.start()]} {line[match.end() :]}"
    return " ".join(line.split())


def asked_for(text: str) -> Sought:
    """Some words, without looking for filters in them."""
    return Sought(text, typed(text), run_together(text))
