"""Free text and near misses as conditions on words: what a list is narrowed by, and what search chooses from."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence

from django.db import connection

from catalog.asking.filters import In, Node, Not, Prefix
from catalog.asking.words import split_words
from catalog.index.parts import ABOUT, NAMED, near_parts
from catalog.index.reading import Condition, Question, Term, all_of, any_of
from catalog.index.sets import numbers_of
from portal.accounts.models import Organisation

MOST_TYPED = 200
NOTHING = any_of(())

_TOKEN = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')


def text_node(text: str) -> Condition:
    """What people type into the field of a list: the beginnings of words, all of them.

    "…" asks for whole words, -word for those without it, `or` for either side: then all words are meant whole.
    """
    tokens = _TOKEN.findall(text.replace("\0", "")[:MOST_TYPED])
    is_exact = any(minus and split_words(plain or quoted) for minus, quoted, plain in tokens) or '"' in text
    is_exact = is_exact or any(plain.lower() == "or" for *_, plain in tokens)
    sides: list[list[Condition]] = [[]]
    for minus, quoted, plain in tokens:
        if plain.lower() == "or" and not minus:
            sides.append([])
            continue
        for word in split_words(quoted or plain):
            found = word_node(word, is_prefix=not is_exact)
            sides[-1].append(Not(found) if minus else found)  # type: ignore[arg-type]  # a term stands where a node may
    meant = [all_of(side) for side in sides if side]
    return any_of(meant) if meant else NOTHING


def word_node(word: str, *, is_prefix: bool) -> Condition:
    """Entities whose name, tags or description have the word."""
    return any_of([Term(NAMED, word, is_prefix), Term(ABOUT, word, is_prefix)])


def _beside(word: str) -> list[Condition]:
    """What else a word may mean: a kind, a type, a stage."""
    return [In("kind", (word,)), In("spec.type", (word,)), In("spec.lifecycle", (word,))]


def candidates(
    organisation: Organisation | int,
    words: Sequence[str],
    text: str,
    *,
    most: int,
    within: Node | None = None,
    mine: Collection[str] = (),
) -> list[int]:
    """The numbers of entities that may be meant, those that fit best first: one statement.

    words   the finest parts of what was typed, in lower case
    mine    owners whose entities come first within a step
    Steps: called exactly so; a name that begins so; all words in the name, whole, then begun; words that are written
    together here and apart there; all words, in the description as well.
    """
    question = Question(organisation)
    inside = question.filter(within if within is not None else all_of(()))
    own = question.filter(In("relations.ownedby", tuple(mine)))
    steps = _steps(question, words, text) if words else [lambda: question.live]
    question.ask()
    found: dict[int, None] = {}
    for step in steps:
        here = step() & inside.bits
        for part in (here & own.bits, here):
            for number in numbers_of(part):
                if len(found) >= most:
                    return list(found)
                found[number] = None
    return list(found)


def _steps(question: Question, words: Sequence[str], text: str) -> list[Callable[[], int]]:
    """What gives the set of each step, once the question was asked."""

    def of(node: Condition) -> Callable[[], int]:
        wanted = question.filter(node)
        return lambda: wanted.bits

    spelt = list(dict.fromkeys([text.lower(), *(mark.join(words) for mark in ("-", "", "_", "."))]))
    names = ("metadata.name", "metadata.title", "spec.profile.displayname")
    named = [any_of([Term(NAMED, word), *_beside(word)]) for word in words]
    begun = [any_of([Term(NAMED, word, True), *_beside(word)]) for word in words]
    about = [any_of([start, Term(ABOUT, word, len(word) > 2)]) for word, start in zip(words, begun, strict=True)]
    together = "".join(words)
    return [
        of(any_of([In(name, tuple(spelt)) for name in names])),
        of(any_of([Prefix(name, each) for name in names for each in spelt[:3]])),
        of(all_of(named)),
        of(all_of(begun)),
        of(Term(NAMED, together, True)),
        _Together(together, question).bits,
        of(all_of(about)),
    ]


class _Together:
    """Words that were typed as one, as names have them: `dunningjob` finds dunning-job. Every part of the text is
    looked up at once; those that names use are put together again."""

    def __init__(self, text: str, question: Question) -> None:
        self.text = text[:24]
        ends = range(len(self.text) + 1)
        self.parts = {
            (start, end): question.filter(Term(NAMED, self.text[start:end]))
            for start in ends
            for end in ends[start + 2 :]
            if (start, end) != (0, len(self.text))
        }

    def bits(self) -> int:
        known = {place: bits for place, wanted in self.parts.items() if (bits := wanted.bits)}
        reach: dict[int, int] = {len(self.text): -1}
        for start in range(len(self.text) - 1, -1, -1):
            found = 0
            for (begin, end), bits in known.items():
                if begin == start and end in reach:
                    found |= bits & reach[end]
            if found:
                reach[start] = found
        return reach.get(0, 0)


def some_of(
    organisation: Organisation | int, words: Iterable[str], *, most: int, within: Node | None = None
) -> list[int]:
    """The numbers of entities whose name has the most of the words, at least one: one statement."""
    question = Question(organisation)
    inside = question.filter(within if within is not None else all_of(()))
    each = [question.filter(any_of([Term(NAMED, word, True), *_beside(word)])) for word in words]
    question.ask()
    levels = [0] * (len(each) + 1)  # levels[n]: entities with at least n of the words
    levels[0] = inside.bits
    for wanted in each:
        bits = wanted.bits
        for level in range(len(each), 0, -1):
            levels[level] |= levels[level - 1] & bits
    found: dict[int, None] = {}
    for bits in levels[:0:-1]:
        for number in numbers_of(bits):
            if len(found) >= most:
                return list(found)
            found[number] = None
    return list(found)


def near(organisation: Organisation | int, words: Collection[str]) -> dict[str, list[str]]:
    """For each word those that names here use and that differ from it by one letter, from eight letters on by two: the
    nearest first. One statement. The word itself comes first where names use it."""
    organisation_id = organisation if isinstance(organisation, int) else organisation.pk
    pairs = [(part, word) for word in words for part in near_parts(word)]
    if not pairs:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT w.typed, n.word FROM unnest(%s::text[], %s::text[]) AS w (part, typed)"
            " JOIN catalog_near n ON n.organisation_id = %s AND n.part = w.part",
            [[part for part, _ in pairs], [word for _, word in pairs], organisation_id],
        )
        rows = cursor.fetchall()
    found: dict[str, list[tuple[int, str]]] = {}
    for typed, word in rows:
        apart = distance(typed, word)
        if apart <= (2 if len(typed) >= 8 else 1):
            found.setdefault(typed, []).append((apart, word))
    return {typed: [word for _, word in sorted(known)] for typed, known in found.items()}


def distance(one: str, other: str) -> int:
    """How many letters must be added, taken away, changed or swapped with the next one."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, there in enumerate(other, 1):
            best = min(last[j] + 1, row[-1] + 1, last[j - 1] + (letter != there))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == there:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        before, last = last, row
    return last[-1]
