"""A stopped PostgreSQL whose database is migrated, kept under the migrations' digest: what copies of it start from.

Migrating an empty database takes ten seconds of a core, and everything that the suite starts would do it again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# As the product's own is called: a product that finds it has nothing left to migrate.
DATABASE = "slipway"


def _migrations_digest() -> str:
    digest = hashlib.sha256()
    for file in sorted([*ROOT.glob("portal/**/migrations/*.py"), *ROOT.glob("catalog/**/migrations/*.py")]):
        digest.update(file.read_bytes())
    digest.update((ROOT / "requirements.txt").read_bytes())
    return digest.hexdigest()[:12]


def copy_migrated(var: Path) -> None:
    """Puts a stopped PostgreSQL whose database is migrated into the folder; whoever comes first makes it."""
    from portal.embedded import FORGETFUL, Engines

    made = ROOT / "var" / f"migrated-{_migrations_digest()}"
    made.parent.mkdir(exist_ok=True)
    with (made.parent / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            for stale in made.parent.glob("migrated-*"):
                shutil.rmtree(stale)
            half = made.parent / "migrated-half"
            engines = Engines(half, options=FORGETFUL)
            engines.start_postgres()
            try:
                _migrate(engines.database(DATABASE).owner_url, engines.database(DATABASE).app_url, half)
            finally:
                engines.stop()
            half.rename(made)
        # With owners and rights: where we are root, PostgreSQL runs as another user.
        subprocess.run(["cp", "-a", str(made / "pg"), str(var / "pg")], check=True)


def _migrate(owner_url: str, app_url: str, var: Path) -> None:
    # Valkey is asked for nothing here.
    env = {
        **os.environ, "SECRET_KEY": "migrates", "SLIPWAY_VAR": str(var), "VALKEY_URL": "redis://127.0.0.1:1/0",
        "DATABASE_URL": owner_url, "DJANGO_SETTINGS_MODULE": "portal.settings",
    }  # fmt: skip
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0", "--skip-checks"], check=True, cwd=ROOT, env=env)
