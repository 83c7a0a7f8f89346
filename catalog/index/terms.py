"""Brings the tables of facts in line with a change: which numbers join which facts, and which leave them.

Runs under the organisation's lock, in the transaction that changes the entities: read, changed in memory, written.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.index import sets
from catalog.index.bulk import run
from catalog.index.parts import NAMED, Fact, near_parts

AT_ONCE = 5_000


class FactChange:
    """Which entities gain and lose which facts. What an entity both loses and gains, it has."""

    def __init__(self) -> None:
        self.adds: dict[Fact, list[int]] = defaultdict(list)
        self.dels: dict[Fact, list[int]] = defaultdict(list)
        self.many: set[str] = set()

    def add(self, number: int, facts: Iterable[Fact]) -> None:
        adds = self.adds
        for fact in facts:
            adds[fact].append(number)

    def drop(self, number: int, facts: Iterable[Fact]) -> None:
        dels = self.dels
        for fact in facts:
            dels[fact].append(number)


@dataclass
class _Row:
    """A fact as its row says it, and what is to become of it. `at` is where the row stands: nobody else moves it while
    we have the lock, so that whoever read it writes it without looking for it again."""

    key_id: int
    value: str
    label: str
    n: int = 0
    one: int | None = None
    members: Sequence[int] | None = None
    blocks: int | None = None
    at: str | None = None
    adds: Collection[int] = ()
    dels: Collection[int] = ()
    is_new: bool = True

    def named(self) -> dict[str, Any]:
        return {"key_id": self.key_id, "value": self.value, "label": self.label}

    def held(self) -> dict[str, Any]:
        # A list goes as the text of an array: records of JSON know no other way to be one.
        members = None if self.members is None else f"{{{','.join(map(str, self.members))}}}"
        return {"n": self.n, "one": self.one, "members": members, "blocks": self.blocks}

    def listed(self) -> set[int]:
        if self.one is not None:
            return {self.one}
        return set(self.members or ())

    def write(self, numbers: set[int]) -> None:
        """Keeps the numbers as one or as a list."""
        self.n = len(numbers)
        self.one = next(iter(numbers)) if self.n == 1 else None
        self.members = sorted(numbers) if self.n > 1 else None


def apply(organisation_id: int, change: FactChange) -> None:
    """Writes the change. Must run under the lock."""
    facts = sorted(change.adds.keys() | change.dels.keys())
    if not facts:
        return
    keys = numbers_of_keys(organisation_id, sorted({key for key, *_ in facts}), change.many)
    for start in range(0, len(facts), AT_ONCE):
        part = facts[start : start + AT_ONCE]
        rows = {fact: _Row(keys[fact[0]], *fact[1:]) for fact in part}
        for fact, row in rows.items():
            row.adds, row.dels = change.adds.get(fact, ()), change.dels.get(fact, ())
        _read(organisation_id, list(rows.values()))
        _work(organisation_id, list(rows.values()))
        _note_words(organisation_id, [(fact[1], row) for fact, row in rows.items() if fact[0] == NAMED])


def bring(organisation_id: int, facts: Sequence[tuple[int, str, str, Sequence[int]]]) -> Iterator[tuple[int, str, str]]:
    """Writes that numbers join facts, each given as the number of its key, value and label; gives those of them that
    nothing had before. Must run under the lock."""
    for start in range(0, len(facts), AT_ONCE):
        rows = [_Row(key_id, value, label, adds=adds) for key_id, value, label, adds in facts[start : start + AT_ONCE]]
        _read(organisation_id, rows)
        yield from [(row.key_id, row.value, row.label) for row in rows if row.is_new]
        _work(organisation_id, rows)


def numbers_of_keys(organisation_id: int, keys: list[str], many: set[str]) -> dict[str, int]:
    """The numbers of keys; new ones get theirs. Notes for which some entity has several values."""
    rows = run(
        "SELECT key, id, is_many FROM catalog_factkey WHERE organisation_id = %s AND key = ANY(%s::text[])",
        organisation_id,
        keys,
    )
    known = {key: number for key, number, _ in rows}
    _note_many(organisation_id, [key for key, _, is_many in rows if key in many and not is_many])
    fresh = [key for key in keys if key not in known]
    if fresh:
        [[last]] = run("SELECT coalesce(max(id), 0) FROM catalog_factkey WHERE organisation_id = %s", organisation_id)
        numbers = range(last + 1, last + 1 + len(fresh))
        run(
            "INSERT INTO catalog_factkey (organisation_id, id, key, is_many)"
            " SELECT %s, id, key, is_many FROM unnest(%s::int[], %s::text[], %s::bool[]) AS fresh (id, key, is_many)",
            organisation_id,
            list(numbers),
            fresh,
            [key in many for key in fresh],
        )
        known.update(zip(fresh, numbers, strict=True))
    return known


def _note_many(organisation_id: int, keys: list[str]) -> None:
    if keys:
        run(
            "UPDATE catalog_factkey SET is_many = true WHERE organisation_id = %s AND key = ANY(%s::text[])",
            organisation_id,
            keys,
        )


def _read(organisation_id: int, rows: list[_Row]) -> None:
    # OFFSET 0: one look-up for each. What the planner knows of an organisation may be from before it had anything.
    found = run(
        "SELECT w.place, f.at::text, f.n, f.one, f.members, f.blocks"
        " FROM json_to_recordset(%s::json) AS w (place int, key_id int, value text, label text)"
        " CROSS JOIN LATERAL (SELECT ctid AS at, * FROM catalog_fact x WHERE x.organisation_id = %s"
        "  AND x.key_id = w.key_id AND x.value = w.value AND x.label = w.label OFFSET 0) f",
        _records({"place": place, **row.named()} for place, row in enumerate(rows)),
        organisation_id,
    )
    for place, at, n, one, members, blocks in found:
        row = rows[place]
        row.at, row.n, row.one, row.members, row.blocks, row.is_new = at, n, one, members, blocks, False


def _work(organisation_id: int, rows: list[_Row]) -> None:
    in_blocks = list[_Row]()
    for row in rows:
        if row.blocks is None:
            numbers = row.listed()
            numbers.difference_update(row.dels)
            numbers.update(row.adds)
            if len(numbers) <= sets.MOST_LISTED:
                row.write(numbers)
                continue
            # From here on it stays in blocks, until the index is made anew.
            row.adds, row.dels = numbers, ()
            row.n, row.one, row.members = 0, None, None
        in_blocks.append(row)
    _write_blocks(organisation_id, in_blocks)
    _delete(organisation_id, [row for row in rows if not row.n and not row.is_new])
    _insert(organisation_id, [row for row in rows if row.n and row.is_new])
    _update(organisation_id, [row for row in rows if row.n and not row.is_new])


def _write_blocks(organisation_id: int, rows: list[_Row]) -> None:
    if not rows:
        return
    fresh = [row for row in rows if row.blocks is None]
    if fresh:
        [[last]] = run(
            "SELECT coalesce(max(blocks), 0) FROM catalog_factblock WHERE organisation_id = %s", organisation_id
        )
        for number, row in enumerate(fresh, last + 1):
            row.blocks = number
    touched: dict[tuple[int, int], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for row in rows:
        assert row.blocks is not None
        for which, numbers in enumerate((row.adds, row.dels)):
            for number in numbers:
                touched[row.blocks, number // sets.CHUNK][which].append(number % sets.CHUNK)
    places = sorted(touched)
    before = _blocks(organisation_id, places)
    after = {place: sets.changed_block(before.get(place, b""), *touched[place]) for place in places}
    counts: dict[int, int] = defaultdict(int)
    for place in places:
        counts[place[0]] += _count(after[place]) - _count(before.get(place, b""))
    for row in rows:
        assert row.blocks is not None
        row.n += counts[row.blocks]
    _keep_blocks(organisation_id, {place: bits for place, bits in after.items() if any(bits)})
    _drop_blocks(organisation_id, [place for place in places if not any(after[place]) and place in before])


def _count(bits: bytes) -> int:
    return int.from_bytes(bits, "little").bit_count()


def _blocks(organisation_id: int, places: list[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    found = run(
        "SELECT b.blocks, b.chunk, b.bits FROM unnest(%s::bigint[], %s::int[]) AS w (blocks, chunk)"
        " CROSS JOIN LATERAL (SELECT * FROM catalog_factblock x WHERE x.organisation_id = %s AND x.blocks = w.blocks"
        "  AND x.chunk = w.chunk OFFSET 0) b",
        [blocks for blocks, _ in places],
        [chunk for _, chunk in places],
        organisation_id,
    )
    return {(blocks, chunk): bytes(bits) for blocks, chunk, bits in found}


def _keep_blocks(organisation_id: int, kept: dict[tuple[int, int], bytes]) -> None:
    if kept:
        run(
            "INSERT INTO catalog_factblock (organisation_id, blocks, chunk, bits)"
            " SELECT %s, blocks, chunk, bits"
            " FROM unnest(%s::bigint[], %s::int[], %s::bytea[]) AS kept (blocks, chunk, bits)"
            " ON CONFLICT (organisation_id, blocks, chunk) DO UPDATE SET bits = excluded.bits",
            organisation_id,
            [blocks for blocks, _ in kept],
            [chunk for _, chunk in kept],
            list(kept.values()),
        )


def _drop_blocks(organisation_id: int, places: list[tuple[int, int]]) -> None:
    if places:
        run(
            "DELETE FROM catalog_factblock d USING"
            " (SELECT b.at FROM unnest(%s::bigint[], %s::int[]) AS w (blocks, chunk)"
            "  CROSS JOIN LATERAL (SELECT ctid AS at FROM catalog_factblock x WHERE x.organisation_id = %s"
            "   AND x.blocks = w.blocks AND x.chunk = w.chunk OFFSET 0) b) g"
            " WHERE d.organisation_id = %s AND d.ctid = g.at",
            [blocks for blocks, _ in places],
            [chunk for _, chunk in places],
            organisation_id,
            organisation_id,
        )


def _records(rows: Iterable[dict[str, Any]]) -> str:
    """Rows as one parameter. A list for each column is written down element by element: that takes twice as long."""
    return json.dumps(list(rows), ensure_ascii=False, separators=(",", ":"))


def _insert(organisation_id: int, rows: list[_Row]) -> None:
    if rows:
        run(
            "INSERT INTO catalog_fact (organisation_id, key_id, value, label, n, one, members, blocks)"
            " SELECT %s, key_id, value, label, n, one, members::int[], blocks FROM json_to_recordset(%s::json)"
            " AS w (key_id int, value text, label text, n int, one int, members text, blocks bigint)",
            organisation_id,
            _records({**row.named(), **row.held()} for row in rows),
        )


def _update(organisation_id: int, rows: list[_Row]) -> None:
    if rows:
        done = run(
            "UPDATE catalog_fact f SET n = w.n, one = w.one, members = w.members::int[], blocks = w.blocks"
            " FROM json_to_recordset(%s::json) AS w (at tid, n int, one int, members text, blocks bigint)"
            " WHERE f.organisation_id = %s AND f.ctid = w.at RETURNING 1",
            _records({"at": row.at, **row.held()} for row in rows),
            organisation_id,
        )
        _check(done, rows)


def _delete(organisation_id: int, rows: list[_Row]) -> None:
    if rows:
        done = run(
            "DELETE FROM catalog_fact f USING unnest(%s::tid[]) AS w (at)"
            " WHERE f.organisation_id = %s AND f.ctid = w.at RETURNING 1",
            [row.at for row in rows],
            organisation_id,
        )
        _check(done, rows)


def _check(done: Sequence[Any], rows: Sequence[_Row]) -> None:
    if len(done) != len(rows):
        raise RuntimeError(
            f"{len(rows) - len(done)} facts are not where they were read: somebody wrote without the lock."
        )


def note_new_words(organisation_id: int, words: Iterable[str]) -> None:
    """Words that names began to use."""
    fresh = [pair for word in words for pair in _near(word)]
    if fresh:
        run(
            "INSERT INTO catalog_near (organisation_id, part, word)"
            " SELECT %s, part, word FROM unnest(%s::text[], %s::text[]) AS fresh (part, word)",
            organisation_id,
            [part for part, _ in fresh],
            [word for _, word in fresh],
        )


def _note_words(organisation_id: int, words: list[tuple[str, _Row]]) -> None:
    """Words that names began or ceased to use: what typing errors are found by."""
    note_new_words(organisation_id, [word for word, row in words if row.is_new and row.n])
    over = [word for word, row in words if not row.is_new and not row.n]
    gone = [pair for word in over for pair in _near(word)]
    if gone:
        run(
            "DELETE FROM catalog_near d USING (SELECT n.at FROM unnest(%s::text[], %s::text[]) AS w (part, word)"
            " CROSS JOIN LATERAL (SELECT ctid AS at FROM catalog_near x WHERE x.organisation_id = %s"
            "  AND x.part = w.part AND x.word = w.word OFFSET 0) n) g WHERE d.organisation_id = %s AND d.ctid = g.at",
            [part for part, _ in gone],
            [word for _, word in gone],
            organisation_id,
            organisation_id,
        )


def _near(word: str) -> Iterator[tuple[str, str]]:
    for part in sorted(near_parts(word)):
        yield part, word
