"""Cards that show what an address answers: asked by workers, kept, shown at once; what no host can do to us."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog import actions, fetched
from catalog.configured import CardSaid, add_card, change_card, seal_header
from catalog.models import CardAnswer, ConfiguredCard, Entity
from catalog.topics import admit_to_card
from portal.accounts.access import Access, enter
from portal.accounts.actor import Way
from portal.accounts.models import AuditEvent
from portal.accounts.stream import render_topic
from portal.jobs.models import Job
from portal.kit import outbound
from portal.kit.errors import Forbidden, Invalid, NotFound
from tests.catalog.test_pages import BASE, page
from tests.conftest import by

SCALE = f"{BASE}component/default/scale/"
TEXT = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: scale, annotations: {grafana/id: "a b/c"}}
spec: {type: service, lifecycle: production, owner: payments}
"""
TEMPLATE = "**${{ answer.alerts | length }} alerts** for ${{ entity.name }}"


class Host:
    """A web server that answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] = says({"alerts": [1, 2]})
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.asked.append((self.path, dict(self.headers)))
                with contextlib.suppress(ConnectionError):
                    host.answer(self)

            def log_message(self, *_: object) -> None:
                """Tests are quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


def says(data: object = None, *, body: bytes | None = None, kind: str = "application/json", status: int = 200, **more):
    content = json.dumps(data).encode() if body is None else body

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(content)))
        for name, value in more.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


@pytest.fixture
def host(settings) -> Iterator[Host]:
    settings.ALLOWED_NETWORKS = ["127.0.0.1/32"]
    host = Host()
    yield host
    host.server.shutdown()
    host.server.server_close()


@pytest.fixture
def scale(world) -> Entity:
    with world.tenant():
        return actions.write_entity(organisation=world.acme, actor=by(world.dev), text=TEXT)


def make(world, host: Host, **more) -> ConfiguredCard:
    said = {"title": "Alerts", "address": f"{host.url}/{{name}}?id={{annotation:grafana/id}}", "template": TEMPLATE}
    with world.tenant():
        return add_card(
            organisation=world.acme, actor=by(world.ada), said=CardSaid(**{**said, "shows": "json", **more})
        )


@pytest.fixture
def asked(world, do_jobs) -> Callable[..., None]:
    """What the page does by itself, and a worker's turn."""

    def ask(client, **data: object) -> None:
        assert client.post(f"{SCALE}cards/", data, headers={"HX-Request": "true"}).status_code == 204
        do_jobs(world.acme)

    return ask


def kept(world) -> CardAnswer:
    with world.tenant():
        return CardAnswer.objects.get()


def test_a_page_shows_what_is_kept_and_asks_for_the_rest(world, client_for, host, scale, asked):
    make(world, host)
    vic = client_for(world.vic)
    html = page(vic, SCALE)
    assert "Not asked yet" in html
    assert f'hx-post="{SCALE}cards/" hx-swap="none" hx-trigger="load, every 300s"' in html
    assert host.asked == [], "a page asks nobody"
    asked(vic)
    assert [path for path, _ in host.asked] == ["/scale?id=a%20b%2Fc"]
    html = page(vic, SCALE)
    assert "<strong>2 alerts</strong> for scale" in html
    assert 'hx-trigger="every 300s"' in html
    asked(vic)
    assert len(host.asked) == 1, "it is not old yet"


def test_reading_a_page_writes_nothing_and_costs_no_statement_more(world, client_for, host, scale, asked):
    vic = client_for(world.vic)
    page(vic, SCALE)
    with CaptureQueriesContext(connection) as without:
        page(vic, SCALE)
    make(world, host)
    asked(vic)
    with CaptureQueriesContext(connection) as captured:
        page(vic, SCALE)
    assert len(captured) == len(without)
    assert not [query["sql"] for query in captured if query["sql"].split()[0] in ("INSERT", "UPDATE", "DELETE")]


def test_what_is_old_is_asked_again_and_stays_until_there_is_something_newer(world, client_for, host, scale, asked):
    make(world, host)
    vic = client_for(world.vic)
    asked(vic)
    first = kept(world)
    with world.tenant():
        CardAnswer.objects.update(tried_at=timezone.now() - timedelta(seconds=301))
    host.answer = says(status=503, data={})
    html = page(vic, SCALE)
    assert 'hx-trigger="load, every 300s"' in html
    asked(vic)
    now = kept(world)
    assert (now.text, now.as_of) == (first.text, first.as_of)
    assert now.error == "127.0.0.1 answered 503 for /scale?id=a%20b%2Fc."
    html = page(vic, SCALE)
    assert "2 alerts" in html
    assert "answered 503" in html
    with world.tenant():
        CardAnswer.objects.update(tried_at=timezone.now() - timedelta(seconds=301))
    host.answer = says({"alerts": []})
    asked(vic)
    assert (kept(world).text, kept(world).error) == ("**0 alerts** for scale", "")


def test_the_button_asks_one_card_now_without_scripts_too(do_jobs, world, client_for, host, scale, asked):
    card = make(world, host)
    vic = client_for(world.vic)
    asked(vic)
    with world.tenant():
        CardAnswer.objects.update(tried_at=timezone.now() - timedelta(seconds=11))
    answer = vic.post(f"{SCALE}cards/", {"card": card.pk})
    assert (answer.status_code, answer["Location"]) == (302, SCALE)
    do_jobs(world.acme)
    assert len(host.asked) == 2
    asked(vic, card=card.pk)
    assert len(host.asked) == 2, "not one answer after another"


def test_the_live_topic_says_what_the_page_says(world, client_for, host, scale, asked):
    card = make(world, host)
    asked(client_for(world.vic))
    key = f"card:{card.pk}-{scale.pk}"
    assert f'data-live="{key}"' in page(client_for(world.vic), SCALE)
    assert "<strong>2 alerts</strong>" in str(render_topic(world.acme.pk, key))
    for other in ("card:x", f"card:{card.pk}", "card:99-1", f"card:{'9' * 40}-1"):
        assert render_topic(world.acme.pk, other) is None


HUGE = b'{"a": "' + b"x" * (300 * 1024) + b'"}'
BAD = {
    "huge": (says(body=HUGE), "larger than 256 KiB"),
    "a web page": (says(body=b"<html>Sign in</html>", kind="text/html"), "answered with a web page, not JSON"),
    "no JSON": (says(body=b"hello"), "The answer of 127.0.0.1 cannot be used. This is not valid JSON"),
    "not UTF-8": (says(body=b'{"a": "\xff"}'), "not text in UTF-8"),
    "half a character": (says(body=b'{"alerts": "\\ud800"}'), "U+D800"),
    "nested": (says(body=b"[" * 5000 + b"]" * 5000), "nested more than 64 levels"),
    "not a number": (says(body=b'{"alerts": NaN}'), "NaN is not a number"),
    "a redirect to loopback": (
        says(body=b"", status=302, Location="http://127.0.0.1:6379/"),
        "sends readers elsewhere (302)",
    ),
    "another shape": (says([1]), "has no “alerts”"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_answer_that_cannot_be_used_is_a_sentence_on_the_card(world, client_for, host, scale, name, asked):
    make(world, host)
    host.answer, words = BAD[name]
    vic = client_for(world.vic)
    asked(vic)
    found = kept(world)
    assert words in found.error
    assert (found.text, found.as_of) == ("", None)
    assert len(host.asked) == 1
    assert page(vic, SCALE).count("127.0.0.1:6379") == 0


@pytest.mark.parametrize("what", ["header", "body"])
def test_a_host_that_answers_one_letter_at_a_time_is_left_in_time(
    world, client_for, host, scale, monkeypatch, what, asked
):
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" if what == "header" else b"HTTP/1.1 200 OK\r\n\r\n[")
        for _ in range(200):
            handler.wfile.write(b"x" if what == "header" else b" ")
            handler.wfile.flush()
            time.sleep(0.05)

    monkeypatch.setattr(fetched, "SECONDS", 0.6)
    make(world, host)
    host.answer = drip
    began = time.monotonic()
    asked(client_for(world.vic))
    assert time.monotonic() - began < 5
    assert kept(world).error == "127.0.0.1 takes too long to answer."


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}x", "took too long"),
        ("{% for a in range(30000) %}x{% endfor %}", "more than 20,000 letters"),
        ("${{ answer.nothing }}", "“nothing”"),
        ("{% if %}", ""),
        ("${{ answer.__class__.__mro__ }}", ""),
        ("  ${{ '' }} ", "makes nothing of the answer"),
    ],
)
def test_a_template_that_fails_or_never_ends_is_a_sentence_on_the_card(world, host, scale, template, words):
    card = make(world, host, template=template)
    with world.tenant():
        asked = fetched.question(card, scale)
    assert asked is not None
    told = fetched.ask(asked)
    assert told.error
    assert words in told.error
    assert told.text == ""


def test_what_a_host_says_is_text_not_markup(world, client_for, host, scale, asked):
    make(world, host, template="${{ answer }}")
    host.answer = says("<script>alert(1)</script> [x](javascript:alert(1)) ![](https://spy.example/p.png)")
    vic = client_for(world.vic)
    asked(vic)
    html = page(vic, SCALE)
    assert "<script>alert(1)" not in html
    assert 'href="javascript:' not in html
    assert "<img" not in html[html.index("configured-") :]


def test_private_networks_are_closed_and_our_own_ports_always(world, client_for, host, scale, settings, asked):
    settings.ALLOWED_NETWORKS = []
    make(world, host)
    vic = client_for(world.vic)
    asked(vic)
    assert "lies on a private network" in kept(world).error
    settings.ALLOWED_NETWORKS = ["0.0.0.0/0"]
    settings.OWN_ADDRESSES = [host.url.removeprefix("http://")]
    with world.tenant():
        CardAnswer.objects.all().delete()
    asked(vic)
    assert "a part of this portal itself" in kept(world).error
    assert host.asked == []


def test_no_name_is_resolved_twice(world, client_for, host, scale, monkeypatch, asked):
    """The address that was judged is the one that is connected to."""
    seen = []
    monkeypatch.setattr(
        outbound.socket,
        "getaddrinfo",
        lambda name, port, *_, **__: seen.append(name) or [(2, 1, 6, "", ("127.0.0.1", port))],
    )
    make(world, host, address=f"http://metrics.example:{host.url.rpartition(':')[2]}/{{name}}")
    asked(client_for(world.vic))
    assert kept(world).text == "**2 alerts** for scale"
    assert seen == ["metrics.example", "127.0.0.1"]
    assert host.asked[0][1]["Host"].startswith("metrics.example:")


SECRET = "Bearer marzipan-of-the-alps"


def test_a_header_is_sent_and_nowhere_to_be_read(world, client_for, host, scale, asked):
    form = {
        "title": "Alerts", "shows": "json", "address": f"{host.url}/{{name}}", "template": TEMPLATE,
        "refresh_seconds": "60", "header_name": "Authorization", "header_value": SECRET, "permission": "catalog.view",
        "entity": "component:default/scale",
    }  # fmt: skip
    ada = client_for(world.ada)
    tried = ada.post(f"{BASE}cards/new/", {**form, "preview": "1"})
    html = tried.content.decode()
    assert "<strong>2 alerts</strong> for scale" in html
    assert f"{host.url}/scale" in html
    assert SECRET not in html
    with world.tenant():
        assert not ConfiguredCard.objects.exists(), "a preview keeps nothing"
        job = Job.objects.get()
    assert f'value="{job.uid}"' in html
    saved = ada.post(f"{BASE}cards/new/", {**form, "header_value": "", "tried": str(job.uid), "save": "1"})
    assert saved.status_code == 302
    asked(client_for(world.vic))
    assert [headers["Authorization"] for _, headers in host.asked] == [SECRET, SECRET]
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT string_agg(t::text, E'\\n') FROM \"{table}\" t")
            assert SECRET not in (cursor.fetchone()[0] or ""), table
    with world.tenant():
        card = ConfiguredCard.objects.get()
    assert SECRET not in page(ada, f"{BASE}cards/{card.pk}/edit/")


def test_a_header_stays_for_its_site_and_never_leaves_it(world, client_for, host, scale, asked):
    form = {
        "title": "Alerts", "shows": "json", "address": f"{host.url}/{{name}}", "template": TEMPLATE,
        "header_name": "X-Key", "header_value": SECRET, "permission": "catalog.view",
    }  # fmt: skip
    ada = client_for(world.ada)
    assert ada.post(f"{BASE}cards/new/", form).status_code == 302
    with world.tenant():
        card = ConfiguredCard.objects.get()
    edit = f"{BASE}cards/{card.pk}/edit/"
    kept_on = {**form, "header_value": ""}
    assert ada.post(edit, {**kept_on, "address": f"{host.url}/other/{{name}}"}).status_code == 302
    asked(client_for(world.vic))
    assert host.asked[-1][0] == "/other/scale"
    assert host.asked[-1][1]["X-Key"] == SECRET
    moved = ada.post(edit, {**kept_on, "address": "https://thief.example/{name}"})
    assert moved.status_code == 422
    assert "leads to another site" in moved.content.decode()
    assert "leads to another site" in ada.post(edit, {**kept_on, "address": "https://thief.example/", "preview": "1",
        "entity": "scale"}).content.decode()  # fmt: skip
    with world.tenant():  # and by hand, past every form
        ConfiguredCard.objects.update(address=f"http://localhost:{host.url.rpartition(':')[2]}/{{name}}")
        CardAnswer.objects.all().delete()
    asked(client_for(world.vic))
    assert "The header X-Key does not open" in kept(world).error
    assert len(host.asked) == 1


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("Host", "x", "header_name"), ("A b", "x", "header_name"), ("A\r\nB", "x", "header_name"),
        ("Content-Length", "9", "header_name"), ("X", "a\r\nY: b", "header_value"), ("X", "é", "header_value"),
        ("X", "", "header_value"),
    ],
)  # fmt: skip
def test_a_header_that_would_say_something_else_is_refused(world, name, value, field):
    with pytest.raises(Invalid) as refused:
        seal_header(world.acme, "https://x.example/", name, value)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"template": " "}, "template"), ({"template": "x" * 10_001}, "template"), ({"shows": "script"}, "shows"),
        ({"refresh_seconds": 1}, "refresh_seconds"), ({"refresh_seconds": 10**6}, "refresh_seconds"),
        ({"address": "http://{name}/"}, "address"),
    ],
)  # fmt: skip
def test_a_card_that_cannot_work_is_refused(world, host, more, field):
    with pytest.raises(Invalid) as refused:
        make(world, host, **more)
    assert refused.value.field == field


def test_a_preview_says_what_is_wrong_at_its_field(world, client_for, host, scale):
    form = {
        "title": "Alerts", "shows": "json", "address": f"{host.url}/{{annotation:no/such}}", "template": TEMPLATE,
        "permission": "catalog.view", "preview": "1",
    }  # fmt: skip
    ada = client_for(world.ada)
    for entity, words in (
        ("", "Say which entity"), ("component:default/nobody", "There is no component:default/nobody"),
        ("scale", "lacks an annotation"), ("component:/", "is not a reference"),
    ):  # fmt: skip
        answer = ada.post(f"{BASE}cards/new/", {**form, "entity": entity})
        assert words in answer.content.decode()
        assert 'value="Alerts"' in answer.content.decode(), "what was written stays"
    host.answer = says(body=b"<p>", kind="text/html")
    form |= {"address": host.url, "entity": "scale"}
    assert "answered with a web page" in ada.post(f"{BASE}cards/new/", form).content.decode()


def test_only_whom_a_card_is_for_sees_it_asks_it_and_hears_of_it(world, client_for, host, scale, asked):
    card = make(world, host, permission="org.manage")
    vic, ada = client_for(world.vic), client_for(world.ada)
    asked(vic)
    asked(vic, card=card.pk)
    assert host.asked == []
    asked(ada)
    assert len(host.asked) == 1
    assert "2 alerts" in page(ada, SCALE)
    assert "2 alerts" not in page(vic, SCALE)
    key = f"{card.pk}-{scale.pk}"
    with world.tenant():
        admit_to_card(_access(world, world.ada), key)
        with pytest.raises(Forbidden):
            admit_to_card(_access(world, world.vic), key)
        with pytest.raises(NotFound):
            admit_to_card(_access(world, world.ada), "99999-1")


def _access(world, person) -> Access:
    return enter(person, "acme", way=Way.PAGE, address=None)


def test_another_organisations_card_is_not_there(world, client_for, host, scale):
    card = make(world, host)
    eve = client_for(world.eve)
    assert eve.post(f"{SCALE}cards/").status_code == 404
    assert eve.get(f"/o/rival/catalog/cards/{card.pk}/edit/").status_code == 404
    assert eve.post("/o/rival/catalog/component/default/scale/cards/", {"card": card.pk}).status_code == 404
    assert host.asked == []


def test_a_changed_card_forgets_what_it_was_told(world, client_for, host, scale, asked):
    card = make(world, host)
    asked(client_for(world.vic))
    said = CardSaid(title="Alerts", address=f"{host.url}/x", shows="json", template="${{ answer.alerts[0] }}")
    with world.tenant():
        change_card(organisation=world.acme, actor=by(world.ada), card=card, said=said)
        assert not CardAnswer.objects.exists()
        event = AuditEvent.objects.get(verb="card.changed")
    assert event.data == {"address": f"{host.url}/x", "shows": "json"}
    asked(client_for(world.vic))
    assert kept(world).text == "1"


def test_cards_ask_by_themselves_only_so_much(world, client_for, host, scale, monkeypatch):
    """Whoever opens many pages keeps room for their own work."""
    monkeypatch.setattr("portal.jobs.actions.nudge", lambda *_: True)  # nobody takes them up
    make(world, host)
    vic = client_for(world.vic)
    for number in range(5):
        with world.tenant():
            actions.write_entity(
                organisation=world.acme, actor=by(world.dev), text=TEXT.replace("name: scale", f"name: scale{number}")
            )
        vic.post(f"{BASE}component/default/scale{number}/cards/", headers={"HX-Request": "true"})
    with world.tenant():
        assert Job.objects.count() == 3
