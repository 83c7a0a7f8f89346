"""What goes with every answer, and what a stranger's headers can do: nothing."""

from __future__ import annotations

import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from http.cookiejar import CookieJar

import pytest
from django.test import Client

from portal.accounts.models import AuditEvent
from portal.accounts.tenancy import tenant
from tests.accounts.test_doors import TENANT_PAGES
from tests.conftest import Process, free_port
from tests.githosts.conftest import token_for

__all__ = ["token_for"]
KEPT_NOWHERE = "private, no-store"


@pytest.mark.django_db
@pytest.mark.parametrize("address", TENANT_PAGES, ids=lambda a: a.name)
def test_what_somebody_signed_in_is_shown_is_kept_nowhere(world, client_for, address):
    browser = client_for(world.ada)
    for headers in ({}, {"HX-Request": "true"}):
        answer = browser.get(address.path("acme"), headers=headers)
        assert answer["Cache-Control"] == KEPT_NOWHERE, f"{answer.status_code} {headers}"


@pytest.mark.django_db
def test_nor_are_answers_to_programs_refusals_and_account_pages(world, client_for, client, token_for):
    secret = token_for(world.dev, world.acme, "read")
    for path in ("/api/o/acme/me/", "/api/o/acme/audit/", "/api/o/acme/nothing/"):
        assert client.get(path, headers={"Authorization": f"Bearer {secret}"})["Cache-Control"] == KEPT_NOWHERE
    browser = client_for(world.dev)
    for path in ("/", "/accounts/profile/", "/accounts/email/", "/no/such/page/", "/o/rival/"):
        assert browser.get(path)["Cache-Control"] == KEPT_NOWHERE, path
    signed_in = client.post("/accounts/login/", {"login": world.dev.email, "password": "correct-horse-battery"})
    assert signed_in["Cache-Control"] == KEPT_NOWHERE, "the answer that brings the session"


@pytest.mark.django_db
def test_static_files_may_be_kept_by_everybody(world, client_for):
    answer = client_for(world.dev).get("/static/app.css")
    assert answer.status_code == 200
    assert "private" not in answer.get("Cache-Control", "")


@pytest.mark.django_db
def test_pages_may_use_no_device_but_passkeys_and_the_clipboard(client):
    policy = dict(part.split("=") for part in client.get("/accounts/login/")["Permissions-Policy"].split(", "))
    assert policy["camera"] == policy["geolocation"] == policy["microphone"] == policy["payment"] == "()"
    assert policy["publickey-credentials-get"] == policy["clipboard-write"] == "(self)"


# --- a real web process: who is believed about where a request comes from ---


@pytest.fixture
def web(start_process: Callable[..., Process], committed_world) -> Callable[..., tuple[str, Process]]:
    """web(FORWARDED_ALLOW_IPS=…) -> address and process of a web server as `make up` starts it."""

    def start(**environment: str) -> tuple[str, Process]:
        port = free_port()
        code = f"import django; django.setup(); from portal import stem; stem.web('127.0.0.1', {port})"
        process = start_process(f"web-headers-{port}", [sys.executable, "-c", code], **environment)
        url = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{url}/healthz", timeout=2).close()
                return url, process
            except (urllib.error.URLError, ConnectionError):
                assert process.popen.poll() is None, process.log.read_text()
                import time

                time.sleep(0.1)
        raise AssertionError("the web process does not listen")

    return start


def cancelled_from(world, url: str, secret: str, forwarded: str) -> str:
    """The address in the audit log of something done with this X-Forwarded-For."""
    from tests.provisioning.conftest import start_run

    run = start_run(world, [{"id": "say", "action": "debug:log", "input": {"message": "x"}}])
    asked = urllib.request.Request(
        f"{url}/api/o/acme/runs/{run.pk}/cancel/",
        data=b"{}",
        headers={"Authorization": f"Bearer {secret}", "Content-Type": "application/json", "X-Forwarded-For": forwarded},
    )
    urllib.request.urlopen(asked, timeout=10).close()
    with tenant(world.acme):
        return AuditEvent.objects.get(verb="run.cancelled", subject_id=str(run.pk)).ip


@pytest.mark.django_db(transaction=True)
def test_behind_a_proxy_the_audit_names_the_client(committed_world, web, token_for):
    secret = token_for(committed_world.dev, committed_world.acme, "write")
    url, _ = web(FORWARDED_ALLOW_IPS="127.0.0.1")
    assert cancelled_from(committed_world, url, secret, "203.0.113.9") == "203.0.113.9"
    # The proxy appends what it saw; what the client had sent before stands further left and is not believed.
    assert cancelled_from(committed_world, url, secret, "6.6.6.6, 203.0.113.9") == "203.0.113.9"


@pytest.mark.django_db(transaction=True)
def test_what_is_no_address_is_refused_before_anybody_keeps_it(committed_world, web, token_for):
    secret = token_for(committed_world.dev, committed_world.acme, "write")
    url, process = web(FORWARDED_ALLOW_IPS="127.0.0.1")
    for forwarded in ("evil", "x" * 3000, "fe80::1%eth0", "6.6.6.6, evil", "1.2.3.4.5"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            cancelled_from(committed_world, url, secret, forwarded)
        assert refused.value.code == 400, forwarded
        assert "names no address" in refused.value.read().decode()
        page = urllib.request.Request(f"{url}/accounts/login/", headers={"X-Forwarded-For": forwarded})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(page, timeout=10)
        assert refused.value.code == 400, forwarded
    assert cancelled_from(committed_world, url, secret, "2001:db8::7") == "2001:db8::7"
    assert "Traceback" not in process.log.read_text()


@pytest.mark.django_db(transaction=True)
def test_without_a_named_proxy_nobodys_word_counts(committed_world, web, token_for):
    secret = token_for(committed_world.dev, committed_world.acme, "write")
    url, _ = web()
    assert cancelled_from(committed_world, url, secret, "6.6.6.6") == "127.0.0.1"
    other, _ = web(FORWARDED_ALLOW_IPS="10.0.0.1")
    assert cancelled_from(committed_world, other, secret, "6.6.6.6") == "127.0.0.1"


def is_told_to_stay_secure(url: str, proto: str) -> bool:
    """Whether a request with this X-Forwarded-Proto is taken for one over TLS: only those are told so."""
    asked = urllib.request.Request(
        f"{url}/accounts/login/", headers={"X-Forwarded-Proto": proto, "Host": "slipway.test"}
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return "Strict-Transport-Security" in answer.headers


@pytest.mark.django_db(transaction=True)
def test_only_a_named_proxy_is_believed_that_it_came_over_tls(web):
    behind, _ = web(PUBLIC_URL="https://slipway.test", FORWARDED_ALLOW_IPS="127.0.0.1")
    assert is_told_to_stay_secure(behind, "https")
    assert not is_told_to_stay_secure(behind, "http")
    # What older installations had set makes nobody else believable.
    for words in ({}, {"FORWARDED_ALLOW_IPS": "10.0.0.1"}):
        other, _ = web(PUBLIC_URL="https://slipway.test", BEHIND_PROXY="yes", **words)
        assert not is_told_to_stay_secure(other, "https"), words


@pytest.mark.django_db(transaction=True)
def test_a_spoofed_address_does_not_escape_the_rate_limit(committed_world, web):
    """Twelve guesses for twelve people, each from an address of its own making, are twelve from one place."""
    url, _ = web()
    jar = urllib.request.HTTPCookieProcessor(CookieJar())
    browser = urllib.request.build_opener(jar)
    browser.open(f"{url}/accounts/login/").close()
    token = next(cookie.value for cookie in jar.cookiejar if cookie.name == "slipway_csrf")
    said = ""
    for number in range(12):
        form = {"login": f"p{number}@x.example", "password": "guess", "csrfmiddlewaretoken": token}
        asked = urllib.request.Request(
            f"{url}/accounts/login/",
            data=urllib.parse.urlencode(form).encode(),
            headers={"X-Forwarded-For": f"6.6.6.{number}", "Referer": url},
        )
        try:
            said = browser.open(asked, timeout=10).read().decode()
        except urllib.error.HTTPError as error:
            said = error.read().decode()
    assert "Too many" in said


@pytest.mark.django_db(transaction=True)
def test_a_made_up_host_is_one_line_and_a_plain_400(web):
    url, process = web()
    before = process.log.read_text()
    asked = urllib.request.Request(f"{url}/accounts/login/", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked, timeout=10)
    body = refused.value.read().decode()
    assert (refused.value.code, body) == (400, "There is no such site here.\n")
    assert refused.value.headers["Content-Type"].startswith("text/plain")
    said = process.log.read_text()[len(before) :].splitlines()
    assert len(said) == 1, said
    assert "WARNING django.security.DisallowedHost" in said[0]
    assert "evil.example" in said[0]


@pytest.mark.django_db(transaction=True)
def test_a_persons_zone_holds_in_the_real_server_as_well(committed_world, web):
    """There the middleware and the view run in threads of an event loop: the zone must reach the one from the other."""
    world = committed_world
    world.mae.timezone = "Asia/Tokyo"
    world.mae.save()
    with tenant(world.acme):
        at = datetime(2026, 7, 1, 22, 30, 5, tzinfo=UTC)
        AuditEvent.objects.create(organisation=world.acme, actor_label="x", verb="x.y", summary="x", at=at)
    url, _ = web()

    def audit(person) -> str:
        client = Client()
        client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
        session = client.cookies["slipway_session"].value
        asked = urllib.request.Request(f"{url}/o/acme/audit/", headers={"Cookie": f"slipway_session={session}"})
        return urllib.request.urlopen(asked, timeout=10).read().decode()

    for _ in range(3):
        assert 'title="2 Jul 2026, 07:30:05 JST"' in audit(world.mae)
        assert 'title="1 Jul 2026, 22:30:05 UTC"' in audit(world.ada)
