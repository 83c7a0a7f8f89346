"""The review is a job: it can be waited for, left, come back to and called off, and holds up nobody else."""

from __future__ import annotations

import concurrent.futures
import json
import re
import statistics
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.db import connection
from django.test import Client

from portal.goldenpaths import actions
from portal.goldenpaths.files import File
from portal.goldenpaths.models import Version
from portal.goldenpaths.questions import forms
from portal.jobs.models import Job
from portal.jobs.panels import job_html
from portal.provisioning.actions import digest_of_review
from portal.provisioning.previewing import REVIEW
from tests.catalog.test_outside import cookie_of, fetch, pages, token_for
from tests.conftest import World, by

MANY = 60
SignIn = Callable[[Any], Client]


def publish(world: World, name: str = "asker", *, skeleton: str = "# ${{ values.name }}\n") -> Version:
    """A path that asks for a name and renders one file."""
    document = {
        "apiVersion": "scaffolder.backstage.io/v1beta3", "kind": "Template",
        "metadata": {"name": name, "title": "Asker"},
        "spec": {
            "type": "service",
            "parameters": [{"required": ["name"], "properties": {"name": {"type": "string", "title": "Name"}}}],
            "steps": [{
                "id": "files", "name": "Render", "action": "fetch:template",
                "input": {"url": "./skeleton", "values": {"name": "${{ parameters.name }}"}},
            }],
        },
    }  # fmt: skip
    files = {"template.yaml": yaml.safe_dump(document), "skeleton/README.md": skeleton}
    with world.tenant():
        return actions.publish(
            organisation=world.acme,
            actor=by(world.ada),
            files={path: File(text.encode()) for path, text in files.items()},
        )


@pytest.fixture
def browser(world: World) -> Client:
    """A browser that is not led on: what it is answered is what it gets."""
    client = Client()
    client.force_login(world.dev, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def ask(client: Client, **answers: str) -> Any:
    return client.post("/o/acme/paths/asker/review/", {"f.name": "orders", **answers})


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


@pytest.mark.django_db
def test_a_review_shows_its_progress_and_can_be_left_and_come_back_to(
    world: World, browser: Client, do_jobs: Any
) -> None:
    publish(world)
    asked = ask(browser)
    assert asked.status_code == 302
    place = asked["Location"]
    with world.tenant():
        job = Job.objects.for_tenant(world.acme).get(kind=REVIEW)
    assert place == f"/o/acme/jobs/{job.uid}/"
    assert ask(browser)["Location"] == place, "the same answers again are the same review"
    waiting = browser.get(place)
    assert waiting.status_code == 200
    assert "A worker takes it up in a moment." in words(waiting)
    assert "You can leave this page and come back to it." in words(waiting)
    assert f'data-live="job:{job.uid}"' in waiting.content.decode()
    review = f"/o/acme/paths/asker/review/{job.uid}/"
    assert browser.get(review)["Location"] == place, "not done yet: its progress"
    do_jobs(world.acme)
    assert "Go on" in (job_html(world.acme, str(job.uid)) or "")
    assert browser.get(place)["Location"] == review
    for _ in range(2):
        seen = browser.get(review)
        assert seen.status_code == 200
        assert "README.md" in words(seen)
        assert "# orders" in words(seen)


@pytest.mark.django_db
def test_a_review_is_its_own_persons(world: World, browser: Client, client_for: SignIn, do_jobs: Any) -> None:
    """It holds their answers: nobody else's on any page or over the API."""
    publish(world)
    ask(browser)
    do_jobs(world.acme)
    with world.tenant():
        job = Job.objects.for_tenant(world.acme).get(kind=REVIEW)
    for person in (world.mae, world.ada):
        client = client_for(person)
        assert client.get(f"/o/acme/paths/asker/review/{job.uid}/").status_code == 404
        for answer in (
            client.get(f"/api/o/acme/jobs/{job.uid}/"),
            client.delete(f"/api/o/acme/jobs/{job.uid}/"),
            client.get(f"/o/acme/jobs/{job.uid}/"),
            client.post(f"/o/acme/jobs/{job.uid}/cancel/"),
        ):
            assert answer.status_code == 404
            assert "orders" not in answer.content.decode()
    own = client_for(world.dev).get(f"/api/o/acme/jobs/{job.uid}/")
    assert (own.status_code, "orders" in own.content.decode()) == (200, True)


@pytest.mark.django_db
def test_the_eleventh_review_in_flight_is_refused_on_the_form_with_all_answers(world: World, browser: Client) -> None:
    publish(world)
    for number in range(settings.JOBS_PER_PERSON):
        assert ask(browser, **{"f.name": f"orders-{number}"}).status_code == 302
    refused = ask(browser, **{"f.name": "one-too-many"})
    assert refused.status_code == 429
    assert "You have 10 pieces of work under way already. Wait until one is done." in words(refused)
    assert 'value="one-too-many"' in refused.content.decode()
    body = {"values": {"name": "one-too-many"}}
    said = browser.post("/api/o/acme/paths/asker/preview/", body, content_type="application/json")
    assert (said.status_code, said.json()["error"]["code"]) == (429, "too-many-jobs")


@pytest.mark.django_db
def test_a_refused_review_leads_back_to_the_form_with_its_sentence(
    world: World, browser: Client, do_jobs: Any, client_for: SignIn
) -> None:
    version = publish(world)
    place = ask(browser)["Location"]
    with world.tenant():
        version.path.delete()
    do_jobs(world.acme)
    with world.tenant():
        job = Job.objects.for_tenant(world.acme).get(kind=REVIEW)
        assert (job.state, job.refusal["text"]) == ("refused", "The golden path is gone.")
        publish(world)
        Job.objects.filter(pk=job.pk).update(arguments={**job.arguments, "version": Version.objects.get().pk})
    back = browser.get(browser.get(place)["Location"])
    assert back.status_code == 422
    assert "The golden path is gone." in words(back)
    assert 'value="orders"' in back.content.decode()


@pytest.mark.django_db
def test_what_a_walk_refuses_is_on_the_review_and_stops_the_launch(world: World, client_for: SignIn) -> None:
    publish(world, skeleton="{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}")
    seen = client_for(world.dev).post("/o/acme/paths/asker/review/", {"f.name": "orders"})
    assert seen.status_code == 200
    assert "Rendering took too long and was stopped." in words(seen)
    assert '<button class="btn btn-launch" type="submit" disabled>' in seen.content.decode()


@pytest.mark.django_db
def test_a_review_of_a_version_that_was_replaced_says_so_and_offers_another(
    world: World, browser: Client, do_jobs: Any
) -> None:
    publish(world)
    place = ask(browser)["Location"]
    do_jobs(world.acme)
    publish(world, skeleton="# other ${{ values.name }}\n")
    seen = browser.get(browser.get(place)["Location"])
    assert "Asker is at version 2 by now." in words(seen)
    assert "Review it again" in words(seen)
    assert '<button class="btn btn-launch" type="submit" disabled>' in seen.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_program_waits_for_a_real_worker(committed_world: World, live_server_url: str, celery_worker: Any) -> None:
    world = committed_world
    publish(world)
    token = token_for(world, world.dev)
    request = urllib.request.Request(
        f"{live_server_url}/api/o/acme/paths/asker/preview/",
        json.dumps({"values": {"name": "orders"}}).encode(),
        {"Content-Type": "application/json", **token},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        said = json.loads(answer.read())
    assert said["launchable"]
    assert [(file["path"], file["text"]) for file in said["files"]] == [("README.md", "# orders\n")]


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer."""

    def redirect_request(self, *arguments: Any) -> None:
        return None


def post_form(url: str, cookies: str, fields: dict[str, str]) -> int:
    """Sends the form as a browser does; its status, redirects included."""
    token = "a" * 32
    headers = {"Cookie": f"{cookies}; {settings.CSRF_COOKIE_NAME}={token}", "Referer": url}
    data = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token}).encode()
    try:
        with urllib.request.build_opener(NoRedirect).open(urllib.request.Request(url, data, headers), timeout=60) as it:
            return int(it.status)
    except urllib.error.HTTPError as error:
        return error.code


# Renders for about as long as one file may.
SLOW = "{% for i in range(999999) %}{% for j in range(999999) %}{% endfor %}{% endfor %}${{ values.name }}"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["the page of a viewer", "one token"])
def test_sixty_previews_at_once_hold_up_nobody_else(
    committed_world: World, live_server_url: str, celery_worker: Any, way: str
) -> None:
    world = committed_world
    publish(world, skeleton=SLOW)
    mae, vic = ({"Cookie": cookie_of(person)} for person in (world.mae, world.vic))
    token = token_for(world, world.dev)

    def preview(number: int) -> int:
        if way == "one token":
            body = {"values": {"name": f"orders-{number}"}}
            return fetch(f"{live_server_url}/api/o/acme/paths/asker/preview/", token, body)[0]
        return post_form(f"{live_server_url}/o/acme/paths/asker/review/", vic["Cookie"], {"f.name": f"orders-{number}"})

    pages(live_server_url, mae, 3)
    idle = pages(live_server_url, mae)
    with concurrent.futures.ThreadPoolExecutor(MANY) as pool:
        asked = [pool.submit(preview, number) for number in range(MANY)]
        deadline = time.monotonic() + 20
        while sum(each.done() for each in asked) < MANY - 10 and time.monotonic() < deadline:
            time.sleep(0.1)
        busy = pages(live_server_url, mae)
        answers = [each.result() for each in asked]
    assert {status for status, _ in (*idle, *busy)} == {200}
    middle = statistics.median(seconds for _, seconds in idle)
    assert statistics.median(seconds for _, seconds in busy) < 3 * middle + 0.05
    assert max(seconds for _, seconds in busy) < 1.5
    # Some of the first ten are over before the last have asked: then one more of them is taken in.
    taken = {200, 202} if way == "one token" else {302}
    assert set(answers) <= taken | {429}
    assert answers.count(429) >= MANY - 20
    with world.tenant():
        assert Job.objects.for_tenant(world.acme).filter(kind=REVIEW).count() == MANY - answers.count(429)


PASSWORD = "Tr0ub4dor-of-the-alps"


def publish_unseen(world: World) -> Version:
    """A path that asks for passwords at the top, in a group and in a list, and writes one into a file."""
    unseen = {"type": "string", "title": "Password", "ui:options": {"widget": "password"}}
    document = {
        "apiVersion": "scaffolder.backstage.io/v1beta3", "kind": "Template",
        "metadata": {"name": "asker", "title": "Asker"},
        "spec": {
            "type": "service",
            "parameters": [{
                "required": ["name", "word"],
                "properties": {
                    "name": {"type": "string", "pattern": "^[a-z-]+$"},
                    "word": {"type": "string", "title": "Password", "ui:widget": "password"},
                    "group": {"type": "object", "properties": {"inner": unseen}},
                },
            }],
            "steps": [{
                "id": "files", "name": "Render", "action": "fetch:template",
                "input": {"url": "./skeleton", "values": {"word": "${{ parameters.word }}"}},
            }],
        },
    }  # fmt: skip
    files = {
        "template.yaml": yaml.safe_dump(document),
        "skeleton/.env": "W=${{ values.word }} ${{ values.word | upper }}\n",
    }
    with world.tenant():
        return actions.publish(
            organisation=world.acme,
            actor=by(world.ada),
            files={path: File(text.encode()) for path, text in files.items()},
        )


@pytest.mark.django_db
@pytest.mark.parametrize("end", ["waiting", "succeeded", "failed"])
def test_an_answer_typed_unseen_lies_open_in_no_table(
    world: World, browser: Client, do_jobs: Any, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    publish_unseen(world)
    asked = ask(browser, **{"f.word": PASSWORD, "f.group.inner": PASSWORD + "-too"})
    assert asked.status_code == 302
    if end == "failed":
        monkeypatch.setattr("portal.provisioning.previewing.preview", _broken)
    if end != "waiting":
        do_jobs(world.acme)
    with world.tenant():
        job = Job.objects.for_tenant(world.acme).get(kind=REVIEW)
    assert job.state == {"waiting": "queued"}.get(end, end)
    assert [table for table, text in _dump() if PASSWORD in text or PASSWORD.upper() in text] == []
    if end == "succeeded":
        review = browser.get(f"/o/acme/paths/asker/review/{job.uid}/")
        shown = words(review)
        assert "W=•••••• ••••••" in shown
        assert PASSWORD not in shown
        assert PASSWORD in review.content.decode(), "the launch is of what was answered"


def _broken(*_: Any, **__: Any) -> Any:
    raise KeyError("a mistake of ours")


def _dump() -> list[tuple[str, str]]:
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT string_agg(t::text, E'\\n') FROM \"{table}\" t")
            found.append((table, cursor.fetchone()[0] or ""))
    return found


@pytest.mark.django_db
def test_a_review_that_failed_leads_back_to_the_form_with_the_answers(
    world: World, browser: Client, do_jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_unseen(world)
    place = ask(browser, **{"f.word": PASSWORD})["Location"]
    monkeypatch.setattr("portal.provisioning.previewing.preview", _broken)
    do_jobs(world.acme)
    failed = browser.get(place)
    assert "Something went wrong in the portal itself." in words(failed)
    back = re.search(r'href="(/o/acme/paths/asker/review/\?job=[^"]+)">Back<', failed.content.decode())
    assert back
    form = browser.get(back[1])
    assert "Something went wrong in the portal itself." in words(form)
    assert 'value="orders"' in form.content.decode()
    assert PASSWORD not in words(form)


@pytest.mark.django_db
def test_a_review_that_was_called_off_leads_back_to_the_form_with_the_answers(world: World, browser: Client) -> None:
    publish_unseen(world)
    place = ask(browser, **{"f.word": PASSWORD})["Location"]
    assert browser.post(f"{place}cancel/").status_code == 302
    back = re.search(r'href="(/o/acme/paths/asker/review/\?job=[^"]+)">Back<', browser.get(place).content.decode())
    assert back
    form = browser.get(back[1])
    assert form.status_code == 200
    assert 'value="orders"' in form.content.decode()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["form", "field", "review", "launch", "preview over the API", "launch over the API"])
def test_no_pattern_is_waited_for_inside_a_transaction(
    committed_world: World, do_jobs: Any, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """A pattern that backtracks for ever keeps whoever asked, and no connection of the others."""
    world = committed_world
    version = publish_unseen(world)
    inside: list[bool] = []
    real = forms.matches

    def watched(pairs: Any) -> Any:
        inside.append(connection.in_atomic_block)
        return real(pairs)

    monkeypatch.setattr(forms, "matches", watched)
    client = Client()
    client.force_login(world.dev, backend="allauth.account.auth_backends.AuthenticationBackend")
    values = {"name": "orders", "word": PASSWORD}
    form = {"f.name": "orders", "f.word": PASSWORD, "page": "1"}
    base = "/o/acme/paths/asker/"
    if way == "form":
        assert client.post(base, form).status_code == 200
    elif way == "field":
        assert client.post(f"{base}field/", {**form, "field": "name"}).status_code == 200
    elif way == "review":
        assert client.post(f"{base}review/", form).status_code == 302
    elif way == "launch":
        with world.tenant():
            digest = digest_of_review(version, values, world.dev)
        sent = {"values": json.dumps(values), "key": "k", "version": "1", "digest": digest}
        assert client.post(f"{base}launch/", sent).status_code == 302
    elif way == "preview over the API":
        settings_ = {"values": {**values, "name": "Nope"}}
        answer = client.post("/api/o/acme/paths/asker/preview/", settings_, content_type="application/json")
        assert answer.status_code == 400
    else:
        body = {"path": "asker", "values": values}
        assert client.post("/api/o/acme/runs/", body, content_type="application/json").status_code == 201
    assert inside == [False], "asked once, in no transaction"
