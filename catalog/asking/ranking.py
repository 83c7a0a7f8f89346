"""How well something that was found is what was typed: one number for things of every sort, so that they compare.

A name that is the whole of what was typed comes first, then one that begins so, then names that have all the words,
then parts of words, words beside the name, small mistakes, and the description last. Weights move things within such a
step, never past the next one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from catalog.asking.words import parts, run_together, split_words
from portal.kit.searching import Hit, Sought

EXACT, SAME, BEGINS, BEGINS_INSIDE = 1000.0, 950.0, 790.0, 640.0
# A match of every word: the least, what the quality of the matches adds, and what a name that has no other words adds.
ALL_WORDS, QUALITY, COVERAGE = 280.0, 380.0, 60.0
# Of a description: what follows is hardly ever what was meant, and costs as much.
MOST_TEXT = 500
# Some of the words: only where nothing has them all.
SOME_WORDS = 100.0

NAME, NAME_BEGINS, NAME_HAS, NAME_NEARLY = 1.0, 0.88, 0.7, 0.6
BESIDE, BESIDE_BEGINS, BESIDE_NEARLY = 0.62, 0.5, 0.3
TEXT, TEXT_BEGINS = 0.32, 0.24


@dataclass(frozen=True)
class Ranked:
    """A thing with its place. `corrected`: typed word -> the word that it was taken for."""

    hit: Hit
    score: float
    is_loose: bool = False
    corrected: tuple[tuple[str, str], ...] = ()


def rank(asked: Sought, found: Iterable[Hit]) -> list[Ranked]:
    """The best first. What lacks some of the words is kept only where nothing has them all; with no words, by weight
    and name."""
    if not asked.words:
        rows = [Ranked(one, one.weight) for one in found]
    else:
        rows = [row for one in found if (row := judge(asked, one)) is not None]
    strict = [row for row in rows if not row.is_loose]
    return sorted(strict or rows, key=lambda row: (-row.score, len(row.hit.title), row.hit.title, row.hit.key))


def judge(asked: Sought, found: Hit) -> Ranked | None:
    """How well it matches; None where it does not."""
    base = _whole(asked, found.key, found.names)
    if base is not None:
        return Ranked(found, base + found.weight)
    matches = _match_words(asked.words, found)
    hits = [match for match in matches if match is not None]
    if not hits:
        return None
    quality = sum(match.quality for match in hits) / len(asked.words)
    corrected = tuple((match.word, match.taken_for) for match in hits if match.taken_for)
    if len(hits) < len(matches):
        if not any(match.is_name for match in hits):
            return None
        return Ranked(found, SOME_WORDS * quality + found.weight, True, corrected)
    score = ALL_WORDS + QUALITY * quality + COVERAGE * _coverage(hits, found.names) + found.weight
    return Ranked(found, score, False, corrected)


def _whole(asked: Sought, key: str, names: Sequence[str]) -> float | None:
    """Where its reference or one of its names is, or begins with, all that was typed."""
    text = asked.text.casefold()
    if text == key:
        return EXACT
    if any(text == name.casefold() for name in names):
        return EXACT
    together = [run_together(name) for name in names]
    if asked.whole in together:
        return SAME
    begun = [
        (BEGINS if _ends_at_a_word(asked.whole, name) else BEGINS_INSIDE) + 60 * len(asked.whole) / len(whole)
        for name, whole in zip(names, together, strict=True)
        if whole.startswith(asked.whole)
    ]
    return max(begun, default=None)


def _ends_at_a_word(whole: str, name: str) -> bool:
    """Whether the beginning is made of whole words of the name: `refund` of refund-worker, not `ref`."""
    reached = 0
    for word in parts(name):
        reached += len(word)
        if reached >= len(whole):
            break
    return reached == len(whole)


@dataclass(frozen=True)
class _Match:
    word: str
    quality: float
    is_name: bool = False
    taken_for: str = ""
    of_name: str = ""


def _match_words(wanted: Sequence[str], found: Hit) -> list[_Match | None]:
    names = [word for name in found.names for word in parts(name)]
    beside = [word for text in (found.kind, *found.words) for word in parts(text)]
    texts = split_words(found.note[:MOST_TEXT])
    together = [run_together(name) for name in found.names]
    return [_match(word, names, beside, texts, together) for word in wanted]


def _match(
    word: str, names: Sequence[str], beside: Sequence[str], texts: Sequence[str], together: Sequence[str]
) -> _Match | None:
    if word in names:
        return _Match(word, NAME, True, of_name=word)
    if begun := _begins(word, names):
        return _Match(word, NAME_BEGINS, True, of_name=begun)
    if word in beside:
        return _Match(word, BESIDE)
    if len(word) >= 3 and any(word in name for name in together):
        return _Match(word, NAME_HAS, True)
    if nearly := nearest(word, [*names, *together]):
        return _Match(word, NAME_NEARLY, True, nearly)
    if _begins(word, beside):
        return _Match(word, BESIDE_BEGINS)
    if word in texts:
        return _Match(word, TEXT)
    if len(word) >= 3 and _begins(word, texts):
        return _Match(word, TEXT_BEGINS)
    if nearly := nearest(word, beside):
        return _Match(word, BESIDE_NEARLY, taken_for=nearly)
    return None


def _begins(word: str, words: Sequence[str]) -> str:
    return min((one for one in words if one.startswith(word)), key=len, default="")


def _coverage(hits: Sequence[_Match], names: Sequence[str]) -> float:
    """How much of the nearest name the matches are, from 0 to 1."""
    mine = {match.of_name for match in hits if match.of_name}
    return max((len(mine & set(words)) / len(words) for name in names if (words := parts(name))), default=0.0)


def slips(word: str) -> int:
    """How many mistakes a word of this length may have: none under four letters, two from eight on."""
    return 0 if len(word) < 4 else 1 if len(word) < 8 else 2


def nearest(word: str, words: Iterable[str]) -> str:
    """The word that was meant, with the fewest mistakes; "" where none is near enough. Short words are taken as typed,
    and a number is no misspelt number."""
    most = slips(word)
    if not most or any(letter.isdigit() for letter in word):
        return ""
    best, meant = most + 1, ""
    for one in words:
        if abs(len(one) - len(word)) < best and len(one) >= 3 and (found := distance(word, one, best - 1)) < best:
            best, meant = found, one
    return meant


def distance(left: str, right: str, most: int) -> int:
    """Letters added, left out, changed or swapped with a neighbour, at the least; most + 1 for anything beyond."""
    if left == right:
        return 0
    if abs(len(left) - len(right)) > most or most < 1:
        return most + 1
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, letter in enumerate(left, 1):
        above, before, row = before, row, [i]
        for j, other in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == right[j - 2] and left[i - 2] == other:
                cost = min(cost, above[j - 2] + 1)
            row.append(cost)
        if min(row) > most and min(before) > most:
            return most + 1
    return min(row[-1], most + 1)
