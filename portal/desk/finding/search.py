"""One search over everything that rooms have named: asked, ranked together, grouped for reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from catalog.asking.ranking import Ranked, rank
from catalog.searching import TEAM, as_found
from catalog.teams import users_by_mail
from portal.accounts.access import Access
from portal.desk.finding import places
from portal.desk.finding.typed import Typed
from portal.kit.searching import MOST, Hit, in_order

MINE, RECENT = 22.0, 24.0
# The catalog finds these as well, and they stand with their like.
HEADINGS: Mapping[str, str] = {"Person": "People", TEAM: "Teams"}


@dataclass
class Group:
    """Hits of one sort under a heading. `total`: how many there are with those that are not shown."""

    name: str
    title: str
    hits: list[Hit] = field(default_factory=list)
    total: int = 0


@dataclass(frozen=True)
class Results:
    """All hits, the best first, with the heading that each stands under; `meant`: what was probably meant to be typed,
    "" where it was typed right."""

    ranked: Sequence[tuple[str, Ranked]] = ()
    meant: str = ""

    @property
    def is_loose(self) -> bool:
        """Whether nothing has all of the words."""
        return bool(self.ranked) and self.ranked[0][1].is_loose

    @property
    def hits(self) -> list[Hit]:
        return [row.hit for _, row in self.ranked]

    def groups(self, *, each: int, only: str = "") -> list[Group]:
        """By heading, that of the best hit first."""
        groups: dict[str, Group] = {}
        for title, row in self.ranked:
            name = title.lower().replace(" ", "-")
            if only and name != only:
                continue
            group = groups.setdefault(name, Group(name, title))
            group.total += 1
            if len(group.hits) < each:
                group.hits.append(row.hit)
        return list(groups.values())


def find(access: Access, typed: Typed, *, recent: Mapping[str, int] | None = None, most: int = MOST) -> Results:
    """Everything that matches. `recent`: key -> place among the things that were looked at last, 0 for the last."""
    asked = typed.asked
    if not asked:
        return Results(tuple(("Go to", Ranked(one, 0)) for one in places.pages(access)))
    headings: dict[str, str] = {}
    found: dict[str, Hit] = {}
    for sort in in_order():
        if not access.can(sort.permission) or not sort.answers(asked.filters):
            continue
        for one in sort.find(access, asked, most):
            # What two rooms know is shown as the first of them shows it, and found by the names of both.
            known = found.get(one.key)
            found[one.key] = one if known is None else replace(known, names=(*known.names, *one.names))
            headings.setdefault(one.key, HEADINGS.get(one.kind, sort.title))
    found = _same_people(access, found)
    ranked = rank(asked, (_likelier(access, one, recent or {}) for one in found.values()))
    rows = tuple((headings.get(row.hit.key, "People"), row) for row in ranked)
    return Results(rows, _meant(typed, ranked))


def _same_people(access: Access, found: dict[str, Hit]) -> dict[str, Hit]:
    """A member whom a descriptor describes is one person: with the page that the catalog has of them."""
    mails = {key.removeprefix("person:") for key in found if key.startswith("person:")}
    described = users_by_mail(access.organisation, mails) if mails else {}
    for one, user in zip(as_found(access.organisation, list(described.values())), described, strict=True):
        member = found.pop(f"person:{user}")
        known = found.get(one.key, one)
        names = tuple(dict.fromkeys((*member.names, *known.names)))
        found[one.key] = replace(known, names=names, note=member.note, weight=member.weight)
    return found


def _likelier(access: Access, found: Hit, recent: Mapping[str, int]) -> Hit:
    """What is mine or was looked at lately is likelier meant."""
    more = 0.0
    if found.owner_ref and found.owner_ref in access.team_refs:
        more += MINE
    if found.key in recent:
        more += max(RECENT - recent[found.key], 4.0)
    return replace(found, weight=found.weight + more) if more else found


def _meant(typed: Typed, ranked: Sequence[Ranked]) -> str:
    """What to type for the best hit, where that has a word that was only nearly typed."""
    if not ranked or not ranked[0].corrected:
        return ""
    meant = dict(ranked[0].corrected)
    text = " ".join(meant.get(word, word) for word in typed.asked.words)
    filters = [
        f'{chip.field}:"{chip.value}"' if " " in chip.value else f"{chip.field}:{chip.value}" for chip in typed.chips
    ]
    return " ".join([text, *filters])
