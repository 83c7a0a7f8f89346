"""A short question to a worker, and calls between processes, over Valkey. The one way to ask.

What a worker answers in a second or two and nobody needs afterwards (the end of a pod's
log) is no job: there is nothing to take up again after a crash and nothing to audit. The question travels as a task,
the answer is kept for a while under the organisation, and those who ask the same share it. Nobody waits for one inside
a transaction: a question that comes up in a request's transaction ends it, is asked outside, and the request starts
anew with the answer (`asked_outside`). What this process has to wait for itself, such as a child that may take its
time, goes the same way (`outside`).

A call may be lost: whoever waits looks again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from celery import current_app
from django.db import connection, transaction
from kombu.exceptions import OperationalError as QueueAway

from portal.kit import away
from portal.kit.errors import Away
from portal.kit.valkey import valkey

log = logging.getLogger(__name__)

KEPT_SECONDS = 60
# Below the client's own time-out for an answer.
LONGEST_CALL = 1.0
# The same question is not sent again within this time, however many ask it.
ASKED_AGAIN_AFTER = 3  # seconds
WAIT_SECONDS = 4.0
# More questions than this in one request go unanswered: so long may a request wait in all.
MOST_QUESTIONS = 4
# A task that no worker took by then is dropped: nobody waits any more.
WORTH_SECONDS = 60

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of `task(organisation_id, key, *arguments)`, which calls `answer`. The arguments are plain data."""

    task: str
    organisation_id: int
    arguments: tuple[Any, ...]

    @property
    def key(self) -> str:
        """The same for everybody in the organisation who asks the same."""
        text = json.dumps([self.task, self.arguments], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class AskFirst(Exception):
    """A question came up inside a transaction that `asked_outside` started: it is to be asked outside of it."""

    def __init__(self, question: Question) -> None:
        super().__init__(question.task)
        self.question = question


class DoFirst(Exception):
    """Something to wait for came up inside a transaction that `asked_outside` started: it is to be done outside."""

    def __init__(self, key: str, work: Callable[[], Any]) -> None:
        super().__init__(key)
        self.key, self.work = key, work


# What was asked outside on behalf of the request that runs now: its answers by key, None where there was none in time.
_known: ContextVar[dict[str, Any] | None] = ContextVar("known_answers", default=None)


def asked_outside(work: Callable[[], Result]) -> Result:
    """Does work that opens and ends a transaction of its own; what it has to ask of workers is asked between two goes.

    Each go starts from nothing, for the transaction before was rolled back.
    """
    known: dict[str, Any] = {}
    token = _known.set(known)
    try:
        while True:
            try:
                return work()
            except AskFirst as first:
                known[first.question.key] = _asked(first.question)
            except DoFirst as first:
                if not connection.in_atomic_block:
                    connection.close()  # back to the pool: who waits holds none
                known[first.key] = first.work()
    finally:
        _known.reset(token)


def outside(key: str, work: Callable[[], Result]) -> Result:
    """What `work` returns, done in no transaction of the request's; the same key is done once in a request.

    It waits for something of this process's own. Outside requests it is simply done.
    """
    known = _known.get()
    if known is not None and key in known:
        found: Result = known[key]
        return found
    if known is None or not connection.in_atomic_block:
        return work()
    if len(known) >= MOST_QUESTIONS:
        raise RuntimeError(f"A request that waits for {MOST_QUESTIONS} things begins anew for ever: {key}")
    raise DoFirst(key, work)


def ask(question: Question) -> bytes | None:
    """The answer; waits WAIT_SECONDS for a worker, in no transaction. None when there is none in time.

    Raises Away when the question cannot be sent.
    """
    known = _known.get()
    if known is not None and (question.key in known or len(known) >= MOST_QUESTIONS):
        told: bytes | None = known.get(question.key)
        return told
    if (kept := look(question.organisation_id, question.key)) is not None:
        return kept
    if known is not None and connection.in_atomic_block:
        raise AskFirst(question)
    return _asked(question)


def _asked(question: Question) -> bytes | None:
    if connection.in_atomic_block:
        raise transaction.TransactionManagementError("Nothing waits inside a transaction but for PostgreSQL.")
    connection.close()  # back to the pool: who waits holds none
    want(question)
    return wait_for_answer(_name(question.organisation_id, question.key), WAIT_SECONDS)


def want(question: Question) -> None:
    """Has the question answered without waiting for it; once within ASKED_AGAIN_AFTER, however many want it.

    Raises Away when the question cannot be sent.
    """
    name = _name(question.organisation_id, question.key)
    try:
        if not valkey().set(f"{name}:asked", b"1", nx=True, ex=ASKED_AGAIN_AFTER):
            return
        valkey().delete(f"answer:{name}")  # the calls of an earlier answer
        valkey().set(f"{name}:wanted", b"1", ex=WORTH_SECONDS)
        arguments = (question.organisation_id, question.key, *question.arguments)
        current_app.send_task(question.task, arguments, expires=WORTH_SECONDS, retry=False)
    except (*away.BROKER, QueueAway) as error:
        log.warning("%s is not asked: %s", question.task, error)
        raise Away("A worker cannot be asked at the moment: the message broker is away.") from error


def look(organisation_id: int, key: str) -> bytes | None:
    """The answer that is kept, if there is one; never waits for a worker. A key of another organisation finds none."""
    try:
        found = valkey().get(_name(organisation_id, key))
    except away.BROKER:
        return None
    return found if isinstance(found, bytes) else None


def is_wanted(organisation_id: int, key: str) -> bool:
    """Whether somebody asked this within the last minute."""
    try:
        return bool(valkey().exists(f"{_name(organisation_id, key)}:wanted"))
    except away.BROKER:
        return False


def answer(organisation_id: int, key: str, content: bytes, *, kept: int = KEPT_SECONDS) -> None:
    """The worker's half: keeps the answer for so many seconds and calls those who wait."""
    name = _name(organisation_id, key)
    try:
        valkey().set(name, content, ex=kept)
    except away.BROKER as error:
        log.warning("the answer for %s is lost: %s", name, error)
        return
    leave_answer(name, content)


def _name(organisation_id: int, key: str) -> str:
    return f"asked:{organisation_id}:{key}"


def leave_answer(name: str, answer: bytes = b"1") -> None:
    """Leaves an answer for those who wait under this name: each of up to 20 takes one copy."""
    try:
        pipe = valkey().pipeline(transaction=False)
        pipe.rpush(f"answer:{name}", *[answer] * 20)
        pipe.expire(f"answer:{name}", KEPT_SECONDS)
        pipe.execute()
    except away.BROKER as error:
        log.warning("the answer for %s is lost: %s", name, error)


def wait_for_answer(name: str, seconds: float) -> bytes | None:
    """The answer, or None when there was none in time."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            found = valkey().blpop([f"answer:{name}"], timeout=min(left, LONGEST_CALL))
        except away.BROKER:
            # Without a broker there is nothing to wait at: let the caller look at the row in its own time.
            time.sleep(min(left, 0.5))
            continue
        if isinstance(found, (list, tuple)) and isinstance(found[1], bytes):
            return found[1]
    return None
