"""A database that is away is a sentence with 503, on pages and for programs, and healthz says so to load balancers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg import OperationalError
from psycopg_pool import ConnectionPool, PoolTimeout

from portal.embedded import Engines
from portal.kit.live import RETRY_MOST
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
        DATABASE_POOL="no",
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
def test_a_pool_that_lost_its_server_has_it_again_within_five_seconds(tmp_path: Path) -> None:
    """The longer a server was away, the longer a pool left to itself waits for the next attempt."""
    options = pool_options()
    engines = Engines(tmp_path)
    engines.start_postgres()
    address = engines.database("away").app_url
    with ConnectionPool(
        address, **options, kwargs={"connect_timeout": 2}, check=ConnectionPool.check_connection
    ) as pool:
        try:
            with pool.connection() as connection:
                connection.execute("SELECT 1")
            engines.stop()
            begun = time.monotonic()
            while time.monotonic() - begun < 9:  # long enough for a growing pause to have grown too long
                asked(pool)
            engines.start_postgres()
            back = time.monotonic()
            while not asked(pool):
                pass
            assert time.monotonic() - back < 5
        finally:
            engines.stop()


def asked(pool: ConnectionPool) -> bool:
    """As whoever renders a live page asks: with the pool's own patience, and again after the longest pause."""
    try:
        with pool.connection() as connection:
            connection.execute("SELECT 1")
    except (PoolTimeout, OperationalError):
        time.sleep(RETRY_MOST)
        return False
    return True


def pool_options() -> dict[str, Any]:
    """What the product hands to its pool, as a web process reads it."""
    code = (
        "import json; from portal import settings; print(json.dumps(settings.DATABASES['default']['OPTIONS']['pool']))"
    )
    env = {**os.environ, "DATABASE_POOL": "yes"}
    answer = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    return dict(json.loads(answer.stdout))
