"""The embedded engines: nobody else's files are in their way, and nobody else reaches them."""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
import redis

from portal.embedded import Engines, Postgres, has_ended

ROOT = Path(__file__).resolve().parents[2]
ORDINARY = 65534  # "nobody", on every Debian
# A fresh process each time: the engine's library looks for its folders when it is imported.
PROGRAM = """
import sys
from pathlib import Path
from portal.embedded import Engines
engines = Engines(Path(sys.argv[1]))
engines.start_postgres()
print(engines.database("slipway").app_url)
engines.stop()
"""


def start(folder: Path, *prefix: str, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, sys.executable, "-c", PROGRAM, str(folder)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **extra},
        capture_output=True,
        text=True,
        timeout=60,
    )


def as_ordinary_user() -> tuple[str, ...]:
    """A command that steps down to an ordinary user; skips where that cannot be tried."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as two users")
    prefix = ("setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups")
    # By way of a shell: setpriv itself may still enter folders that are closed to the user it steps down to.
    probe = [*prefix, "sh", "-c", f"exec {shlex.quote(sys.executable)} -c 'import psycopg'"]
    if subprocess.run(probe, cwd="/", capture_output=True).returncode:
        pytest.skip(f"{sys.executable} is not for other users")
    return prefix


def test_an_ordinary_user_starts_where_another_user_started_before() -> None:
    """Another user's lock file in the temporary folder is what a start by root used to leave there."""
    as_other = as_ordinary_user()
    with tempfile.TemporaryDirectory(dir="/tmp") as where:
        shared, own = Path(where) / "tmp", Path(where) / "own"
        for folder in (Path(where), shared, own):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o1777 if folder == shared else 0o755)
        (shared / ".lockfile").touch(mode=0o644)
        os.chown(own, ORDINARY, ORDINARY)
        done = start(own / "var", *as_other, TMPDIR=str(shared))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("postgresql://slipway_app")


def test_nothing_is_said_about_a_missing_session(tmp_path: Path) -> None:
    done = start(tmp_path / "var")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_a_folder_too_long_for_a_socket_gets_one_that_nobody_else_may_enter(tmp_path: Path) -> None:
    folder = tmp_path / "/".join(["quite-a-long-name-for-a-folder"] * 4)
    folder.mkdir(parents=True)
    engines = Engines(folder)
    engines.start_postgres()
    try:
        place = Path(engines.socket_folder)
        assert place != folder / "pg"
        assert place.stat().st_mode & 0o777 == 0o700
        assert place.stat().st_uid == (folder / "pg").stat().st_uid
        with psycopg.connect(engines.database("slipway").app_url) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("slipway_app",)
    finally:
        engines.stop()


def test_a_killed_engine_comes_back_with_its_data_at_its_address(tmp_path: Path) -> None:
    engines = Engines(tmp_path)
    engines.start_postgres()
    valkey = engines.start_valkey()
    try:
        url = engines.database("slipway").owner_url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        for name in ("postgres", "valkey"):
            os.kill(engines._pids[name], signal.SIGKILL)
            end = time.monotonic() + 5
            while not has_ended(engines._pids[name]):
                assert time.monotonic() < end
        engines.revive()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
        with redis.Redis.from_url(valkey) as broker:
            assert broker.ping()
    finally:
        engines.stop()


def test_a_later_start_needs_no_library_and_finds_a_server_that_runs_already(tmp_path: Path) -> None:
    engines = Engines(tmp_path)
    engines.start_postgres()
    try:
        again = Postgres.lay_out(tmp_path)
        assert again == engines.postgres
        assert again.start() == engines._pids["postgres"]
    finally:
        engines.stop()
