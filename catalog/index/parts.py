"""What the index holds of one entity: its facts, words and the pieces of its name. Data in, data out."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

from catalog.asking import facts
from catalog.asking.operations import operations_of
from catalog.asking.owned import OWNER_HOW, with_owner_how
from catalog.asking.words import run_together, split_words
from catalog.descriptors import relations

# What the index holds of an entity, and how it is written down: whoever changes either raises it, and every
# organisation's index is made anew (see rebuilding).
FORMAT = 4

# Keys of our own. No author's key can be asked for that begins with "=".
HAS = "=has"  # the entity has this key; the empty one: it is there at all
NAMED = "=named"  # a word of its name, title, tags and address
ABOUT = "=about"  # a word of its description
ITEM = "=item"  # the key of an item of a list: it has that key, and nothing but facts.ITEM_VALUE for it
WHOLE = "=whole"  # its name or its title, its words run together
OPERATION = "=operation"  # a word of an operation of its definition
PIECE = "=piece"  # three letters of its name or title

EVERYTHING = ""
MOST_DESCRIPTION = 20_000
MOST_OPERATION_WORDS = 5_000

# (key, value in lower case, value as written, "" where that is the same)
Fact = tuple[str, str, str]


def facts_of(document: Mapping[str, Any], annotations: Mapping[str, str], uid: str, owner_how: str = "") -> set[Fact]:
    """All facts that the entity has by itself; those of its relations are made of edges.

    annotations: what the server knows of its place; the author's own win.
    owner_how: how its owner is known, where that is not simply as the document says; nobody writes that but us.
    """
    metadata = document.get("metadata") or {}
    own = metadata.get("annotations")
    known = with_owner_how({**annotations, **(own if isinstance(own, dict) else {})}, owner_how)
    placed = {**metadata, "annotations": known}
    found: set[Fact] = {(HAS, EVERYTHING, "")}
    plain, items = facts.rows_and_items({**document, "metadata": placed}, (), uid)
    for key, value in plain:
        if not key.startswith("="):
            found.update(fact_of(key.lower(), value))
    keys = {item.lower().replace("\0", "") for item in items if not item.startswith("=")}
    found.update((ITEM, key, "") for key in keys if (key, facts.ITEM_VALUE, "") not in found)
    found.update((NAMED, word, "") for word in words_of_name(document))
    found.update((ABOUT, word, "") for word in split_words(str(metadata.get("description") or "")[:MOST_DESCRIPTION]))
    for text in (metadata.get("name"), metadata.get("title")):
        found.update((PIECE, piece, "") for piece in pieces_of(str(text or "")))
        if whole := run_together(str(text or ""))[: facts.MAX_VALUE]:
            found.add((WHOLE, whole, ""))
    found.update((OPERATION, word, "") for word in words_of_operations(document))
    return found


# The facts of some entities, told by the fact: each as `line_of` writes it, with the places of those that have it.
Lines = Collection[tuple[str, Sequence[int]]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the index holds of an entity by its document alone. Whoever reads the document works it out: that is the
    dearest part of writing it.

    lines   the facts of all entities of its file, those of their own relations included; itself is the one at `place`
    many    the keys for which these give it several values
    said    its own relations: (type, other end)
    placed  annotations of its own that the server would give it otherwise
    """

    lines: Lines
    place: int
    many: Sequence[str]
    said: Sequence[tuple[str, str]]
    placed: Sequence[str]

    def mine(self) -> Iterator[str]:
        """Its own lines."""
        return (line for line, places in self.lines if self.place in places)


def parts_of(document: Mapping[str, Any]) -> Parts:
    """What the index holds of an entity with this document."""
    [parts] = parts_of_many([document])
    return parts


def parts_of_many(documents: Iterable[Mapping[str, Any]]) -> list[Parts]:
    """The same of several, whose facts are told together: in one file they have much in common."""
    having: dict[str, list[int]] = {}
    lines, told = having.items(), list[Parts]()
    for place, document in enumerate(documents):
        said = relations.outgoing(document)
        found = facts_of(document, {}, "") | relation_facts(said)
        for line in lines_of(found):
            having.setdefault(line, []).append(place)
        own = (document.get("metadata") or {}).get("annotations")
        placed = [key for key in facts.PLACED if key in own] if isinstance(own, dict) else []
        told.append(Parts(lines, place, sorted(many_of(found)), said, placed))
    return told


def facts_at(key: str, value: str) -> tuple[Fact, ...]:
    """What facts_of makes of an annotation."""
    return fact_of(f"metadata.annotations.{key}", value if len(value) <= facts.MAX_VALUE else None)


def uid_facts(uid: str) -> tuple[Fact, ...]:
    """What facts_of makes of it."""
    return fact_of("metadata.uid", uid)


def line_of(fact: Fact) -> str:
    """A fact as COPY reads it: key, value and label."""
    return "\t".join([part.translate(_ESCAPED) for part in fact])


def lines_of(found: Iterable[Fact]) -> list[str]:
    """The same of many."""
    known = list(found)
    lines = ["\t".join(fact) for fact in known]
    whole = "\n".join(lines)
    is_plain = "\\" not in whole and "\r" not in whole
    if is_plain and whole.count("\t") == 2 * len(lines) and whole.count("\n") == len(lines) - 1:
        return lines
    return [line_of(fact) for fact in known]


def fact_in(line: str) -> Fact:
    """What `line_of` wrote."""
    key, value, label = (_unescaped(part) for part in line.split("\t"))
    return key, value, label


def key_in(line: str) -> str:
    """The key alone."""
    return _unescaped(line.partition("\t")[0])


_LETTERS_OF = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_ESCAPED = str.maketrans(_LETTERS_OF)
_WRITTEN = {written: letter for letter, written in _LETTERS_OF.items()}
_ESCAPE = re.compile(r"\\.")


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: _WRITTEN[found[0]], text) if "\\" in text else text


def owner_facts(owner_how: str) -> set[Fact]:
    """What facts_of says of how its owner is known."""
    return set(fact_of(f"metadata.annotations.{OWNER_HOW}", owner_how)) if owner_how else set()


def words_of_operations(document: Mapping[str, Any]) -> set[str]:
    """The words that find the operations of an API; some, where it has very many."""
    spec = document.get("spec")
    found = operations_of(spec.get("definition")) if isinstance(spec, dict) and document.get("kind") == "API" else []
    return set(islice((word for one in found for word in one.words), MOST_OPERATION_WORDS))


def fact_of(key: str, value: str | None) -> tuple[Fact, ...]:
    """That it has the key, and the value, unless that is null or too long to be asked for."""
    clean = key.replace("\0", "")
    has = (HAS, clean, "")
    if value is None:
        return (has,)
    plain = value.replace("\0", "")
    lower = plain.lower()
    return has, (clean, lower, "" if plain == lower else plain)


def relation_facts(edges: Iterable[tuple[str, str]]) -> set[Fact]:
    """The facts of (type, other end) pairs."""
    found: set[Fact] = set()
    for kind, target in edges:
        found.update(fact_of(f"relations.{kind}".lower(), target if len(target) <= facts.MAX_VALUE else None))
    return found


def many_of(found: Iterable[Fact]) -> set[str]:
    """The keys for which the entity has several values."""
    seen, many = set[str](), set[str]()
    for own, value, _ in found:
        key = value if own == ITEM else own
        if key in seen:
            many.add(key)
        else:
            seen.add(key)
    return {key for key in many if not key.startswith("=")}


def words_of_name(document: Mapping[str, Any]) -> set[str]:
    """The words that name it: of name, title, tags, display name and address."""
    metadata = document.get("metadata") or {}
    tags = metadata.get("tags")
    texts = [metadata.get("name"), metadata.get("title"), *(tags if isinstance(tags, list) else [])]
    spec = document.get("spec")
    profile = spec.get("profile") if isinstance(spec, dict) else None
    if isinstance(profile, dict):
        texts += [profile.get("displayName"), profile.get("email")]
    return {word for text in texts if text for word in split_words(str(text)[:MOST_DESCRIPTION])}


def pieces_of(text: str) -> Iterator[str]:
    """Every three letters that follow one another."""
    lower = text.lower().replace("\0", "")[: facts.MAX_VALUE]
    for start in range(len(lower) - 2):
        yield lower[start : start + 3]


_LETTERS = re.compile(r"[^\W\d_]{4,}\Z")
_LOOKED_AT = 8


def near_parts(word: str) -> set[str]:
    """The first letters of a word with up to two of them taken away; none for what is no word of four letters."""
    if not _LETTERS.match(word):
        return set()
    start = word[:_LOOKED_AT]
    places = range(len(start))
    return {
        "".join(letter for place, letter in enumerate(start) if place not in left)
        for count in (0, 1, 2)
        for left in combinations(places, count)
    }
