"""The outbox misses nothing and tells nothing twice, in whatever order transactions commit."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from portal.accounts import audit, outbox
from portal.accounts.models import AuditEvent, OutboxCursor, OutboxEntry
from portal.accounts.tenancy import set_tenant, tenant
from tests.conftest import by

pytestmark = pytest.mark.django_db(transaction=True)


def say(world, word: str, organisation=None, person=None) -> AuditEvent:
    return audit.record(
        organisation=organisation or world.acme, actor=by(person or world.dev), verb="x.said", summary=word
    )


def read(world, consumer: str = "webhooks", **more) -> list[str]:
    told: list[str] = []
    outbox.consume(world.acme.pk, consumer, lambda events: told.extend(e.summary for e in events), **more)
    return told


def in_thread(act: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_every_event_is_told_once_in_order(committed_world):
    world = committed_world
    with tenant(world.acme):
        for word in ("one", "two", "three"):
            say(world, word)
    assert read(world, most=2) == ["one", "two"]
    assert read(world, most=2) == ["three"]
    assert read(world) == []
    assert read(world, "notifications") == ["one", "two", "three"], "each consumer has its own place"
    with tenant(world.acme):
        say(world, "four")
    assert read(world) == ["four"]


def test_an_event_that_commits_late_is_not_missed(committed_world):
    """Id 1 is taken first and committed last: a reader that goes by ids has passed it by then."""
    world = committed_world
    taken, go = threading.Event(), threading.Event()

    def slow() -> None:
        with tenant(world.acme):
            say(world, "early id, late commit")
            taken.set()
            assert go.wait(10)

    thread = in_thread(slow)
    assert taken.wait(10)
    with tenant(world.acme):
        say(world, "late id, early commit")
    assert read(world) == ["late id, early commit"]
    go.set()
    thread.join(10)
    assert read(world) == ["early id, late commit"]
    with tenant(world.acme):
        by_position = list(OutboxEntry.objects.order_by("position").values_list("event_id", flat=True))
    assert by_position == sorted(by_position, reverse=True), "the trap was real: positions run against the ids"


def test_what_a_failed_consumer_read_comes_again(committed_world):
    world = committed_world
    with tenant(world.acme):
        say(world, "one")

    def fail(events) -> None:
        with transaction.atomic():
            OutboxCursor.objects.create(organisation=world.acme, consumer="side effect")
        raise RuntimeError("the consumer broke")

    with pytest.raises(RuntimeError):
        outbox.consume(world.acme.pk, "webhooks", fail)
    with tenant(world.acme):
        assert not OutboxCursor.objects.filter(consumer="side effect").exists(), "what it wrote is gone with it"
    assert read(world) == ["one"]


def test_many_at_once_tell_each_event_once(committed_world):
    world = committed_world
    told: list[str] = []
    start = threading.Barrier(8)

    def write(number: int) -> Callable[[], None]:
        def act() -> None:
            start.wait(10)
            for turn in range(10):
                with tenant(world.acme):
                    say(world, f"{number}.{turn}")

        return act

    def consume() -> None:
        start.wait(10)
        for _ in range(15):
            outbox.consume(world.acme.pk, "webhooks", lambda events: told.extend(e.summary for e in events), most=7)

    threads = [in_thread(act) for act in (*(write(n) for n in range(4)), *[consume] * 4)]
    for thread in threads:
        thread.join(60)
    while more := read(world):
        told += more
    assert sorted(told) == sorted(f"{n}.{turn}" for n in range(4) for turn in range(10))
    with tenant(world.acme):
        positions = sorted(OutboxEntry.objects.values_list("position", flat=True))
    assert positions == list(range(1, 41)), "no gaps"


def test_a_rolled_back_action_is_never_told(committed_world):
    world = committed_world
    with transaction.atomic():
        set_tenant(world.acme)
        say(world, "never")
        transaction.set_rollback(True)
    assert read(world) == []


def test_organisations_are_told_apart(committed_world):
    world = committed_world
    with tenant(world.acme):
        say(world, "ours")
    with tenant(world.rival):
        say(world, "theirs", world.rival, world.eve)
    assert set(outbox.waiting()) == {world.acme.pk, world.rival.pk}
    assert read(world) == ["ours"]
    assert outbox.waiting() == [world.rival.pk]
    with transaction.atomic():
        set_tenant(world.acme)
        assert OutboxEntry.objects.count() == 1
