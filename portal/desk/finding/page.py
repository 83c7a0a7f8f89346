"""The page of search as data: what was typed, the answer, the groups, and which part of them is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from catalog.naming import address, named
from portal.accounts.access import Access
from portal.accounts.visits import visited
from portal.desk.finding.answering import answer
from portal.desk.finding.card import Answer
from portal.desk.finding.questions import read_question
from portal.desk.finding.search import Group, Results, find
from portal.desk.finding.typed import Chip, Typed, asked_for, read
from portal.kit.refs import kind_of
from portal.kit.searching import Hit

# How many hits of each sort: in the palette, among all sorts, and of one sort alone.
IN_PALETTE, AMONG_ALL, ALONE = 5, 6, 20
RECENT = 6
# Candidates of a sort on the page, where one can turn pages; the palette takes fewer.
MOST_ON_PAGE = 200


@dataclass(frozen=True)
class SortOfHit:
    """A sort of hits as a choice: all of it alone."""

    name: str
    title: str
    total: int
    is_chosen: bool


@dataclass(frozen=True)
class SearchPage:
    """`newer` and `older`: queries of the pages before and after, "" at an end; `shown`: which hits these are."""

    typed: Typed
    groups: Sequence[Group]
    sections: Sequence[SortOfHit] = ()
    answer: Answer | None = None
    meant: str = ""
    is_loose: bool = False
    newer: str = ""
    older: str = ""
    shown: str = ""

    @property
    def chips(self) -> Sequence[Chip]:
        return self.typed.chips


def for_palette(access: Access, raw: str) -> SearchPage:
    """The best of each sort; with nothing typed, what was looked at last and where one can go."""
    typed = read(raw)
    seen = visited(access)
    if not typed.asked:
        groups = [group for group in (_recent(access, seen), *find(access, typed).groups(each=30)) if group.hits]
        return SearchPage(typed, groups)
    card = _answer(access, typed)
    results = _find(access, typed, card, seen)
    groups = results.groups(each=IN_PALETTE)
    return SearchPage(typed, groups, answer=card, meant=results.meant, is_loose=results.is_loose)


def for_page(access: Access, raw: str, *, only: str, number: int) -> SearchPage:
    """All sorts with the best of each, or one sort in pages."""
    typed = read(raw)
    seen = visited(access)
    if not typed.asked:
        groups = [group for group in (_recent(access, seen), *find(access, typed).groups(each=30)) if group.hits]
        return SearchPage(typed, groups)
    card = _answer(access, typed)
    results = _find(access, typed, card, seen, most=MOST_ON_PAGE)
    everything = results.groups(each=AMONG_ALL)
    only = only if any(group.name == only for group in everything) else ""
    sections = [SortOfHit(group.name, group.title, group.total, group.name == only) for group in everything]
    if not only:
        return SearchPage(typed, everything, sections, card, meant=results.meant, is_loose=results.is_loose)
    return _alone(typed, results, sections, only, number)


def _alone(typed: Typed, results: Results, sections: Sequence[SortOfHit], only: str, number: int) -> SearchPage:
    [group] = results.groups(each=MOST_ON_PAGE * 4, only=only)
    last = max(0, (len(group.hits) - 1) // ALONE)
    number = min(max(number, 1), last + 1) - 1
    start = number * ALONE
    hits = group.hits[start : start + ALONE]
    return SearchPage(
        typed,
        [Group(group.name, group.title, hits, group.total)],
        sections,
        meant=results.meant,
        is_loose=results.is_loose,
        newer=_query(typed, only, number) if number else "",
        older=_query(typed, only, number + 2) if number < last else "",
        shown=f"{start + 1} to {start + len(hits)} of {group.total}" if last else "",
    )


def _query(typed: Typed, only: str, number: int) -> str:
    return "?" + urlencode({"q": typed.line, "in": only, "page": number})


def _find(access: Access, typed: Typed, card: Answer | None, seen: Sequence[str], **more: int) -> Results:
    """Hits for the words; under an answer, for the name of what it is about."""
    if card is not None and card.subject is not None:
        typed = replace(typed, asked=asked_for(card.subject.names[0]))
    return find(access, typed, recent={ref: at for at, ref in enumerate(seen)}, **more)


def _answer(access: Access, typed: Typed) -> Answer | None:
    question = read_question(typed.asked.text) if not typed.chips else None
    return answer(access, question) if question else None


def _recent(access: Access, seen: Sequence[str]) -> Group:
    """What was looked at last and is still there."""
    if not seen or not access.can("catalog.view"):
        return Group("recent", "Recently viewed")
    names = named(access.organisation.pk, seen[: RECENT * 2])
    hits = [
        Hit(
            ref,
            names[ref].title,
            kind_of(ref).capitalize(),
            names[ref].url or address(access.organisation.slug, ref),
            (names[ref].title,),
            note=ref,
        )
        for ref in seen[: RECENT * 2]
        if ref in names
    ]
    return Group("recent", "Recently viewed", hits[:RECENT], len(hits))
