"""Free text and near misses as conditions on words: what a list is narrowed by, and what search chooses from."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from django.db import connection

from catalog.asking.filters import In, Node, Not
from catalog.asking.ranking import distance, slips
from catalog.asking.words import split_words
from catalog.index.parts import ABOUT, NAMED, OPERATION, PIECE, WHOLE, near_parts, pieces_of
from catalog.index.reading import Condition, FactTerm, IndexQuestion, all_of, any_of
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
    return any_of([FactTerm(NAMED, word, is_prefix), FactTerm(ABOUT, word, is_prefix)])


def _beside(word: str) -> list[Condition]:
    """What else a word may mean: a kind, a type, a stage, a namespace."""
    return [In(key, (word,)) for key in ("kind", "spec.type", "spec.lifecycle", "metadata.namespace")]


def candidates(
    organisation: Organisation | int,
    words: Sequence[str],
    whole: str,
    *,
    most: int,
    within: Node | None = None,
    mine: Collection[str] = (),
) -> list[int]:
    """The numbers of entities that may be meant, those that fit best first: one statement.

    words   the finest parts of what was typed, in lower case; `whole` is all of it run together
    mine    owners whose entities come first within a step
    Steps: called exactly so; a name that begins so; all words in the name, whole, then begun; and in the description.
    """
    question = IndexQuestion(organisation)
    inside = question.filter(within if within is not None else all_of(()))
    own = question.filter(In("relations.ownedby", tuple(mine)))
    steps = []
    if words:
        steps += [question.filter(FactTerm(WHOLE, whole)), question.filter(FactTerm(WHOLE, whole, True))]
        named = [any_of([FactTerm(NAMED, word), *_beside(word)]) for word in words]
        begun = [any_of([FactTerm(NAMED, word, True), *_beside(word)]) for word in words]
        about = [
            any_of([begun_, FactTerm(ABOUT, word, len(word) > 2)]) for word, begun_ in zip(words, begun, strict=True)
        ]
        steps += [question.filter(all_of(each)) for each in (named, begun, about)]
    question.ask()
    here = [step.bits & inside.bits for step in steps] or [inside.bits]
    return _lowest([part for bits in here for part in (bits & own.bits, bits)], most)


def some_of(
    organisation: Organisation | int, words: Iterable[str], *, most: int, within: Node | None = None
) -> list[int]:
    """The numbers of entities whose name has the most of the words, at least one: one statement."""
    question = IndexQuestion(organisation)
    inside = question.filter(within if within is not None else all_of(()))
    each = [question.filter(any_of([FactTerm(NAMED, word, True), *_beside(word)])) for word in words]
    question.ask()
    return _lowest(_levels(inside.bits, [wanted.bits for wanted in each])[:0:-1], most)


def alike(
    organisation: Organisation | int,
    words: Collection[str],
    *,
    most: int,
    within: Node | None = None,
    is_close: bool = False,
) -> list[int]:
    """The numbers of entities whose name or title has the letters of every word, three by three: one statement.

    is_close  most of the letters will do, those with the most first: for words that were mistyped
    """
    pieces = {piece for word in words for piece in pieces_of(word)}
    if not pieces or any(len(word) < 3 for word in words):
        return []
    question = IndexQuestion(organisation)
    inside = question.filter(within if within is not None else all_of(()))
    each = [question.filter(FactTerm(PIECE, piece)) for piece in sorted(pieces)]
    question.ask()
    levels = _levels(inside.bits, [wanted.bits for wanted in each])
    least = max(1, len(each) * 2 // 5) if is_close else len(each)
    return _lowest(levels[: least - 1 : -1], most)


def with_operations(
    organisation: Organisation | int,
    words: Collection[str],
    *,
    most: int,
    within: Node | None = None,
    mine: Collection[str] = (),
) -> list[int]:
    """The numbers of APIs whose operations have all the words, or words that begin so, mine first: one statement."""
    question = IndexQuestion(organisation)
    inside = question.filter(within if within is not None else all_of(()))
    own = question.filter(In("relations.ownedby", tuple(mine)))
    wanted = question.filter(all_of([FactTerm(OPERATION, word, True) for word in words]))
    question.ask()
    bits = wanted.bits & inside.bits if words else 0
    return _lowest([bits & own.bits, bits], most)


def _levels(inside: int, sets: Sequence[int]) -> list[int]:
    """levels[n]: those with at least n of the sets."""
    levels = [inside, *(0 for _ in sets)]
    for bits in sets:
        for level in range(len(sets), 0, -1):
            levels[level] |= levels[level - 1] & bits
    return levels


def _lowest(sets: Iterable[int], most: int) -> list[int]:
    """The numbers in the sets, one set after the other, each number once."""
    found: dict[int, None] = {}
    for bits in sets:
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
        apart = distance(typed, word, slips(typed))
        if apart <= slips(typed):
            found.setdefault(typed, []).append((apart, word))
    return {typed: [word for _, word in sorted(known)] for typed, known in found.items()}
