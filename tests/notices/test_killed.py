"""kill -9 of the sender, a real process, at every point: nothing is sent twice, and nothing is lost without a word."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest
from django.utils.timezone import now

from portal.accounts import audit
from portal.accounts.actor import Actor
from portal.kit.failpoints import VARIABLE
from portal.notices import actions, destinations
from portal.notices.models import Delivery, Destination
from tests.conftest import ROOT, by, process_environment
from tests.notices.conftest import deliveries_of
from tests.notices.servers import KILL, mail_server, web_server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SENDER = (
    "import django; django.setup(); from portal.notices.sending.handing import send_due; import sys; "
    "sys.stdin.readline(); send_due(int(sys.argv[1]))"
)
# Where a sender may die, and whether the message has arrived by then. `in-hand`: the other side has all of it, and dies
# us before it answers.
POINTS = {
    "notices.claimed": False,
    "notices.connected": False,
    "notices.leaving": False,
    "in-hand": True,
    "notices.answered": True,
    "notices.settled": True,
}
# Points between the mark that it leaves and the mark that it has arrived.
OPEN = {"notices.leaving", "in-hand", "notices.answered"}


def send(world, server=None, die_at=""):
    """Runs a sender to its end, or to its death; returns how it ended."""
    office = getattr(server, "port", None)
    more = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(office), "EMAIL_USE_TLS": "no"} if office else {}
    environment = process_environment(**more, **({VARIABLE: die_at} if die_at.startswith("notices.") else {}))
    process = subprocess.Popen(
        [sys.executable, "-c", SENDER, str(world.acme.pk)],
        cwd=ROOT, env=environment, stdin=subprocess.PIPE, text=True,
    )  # fmt: skip
    if server is not None:
        server.sender = process.pid
    process.communicate("go\n", timeout=60)
    return process.returncode


def leases_end(world):
    """Time goes by: whoever died is known to be dead."""
    with world.tenant():
        Delivery.objects.exclude(due_at=None).update(due_at=now())
        Delivery.objects.exclude(lease_until=None).update(lease_until=now())
        Destination.objects.update(rests_until=now())


@pytest.mark.parametrize("point", POINTS)
def test_a_mail_is_never_sent_twice(committed_world, turn, point):
    world = committed_world
    for said in ("one", "two"):  # of a kind that the sender's process knows, too
        with world.tenant():
            audit.record(
                organisation=world.acme, actor=Actor.slipway(), verb="destination.disabled", summary=said,
                subject_label=said,
            )  # fmt: skip
    turn()
    with mail_server() as office:
        if point == "in-hand":
            office.data = [KILL]
        assert send(world, office, point) == -signal.SIGKILL
        assert len(office.taken) == int(POINTS[point])
        leases_end(world)
        assert send(world, office) == 0
        leases_end(world)
        assert send(world, office) == 0
        states = {row.state for row in deliveries_of(world)}
        if point in OPEN:
            assert states == {"unsure"}, "it is said, and it is not sent again"
            assert len(office.taken) == int(POINTS[point])
        else:
            assert states == {"sent"}
            assert len(office.taken) == 1
            assert office.taken[0]["To"] == world.ada.email
            assert office.taken[0]["Subject"] == "two (and 1 alike)"


@pytest.mark.parametrize("kind", ["slack", "webhook"])
@pytest.mark.parametrize("point", POINTS)
def test_a_post_is_never_made_twice_but_under_one_id(committed_world, boil, turn, point, kind):
    world = committed_world
    with web_server() as web:
        with world.tenant():
            actions.choose(organisation=world.acme, actor=by(world.ada), wishes={("", "mail"): "off"})
            destinations.add_destination(
                organisation=world.acme, actor=by(world.ada), kind=kind, name="there", address=web.url
            )
        boil("The kettle boils", people=[world.vic])
        turn()
        if point == "in-hand":
            web.answers = [KILL, (200, "ok", {})]
        assert send(world, web, point) == -signal.SIGKILL
        assert len(web.posts) == int(POINTS[point])
        for _ in range(2):
            leases_end(world)
            assert send(world, web) == 0
        [state] = [row.state for row in deliveries_of(world)]
        if kind == "webhook":
            assert state == "sent"
            assert len({post.headers["webhook-id"] for post in web.posts}) == 1, "who compares ids has one"
            assert len(web.posts) == (2 if point in OPEN and POINTS[point] else 1)
        elif point in OPEN:
            assert (state, len(web.posts)) == ("unsure", int(POINTS[point]))
        else:
            assert (state, len(web.posts)) == ("sent", 1)


def test_the_points_are_all_that_the_sender_has() -> None:
    texts = [file.read_text() for file in (ROOT / "portal" / "notices").rglob("*.py")]
    found = {name for text in texts for name in re.findall(r'failpoint\("([^"]+)"\)', text)}
    assert found == {point for point in POINTS if point != "in-hand"}
