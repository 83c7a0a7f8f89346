"""The embedded engines: nobody else's files are in their way, and nobody else reaches them."""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from portal.embedded import Engines

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


@pytest.mark.parametrize("wanted", [("postgres",), ("valkey",), ("postgres", "valkey")])
def test_only_the_engines_that_are_wanted_start(tmp_path: Path, wanted: tuple[str, ...]) -> None:
    names = {"postgres": {"DATABASE_URL", "DATABASE_OWNER_URL"}, "valkey": {"VALKEY_URL"}}
    command = [sys.executable, "-m", "portal.embedded", str(tmp_path), *wanted]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = json.loads(process.stdout.readline())
        assert set(said) == set().union(*(names[engine] for engine in wanted))
        assert (tmp_path / "pg").exists() is ("postgres" in wanted)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
