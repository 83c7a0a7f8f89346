"""Splitting what is typed and what is called, mistakes in words, and which of two things comes first."""

from __future__ import annotations

import pytest

from catalog.asking.ranking import distance, judge, nearest, rank
from catalog.asking.words import parts, run_together, typed
from catalog.impact import affected
from portal.desk.finding.typed import asked_for
from portal.kit.searching import Hit


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("payment-gateway", ("payment", "gateway")),
        ("paymentGateway", ("payment", "gateway")),
        ("PaymentGateway", ("payment", "gateway")),
        ("HTTPServer_v2.1", ("http", "server", "v2", "1")),
        ("quote.engine/v2@main", ("quote", "engine", "v2", "main")),
        ("Größe-Ärger", ("größe", "ärger")),
        ("支払い gateway", ("支払い", "gateway")),
        ("-._/", ()),
        ("", ()),
    ],
)
def test_names_are_split_the_same_way_however_they_are_written(text: str, words: tuple[str, ...]) -> None:
    assert parts(text) == words
    assert run_together(text) == "".join(words)


def test_nobody_types_a_thousand_words() -> None:
    assert typed("x b x b " + " ".join(f"w{n}" for n in range(1000))) == ("x", "b", *(f"w{n}" for n in range(10)))


def test_small_words_are_left_out_where_there_are_others() -> None:
    assert typed("the owner of a thing") == ("owner", "thing")
    assert typed("of the") == ("of", "the")
    assert typed("proof-of-delivery") == ("proof", "delivery")


@pytest.mark.parametrize(
    ("left", "right", "mistakes"),
    [
        ("payments", "payments", 0),
        ("paymnets", "payments", 1),  # two neighbours swapped
        ("gatway", "gateway", 1),
        ("gateeway", "gateway", 1),
        ("gatewai", "gateway", 1),
        ("settlment", "settlement", 1),
        ("recieveing", "receiving", 2),
        ("kitten", "sitting", 3),
        ("", "ab", 2),
        ("abcdef", "uvwxyz", 3),  # beyond two there is only "too many"
    ],
)
def test_mistakes_are_counted(left: str, right: str, mistakes: int) -> None:
    assert distance(left, right, 2) == distance(right, left, 2) == mistakes


def test_short_words_and_numbers_are_taken_as_typed() -> None:
    assert nearest("api", ["app", "apis"]) == ""
    assert nearest("gatway", ["pathway", "gateway"]) == "gateway"
    assert nearest("run2024", ["run2025"]) == ""
    assert nearest("refund", ["prefund", "refunds"]) in {"prefund", "refunds"}


def hit(name: str, *, note: str = "", kind: str = "Component", weight: float = 0.0, words: tuple[str, ...] = ()) -> Hit:
    return Hit(name, name, kind, "/", (name,), note, words=words, weight=weight)


def order(query: str, *hits: Hit) -> list[str]:
    return [row.hit.key for row in rank(asked_for(query), hits)]


def test_the_steps_from_the_whole_name_to_the_description() -> None:
    steps = [
        hit("payments"),
        hit("payments-web"),
        hit("old-payments"),
        hit("paymentshub"),
        hit("my-repayments"),
        hit("ledger", words=("payments",)),
        hit("books", note="Where payments are written down."),
    ]
    found = order("payments", *reversed(steps))
    assert found[:3] == ["payments", "payments-web", "old-payments"]
    assert found[-2:] == ["ledger", "books"]
    assert set(found) == {step.key for step in steps}


def test_weight_moves_what_matches_alike_and_nothing_further() -> None:
    assert order("pay", hit("pay-a", weight=1), hit("pay-b", weight=5)) == ["pay-b", "pay-a"]
    assert order("pay", hit("pay", weight=-12), hit("pay-b", weight=76)) == ["pay", "pay-b"]


def test_some_words_count_only_where_nothing_has_them_all() -> None:
    assert order("quote engine", hit("quote-engine"), hit("quote-cache")) == ["quote-engine"]
    assert order("quote zzz", hit("quote-engine"), hit("sorting")) == ["quote-engine"]
    assert order("zzz", hit("quote-engine")) == []


def test_it_says_what_a_mistyped_word_was_taken_for() -> None:
    row = judge(asked_for("paymnet gatway"), hit("payment-gateway"))
    assert row is not None
    assert dict(row.corrected) == {"paymnet": "payment", "gatway": "gateway"}
    exact = judge(asked_for("payment gateway"), hit("payment-gateway"))
    assert exact is not None
    assert exact.corrected == ()


EDGES = {
    ("resource:default/db", "dependencyOf", "component:default/a"),
    ("component:default/a", "providesApi", "api:default/a-api"),
    ("api:default/a-api", "apiConsumedBy", "component:default/b"),
    ("component:default/b", "dependencyOf", "component:default/c"),
    ("component:default/c", "dependencyOf", "component:default/a"),  # a circle
    ("system:default/s", "hasPart", "resource:default/db"),
}


def edges(refs, types):
    return [edge for edge in sorted(EDGES) if edge[0] in refs and edge[1] in types]


def test_what_stops_is_followed_through_apis_and_round_circles() -> None:
    found = affected("resource:default/db", edges)
    assert found.direct == ("component:default/a",)
    assert set(found.further) == {"api:default/a-api", "component:default/b", "component:default/c"}
    assert not found.is_cut
    assert affected("system:default/s", edges) == found
    assert affected("component:default/nobody", edges).direct == ()


def test_an_api_that_stops_is_missed_by_those_who_use_it() -> None:
    found = affected("api:default/a-api", edges)
    assert found.direct == ("component:default/b",)


def test_a_long_chain_is_cut_and_says_so() -> None:
    def chain(refs, types):
        return [(ref, "dependencyOf", f"component:default/n{int(ref.rpartition('n')[2]) + 1}") for ref in refs]

    found = affected("component:default/n0", chain)
    assert found.direct == ("component:default/n1",)
    assert len(found.further) == 4
    assert found.is_cut
