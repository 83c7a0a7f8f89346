"""Which entities fit a filter, how many, what values they have: sets looked up in one statement, combined in memory.

A `IndexQuestion` collects what one answer needs, filters and the values of keys, and asks for all of it at once. One
statement is one moment.
"""

# ruff: noqa: S608  # the pieces of SQL that are put together here are all our own constants
from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from django.db import connection

from catalog.asking.facts import ITEM_VALUE
from catalog.asking.filters import All, Either, Exists, In, Node, Not, Prefix
from catalog.index import sets
from catalog.index.parts import EVERYTHING, HAS, ITEM
from portal.accounts.models import Organisation

# Behind every text that begins with the one before it, letter by letter.
LAST = "\U0010ffff"


@dataclass(frozen=True)
class FactTerm:
    """A condition on the index's own keys (see parts): the text is a value, or the beginning of one."""

    key: str
    text: str
    is_prefix: bool = False


@dataclass(frozen=True)
class Contains:
    """The text stands somewhere in a value of the key: every value of it is looked at."""

    key: str
    text: str


Condition = Node | FactTerm | Contains


@dataclass
class _Leaf:
    """One look-up and what came of it."""

    key: str
    low: str
    high: str | None = None  # None: exactly `low`
    is_part: bool = False  # `low` stands anywhere in the value
    ones: list[int] = field(default_factory=list)
    blocks: dict[int, list[tuple[int, bytes]]] = field(default_factory=lambda: defaultdict(list))

    def set_of(self) -> int:
        found = sets.of_numbers(self.ones)
        for chunks in self.blocks.values():
            found |= sets.of_chunks(chunks)
        return found


class WantedSet:
    """A filter of a question; `bits` is the set of its entities, once the question was asked."""

    def __init__(self, question: IndexQuestion, node: Condition) -> None:
        self._node = node
        self._question = question
        self._leaves = {id(part): question.leaves_of(part) for part in _parts(node)}

    @property
    def bits(self) -> int:
        return self._eval(self._node)

    def _eval(self, node: Condition) -> int:
        if isinstance(node, All):
            found = self._question.live
            for part in node.parts:
                found &= self._eval(part)
            return found
        if isinstance(node, Either):
            found = 0
            for part in node.parts:
                found |= self._eval(part)
            return found
        if isinstance(node, Not):
            return self._question.live & ~self._eval(node.part)
        found = 0
        for leaf in self._leaves[id(node)]:
            found |= leaf.set_of()
        return found


def _parts(node: Condition) -> Iterable[Condition]:
    if isinstance(node, All | Either):
        for part in node.parts:
            yield from _parts(part)
    elif isinstance(node, Not):
        yield from _parts(node.part)
    else:
        yield node


@dataclass
class Value:
    """A value of a key: in lower case, as written, and who has it."""

    value: str
    label: str
    n: int
    ones: Sequence[int] = ()
    chunks: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def shown(self) -> str:
        return self.label or self.value

    def set_of(self) -> int:
        return sets.of_chunks(self.chunks) if self.chunks else sets.of_numbers(self.ones)


_IN = ord("1")


class Values:
    """The values of a key, in their order: what facets count and orders follow."""

    def __init__(self, key: str, most: int | None, prefix: str, few: int | None, *, is_bare: bool = False) -> None:
        self.key, self.most, self.prefix, self.few, self.is_bare = key, most, prefix, few, is_bare
        self.rows: list[Value] = []
        self.is_many = False  # whether some entity has several of them; told with `few`
        # Who has the key as that of an item, where that may count: then the one value stands among the rows, unless
        # `few` has left them out.
        self.items: _Leaf | None = None

    @property
    def has_items(self) -> bool:
        return self.items is not None and self.items.set_of() != 0

    def take_items(self) -> None:
        """Puts the value of items among the rows. Who says the same in plain words has it as a row already, and is not
        among those who have it as an item (see parts)."""
        if self.items is None or not (bits := self.items.set_of()):
            return
        row = Value(ITEM_VALUE, "", bits.bit_count())
        if known := next((each for each in self.rows if (each.value, each.label) == (ITEM_VALUE, "")), None):
            self.rows.remove(known)
            row.n += known.n
            bits |= known.set_of()
        if not self.is_bare:
            row.ones = list(sets.numbers_of(bits))
        self.rows.append(row)
        if self.most is not None:
            self.rows = sorted(self.rows, key=lambda row: -row.n)[: self.most]

    def count(self, bits: int | None) -> list[tuple[str, int]]:
        """(value as written, how many of the set have it), those that somebody has, by value; None: of all."""
        if bits is None:
            return [(row.shown, row.n) for row in self.rows]
        length = max((max(row.ones) for row in self.rows if row.ones), default=0) + 1
        flags = sets.to_flags(bits, length)
        found = list[tuple[str, int]]()
        for row in self.rows:
            if row.chunks:
                count = (sets.of_chunks(row.chunks) & bits).bit_count()
            elif len(row.ones) > 1:
                # The quickest way that there is to look many places up.
                count = bytes(itemgetter(*row.ones)(flags)).count(_IN)
            else:
                count = sum(flags[number] == _IN for number in row.ones)
            if count:
                found.append((row.shown, count))
        return found


class IndexQuestion:
    """What one answer needs to know, asked in one statement. Must run inside the tenant."""

    def __init__(self, organisation: Organisation | int) -> None:
        self.organisation_id = organisation if isinstance(organisation, int) else organisation.pk
        self._leaves: dict[tuple[str, str, str | None, bool], _Leaf] = {}
        self._values: list[Values] = []
        self._live = self._leaf(HAS, EVERYTHING)
        self.live = 0

    def filter(self, node: Condition) -> WantedSet:
        """Those who fit; `filters.matches` says what that means."""
        return WantedSet(self, node)

    def values(
        self, key: str, *, most: int | None = None, prefix: str = "", few: int | None = None, is_bare: bool = False
    ) -> Values:
        """The values of a key that begin so; at most `most`, then the commonest of all.

        few: all of them where there are no more than so many, and none otherwise.
        is_bare: how many have each, and not who: to be counted of all alone.
        """
        asked = Values(key.lower(), most, prefix.lower(), few, is_bare=is_bare)
        if _askable(asked.key) and _askable(asked.prefix, own=True):
            self._values.append(asked)
            if ITEM_VALUE.startswith(asked.prefix) and asked.key:
                asked.items = self._leaf(ITEM, asked.key)
        return asked

    def leaves_of(self, node: Condition) -> list[_Leaf]:
        if isinstance(node, FactTerm):
            return [self._leaf(node.key, node.text, f"{node.text}{LAST}" if node.is_prefix else None)]
        if isinstance(node, Contains):
            is_askable = _askable(node.key) and _askable(node.text, own=True)
            found = [self._leaf(node.key, node.text, is_part=True)] if is_askable else []
            return found + [self._leaf(ITEM, node.key)] * (is_askable and node.text in ITEM_VALUE)
        assert isinstance(node, Exists | In | Prefix)
        if not _askable(node.key):
            return []
        if isinstance(node, Exists):
            return [self._leaf(HAS, node.key), self._leaf(ITEM, node.key)]
        if isinstance(node, Prefix):
            found = [self._leaf(node.key, node.text, f"{node.text}{LAST}")] if _askable(node.text, own=True) else []
            return found + [self._leaf(ITEM, node.key)] * ITEM_VALUE.startswith(node.text)
        found = [self._leaf(node.key, value) for value in node.values if _askable(value, own=True)]
        return found + [self._leaf(ITEM, node.key)] * (ITEM_VALUE in node.values)

    def _leaf(self, key: str, low: str, high: str | None = None, *, is_part: bool = False) -> _Leaf:
        return self._leaves.setdefault((key, low, high, is_part), _Leaf(key, low, high, is_part))

    def ask(self) -> None:
        """Asks once for everything: one statement."""
        exact = [leaf for leaf in self._leaves.values() if leaf.high is None and not leaf.is_part]
        ranges = [leaf for leaf in self._leaves.values() if leaf.high is not None]
        arms, parameters = [_EXACT], self._places([leaf.key for leaf in exact], [leaf.low for leaf in exact])
        if ranges:
            arms.append(_RANGE)
            lows, highs = [leaf.low for leaf in ranges], [leaf.high for leaf in ranges]
            parameters += self._places([leaf.key for leaf in ranges], lows, highs)
        parts = [leaf for leaf in self._leaves.values() if leaf.is_part]
        if parts:
            arms.append(_PART)
            parameters += [
                *self._places([leaf.key for leaf in parts], [leaf.low for leaf in parts]),
                self.organisation_id,
            ]
        if self._values:
            arms.append(_VALUES)
            lows = [each.prefix for each in self._values]
            parameters += self._places(
                [each.key for each in self._values],
                lows,
                [f"{low}{LAST}" for low in lows],
                [each.most for each in self._values],
                [each.few for each in self._values],
                [each.is_bare for each in self._values],
            )
            parameters.append(self.organisation_id)
        counted = [each for each in self._values if each.few is not None]
        if counted:
            arms.append(_MANY)
            parameters += [[each.key for each in counted], self.organisation_id]
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(arms), parameters)
            rows = cursor.fetchall()
        self._take(rows, (exact, ranges, parts), counted)
        self.live = self._live.set_of()

    def _places(self, *columns: Sequence[Any]) -> list[Any]:
        return [*map(list, columns), *[self.organisation_id] * 3]

    def _take(self, rows: list[tuple[Any, ...]], asked: tuple[list[_Leaf], ...], counted: Sequence[Values]) -> None:
        known: dict[tuple[int, str, str], Value] = {}
        for arm, place, value, label, n, one, members, fact, chunk, bits in rows:
            if arm == _TOLD:
                counted[place - 1].is_many = True
                continue
            if arm < len(asked):
                leaf = asked[arm][place - 1]
                if one is not None:
                    leaf.ones.append(one)
                elif members is not None:
                    leaf.ones += members
                elif chunk is not None:
                    leaf.blocks[fact].append((chunk, bytes(bits)))
                continue
            seen = known.get((place, value, label))
            if seen is None:
                ones = [one] if one is not None else members or ()
                seen = known[place, value, label] = Value(value, label, n, ones)
                self._values[place - 1].rows.append(seen)
            if chunk is not None:
                seen.chunks.append((chunk, bytes(bits)))
        for values in self._values:
            if values.few is None or values.rows:
                values.take_items()
            values.rows.sort(key=lambda row: (row.value, row.label))


def _askable(text: str, *, own: bool = False) -> bool:
    """Whether a text may be a key or a value: what PostgreSQL cannot hold is nobody's, and ours are not asked for."""
    return (
        (own or not text.startswith("="))
        and "\0" not in text
        and not any("\ud800" <= each <= "\udfff" for each in text)
    )


_FOUND = "f.value, f.label, f.n, f.one, f.members, f.blocks, b.chunk, b.bits"
_BLOCKS = "LEFT JOIN catalog_factblock b ON b.organisation_id = %s AND b.blocks = f.blocks"
_KEY = "JOIN catalog_factkey k ON k.organisation_id = %s AND k.key = w.key"
# OFFSET 0: each pair is looked up by key and value. Left to itself the planner takes a key for as common as any other,
# thinks that its facts are few, and reads all of them for every value: a hundred thousand for a word of a name.
_EXACT = (
    f"SELECT 0, w.place, {_FOUND} FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS w (key, value, place)"
    f" {_KEY} CROSS JOIN LATERAL (SELECT * FROM catalog_fact x WHERE x.organisation_id = %s AND x.key_id = k.id"
    f"  AND x.value = w.value OFFSET 0) f {_BLOCKS}"
)
_RANGE = (
    f"SELECT 1, w.place, {_FOUND}"
    " FROM unnest(%s::text[], %s::text[], %s::text[]) WITH ORDINALITY AS w (key, low, high, place)"
    f" {_KEY} CROSS JOIN LATERAL (SELECT * FROM catalog_fact x WHERE x.organisation_id = %s AND x.key_id = k.id"
    f"  AND x.value >= w.low AND x.value < w.high OFFSET 0) f {_BLOCKS}"
)
# The values are looked through once, in the index alone; only those that have the text are fetched, one by one. Left to
# itself the planner looks through all of them for each of them.
_PART = (
    f"SELECT 2, w.place, {_FOUND} FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS w (key, part, place)"
    f" {_KEY} CROSS JOIN LATERAL (SELECT x.value, x.label FROM catalog_fact x WHERE x.organisation_id = %s"
    "  AND x.key_id = k.id AND strpos(x.value, w.part) > 0 OFFSET 0) hit"
    " CROSS JOIN LATERAL (SELECT * FROM catalog_fact x WHERE x.organisation_id = %s AND x.key_id = k.id"
    "  AND x.value = hit.value AND x.label = hit.label OFFSET 0) f"
    f" {_BLOCKS}"
)
# Whether there are few is counted in the index, and no further than one too many.
_VALUES = (
    f"SELECT 3, w.place, {_FOUND}"
    " FROM unnest(%s::text[], %s::text[], %s::text[], %s::int[], %s::int[], %s::bool[])"
    " WITH ORDINALITY AS w (key, low, high, most, few, is_bare, place)"
    f" {_KEY} CROSS JOIN LATERAL (SELECT x.value, x.label, x.n, CASE WHEN w.is_bare THEN NULL ELSE x.one END AS one,"
    "  CASE WHEN w.is_bare THEN NULL ELSE x.members END AS members, CASE WHEN w.is_bare THEN NULL ELSE x.blocks END"
    "  AS blocks FROM catalog_fact x WHERE x.organisation_id = %s AND x.key_id = k.id"
    "  AND x.value >= w.low AND x.value < w.high AND (w.few IS NULL OR (SELECT count(*) FROM (SELECT 1"
    "   FROM catalog_fact y WHERE y.organisation_id = %s AND y.key_id = k.id LIMIT w.few + 1) seen) <= w.few)"
    "  ORDER BY CASE WHEN w.most IS NULL THEN 0 ELSE -x.n END LIMIT w.most) f"
    f" {_BLOCKS}"
)
_TOLD = 4
_MANY = (
    "SELECT 4, w.place, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"
    " FROM unnest(%s::text[]) WITH ORDINALITY AS w (key, place)"
    " JOIN catalog_factkey k ON k.organisation_id = %s AND k.key = w.key AND k.is_many"
)


@dataclass(frozen=True)
class FoundSet:
    """The entities that fit: their set, and how many there are.

    between  the least and the greatest of their names, in lower case, where that is known
    """

    organisation_id: int
    bits: int
    live: int
    between: tuple[str, str] | None = None

    @property
    def total(self) -> int:
        return self.bits.bit_count()

    @property
    def there(self) -> int:
        """How many entities there are at all."""
        return self.live.bit_count()

    def numbers(self, most: int | None = None) -> list[int]:
        """Their numbers, the lowest first."""
        found = sets.numbers_of(self.bits)
        return list(found) if most is None else [number for number, _ in zip(found, range(most), strict=False)]

    def within(self, bits: int) -> FoundSet:
        return FoundSet(self.organisation_id, self.bits & bits, self.live, self.between)


def find(organisation: Organisation | int, node: Condition) -> FoundSet:
    """Those who fit a filter: one statement. Must run inside the tenant."""
    question = IndexQuestion(organisation)
    wanted = question.filter(node)
    question.ask()
    return FoundSet(question.organisation_id, wanted.bits, question.live)


def dangling(organisation: Organisation | int, key: str) -> frozenset[str]:
    """The values of a key of references that no entity has: one statement that looks each value up, which for owners is
    one for about a hundred entities. Must run inside the tenant."""
    organisation_id = organisation if isinstance(organisation, int) else organisation.pk
    with connection.cursor() as cursor:
        cursor.execute(_DANGLING, [organisation_id, organisation_id, organisation_id, key])
        return frozenset(value for value, is_there in cursor.fetchall() if not is_there)


# OFFSET 0: each is looked up; a join would read all entities for some hundred owners.
_DANGLING = (
    "SELECT f.value, EXISTS (SELECT 1 FROM catalog_entity e WHERE e.organisation_id = %s AND e.ref = f.value"
    "  AND e.removed_at IS NULL OFFSET 0)"
    " FROM catalog_fact f WHERE f.organisation_id = %s"
    " AND f.key_id = (SELECT id FROM catalog_factkey WHERE organisation_id = %s AND key = %s)"
)


def any_of(nodes: Collection[Condition]) -> Condition:
    return Either(tuple(nodes))  # type: ignore[arg-type]  # a term stands where a node may


def all_of(nodes: Collection[Condition]) -> Condition:
    return All(tuple(nodes))  # type: ignore[arg-type]  # a term stands where a node may
