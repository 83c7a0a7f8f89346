"""Who is told, once, in the portal and beyond: never who did it, alike ones together, by what was chosen."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from portal.accounts.models import AuditEvent, Membership, OutboxCursor, TeamMembership
from portal.notices import actions, consuming
from portal.notices.models import Happening, Notice
from portal.notices.telling import Telling, tell
from tests.conftest import by
from tests.notices.conftest import deliveries_of, notices_of, unread_of

pytestmark = pytest.mark.django_db(transaction=True)


def member(world, person):
    with world.tenant():
        return Membership.objects.select_related("user").get(user=person)


def choose(world, wishes, **whose):
    with world.tenant():
        actions.choose(organisation=world.acme, actor=by(world.ada), wishes=wishes, **whose)


def test_whom_it_concerns_is_told_once_with_the_reason(committed_world, boil, turn):
    world = committed_world
    boil("The kettle boils", people=[world.dev, world.vic])
    assert turn() == 1
    assert turn() == 0
    for person in (world.dev, world.vic):
        [notice] = notices_of(world, person)
        assert (notice.title, notice.why, notice.count) == ("The kettle boils", "You like tea.", 1)
        assert unread_of(world, person) == 1
    assert notices_of(world, world.mae) == []
    assert [row.membership.user for row in deliveries_of(world, channel="mail")] == [world.dev, world.vic]


def test_who_did_it_is_never_told(committed_world, boil, turn):
    world = committed_world
    boil("The kettle boils", people=[world.dev, world.vic], by=world.dev)
    turn()
    assert notices_of(world, world.dev) == []
    assert len(notices_of(world, world.vic)) == 1
    assert [row.membership.user for row in deliveries_of(world)] == [world.vic]


def test_strangers_and_those_who_left_are_not_told(committed_world, boil, turn):
    world = committed_world
    boil("The kettle boils", people=[world.eve, world.vic])
    with world.tenant():
        Membership.objects.get(user=world.vic).delete()
    turn()
    with world.tenant():
        assert not Notice.objects.exists()
    assert deliveries_of(world) == []


def test_alike_ones_become_one_with_a_count_until_it_is_read(committed_world, boil, turn):
    world = committed_world
    for number in range(7):
        boil(f"Kettle 1 boils, {number}", people=[world.vic], kettle=1)
    boil("Kettle 2 boils", people=[world.vic], kettle=2)
    turn()
    first, second = notices_of(world, world.vic)
    assert (first.count, first.title, second.count) == (7, "Kettle 1 boils, 6", 1)
    assert [line["text"] for line in first.lines][:2] == ["Kettle 1 boils, 6", "Kettle 1 boils, 5"]
    assert len(first.lines) == 7
    assert unread_of(world, world.vic) == 2
    with world.tenant():
        assert actions.mark(membership=member(world, world.vic), is_read=True, notices=[first.pk]) == 1
    assert unread_of(world, world.vic) == 1
    boil("Kettle 1 boils again", people=[world.vic], kettle=1)
    turn()
    assert [notice.count for notice in notices_of(world, world.vic)] == [7, 1, 1]
    assert unread_of(world, world.vic) == 2


def test_what_comes_after_the_window_is_a_notice_of_its_own(committed_world, boil, turn):
    world = committed_world
    boil("once", people=[world.vic], kettle=1)
    turn()
    with world.tenant():
        Notice.objects.update(at=now() - timedelta(minutes=11))
    boil("twice", people=[world.vic], kettle=1)
    turn()
    assert [notice.count for notice in notices_of(world, world.vic)] == [1, 1]


def test_what_was_before_the_upgrade_is_told_to_nobody(committed_world, boil, turn):
    world = committed_world
    event = boil("long ago", people=[world.vic])
    with connection.cursor() as cursor, world.tenant():
        cursor.execute("SELECT 1")
    old = consuming._happened(world.acme, event)
    with world.tenant():
        from dataclasses import replace

        from portal.notices.spreading import spread

        assert spread(world.acme, [replace(old, at=now() - timedelta(days=2))]) == 0
        assert spread(world.acme, [old]) > 0


def test_what_holds_is_ones_own_word_then_the_teams_then_the_organisations(committed_world, boil, turn):
    world = committed_world
    key = ("kettle", "mail")

    def mode(person):
        with world.tenant():
            from portal.notices.choosing import Choices

            who = member(world, person)
            return Choices.of(world.acme, [who.pk], [person.pk]).mode(who.pk, person.pk, "kettle", "mail")

    assert (mode(world.dev).mode, mode(world.dev).by) == ("now", "")
    choose(world, {key: "weekly"})
    assert (mode(world.dev).mode, mode(world.dev).by) == ("weekly", "organisation")
    choose(world, {key: "daily"}, team=world.payments)
    assert (mode(world.dev).mode, mode(world.dev).by) == ("daily", "Payments")
    assert mode(world.vic).mode == "weekly", "who is not in the team goes by the organisation"
    choose(world, {key: "off"}, membership=member(world, world.dev))
    assert (mode(world.dev).mode, mode(world.dev).by) == ("off", "you")
    choose(world, {key: ""}, membership=member(world, world.dev))
    choose(world, {("", "mail"): "off"}, membership=member(world, world.dev))
    assert mode(world.dev).mode == "off", "one's word about everything comes before a team's about this"
    boil("The kettle boils", people=[world.dev, world.vic])
    turn()
    assert [(row.membership.user, row.mode) for row in deliveries_of(world)] == [(world.vic, "weekly")]
    assert len(notices_of(world, world.dev)) == 1, "no mail is not no notice"
    with world.tenant():
        assert AuditEvent.objects.filter(verb="notice-preference.changed").count() == 5


def test_of_several_teams_the_foremost_wish_counts(committed_world, boil, turn):
    world = committed_world
    from portal.accounts.models import Team

    with world.tenant():
        other = Team.objects.create(organisation=world.acme, slug="tea", name="Tea", ref="group:default/tea")
        TeamMembership.objects.create(organisation=world.acme, team=other, user=world.dev)
    choose(world, {("kettle", "mail"): "off"}, team=world.payments)
    choose(world, {("kettle", "mail"): "daily"}, team=other)
    boil("The kettle boils", people=[world.dev])
    turn()
    assert [row.mode for row in deliveries_of(world)] == ["daily"]


def test_what_a_room_tells_is_told_once_however_often_it_says_so(committed_world, turn):
    world = committed_world
    thing = Telling(kind="kettle", key="k1", summary="It boils", data={"people": [world.vic.pk]})
    for _ in range(3):
        with world.tenant():
            tell(world.acme, [thing, thing])
        turn()
    assert [notice.title for notice in notices_of(world, world.vic)] == ["It boils"]
    with world.tenant():
        assert Happening.objects.get().told_at is not None


def test_two_live_processes_at_once_tell_once(committed_world, boil, turn):
    world = committed_world
    for number in range(60):
        boil(f"boils {number}", people=[world.vic, world.dev], kettle=number)
    with world.tenant():
        tell(
            world.acme,
            [Telling(kind="kettle", key=f"t{n}", summary="t", data={"people": [world.vic.pk]}) for n in range(60)],
        )
    failed: list[BaseException] = []

    def run() -> None:
        try:
            turn()
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(notices_of(world, world.vic)) == 120
    assert unread_of(world, world.vic) == 120
    assert len(notices_of(world, world.dev)) == unread_of(world, world.dev) == 60
    assert len(deliveries_of(world)) == 180


def test_what_breaks_in_between_leaves_nothing_and_comes_again(committed_world, boil, turn, monkeypatch):
    world = committed_world
    boil("The kettle boils", people=[world.vic])
    with monkeypatch.context() as patch:
        patch.setattr("portal.notices.spreading._Spreading.deliveries", lambda self: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            turn()
    assert notices_of(world, world.vic) == []
    assert unread_of(world, world.vic) == 0
    assert turn() == 1
    assert len(notices_of(world, world.vic)) == 1
    with world.tenant():
        assert OutboxCursor.objects.get(consumer="notices").position > 0


def test_a_kind_that_breaks_on_one_event_keeps_nobody_elses_notices(committed_world, boil, turn, caplog):
    world = committed_world
    boil("before", people=[world.vic], kettle=1)
    with world.tenant():
        tell(world.acme, [Telling(kind="kettle", key="bad", summary="bad", data={"people": ["nobody"]})])
        tell(world.acme, [Telling(kind="kettle", key="good", summary="good", data={"people": [world.vic.pk]})])
    boil("after", people=[world.vic], kettle=2)
    turn()
    assert [notice.title for notice in notices_of(world, world.vic)] == ["before", "after", "good"]
    assert "told:kettle:bad is not told as kettle" in caplog.text
    assert turn() == 0


def test_a_neighbour_is_told_nothing(committed_world, boil, turn):
    world = committed_world
    boil("Ours boils", people=[world.vic, world.eve])
    boil("Theirs boils", people=[world.vic, world.eve], organisation=world.rival)
    turn()
    assert [notice.title for notice in notices_of(world, world.vic)] == ["Ours boils"]
    with world.tenant(world.rival):
        assert [notice.title for notice in Notice.objects.all()] == ["Theirs boils"]
        assert [notice.membership.user for notice in Notice.objects.select_related("membership__user")] == [world.eve]


def test_two_thousand_people_cost_as_many_statements_as_two(committed_world, boil, turn):
    from portal.accounts.models import User

    world = committed_world
    for number in range(5):
        boil(f"boils {number}", people=[world.dev, world.vic], kettle=f"few {number}")
    with CaptureQueriesContext(connection) as few:
        turn()
    people = User.objects.bulk_create([User(email=f"p{n}@acme.example", name=f"P {n}") for n in range(2000)])
    with world.tenant():
        Membership.objects.bulk_create(Membership(organisation=world.acme, user=person) for person in people)
    for number in range(5):
        boil(f"boils {number}", people=people, kettle=number)
    began, cpu = time.monotonic(), time.process_time()
    with CaptureQueriesContext(connection) as many:
        turn()
    print(f"10,000 notices: {time.monotonic() - began:.2f} s, {time.process_time() - cpu:.2f} s of ours")
    print(f"statements: {len(few)} for 10 notices, {len(many)} for 10,000")
    # A thousand rows a statement, of notices and of deliveries, and each in a savepoint of its own.
    assert len(many) - len(few) <= 2 * 3 * 10
    with world.tenant():
        assert Notice.objects.count() == 10_010
        assert Membership.objects.filter(unread_notices=5).count() == 2002


def test_old_notices_go_and_are_not_counted_any_more(committed_world, boil, turn):
    world = committed_world
    boil("old", people=[world.vic], kettle=1)
    boil("new", people=[world.vic], kettle=2)
    turn()
    with world.tenant():
        Notice.objects.filter(title="old").update(at=now() - timedelta(days=91))
    assert consuming.forget() == 1
    assert [notice.title for notice in notices_of(world, world.vic)] == ["new"]
    assert unread_of(world, world.vic) == 1
