"""What the index answers is what plain evaluation answers: any filter, any order, every page, every count."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection

from catalog.api_query import Listing, entities_page, from_cursor, window
from catalog.asking.filters import All, Either, Exists, In, Node, Not, Prefix, matches
from catalog.index import finding, keyed, ordering, pages, reading, sets, several, writing
from catalog.index.ordering import Order, needed, page
from catalog.index.parts import ABOUT, NAMED, near_parts
from catalog.index.reading import FactTerm, IndexQuestion, find
from catalog.models import Body
from tests.catalog.rows import entity_row
from tests.catalog.whole_index import facts_meant, living

KEYS = [
    "kind", "spec.type", "spec.lifecycle", "spec.owner", "metadata.name", "metadata.tags", "metadata.annotations.only",
    "metadata.title", "relations.ownedby", "relations.dependson", "relations.dependencyof", "nothing", "metadata.uid",
    "metadata.tags.java", "spec.flags.fast",
]  # fmt: skip


def entities(organisation: Any, count: int, seed: int) -> list[Any]:
    """Entities that differ in every way that a filter can see; some values differ by their case alone."""
    picks = random.Random(seed)
    rows = []
    for number in range(count):
        name = f"{picks.choice(['pay', 'Pay', 'quote', 'sort'])}-{picks.choice('abc')}{number}"
        row = entity_row(organisation, name, sort_name=f"{picks.choice('aabbc')}{number % 7}")
        document = row.body.document
        document["spec"] = {
            "type": picks.choice(["service", "Service", "website", "job"]),
            "lifecycle": picks.choice(["production", "experimental"]),
            "owner": f"team-{picks.randrange(max(2, count // 40))}",
            "dependsOn": [f"component:x{picks.randrange(9)}" for _ in range(picks.randrange(3))],
        }
        # A key of its own here, that of an item there, and both.
        if picks.random() < 0.3:
            document["spec"]["flags"] = picks.choice([["fast"], {"fast": True}, {"fast": picks.choice("abc")}])
            document["spec"]["flags.fast"] = picks.choice(["true", "TRUE", "d"])
        if picks.random() < 0.3:
            document["metadata"]["tags"] = picks.sample(["java", "Go", "pci", "web"], picks.randrange(1, 4))
        if picks.random() < 0.4:
            document["metadata"]["annotations"] = {"only": f"v{picks.randrange(10**6)}"}
        if picks.random() < 0.2:
            document["metadata"]["title"] = "A title"
        row.body = Body.of(organisation.pk, document, "")
        rows.append(row)
    return rows


@pytest.fixture(params=[False, True], ids=["sorted", "walked"])
def catalog(world, request, monkeypatch):
    """A catalog whose sets are listed and sorted, or kept in blocks and walked as they are in a large one."""
    if request.param:
        monkeypatch.setattr(pages, "FEW", 3)
        monkeypatch.setattr(pages, "PASSED", 1000)
        monkeypatch.setattr(pages, "FEW_READ", 0)
        monkeypatch.setattr(keyed, "MOST_READ", 0)
        monkeypatch.setattr(several, "LARGE", 5)
        monkeypatch.setattr(keyed, "MOST_RUNS", 2)
        monkeypatch.setattr(sets, "MOST_LISTED", 40)
    with world.tenant():
        rows = entities(world.acme, 300, 7)
        writing.put(world.acme.pk, rows)
        writing.bury(world.acme.pk, [row.pk for row in rows[::11]], "gone")
        yield world


@dataclass
class Told:
    """The catalog by plain means: facts by entity, as `filters.matches` takes them, and entities by fact."""

    facts: dict[tuple[str, str, str], set[int]]
    rows: dict[int, Any]
    known: dict[int, set[str]]


def told(organisation: Any) -> Told:
    rows = {row.num: row for row in living(organisation)}
    facts = facts_meant(organisation)
    known: dict[int, set[str]] = {number: set() for number in rows}
    for (key, value, _), numbers in facts.items():
        for number in numbers:
            known[number].add(value if key == "=has" else f"{key}={value}")
    return Told(facts, rows, known)


def values_of(known: dict[int, set[str]]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for facts in known.values():
        for fact in facts:
            key, equals, value = fact.partition("=")
            if key and equals:
                found.setdefault(key, set()).add(value)
    return {key: sorted(each) for key, each in found.items()}


def any_filter(picks: random.Random, values: dict[str, list[str]], depth: int = 0) -> Node:
    shape = picks.randrange(7 if depth < 3 else 3)
    key = picks.choice(KEYS)
    some = [*values.get(key, []), "none"]
    if shape == 0:
        return Exists(key)
    if shape == 1:
        return In(key, tuple(picks.choices(some, k=picks.randrange(4))))
    if shape == 2:
        return Prefix(key, picks.choice(some)[: picks.randrange(5)])
    if shape == 3:
        return Not(any_filter(picks, values, depth + 1))
    parts = tuple(any_filter(picks, values, depth + 1) for _ in range(picks.randrange(4)))
    return All(parts) if shape % 2 else Either(parts)


def rows_of(one: ordering.Page) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT num, value, label FROM ({one.sql}) p ORDER BY place", one.parameters)
        return cursor.fetchall()


def test_random_filters_mean_what_plain_evaluation_says_and_facets_count_under_them(catalog):
    picks, plain = random.Random(3), told(catalog.acme)
    values, seen = values_of(plain.known), Counter()
    for turn in range(60):
        node = All(()) if turn == 0 else any_filter(picks, values)
        expected = {number for number, each in plain.known.items() if matches(node, each)}
        question = IndexQuestion(catalog.acme)
        wanted, counted = question.filter(node), {key: question.values(key) for key in KEYS[turn % 2 :: 2]}
        question.ask()
        assert set(sets.numbers_of(wanted.bits)) == expected, node
        assert find(catalog.acme, node).total == len(expected)
        seen[bool(expected), len(expected) == len(plain.known)] += 1
        for key, facet in counted.items():
            some = {
                label or value: len(who & expected)
                for (k, value, label), who in plain.facts.items()
                if k == key and who & expected
            }
            assert dict(facet.count(wanted.bits)) == some, "values count in the case that was written"
            assert turn > 0 or dict(facet.count(None)) == some
        if turn == 0:
            bare = {key: question.values(key, is_bare=True) for key in KEYS}
            question.ask()
            each = {key: {label or value: len(who) for (k, value, label), who in plain.facts.items() if k == key}
                    for key in KEYS}  # fmt: skip
            assert {key: dict(facet.count(None)) for key, facet in bare.items()} == each
    assert len(seen) == 3, "some filters hold for nobody, some for all, most for a part"


ORDERED_BY = (
    "kind", "spec.type", "metadata.name", "metadata.annotations.only", "metadata.tags", "relations.dependson",
    "spec.owner", "metadata.title", "nothing", "metadata.tags.java", "spec.flags.fast",
)  # fmt: skip
ORDERS = [
    Order(), Order("ref"), Order("ref", is_descending=True),
    *(Order("key", key, down) for key in ORDERED_BY for down in (False, True)),
]  # fmt: skip


def in_order(plain: Told, order: Order, expected: set[int]) -> list[int]:
    if order.by != "key":
        column = "sort_name" if order.by == "name" else "ref"
        return sorted(expected, key=lambda each: (getattr(plain.rows[each], column), each), reverse=order.is_descending)
    # Of several values an entity stands at the one that the order comes to first.
    first, chosen = dict[int, tuple[str, str]](), max if order.is_descending else min
    for (key, value, label), who in plain.facts.items():
        if key == order.key:
            for number in who & expected:
                first[number] = chosen(first.get(number, (value, label)), (value, label))
    having = sorted(first, key=lambda each: (*first[each], each), reverse=order.is_descending)
    return having + sorted(expected - set(first))


class Asked:
    """One filter in one order, a page at a time."""

    def __init__(self, world: Any, node: Node, order: Order, size: int) -> None:
        question = IndexQuestion(world.acme)
        wanted, known = question.filter(node), needed(question, order)
        question.ask()
        self.found = reading.FoundSet(world.acme.pk, wanted.bits, question.live)
        self.order, self.size, self.known = order, size, known

    def page(self, place: Any = None, **more: Any) -> tuple[list[Any], bool]:
        asked = page(self.found, self.order, size=self.size, place=place, known=self.known, **more)
        return asked.cut(rows_of(asked))

    def all(self) -> list[list[Any]]:
        """All pages forwards; the same from the last one back, and by counting."""
        there, more, place = list[list[Any]](), True, None
        while more:
            rows, more = self.page(place)
            if not rows:
                break
            there.append(rows)
            place = place_of(rows[-1])
        back, more = list[list[Any]](), len(there) > 1
        place = place_of(there[-1][0]) if there else None
        while more:
            rows, more = self.page(place, is_backwards=True)
            back.insert(0, rows)
            place = place_of(rows[0])
        assert back == (there[:-1] if len(there) > 1 else [])
        for which in {1, len(there) - 1} & set(range(1, len(there))):
            assert self.page(offset=which * self.size)[0] == there[which]
        return there


def place_of(row: Any) -> Any:
    return row[1], row[2], row[0]


def test_every_page_of_every_order_forwards_and_back(catalog):
    plain = told(catalog.acme)
    size = 53
    nodes = (
        All(()), In("spec.type", ("service",)), Not(Exists("metadata.annotations.only")), In("kind", ("none",)),
        In("spec.owner", ("team-1", "team-2")),
    )  # fmt: skip
    for node in nodes:
        expected = {number for number, each in plain.known.items() if matches(node, each)}
        for order in ORDERS:
            shown = [row[0] for rows in Asked(catalog, node, order, size).all() for row in rows]
            assert shown == in_order(plain, order, expected), order


def in_orders(plain: Told, orders: list[Order], expected: set[int]) -> list[int]:
    """By the first, among equals by the next; by number in the end. Values in two spellings are equal."""
    shown = sorted(expected)
    for order in reversed(orders):
        first, chosen = dict[int, str](), max if order.is_descending else min
        for (key, value, _), who in plain.facts.items():
            if key == order.key:
                for number in who & expected:
                    first[number] = chosen(first.get(number, value), value)
        having = sorted((each for each in shown if each in first), key=first.__getitem__, reverse=order.is_descending)
        shown = having + [each for each in shown if each not in first]
    return shown


def test_several_orders_one_after_the_other_anywhere_and_in_few_statements(catalog, django_assert_max_num_queries):
    picks, plain = random.Random(11), told(catalog.acme)
    values = values_of(plain.known)
    for _ in range(40):
        node = All(()) if picks.random() < 0.5 else any_filter(picks, values)
        orders = [Order("key", key, picks.random() < 0.5) for key in picks.sample(ORDERED_BY, picks.choice([2, 2, 3]))]
        expected = in_orders(plain, orders, {n for n, each in plain.known.items() if matches(node, each)})
        size = picks.choice([3, 20, 90])
        offset = picks.choice([0, 0, picks.randrange(len(expected) + 2)])
        with django_assert_max_num_queries(4):
            one = window(catalog.acme, node, orders, size=size, offset=offset)
            shown, is_more = one.cut(rows_of(one))
        assert [row[0] for row in shown] == expected[offset : offset + size], (node, orders, size, offset)
        assert is_more == (len(expected) > offset + size)


TEXTS = ("pay", "a1", "ort-b", "-", "title", "ser", "p", "none-such")
FIELDS = (["metadata.name"], ["metadata.name", "spec.type"], ["spec.type"], [])


def with_text(plain: Told, term: str, fields: list[str]) -> set[int]:
    return {number for (key, value, _), who in plain.facts.items() if key in fields and term in value for number in who}


def test_any_question_of_the_api_is_answered_in_few_statements(catalog, django_assert_max_num_queries):
    """Beside them an answer takes the one that says who asks."""
    picks, plain = random.Random(5), told(catalog.acme)
    values = values_of(plain.known)
    for _ in range(50):
        node = All(()) if picks.random() < 0.4 else any_filter(picks, values)
        order = Order("key", picks.choice(ORDERED_BY), picks.random() < 0.5) if picks.random() < 0.7 else Order("ref")
        term, fields = (picks.choice(TEXTS), picks.choice(FIELDS)) if picks.random() < 0.6 else ("", [])
        listing = Listing(order=order.key, is_descending=order.is_descending, term=term, term_fields=fields)
        expected = {number for number, each in plain.known.items() if matches(node, each)}
        if order.key:
            expected = {number for number in expected if order.key in plain.known[number]}
        if term:
            expected &= with_text(plain, term, fields or [order.key or "metadata.name"])
        shown, offset = in_order(plain, order, expected), picks.choice([0, 0, picks.randrange(len(expected) + 2)])
        with django_assert_max_num_queries(4):
            one = entities_page(catalog.acme, node, listing, size=7, offset=offset)
        assert [row.num for row in one.rows] == shown[offset : offset + 7], (node, listing, offset)
        assert one.total == len(expected) or not one.rows
        if one.after:
            with django_assert_max_num_queries(4):
                then = entities_page(catalog.acme, node, from_cursor(one.after), size=7, offset=0)
            assert [row.num for row in then.rows] == shown[offset + 7 : offset + 14], (node, listing, offset)
            with django_assert_max_num_queries(4):
                back = entities_page(catalog.acme, node, from_cursor(then.before), size=7, offset=0)
            assert [row.num for row in back.rows] == [row.num for row in one.rows]


def test_a_place_that_is_gone_still_parts_the_order(catalog):
    asked = Asked(catalog, Exists("metadata.tags"), Order("key", "metadata.tags"), 10**4)
    behind, _ = asked.page(("h", "", 5))
    before, _ = asked.page(("h", "", 5), is_backwards=True)
    assert {row[1] for row in behind} == {"java", "pci", "web"}
    assert {row[1] for row in before} == {"go"}
    assert len(behind) + len(before) == asked.found.total


def test_words_find_and_errors_of_typing_are_forgiven(world):
    with world.tenant():
        rows = [
            entity_row(world.acme, name) for name in ("payment-gateway", "paymentGateway2", "dunning-job", "refunds")
        ]
        document = rows[2].body.document
        document["metadata"]["description"] = "Reminds people of payments that are late."
        rows[2].body = Body.of(world.acme.pk, document, "")
        writing.put(world.acme.pk, rows)
        names = {row.num: row.name for row in rows}

        def by(node: Any) -> set[str]:
            return {names[number] for number in find(world.acme, node).numbers()}

        assert by(finding.text_node("pay gate")) == {"payment-gateway", "paymentGateway2"}
        assert by(finding.text_node("paym")) == {"payment-gateway", "paymentGateway2", "dunning-job"}
        assert by(finding.text_node('"payments"')) == {"dunning-job"}
        assert by(finding.text_node("payment -gateway2")) == {"payment-gateway"}
        assert by(finding.text_node("refunds or late")) == {"refunds", "dunning-job"}
        assert by(finding.text_node("%")) == by(FactTerm(NAMED, "gatewa")) == set()
        assert by(FactTerm(ABOUT, "lat", True)) == {"dunning-job"}
        found = finding.candidates(world.acme, ("dunningjob",), "dunningjob", most=9)
        assert [names[each] for each in found] == ["dunning-job"]
        found = finding.candidates(world.acme, ("dunning", "job"), "dunning job", most=9)
        assert [names[each] for each in found] == ["dunning-job"]
        found = finding.candidates(world.acme, ("payment",), "payment", most=9)
        assert [names[each] for each in found][-1] == "dunning-job"
        assert finding.near(world.acme, ["gatway", "paymnet", "dunnung", "xyzzy"]) == {
            "gatway": ["gateway"], "paymnet": ["payment"], "dunnung": ["dunning"],
        }  # fmt: skip
    assert near_parts("v2") == near_parts("abc") == set()
