"""A database that is away is a sentence with 503, on pages and for programs, and healthz says so to load balancers."""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import dj_database_url
import pytest
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.test.utils import CaptureQueriesContext

from portal.embedded import Engines
from portal.kit.connecting import is_alive
from tests.conftest import Process, free_port


@pytest.fixture
def url(start_process: Callable[..., Process]) -> str:
    """A web process whose database's port nobody listens on."""
    port = free_port()
    start_process(
        "web-without-database",
        [sys.executable, "-m", "uvicorn", "portal.asgi:application", "--port", str(port), "--log-level", "warning"],
        PUBLIC_URL=f"http://127.0.0.1:{port}",
        DATABASE_URL=f"postgresql://nobody@127.0.0.1:{free_port()}/nothing",
    )
    return f"http://127.0.0.1:{port}"


def ask(address: str, **headers: str) -> tuple[int, str]:
    """Status and body, as soon as somebody listens there."""
    end = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except urllib.error.URLError:
            assert time.monotonic() < end, "the web process does not listen"
            time.sleep(0.1)


def test_pages_programs_and_the_health_check_say_that_the_database_is_away(url: str) -> None:
    sentence = "The database does not answer at the moment."
    session = {"Cookie": "slipway_session=abcdefghijklmnopqrstuvwxyz012345"}
    for path in ("/o/acme/", "/accounts/login/", "/healthz"):
        status, body = ask(url + path, **session)
        assert (status, sentence in body) == (503, True), path
    status, body = ask(f"{url}/api/o/acme/runs/", Authorization="Bearer slw_" + "0" * 43)
    assert status == 503
    assert json.loads(body)["error"]["name"] == "ServiceUnavailableError"


@pytest.mark.slow
@pytest.mark.django_db
def test_a_kept_connection_that_died_is_seen_without_asking_and_replaced(tmp_path: Path) -> None:
    """The next piece of work after PostgreSQL's return finds a new connection, not the dead one."""
    engines = Engines(tmp_path)
    engines.start_postgres()
    try:
        known = dict(connections["default"].settings_dict)
        there = dj_database_url.parse(engines.database("slipway").app_url)
        kept = DatabaseWrapper({**known, **there, "OPTIONS": known["OPTIONS"]}, alias="elsewhere")
        kept.connect()
        raw = kept.connection
        statements = CaptureQueriesContext(kept)
        with statements:
            assert is_alive(kept)
        assert len(statements) == 0, "no round trip while nothing has happened"
        engines.stop()
        assert not is_alive(kept)
        engines.start_postgres()
        kept.close()
        with kept.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
        assert kept.connection is not raw
        kept.close()
    finally:
        engines.stop()
