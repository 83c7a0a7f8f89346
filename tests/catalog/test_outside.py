"""Sixty slow addresses at once: whoever gave them waits, and nobody else does. On real processes and a real pool."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import socket
import statistics
import threading
import time
import urllib.error
import urllib.request
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from catalog.models import Entity, Source
from portal.accounts.access import digest_of
from portal.accounts.models import ApiToken
from portal.accounts.tenancy import tenant
from portal.jobs.models import Job

MANY = 60


@pytest.fixture
def trickle():
    """A server that takes every connection and gives a byte a second, for ever."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    stop = threading.Event()

    def serve(taken: socket.socket) -> None:
        with contextlib.suppress(OSError), taken:
            taken.recv(4096)
            taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n")
            while not stop.wait(1):
                taken.sendall(b"#")

    def accept() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    stop.set()
    listening.close()


def cookie_of(user) -> str:
    browser = Client()
    browser.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return f"slipway_session={browser.cookies['slipway_session'].value}"


def fetch(url: str, headers: dict[str, str], body: dict | None = None) -> tuple[int, float]:
    began = time.monotonic()
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, time.monotonic() - began
    except urllib.error.HTTPError as error:
        return error.code, time.monotonic() - began


def pages(url: str, headers: dict[str, str], rounds: int = 8) -> list[tuple[int, float]]:
    addresses = ("/o/acme/", "/o/acme/catalog/", "/api/o/acme/catalog/entities?limit=5")
    return [fetch(url + address, headers) for _ in range(rounds) for address in addresses]


def token_for(world, user) -> dict[str, str]:
    with tenant(world.acme):
        ApiToken.objects.create(
            organisation=world.acme, user=user, name="t", prefix="slw_t", digest=digest_of("slw_t"), scopes=["write"],
            expires_at=timezone.now() + timedelta(days=1),
        )  # fmt: skip
    return {"Authorization": "Bearer slw_t"}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_sixty_slow_addresses_of_one_token_hold_up_nobody_else(
    committed_world, live_server_url, celery_worker, trickle
):
    world = committed_world
    mae = {"Cookie": cookie_of(world.mae)}
    token = token_for(world, world.dev)
    pages(live_server_url, mae, 3)
    idle = pages(live_server_url, mae)
    with concurrent.futures.ThreadPoolExecutor(MANY) as pool:
        asked = [
            pool.submit(
                fetch, f"{live_server_url}/api/o/acme/catalog/locations", token,
                {"type": "url", "target": f"http://127.0.0.1:{trickle}/{number}.yaml"},
            )
            for number in range(MANY)
        ]  # fmt: skip
        deadline = time.monotonic() + 20
        while sum(each.done() for each in asked) < MANY - 10 and time.monotonic() < deadline:
            time.sleep(0.1)
        busy = pages(live_server_url, mae)
        own = pages(live_server_url, token, 3)
        answers = [each.result()[0] for each in asked]
    assert {status for status, _ in (*idle, *busy)} == {200}
    assert {status for status, _ in own} <= {200, 302}, "the same token reads as ever"
    middle = statistics.median(seconds for _, seconds in idle)
    assert statistics.median(seconds for _, seconds in busy) < 3 * middle + 0.05
    assert max(seconds for _, seconds in busy) < 1.5
    # Ten are taken in, and answered with where to follow them or with why not; the others are told to wait.
    assert sorted(set(answers)) in ([202, 429], [202, 400, 429], [400, 429], [202, 429, 503], [429, 503])
    assert answers.count(429) == MANY - 10
    with tenant(world.acme):
        assert Job.objects.for_tenant(world.acme).count() == 10
        assert not Source.objects.for_tenant(world.acme).exists()


@pytest.mark.django_db(transaction=True)
def test_a_location_is_registered_by_a_worker_while_the_request_waits(
    committed_world, live_server_url, celery_worker, tmp_path
):
    """What the unmodified client sees: 201 with the entities, although another process read them."""
    world = committed_world
    token = token_for(world, world.dev)
    content = (
        "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: a}\n"
        "spec: {type: service, lifecycle: production, owner: x}\n"
    )
    with _served(content.encode()) as port:
        target = f"http://127.0.0.1:{port}/catalog-info.yaml"
        url = f"{live_server_url}/api/o/acme/catalog"
        status, seconds = fetch(f"{url}/locations", token, {"type": "url", "target": target})
        assert (status, seconds < 10) == (201, True)
        assert fetch(f"{url}/locations", token, {"type": "url", "target": target})[0] == 409
        assert fetch(f"{url}/analyze-location", token, {"location": {"type": "url", "target": target}})[0] == 200
        gone = {"type": "url", "target": f"http://127.0.0.1:{port}/gone.yaml"}
        assert fetch(f"{url}/locations", token, gone)[0] == 400
    with tenant(world.acme):
        assert Entity.objects.for_tenant(world.acme).get().ref == "component:default/a"
        assert Source.objects.for_tenant(world.acme).get().created_by == world.dev


@contextlib.contextmanager
def _served(content: bytes):
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Files(BaseHTTPRequestHandler):
        def do_GET(self):
            is_there = not self.path.startswith("/gone")
            self.send_response(200 if is_there else 404)
            self.send_header("Content-Length", str(len(content) if is_there else 0))
            self.end_headers()
            if is_there:
                self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
