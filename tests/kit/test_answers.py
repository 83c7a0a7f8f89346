"""Asking a worker: shared, bounded, and never while a transaction is held."""

import threading
import time
import uuid

import pytest
from django.db import connection, transaction

from portal.kit import answers
from portal.kit.answers import AskFirst, Question, answer, ask, asked_outside, is_wanted, leave_answer, look, want
from portal.kit.valkey import valkey


@pytest.fixture
def question() -> Question:
    return Question("tests.nobody", 7, (str(uuid.uuid4()), ["a", 1]))


def soon(question: Question, content: bytes, seconds: float = 0.3) -> threading.Timer:
    timer = threading.Timer(seconds, answer, (question.organisation_id, question.key, content))
    timer.start()
    return timer


def test_the_same_question_has_the_same_key(question):
    assert Question(question.task, 8, question.arguments).key == question.key
    assert Question("tests.other", 7, question.arguments).key != question.key


@pytest.mark.django_db(transaction=True)
def test_an_answer_is_waited_for_and_kept(question):
    soon(question, b"one")
    assert ask(question) == b"one"
    start = time.monotonic()
    assert ask(question) == b"one"
    assert time.monotonic() - start < 0.2
    assert look(question.organisation_id, question.key) == b"one"
    assert look(question.organisation_id + 1, question.key) is None


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_inside_a_transaction(question):
    with transaction.atomic(), pytest.raises(transaction.TransactionManagementError):
        ask(question)
    assert not is_wanted(question.organisation_id, question.key)


@pytest.mark.django_db(transaction=True)
def test_a_question_in_a_transaction_is_asked_outside_of_it(question):
    goes = []

    def work() -> bytes | None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT txid_current()")
            goes.append(cursor.fetchone()[0])
            return ask(question)

    held = []

    def look_and_answer() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'")
            held.append(cursor.fetchone()[0])
        connection.close()
        answer(question.organisation_id, question.key, b"said")

    timer = threading.Timer(0.5, look_and_answer)
    timer.start()
    assert asked_outside(work) == b"said"
    assert len(set(goes)) == 2
    assert held == [0]


@pytest.mark.django_db(transaction=True)
def test_no_answer_in_time_is_none_and_asked_once(question, monkeypatch):
    monkeypatch.setattr(answers, "WAIT_SECONDS", 0.3)

    def work() -> list[bytes | None]:
        with transaction.atomic():
            return [ask(question), ask(question)]

    start = time.monotonic()
    assert asked_outside(work) == [None, None]
    assert time.monotonic() - start < 2


@pytest.mark.django_db(transaction=True)
def test_a_request_waits_for_a_few_questions_only(monkeypatch):
    monkeypatch.setattr(answers, "WAIT_SECONDS", 0.1)
    asked = []

    def work() -> None:
        with transaction.atomic():
            for number in range(10):
                try:
                    assert ask(Question("tests.nobody", 7, (str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))),))) is None
                except AskFirst:
                    asked.append(number)
                    raise

    asked_outside(work)
    assert len(asked) == answers.MOST_QUESTIONS


def test_many_who_want_the_same_send_it_once(question, monkeypatch):
    sent = []
    monkeypatch.setattr(answers.current_app, "send_task", lambda *given, **more: sent.append(given))
    for _ in range(5):
        want(question)
    assert sent == [(question.task, (7, question.key, *question.arguments))]
    assert is_wanted(7, question.key)
    assert not is_wanted(8, question.key)


def test_the_call_of_an_earlier_answer_is_not_taken_for_a_new_one(question):
    leave_answer(f"asked:7:{question.key}", b"old")
    want(question)
    assert valkey().llen(f"answer:asked:7:{question.key}") == 0
