"""What waits leaves the house: mail over a real SMTP server, Slack, Teams and webhooks over HTTP, by their answers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils.timezone import now

from portal.accounts.models import AuditEvent, Membership, Team
from portal.kit.posting import PostAnswer
from portal.notices import actions, destinations
from portal.notices.models import Delivery, Destination, Notice, Rhythm
from portal.notices.rhythm import PersonalRhythm
from portal.notices.sending import slack, teams, webhook
from portal.notices.sending.composing import Entry, Letter
from portal.notices.sending.handing import send_due
from portal.notices.sending.outcomes import BACK_OFF, Later, Refused, Sent, pause, retry_after
from tests.conftest import by
from tests.notices.conftest import deliveries_of
from tests.notices.servers import mail_server, web_server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def office(settings):
    with mail_server() as found:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", found.port, False
        settings.EMAIL_TIMEOUT = 3
        settings.PUBLIC_URL = "https://slipway.example"
        yield found


@pytest.fixture
def web():
    with web_server() as found:
        yield found


@pytest.fixture
def no_mail(committed_world):
    """Nobody in Acme gets mail: for tests of destinations."""
    with committed_world.tenant():
        actions.choose(
            organisation=committed_world.acme, actor=by(committed_world.ada), wishes={("kettle", "mail"): "off"}
        )


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """No worker is nudged: each test sends by itself."""
    monkeypatch.setattr(destinations, "nudge", lambda organisation_id: True)


def destined(world, web, kind="slack", **more):
    with world.tenant():
        row, secret = destinations.add_destination(
            organisation=world.acme, actor=by(world.ada), kind=kind, name=kind, address=web.url, **more
        )
    return row, secret


def again(world):
    """Time goes by: what waits, or is held by a dead sender, is due."""
    with world.tenant():
        Delivery.objects.exclude(due_at=None).update(due_at=now())
        Destination.objects.update(rests_until=None)


def states(world):
    return [row.state for row in deliveries_of(world)]


# ---- mail -----------------------------------------------------------------------------------------------------------


def test_a_mail_has_two_parts_and_says_how_to_end_it(committed_world, boil, turn, office):
    world = committed_world
    boil("The <kettle> boils & sings", people=[world.vic])
    turn()
    assert send_due(world.acme.pk) is False
    [mail] = office.taken
    assert (mail["To"], mail["Subject"]) == (world.vic.email, "The <kettle> boils & sings")
    text, html = mail.get_body(("plain",)).get_content(), mail.get_body(("html",)).get_content()
    assert "The <kettle> boils & sings" in text
    assert "The &lt;kettle&gt; boils &amp; sings" in html
    assert "https://slipway.example/o/acme/" in text
    assert "You like tea." in text
    assert "You like tea." in html
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["List-Unsubscribe"].strip().startswith("<https://slipway.example/notices/unsubscribe/")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "acme.notices.slipway.example" in mail["List-Id"]
    assert mail["Message-ID"].endswith("@slipway.example>")
    assert "<img" not in html
    assert states(world) == ["sent"]
    assert send_due(world.acme.pk) is False
    assert len(office.taken) == 1


def test_what_is_due_for_one_person_is_one_mail(committed_world, boil, turn, office):
    world = committed_world
    for number in range(8):
        boil(f"Kettle {number % 2} boils, {number}", people=[world.vic, world.dev], kettle=number % 2)
    turn()
    send_due(world.acme.pk)
    assert sorted(mail["To"] for mail in office.taken) == [world.dev.email, world.vic.email]
    text = office.taken[0].get_body(("plain",)).get_content()
    assert office.taken[0]["Subject"] == "Acme: 8 notices"
    assert text.count("(and 3 alike)") == 2
    assert states(world) == ["sent"] * 16


@pytest.mark.parametrize(("rcpt", "data"), [(["451 later"], []), ([], ["452 full"]), (["450 a", "451 b"], [])])
def test_a_server_that_says_later_is_asked_again(committed_world, boil, turn, office, rcpt, data):
    world = committed_world
    office.rcpt, office.data = rcpt, data
    boil("The kettle boils", people=[world.vic])
    turn()
    tries = len(rcpt) + len(data)
    for _ in range(tries):
        send_due(world.acme.pk)
        [row] = deliveries_of(world)
        assert (row.state, row.due_at > now()) == ("waiting", True)
        assert "The mail server said 45" in row.sentence
        again(world)
    send_due(world.acme.pk)
    assert states(world) == ["sent"]
    assert len(office.taken) == 1


def test_an_address_that_is_refused_is_given_up_and_shown(committed_world, boil, turn, office):
    world = committed_world
    office.rcpt = ["550 no such person"]
    boil("The kettle boils", people=[world.vic])
    turn()
    send_due(world.acme.pk)
    [row] = deliveries_of(world)
    assert (row.state, row.sentence) == ("dead", "The mail server said 550: no such person")
    with world.tenant():
        assert [found.pk for found in destinations.undelivered(world.acme)] == [row.pk]
        destinations.retry(organisation=world.acme, actor=by(world.ada), deliveries=[row.pk])
    send_due(world.acme.pk)
    assert states(world) == ["sent"]
    assert len(office.taken) == 1


def test_a_line_that_breaks_after_the_text_is_not_tried_again(committed_world, boil, turn, office):
    world = committed_world
    office.data = ["silence"]
    boil("The kettle boils", people=[world.vic])
    turn()
    send_due(world.acme.pk)
    again(world)
    send_due(world.acme.pk)
    assert states(world) == ["unsure"]
    assert len(office.taken) == 1
    first = office.taken[0]["Message-ID"]
    with world.tenant():
        destinations.retry(
            organisation=world.acme, actor=by(world.ada), deliveries=[row.pk for row in Delivery.objects.all()]
        )
    send_due(world.acme.pk)
    assert [mail["Message-ID"] for mail in office.taken] == [first, first], "to programs it is the same mail"


def test_a_server_that_is_away_is_tried_for_a_day_and_then_given_up(committed_world, boil, turn, office, settings):
    world = committed_world
    settings.EMAIL_PORT = 1
    boil("The kettle boils", people=[world.vic])
    turn()
    for number in range(len(BACK_OFF)):
        send_due(world.acme.pk)
        [row] = deliveries_of(world)
        planned = BACK_OFF[number]
        assert planned * 0.75 < row.due_at - now() < planned * 1.25
        again(world)
    send_due(world.acme.pk)
    [row] = deliveries_of(world)
    assert row.state == "dead"
    assert row.sentence == "The mail server does not answer. It was tried 9 times."
    assert len(row.log) == 9


def test_what_was_read_or_switched_off_meanwhile_is_not_mailed(committed_world, boil, turn, office):
    world = committed_world
    boil("read", people=[world.vic])
    boil("off", people=[world.dev])
    boil("gone", people=[world.mae])
    boil("still", people=[world.ada])
    turn()
    with world.tenant():
        vic = Membership.objects.select_related("user").get(user=world.vic)
        dev = Membership.objects.get(user=world.dev)
        assert actions.mark(membership=vic, is_read=True) == 1
        actions.choose(organisation=world.acme, actor=by(world.dev), wishes={("kettle", "mail"): "off"}, membership=dev)
        Membership.objects.get(user=world.mae).delete()
    send_due(world.acme.pk)
    assert [mail["To"] for mail in office.taken] == [world.ada.email]
    assert states(world) == ["dropped", "dropped", "sent"]


def test_a_digest_waits_for_its_hour_and_holds_what_was_not_read(committed_world, boil, turn, office):
    world = committed_world
    with world.tenant():
        vic = Membership.objects.get(user=world.vic)
        actions.choose(
            organisation=world.acme, actor=by(world.vic), wishes={("kettle", "mail"): "daily"}, membership=vic
        )
    for number in range(3):
        boil(f"boils {number}", people=[world.vic], kettle=number)
    turn()
    send_due(world.acme.pk)
    assert office.taken == []
    with world.tenant():
        actions.mark(membership=vic, is_read=True, notices=[Notice.objects.order_by("pk").first().pk])
    again(world)
    send_due(world.acme.pk)
    [mail] = office.taken
    assert mail["Subject"] == "Acme: 2 things since the last mail"
    assert states(world) == ["dropped", "sent", "sent"]


def test_quiet_hours_hold_a_mail_until_their_end(committed_world, boil, turn, office, settings):
    world = committed_world
    zone = ZoneInfo("Pacific/Auckland")
    world.vic.timezone = "Pacific/Auckland"
    world.vic.save()
    local = now().astimezone(zone)
    minute = local.hour * 60 + local.minute
    with world.tenant():
        vic = Membership.objects.get(user=world.vic)
        actions.set_hours(
            membership=vic, hour=8, quiet_from=(minute - 60) % 1440, quiet_until=(minute + 60) % 1440,
            quiet_weekend=False,
        )  # fmt: skip
    boil("The kettle boils", people=[world.vic])
    turn()
    [row] = deliveries_of(world)
    assert timedelta(minutes=55) < row.due_at - now() <= timedelta(minutes=61)
    again(world)  # somebody comes too early
    send_due(world.acme.pk)
    assert office.taken == []
    assert deliveries_of(world)[0].due_at > now()
    with world.tenant():
        Rhythm.objects.all().delete()
    again(world)
    send_due(world.acme.pk)
    assert len(office.taken) == 1


def test_a_teams_address_is_told_and_can_be_ended(committed_world, boil, turn, office):
    world = committed_world
    with world.tenant():
        Team.objects.filter(pk=world.payments.pk).update(mail="payments@acme.example")
    boil("The kettle boils", mails=["group:default/payments"])
    turn()
    send_due(world.acme.pk)
    [mail] = office.taken
    assert mail["To"] == "payments@acme.example"
    assert "How they come" not in mail.get_body(("plain",)).get_content()
    with world.tenant():
        actions.choose(
            organisation=world.acme, actor=by(world.ada), wishes={("kettle", "team-mail"): "off"}, team=world.payments
        )
    boil("again", mails=["group:default/payments"])
    turn()
    send_due(world.acme.pk)
    assert len(office.taken) == 1


def test_many_workers_send_each_mail_once(committed_world, boil, turn, office):
    world = committed_world
    for number in range(10):
        boil(f"boils {number}", people=world.members().values(), kettle=number)
    turn()
    errors: list[BaseException] = []

    def run() -> None:
        try:
            send_due(world.acme.pk)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert states(world) == ["sent"] * 40
    for person in world.members().values():
        mine = [mail for mail in office.taken if mail["To"] == person.email]
        said = [line for mail in mine for line in mail.get_body(("plain",)).get_content().splitlines()]
        assert sorted(line for line in said if line.startswith("boils")) == [f"boils {n}" for n in range(10)]


# ---- Slack, Teams, webhooks -----------------------------------------------------------------------------------------


def test_slack_gets_blocks_in_which_nothing_is_a_command(committed_world, boil, turn, web, no_mail):
    world = committed_world
    destined(world, web)
    boil("<!channel> *boils* <https://evil.example|here> & | there", teams=["group:default/payments"])
    turn()
    send_due(world.acme.pk)
    [post] = web.posts
    assert post.path == "/hook?sig=secret"
    said = json.loads(post.body)
    assert [block["type"] for block in said["blocks"]] == ["section", "context"]
    assert "&lt;!channel&gt;" in said["blocks"][0]["text"]["text"]
    for commanded in ("<!channel>", "*boils*", "<https://evil.example"):
        assert commanded not in json.dumps(said)
    assert states(world) == ["sent"]


@pytest.mark.parametrize(
    ("answer", "state", "is_on"),
    [
        ((404, "no_service", {}), "dead", False),
        ((410, "channel_is_archived", {}), "dead", False),
        ((403, "action_prohibited", {}), "dead", False),
        ((400, "invalid_blocks", {}), "dead", True),
        ((500, "rollup_error", {}), "waiting", True),
        ((429, "", {"Retry-After": "77"}), "waiting", True),
        ((200, "ok", {}), "sent", True),
    ],
)
def test_slacks_answers(committed_world, boil, turn, web, no_mail, answer, state, is_on):
    world = committed_world
    destined(world, web)
    web.answers = [answer]
    boil("boils", people=[world.vic], teams=["group:default/payments"])
    turn()
    send_due(world.acme.pk)
    [row] = deliveries_of(world)
    assert row.state == state
    with world.tenant():
        found = Destination.objects.get()
        assert found.is_on is is_on
        if not is_on:
            assert found.sentence.endswith(".")
            assert AuditEvent.objects.filter(verb="destination.disabled").count() == 1
        if answer[0] == 429:
            assert timedelta(seconds=76) <= row.due_at - now() <= timedelta(seconds=93)
            assert found.rests_until > now() + timedelta(seconds=70)
    if not is_on:
        turn()
        with world.tenant():
            told = Notice.objects.select_related("membership__user").get(kind="destination.disabled")
            assert told.membership.user == world.ada, "who may mend it hears of it"
        boil("later", people=[world.vic], teams=["group:default/payments"])
        turn()
        assert len(deliveries_of(world, channel="slack")) == 1, "nothing more is written for it"


def test_a_destination_that_asked_for_a_pause_gets_nothing_meanwhile(committed_world, boil, turn, web, no_mail):
    world = committed_world
    destined(world, web)
    web.answers = [(429, "", {"Retry-After": "60"}), (200, "ok", {})]
    boil("one", people=[world.vic])
    turn()
    send_due(world.acme.pk)
    boil("two", people=[world.vic])
    turn()
    send_due(world.acme.pk)
    assert len(web.posts) == 1
    again(world)
    send_due(world.acme.pk)
    with world.tenant():
        Destination.objects.update(rests_until=None)
    send_due(world.acme.pk)
    assert states(world) == ["sent", "sent"]


def test_slack_that_says_nothing_has_perhaps_got_it(committed_world, boil, turn, web, no_mail, monkeypatch):
    from portal.notices.sending import handing

    monkeypatch.setattr(handing, "PATIENCE", 1.0)
    world = committed_world
    destined(world, web)
    web.answers = [3]
    boil("boils", people=[world.vic])
    turn()
    send_due(world.acme.pk)
    again(world)
    send_due(world.acme.pk)
    assert states(world) == ["unsure"]
    assert len(web.posts) == 1


def test_a_webhook_that_says_nothing_is_tried_again_under_the_same_id(
    committed_world, boil, turn, web, no_mail, monkeypatch
):
    from portal.notices.sending import handing

    monkeypatch.setattr(handing, "PATIENCE", 1.0)
    world = committed_world
    destined(world, web, "webhook")
    web.answers = [3, (200, "", {})]
    boil("boils", people=[world.vic])
    turn()
    send_due(world.acme.pk)
    assert states(world) == ["waiting"]
    again(world)
    send_due(world.acme.pk)
    assert states(world) == ["sent"]
    assert len({post.headers["webhook-id"] for post in web.posts}) == 1
    assert len(web.posts) == 2


def test_a_destination_that_hangs_holds_one_worker(committed_world, boil, turn, web, no_mail, monkeypatch):
    """While one message is on its way there, the next waits, and other destinations get theirs."""
    from portal.notices.sending import handing

    monkeypatch.setattr(handing, "PATIENCE", 4.0)
    world = committed_world
    destined(world, web)
    web.answers = [2.5, (200, "ok", {})]
    boil("one", people=[world.vic])
    turn()

    def run() -> None:
        try:
            send_due(world.acme.pk)
        finally:
            connection.close()

    slow = threading.Thread(target=run)
    slow.start()
    assert web.arrived.wait(10)
    with web_server() as other:
        with world.tenant():
            destinations.add_destination(
                organisation=world.acme, actor=by(world.ada), kind="teams", name="other", address=other.url
            )
        boil("two", people=[world.vic])
        turn()
        send_due(world.acme.pk)
        assert (len(web.posts), len(other.posts)) == (1, 1), "the other has its message while this one is waited for"
        slow.join()
    assert [row.state for row in deliveries_of(world, channel="slack")] == ["unsure", "sent"]
    assert len(web.posts) == 2


def verified(post, secret):
    """As a receiver does it, by the specification of Standard Webhooks."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{post.headers['webhook-id']}.{post.headers['webhook-timestamp']}.".encode() + post.body
    wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return wanted in post.headers["webhook-signature"].split(" ")


def test_a_webhook_is_signed_and_its_secret_can_be_exchanged(committed_world, boil, turn, web, no_mail):
    world = committed_world
    row, old = destined(world, web, "webhook")
    boil("one", people=[world.vic])
    turn()
    send_due(world.acme.pk)
    assert verified(web.posts[0], old)
    with world.tenant():
        new = destinations.rotate_secret(
            organisation=world.acme, actor=by(world.ada), destination=Destination.objects.get(pk=row.pk)
        )
    boil("two", people=[world.vic])
    turn()
    send_due(world.acme.pk)
    assert verified(web.posts[1], old)
    assert verified(web.posts[1], new)
    with world.tenant():
        Destination.objects.update(before_until=now())
    boil("three", people=[world.vic])
    turn()
    send_due(world.acme.pk)
    assert not verified(web.posts[2], old)
    assert verified(web.posts[2], new)
    said = json.loads(web.posts[2].body)
    assert said["data"]["notices"][0]["title"] == "three"
    assert said["data"]["organisation"] == "acme"


def test_the_example_of_the_specification_is_signed_as_it_says():
    body = b'{"test": 2432232314}'
    headers = webhook.headers_of(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("status", "text", "refused", "outcome"),
    [
        (202, "", 0, Sent),
        (200, "", 2, Sent),
        (200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429", 0, Later),
        (429, "", 0, Later),
        (502, "", 0, Later),
        (401, "", 0, Later),
        (404, "", 1, Later),
        (404, "", 2, Refused),
        (410, "", 0, Refused),
        (413, "", 0, Refused),
    ],
)
def test_teams_answers(status, text, refused, outcome):
    found = teams.judged(PostAnswer(status, {}, text), refused)
    assert isinstance(found, outcome)
    assert getattr(found, "is_off", False) is (outcome is Refused and status != 413)


def test_teams_gets_one_card_and_three_refusals_switch_it_off(committed_world, boil, turn, web, no_mail):
    world = committed_world
    destined(world, web, "teams")
    boil("[click](https://evil.example) *boils*", people=[world.vic])
    turn()
    web.answers = [(202, "", {})]
    send_due(world.acme.pk)
    said = json.loads(web.posts[0].body)
    [attachment] = said["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["content"]["version"] == "1.4"
    assert "](https://evil.example)" not in json.dumps(said)
    web.answers = [(401, "", {})]
    boil("more", people=[world.vic])
    turn()
    for _ in range(3):
        again(world)
        send_due(world.acme.pk)
    with world.tenant():
        found = Destination.objects.get()
    assert not found.is_on
    assert "owner has left" in found.sentence
    assert states(world) == ["sent", "dead"]


def test_a_destination_hears_what_is_about_its_team_and_of_its_kinds(committed_world, boil, turn, web, no_mail):
    world = committed_world
    with world.tenant():
        below = Team.objects.create(
            organisation=world.acme, slug="cards", name="Cards", ref="group:default/cards", parent=world.payments
        )
        other = Team.objects.create(organisation=world.acme, slug="tea", name="Tea", ref="group:default/tea")
    row, _ = destined(world, web, team=world.payments)
    for name, ref in (("own", world.payments.ref), ("below", below.ref), ("other", other.ref)):
        boil(name, teams=[ref])
    turn()
    assert [one.title for one in deliveries_of(world, channel="slack")] == ["own", "below"]
    with world.tenant():
        Destination.objects.update(kinds=["member.joined"], team=None)
    boil("not this kind", teams=[world.payments.ref])
    turn()
    assert len(deliveries_of(world, channel="slack")) == 2
    del row


def test_private_addresses_are_closed_to_destinations(committed_world, boil, turn, web, no_mail, settings):
    world = committed_world
    settings.ALLOWED_NETWORKS = []
    destined(world, web)
    boil("boils", people=[world.vic])
    turn()
    send_due(world.acme.pk)
    assert web.posts == []
    [row] = deliveries_of(world)
    assert row.state == "waiting"
    assert "private network" in row.sentence


def test_an_address_that_does_not_open_any_more_says_so(committed_world, boil, turn, web, no_mail, settings):
    import base64 as b64

    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    world = committed_world
    destined(world, web)
    settings.CLUSTER_PRIVATE_KEY = b64.b64encode(X25519PrivateKey.generate().private_bytes_raw()).decode()
    boil("boils", people=[world.vic])
    turn()
    send_due(world.acme.pk)
    with world.tenant():
        found = Destination.objects.get()
    assert (found.is_on, "Enter it again." in found.sentence) == (False, True)
    settings.CLUSTER_PRIVATE_KEY = ""


def test_a_process_without_the_key_leaves_a_destination_alone(committed_world, boil, turn, web, no_mail, settings):
    world = committed_world
    destined(world, web)
    settings.CLUSTER_PRIVATE_KEY = ""
    boil("boils", people=[world.vic])
    turn()
    send_due(world.acme.pk)
    with world.tenant():
        assert Destination.objects.get().is_on
    assert states(world) == ["waiting"]


def test_addresses_and_secrets_stand_nowhere_in_the_open(committed_world, web):
    world = committed_world
    row, secret = destined(world, web, "webhook")
    with connection.cursor() as cursor, world.tenant():
        for table in ("notices_destination", "accounts_auditevent"):
            cursor.execute(f"SELECT string_agg(t::text, ' ') FROM {table} t")
            told = cursor.fetchone()[0]
            assert "sig=secret" not in told
            assert secret not in told
            assert row.host in told


def test_a_test_message_goes_out_and_says_that_it_is_one(committed_world, web):
    world = committed_world
    row, _ = destined(world, web)
    with world.tenant():
        destinations.send_test(organisation=world.acme, actor=by(world.ada), destination=row)
    send_due(world.acme.pk)
    assert "A test from Acme on Slipway" in web.posts[0].body.decode()


def test_the_largest_messages_keep_within_the_limits():
    lines = [(f"line {'ü' * 300} {n}", f"https://slipway.example/o/acme/{n}") for n in range(20)]
    entry = Entry("k", "Kind", "t" * 300, "x" * 1000, "https://slipway.example/o/acme/", "", 500, lines)
    letter = Letter("Acme", "subject " * 20, [entry] * 100, "https://slipway.example/o/acme/notices/", "s")
    said = slack.message_of(letter)
    assert len(said["blocks"]) <= 50
    assert len(json.dumps(said, ensure_ascii=False).encode()) <= 10_500
    assert all(len(block.get("text", {}).get("text", "")) <= 3000 for block in said["blocks"])
    assert "more" in said["blocks"][-1]["text"]["text"]
    assert len(json.dumps(teams.message_of(letter), ensure_ascii=False).encode()) < 28_000


# ---- rules ----------------------------------------------------------------------------------------------------------


def test_pauses_grow_are_spread_and_keep_to_what_was_asked_for():
    assert pause(len(BACK_OFF) + 1) is None
    firsts = {pause(1) for _ in range(20)}
    assert len(firsts) > 1
    assert all(timedelta(seconds=8) <= one <= timedelta(seconds=12) for one in firsts)
    assert all(pause(3, timedelta(seconds=50)) >= timedelta(seconds=50) for _ in range(20))
    assert pause(1, timedelta(days=30)) == timedelta(days=1)


@pytest.mark.parametrize(
    ("said", "seconds"), [("7", 7), ("0", 0), ("", None), ("soon", None), ("-3", None), ("9" * 8, 86400)]
)
def test_retry_after(said, seconds):
    found = retry_after({"retry-after": said})
    assert (found.total_seconds() if found is not None else None) == seconds


def test_retry_after_as_a_date():
    from email.utils import format_datetime

    found = retry_after({"retry-after": format_datetime(now() + timedelta(minutes=5))})
    assert timedelta(minutes=4) < found <= timedelta(minutes=5)
    assert retry_after({"retry-after": "Fri, 01 Jan 2021 00:00:00 GMT"}) == timedelta()


def at(zone, text):
    from datetime import datetime

    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("rhythm", "mode", "when", "due"),
    [
        ({}, "now", "2026-11-27T12:00", "2026-11-27T12:00"),
        ({}, "daily", "2026-11-27T07:59", "2026-11-27T08:00"),
        ({}, "daily", "2026-11-27T08:01", "2026-11-28T08:00"),
        ({}, "weekly", "2026-11-27T12:00", "2026-11-30T08:00"),
        ({}, "weekly", "2026-11-30T08:00", "2026-11-30T08:00"),
        ({"quiet": (22 * 60, 7 * 60)}, "now", "2026-11-27T23:30", "2026-11-28T07:00"),
        ({"quiet": (22 * 60, 7 * 60)}, "now", "2026-11-27T06:59", "2026-11-27T07:00"),
        ({"quiet": (22 * 60, 7 * 60)}, "now", "2026-11-27T07:00", "2026-11-27T07:00"),
        ({"quiet": (12 * 60, 13 * 60)}, "now", "2026-11-27T12:30", "2026-11-27T13:00"),
        ({"quiet": (22 * 60, 9 * 60)}, "daily", "2026-11-27T12:00", "2026-11-28T09:00"),
        ({"quiet_weekend": True}, "now", "2026-11-28T12:00", "2026-11-30T00:00"),
        ({"quiet": (22 * 60, 7 * 60), "quiet_weekend": True}, "now", "2026-11-27T23:00", "2026-11-30T07:00"),
        ({"quiet_weekend": True}, "daily", "2026-11-27T12:00", "2026-11-30T00:00"),
        # Clocks go forward on 29 March 2026 and back on 25 October in Berlin.
        ({}, "daily", "2026-03-28T12:00", "2026-03-29T08:00"),
        ({}, "daily", "2026-10-24T12:00", "2026-10-25T08:00"),
        ({"quiet": (60, 150)}, "now", "2026-03-29T01:30", "2026-03-29T03:30"),
    ],
)
def test_when_something_goes_out(rhythm, mode, when, due):
    found = PersonalRhythm(zone=ZoneInfo("Europe/Berlin"), **rhythm).due(mode, at("Europe/Berlin", when))
    assert found.astimezone(ZoneInfo("Europe/Berlin")).strftime("%Y-%m-%dT%H:%M") == due
