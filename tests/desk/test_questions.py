"""How questions are recognised by their wording, and filters among words."""

from __future__ import annotations

import pytest

from portal.desk.finding.questions import read_question, shorter
from portal.desk.finding.typed import read


@pytest.mark.parametrize(
    ("line", "wish", "subject"),
    [
        ("who owns payments", "owner", "payments"),
        ("Who owns the payment gateway?", "owner", "payment gateway"),
        ("hey, who is responsible for our checkout-web", "owner", "checkout-web"),
        ("which team maintains tracking", "owner", "tracking"),
        ("whose is label-service", "owner", "label-service"),
        ("who do I ask about labels?", "owner", "labels"),
        ("owner of quote-engine", "owner", "quote-engine"),
        ("team behind checkout", "owner", "checkout"),
        ("quote-engine owner", "owner", "quote-engine"),
        ("is refund-worker down", "health", "refund-worker"),
        ("is the refund worker still running?", "health", "refund worker"),
        ("what's wrong with dunning-job", "health", "dunning-job"),
        ("status of tracking-web", "health", "tracking-web"),
        ("how is checkout doing", "health", "checkout"),
        ("what breaks if payment-db stops", "impact", "payment-db"),
        ("what happens when event-stream goes down?", "impact", "event-stream"),
        ("what depends on payment-db", "impact", "payment-db"),
        ("who uses payment-api", "impact", "payment-api"),
        ("blast radius of warehouse", "impact", "warehouse"),
        ("on call for tracking", "on-call", "tracking"),
        ("who's on-call for payments right now?", "on-call", "payments"),
        ("payments oncall", "on-call", "payments"),
        ("who leads booking", "lead", "booking"),
        ("who is in payments", "members", "payments"),
        ("what does platform own", "owned", "platform"),
        ("slack channel of booking", "chat", "booking"),
        ("how do I reach booking", "chat", "booking"),
        ("runbook for payment-gateway", "runbook", "payment-gateway"),
    ],
)
def test_common_wordings_are_understood(line: str, wish: str, subject: str) -> None:
    found = read_question(line)
    assert found is not None
    assert (found.wish, found.subject) == (wish, subject)


@pytest.mark.parametrize("line", ["", "payments", "payment gateway", "who", "owner", "launch python", "build-runner"])
def test_a_name_is_no_question(line: str) -> None:
    assert read_question(line) is None


def test_what_was_expected_is_remembered_for_the_yes_or_no() -> None:
    assert [read_question(line).expects for line in ("is a down", "is a up", "how is a")] == ["down", "up", ""]


def test_a_word_for_the_kind_may_be_left_out() -> None:
    assert shorter("payments team") == ["payments"]
    assert shorter("service tracking") == ["tracking"]
    assert shorter("tracking") == []


def test_filters_in_words_are_taken_out_and_shown() -> None:
    typed = read('  refund owner:payments  KIND:API tag:"tier 1" ')
    assert typed.asked.text == "refund"
    assert typed.asked.filters == {"owner": "payments", "kind": "api", "tag": "tier 1"}
    assert [(chip.field, chip.value) for chip in typed.chips] == [
        ("owner", "payments"), ("kind", "API"), ("tag", "tier 1")
    ]  # fmt: skip
    assert typed.chips[0].without == 'refund KIND:API tag:"tier 1"'
    assert read(typed.chips[2].without).asked.filters == {"owner": "payments", "kind": "api"}


@pytest.mark.parametrize("line", ["owner:", "http://owner:8080", "colour:red", 'tag:""', "x:owner:y"])
def test_what_is_no_filter_is_words(line: str) -> None:
    typed = read(line)
    assert typed.chips == ()
    assert typed.asked.text == line


def test_what_cannot_be_seen_is_not_looked_for() -> None:
    assert read("pay\x00ments\u202e\u200b").line == "pay ments"
    assert len(read("x" * 10_000).line) == 200
