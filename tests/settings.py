"""Settings of the test run: the product's own, on embedded engines of this checkout's var/test folder.

Importing this module starts PostgreSQL and Valkey once, for the process that runs the tests; what it starts (workers,
web servers) finds the addresses in its environment. A stopped PostgreSQL with a migrated database is kept under the
migrations' digest; every run begins with a copy of it, in a second.
"""

import atexit
import base64
import fcntl
import hashlib
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import IO

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

ROOT = Path(__file__).resolve().parent.parent


def _own_folder() -> Path:
    """The first of var/test, var/test-2, … that no other run in this checkout holds; held until this process ends."""
    for number in range(1, 20):
        folder = ROOT / "var" / ("test" if number == 1 else f"test-{number}")
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        _LOCKS.append(lock)
        return folder
    raise RuntimeError("Twenty test runs in one checkout are enough.")


_LOCKS: list[IO[str]] = []


def _own_temporary_folder(var: Path) -> None:
    """Gives the run a temporary root of its own: pytest closes the one that all runs of a user share to others at each
    start, and a database that one run has started as another user would lose the way to its files.
    """
    root = Path(tempfile.gettempdir()) / f"slipway-{hashlib.sha256(str(var).encode()).hexdigest()[:8]}"
    root.mkdir(exist_ok=True)
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(root))


def _remove_last_runs(var: Path) -> None:
    """Of a run that was killed, PostgreSQL may still be there."""
    from portal.embedded import Postgres, has_ended

    if (var / "pg").exists() and (left := Postgres.lay_out(var).pid()):
        os.kill(left, signal.SIGINT)
        end = time.monotonic() + 20
        while not has_ended(left):
            if time.monotonic() > end:  # a test was killed while it held processes of it stopped
                os.kill(left, signal.SIGKILL)
            time.sleep(0.05)
    shutil.rmtree(var / "pg", ignore_errors=True)


def _start() -> None:
    from portal.embedded import FORGETFUL, Engines
    from tests.migrated import DATABASE, copy_migrated

    var = _own_folder()
    _own_temporary_folder(var)
    _remove_last_runs(var)
    copy_migrated(var)
    engines = Engines(var, options=FORGETFUL)
    engines.start_postgres()
    atexit.register(engines.stop)
    key = X25519PrivateKey.generate()
    database = engines.database(DATABASE)
    os.environ.update(
        SECRET_KEY="only-for-tests-" + "0" * 40,
        SLIPWAY_VAR=str(var),
        DATABASE_URL=database.app_url,
        DATABASE_OWNER_URL=database.owner_url,
        VALKEY_URL=engines.start_valkey(),
        ALLOWED_NETWORKS="127.0.0.0/8",
        SOURCE_FOLDERS=f"{ROOT / 'demo'},{var},/tmp",
        CLUSTER_PUBLIC_KEY=base64.b64encode(key.public_key().public_bytes_raw()).decode(),
        CLUSTER_PRIVATE_KEY=base64.b64encode(key.private_bytes_raw()).decode(),
        LOG_LEVEL="WARNING",
        SLIPWAY_TEST_ENGINES="started",
    )


if os.environ.get("SLIPWAY_TEST_ENGINES") != "started":
    _start()

from portal.settings import *  # noqa: E402, F403

# Hashing a password a hundred times a run is not what the tests are about; sign-in itself uses argon2 in test_sign_in.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", "django.contrib.auth.hashers.Argon2PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
