"""The index of an organisation, told anew from its entities by plain means, to compare the tables with."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from catalog.asking.locations import annotations_of
from catalog.descriptors import relations
from catalog.descriptors.kinds import HAS_MEMBER, OWNED_BY, OWNER_OF, REVERSE, is_ownable
from catalog.index import parts, sets
from catalog.index.edges import TYPES
from catalog.models import Edge, Entity, Fact, FactBlock, FactKey, Near, Statement

OWNERS = {OWNED_BY, OWNER_OF}
Facts = dict[parts.Fact, set[int]]


def living(organisation: Any) -> list[Entity]:
    rows = Entity.objects.for_tenant(organisation).filter(removed_at=None)
    return list(rows.select_related("source", "body").order_by("num"))


def owners_told(organisation: Any) -> dict[int, tuple[str, str]]:
    """(owner, how) of everything that is there, by key: whom the newest statement names, else its document while there
    is none; with neither, the nearest owner of what it is part of. In plain words, for one entity after the other."""
    rows = living(organisation)
    by_ref = {row.ref: row for row in rows}
    newest: dict[int, Statement] = {}
    for statement in Statement.objects.for_tenant(organisation).filter(role="owner").order_by("id"):
        newest[statement.entity_id] = statement

    def named(row: Entity) -> tuple[str, str]:
        statement = newest.get(row.pk)
        if statement is None:
            return relations.owner_of(row.body.document), ""
        assert statement.until is None, "the newest statement stands"
        return statement.holder_ref, statement.how if statement.holder_ref else ""

    def stands_in(ref: str, below: frozenset[str]) -> str:
        row = by_ref.get(ref)
        if row is None or ref in below:
            return ""
        return named(row)[0] or stands_in(row.system_ref, below | {ref})

    found = {}
    for row in rows:
        owner = named(row)
        if not owner[0] and is_ownable(row.kind) and (instead := stands_in(row.system_ref, frozenset())):
            owner = (instead, "inheritance")
        found[row.pk] = owner
    return found


def edges_told(organisation: Any) -> set[tuple[str, str, str]]:
    """Both directions of every edge that the tables hold, by reference."""
    refs = {row.num: row.ref for row in living(organisation)}
    found = set()
    for edge in Edge.objects.for_tenant(organisation):
        assert edge.num in refs, "whoever is gone says nothing"
        kind = TYPES[edge.type]
        found |= {(refs[edge.num], kind, edge.target), (edge.target, REVERSE[kind], refs[edge.num])}
    return found


def facts_told(organisation: Any) -> tuple[Facts, set[str]]:
    """Every fact with the entities that have it, and the keys for which one has several values."""
    related = defaultdict(set)
    for source, kind, target in edges_told(organisation):
        related[source].add((kind, target))
    found: Facts = defaultdict(set)
    many: set[str] = set()
    owners = owners_told(organisation)
    for row in living(organisation):
        how = owners[row.pk][1]
        mine = parts.facts_of(row.body.document, annotations_of(row.source, row.path), str(row.uid), how)
        mine |= parts.relation_facts(related[row.ref])
        many |= parts.many_of(mine)
        for fact in mine:
            found[fact].add(row.num)
    return found, many


def facts_meant(organisation: Any) -> Facts:
    """Every fact as those who ask mean it: an item of a list has a key of its own, and "true" for it."""
    found: Facts = defaultdict(set)
    for (key, value, label), numbers in facts_told(organisation)[0].items():
        is_item = key == parts.ITEM
        for fact in ((parts.HAS, value, ""), (value, "true", "")) if is_item else ((key, value, label),):
            found[fact] |= numbers
    return found


def facts_kept(organisation: Any) -> Facts:
    """What the tables hold; also that each row is written as it must be."""
    keys = {row.id: row.key for row in FactKey.objects.for_tenant(organisation)}
    blocks: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
    for block in FactBlock.objects.for_tenant(organisation):
        assert any(bytes(block.bits))
        blocks[block.blocks].append((block.chunk, bytes(block.bits)))
    found: Facts = {}
    for row in Fact.objects.for_tenant(organisation):
        if row.blocks is not None:
            assert row.one is None
            assert row.members is None
            numbers = set(sets.numbers_of(sets.of_chunks(blocks.pop(row.blocks))))
        elif row.one is not None:
            assert row.members is None
            numbers = {row.one}
        else:
            assert row.members == sorted(set(row.members))
            assert 2 <= len(row.members) <= sets.MOST_LISTED
            numbers = set(row.members)
        assert row.n == len(numbers) > 0
        assert row.label.lower() == row.value or row.label == ""
        found[keys[row.key_id], row.value, row.label] = numbers
    assert not blocks, "blocks of no fact"
    return found


def check(organisation: Any) -> None:
    """Every row of the index equals what the entities say. Must run inside the tenant."""
    told, many = facts_told(organisation)
    kept = facts_kept(organisation)
    assert {fact: told[fact] ^ kept.get(fact, set()) for fact in told if told[fact] != kept.get(fact)} == {}
    assert set(kept) - set(told) == set()
    flagged = {row.key for row in FactKey.objects.for_tenant(organisation) if row.is_many}
    assert many - flagged == set(), "an order by these would lose entities"
    near = set(Near.objects.for_tenant(organisation).values_list("part", "word"))
    words = {value for key, value, _ in told if key == parts.NAMED}
    assert near == {(part, word) for word in words for part in parts.near_parts(word)}
    said = edges_told(organisation)
    rows = living(organisation)
    written = {edge for row in rows for edge in relations.of(row.body.document) if not OWNERS & {edge[1]}}
    owners = owners_told(organisation)
    for row in rows:
        assert (row.owner_ref, row.owner_how) == owners[row.pk], row.ref
        if owner := row.owner_ref:
            written |= {(row.ref, OWNED_BY, owner), (owner, OWNER_OF, row.ref)}
    refs = {row.ref for row in rows}
    assert written - said == set()
    # Who has joined a team is said of its Group beside what files say.
    extra = {edge for edge in said - written if edge[0] in refs}
    assert {edge[1] for edge in extra} <= {HAS_MEMBER, REVERSE[HAS_MEMBER]}
