"""`manage.py prepare`: migrates as the owner, lets the application role in, collects static files. Safe to repeat."""

import hashlib
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
import psycopg
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from portal.embedded import grant


def digest_of_static_files() -> str:
    """What tells one set of static files from another without reading them: paths, sizes and times of change."""
    digest = hashlib.sha256(settings.STORAGES["staticfiles"]["BACKEND"].encode())
    for finder in get_finders():
        for path, storage in sorted(finder.list([]), key=lambda found: found[0]):
            facts = Path(storage.path(path)).stat()
            digest.update(f"{path}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
    return digest.hexdigest()


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        owner_url = os.environ.get("DATABASE_OWNER_URL", "")
        app_url = os.environ["DATABASE_URL"]
        for url in filter(None, [owner_url, app_url]):
            self.require_answer(url)
        if owner_url and owner_url != app_url:
            serving = connections["default"].settings_dict
            migrating = {**serving, **dj_database_url.parse(owner_url)}
            migrating["OPTIONS"] = {"connect_timeout": 5}
            connections.settings["default"].update(migrating)
            connections.close_all()
            del connections["default"]
        self.migrate()
        if owner_url and owner_url != app_url:
            with psycopg.connect(owner_url, autocommit=True) as connection:
                grant(connection, owner=str(urlsplit(owner_url).username), application=str(urlsplit(app_url).username))
        self.check_role(app_url)
        if settings.STATIC_HASHED:
            self.collect()

    def migrate(self) -> None:
        """Migrates; says what an upgrade of a database with something in it does, for that may take minutes."""
        executor = MigrationExecutor(connections["default"])
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        is_upgrade = bool(plan and executor.loader.applied_migrations)
        if is_upgrade:
            self.stdout.write(
                f"  Bringing the database up to date: {len(plan)} steps, minutes where a catalog is large. It may be"
                " stopped; the next start goes on."
            )
            self.stdout.flush()
        call_command(
            "migrate", verbosity=1 if is_upgrade else 0, interactive=False, skip_checks=True, stdout=self.stdout
        )

    def collect(self) -> None:
        """Collects, hashes and compresses the static files, unless not one of them has changed since the last time."""
        stamp = Path(settings.STATIC_ROOT) / ".stamp"
        now = digest_of_static_files()
        if stamp.exists() and stamp.read_text() == now:
            return
        call_command("collectstatic", verbosity=0, interactive=False, clear=True)
        stamp.write_text(now)

    def require_answer(self, url: str) -> None:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            where = urlsplit(url)
            raise CommandError(
                f"PostgreSQL does not let {where.username} in at {where.hostname or 'the local socket'}: {error}"
            ) from error

    def check_role(self, app_url: str) -> None:
        """The wall stands only if the serving role cannot see over it."""
        with psycopg.connect(app_url) as connection:
            row = connection.execute(
                "SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
        if row is None or row[1]:
            raise CommandError(
                f"The database role {row[0] if row else '?'} can see past row-level security, so organisations would "
                "not be walled off. Point DATABASE_URL at a role made with NOSUPERUSER NOBYPASSRLS and, for "
                "migrations, DATABASE_OWNER_URL at the owner; see docs/configuration.md."
            )
