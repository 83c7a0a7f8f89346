"""The small world every test knows, and the real processes that some of them need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.test import Client, TransactionTestCase

from portal.embedded import free_port as free_port
from tests.contract.planes import real_cluster as real_cluster
from tests.contract.planes import sandbox_cluster as sandbox_cluster
from tests.doorways import load_middleware_once
from tests.emptying import empty_database
from tests.stem import Forked, can_fork

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = "/usr/bin/chromium"
PASSWORD = "correct-horse-battery"

load_middleware_once()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests go last: Playwright keeps its event loop in this thread, so no asyncio test can follow."""
    items.sort(key=lambda item: "chromium" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def django_db_setup() -> Iterator[None]:
    """The database is made and migrated by tests/settings.py, as the owner; tests run as the application's role."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: empty_database())
        yield


@dataclass
class World:
    """Ada administers acme, Mae manages, Dev develops (in team payments), Vic only views; Eve is next door."""

    acme: Any
    rival: Any
    ada: Any
    mae: Any
    dev: Any
    vic: Any
    eve: Any
    payments: Any

    def tenant(self, organisation: Any = None) -> AbstractContextManager[None]:
        from portal.accounts.tenancy import tenant

        return tenant(organisation or self.acme)

    def members(self) -> dict[str, Any]:
        return {"ada": self.ada, "mae": self.mae, "dev": self.dev, "vic": self.vic}


def make_world() -> World:
    from allauth.account.models import EmailAddress

    from portal.accounts.models import Membership, Organisation, Team, TeamMembership, User
    from portal.accounts.tenancy import tenant

    def person(name: str, domain: str) -> Any:
        user = User.objects.create_user(f"{name.lower()}@{domain}", PASSWORD, name=name)
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        return user

    acme = Organisation.objects.create(slug="acme", name="Acme")
    rival = Organisation.objects.create(slug="rival", name="Rival")
    people = {name: person(name, "acme.example") for name in ("Ada", "Mae", "Dev", "Vic")}
    eve = person("Eve", "rival.example")
    with tenant(acme):
        for name, role in (("Ada", "admin"), ("Mae", "manager"), ("Dev", "developer"), ("Vic", "viewer")):
            Membership.objects.create(organisation=acme, user=people[name], role=role)
        payments = Team.objects.create(
            organisation=acme, slug="payments", name="Payments", ref="group:default/payments"
        )
        TeamMembership.objects.create(organisation=acme, team=payments, user=people["Dev"], is_lead=True)
    with tenant(rival):
        Membership.objects.create(organisation=rival, user=eve, role="admin")
    return World(
        acme=acme,
        rival=rival,
        ada=people["Ada"],
        mae=people["Mae"],
        dev=people["Dev"],
        vic=people["Vic"],
        eve=eve,
        payments=payments,
    )


def by(person: Any) -> Any:
    """The person as actions take them: at work in the background, from no address."""
    from portal.accounts.actor import Actor

    return Actor.task(person)


def prove(client: Client, password: str = PASSWORD) -> Client:
    """The browser, of somebody who has just confirmed with their password that it is them."""
    assert client.post("/accounts/reauthenticate/", {"password": password}).status_code == 302
    return client


@pytest.fixture
def world(db: None) -> World:
    return make_world()


@pytest.fixture
def committed_world(transactional_db: None) -> World:
    """The same world, really committed: for tests with other processes, threads or browsers.

    Emptied before as well as after: a thread of an earlier test may have committed what nobody took away.
    """
    empty_database()
    return make_world()


@pytest.fixture
def client_for() -> Callable[[Any], Client]:
    def sign_in(user: Any) -> Client:
        client = Client()
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return sign_in


@pytest.fixture(scope="session")
def valkey_url() -> str:
    return os.environ["VALKEY_URL"]


def process_environment(**extra: str) -> dict[str, str]:
    """What a product process of the test run sees: portal.settings on the test engines."""
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings", "PYTHONUNBUFFERED": "1", **extra}


class Process:
    """A product process that the test started, with its output in a file."""

    def __init__(self, name: str, argv: list[str], **extra: str) -> None:
        folder = Path(os.environ["SLIPWAY_VAR"]) / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"{name}.log"
        self.file = self.log.open("wb")
        environment = process_environment(**extra)
        self.popen: subprocess.Popen[bytes] | Forked = (
            Forked(argv, self.log, environment)
            if can_fork(argv, extra)
            else subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=self.file, stderr=subprocess.STDOUT)
        )

    def wait_for(self, text: str, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if text in self.log.read_text(errors="replace"):
                return
            if self.popen.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"{text!r} did not appear:\n{self.log.read_text(errors='replace')[-4000:]}")

    def stop(self, seconds: float = 15) -> None:
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait(5)
        self.file.close()


def worker_argv(concurrency: int = 2) -> list[str]:
    return [
        sys.executable, "-m", "celery", "-A", "portal", "worker",
        "--loglevel=info", f"--concurrency={concurrency}", "--without-gossip", "--without-mingle",
    ]  # fmt: skip


@pytest.fixture
def start_process(request: pytest.FixtureRequest) -> Iterator[Callable[..., Process]]:
    """start_process("name", [argv…], EXTRA="env") -> Process; all are stopped at the end of the test."""
    if "transactional_db" in request.fixturenames:
        # What they write goes after they have gone: fixtures end in the opposite order.
        request.getfixturevalue("transactional_db")
    started: list[Process] = []

    def start(name: str, argv: list[str], **extra: str) -> Process:
        process = Process(name, argv, **extra)
        started.append(process)
        return process

    yield start
    for process in reversed(started):
        process.stop()


@pytest.fixture
def do_jobs() -> Callable[[Any], list[Any]]:
    """do_jobs(organisation): does what waits, here and now as a worker does it; gives the jobs that ended."""
    from portal.accounts.tenancy import tenant
    from portal.jobs.models import Job
    from portal.jobs.work import work

    def do(organisation: Any) -> list[Any]:
        done: list[int] = []
        organisation_id = getattr(organisation, "pk", organisation)
        while True:
            with tenant(organisation):
                waiting = list(Job.objects.for_tenant(organisation).filter(state="queued").order_by("pk"))
            if not waiting:
                break
            for job in waiting:
                work(organisation_id, job.pk)
                done.append(job.pk)
        with tenant(organisation):
            return list(Job.objects.for_tenant(organisation).filter(pk__in=done).order_by("pk"))

    return do


@pytest.fixture
def celery_worker(start_process: Callable[..., Process], transactional_db: None) -> Process:
    """A real worker on the test engines. Needs committed rows (committed_world)."""
    worker = start_process("worker", worker_argv())
    worker.wait_for("ready.")
    return worker


@pytest.fixture
def live_process(start_process: Callable[..., Process], transactional_db: None) -> Process:
    """A real `manage.py live`."""
    live = start_process("live", [sys.executable, "manage.py", "live"])
    live.wait_for("live process ready")
    return live


@pytest.fixture
def live_server_url(start_process: Callable[..., Process], transactional_db: None) -> str:
    """A real uvicorn on loopback; rows must be committed to be seen."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    start_process(
        "web",
        [sys.executable, "-m", "uvicorn", "portal.asgi:application", "--port", str(port),
         "--timeout-graceful-shutdown", "1", "--log-level", "warning"],
        PUBLIC_URL=url,
    )  # fmt: skip
    end = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=2):
                return url
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright; skips by name where it is absent."""
    if not Path(CHROMIUM).exists() or shutil.which("chromium") is None:
        pytest.skip("Debian's chromium is not installed")
    from playwright.sync_api import sync_playwright

    # Playwright's sync API runs a loop in this thread; Django must still allow the ORM in it.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any, live_server_url: str) -> Iterator[Any]:
    """A fresh browser context on the real server."""
    context = chromium.new_context(base_url=live_server_url, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    yield page
    context.close()


@pytest.fixture
def signed_in(page: Any, live_server_url: str) -> Callable[[Any], Any]:
    """signed_in(user) -> the page, with that person's session cookie."""

    def sign_in(user: Any) -> Any:
        client = Client()
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        cookie = client.cookies["slipway_session"].value
        page.context.add_cookies([{"name": "slipway_session", "value": cookie, "url": live_server_url}])
        return page

    return sign_in
