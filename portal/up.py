"""`make up`: the whole product on one machine, under one supervisor.

Three processes of ours stand behind it. The *guard*, which the terminal sees, starts the supervisor and starts it again
should it be killed; the *supervisor* starts the engines and the sandbox cluster, imports the product once, forks web,
worker and live, and keeps them all, the guard and its *spare* among them; the spare acts when guard and supervisor are
killed together. DATABASE_URL, VALKEY_URL and KUBECONFIG, where set, replace the embedded part.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import fcntl
import functools
import json
import os
import secrets
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Any

from portal import stem as stems
from portal.kit import env
from portal.supervisor import KeptProcess, Ledger, Supervisor, identity, spawn

ROOT = Path(__file__).resolve().parent.parent
ANY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104 - recognised here, never chosen by us
PRIVATE_NETWORKS = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"
PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
DATABASE = "slipway"
HESITATION = 2.0  # seconds


class CannotStart(Exception):
    """A sentence for the person who typed `make up`."""


# --- what is asked for ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StartWish:
    """What the environment asks for."""

    var: Path
    host: str
    port: int

    @property
    def url(self) -> str:
        """How this machine itself reaches web."""
        return f"http://{reachable(self.host)}:{self.port}"

    def facts(self) -> dict[str, Any]:
        """What must be the same for a start to take over what another has left running."""
        return {
            "host": self.host,
            "port": self.port,
            "root": str(ROOT),
            "python": sys.executable,
            "engines": engines_needed(),
            "kubeconfig": os.environ.get("KUBECONFIG", ""),
        }


def wished() -> StartWish:
    """Reads the environment; raises CannotStart for what makes no sense."""
    var = Path(os.environ.get("SLIPWAY_VAR") or ROOT / "var").resolve()
    host = os.environ.get("HOST") or "127.0.0.1"
    text = os.environ.get("PORT") or "8000"
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise CannotStart(f"PORT={text} is not a port number.")
    demo_wanted()
    return StartWish(var, host, int(text))


def demo_wanted() -> bool:
    """Whether the demo organisations are loaded; raises CannotStart for a word that is neither yes nor no."""
    try:
        return env.boolean("DEMO", default=True)
    except env.MissingSetting as error:
        raise CannotStart(str(error)) from error


def engines_needed() -> list[str]:
    """The engines that nobody has named an address of."""
    named = {"postgres": "DATABASE_URL", "valkey": "VALKEY_URL"}
    return [engine for engine, variable in named.items() if not os.environ.get(variable)]


def require_free(host: str, port: int) -> None:
    """Raises CannotStart when somebody listens there already."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CannotStart(
                f"Port {port} is taken or not allowed ({error.strerror}). Stop what uses it, or choose another one: "
                f"PORT={port + 1} make up"
            ) from error


def reachable(host: str) -> str:
    """How this machine itself calls a server that listens at `host`, as it stands in an address."""
    name = "127.0.0.1" if host in ANY_ADDRESS else host
    return f"[{name}]" if ":" in name else name


def only_one(var: Path) -> IO[str]:
    """Takes the folder's lock for the life of this process; raises CannotStart when another `make up` has it."""
    lock = (var / "up.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        pid = lock.read().strip() or "?"
        raise CannotStart(f"Slipway runs from this folder already (pid {pid}). To stop it: kill {pid}") from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def holder(var: Path) -> int | None:
    """The pid of the supervisor that has the folder's lock; None when nobody has it."""
    with (var / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            return int(lock.read() or 0) or None
    return None


def kept_secrets(var: Path) -> dict[str, str]:
    """The installation's own keys, made on the first start and kept in a file that only its user can read."""
    file = var / "secrets.json"
    if not file.exists():
        # In a process of its own: what makes keys is large, and the guard, which asks first, lives as long as we do.
        if (pid := os.fork()) == 0:
            try:
                _make_secrets(file)
            finally:
                os._exit(0 if file.exists() else 1)
        os.waitpid(pid, 0)
    return dict(json.loads(file.read_text()))


def _make_secrets(file: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    key = X25519PrivateKey.generate()
    values = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "CLUSTER_PUBLIC_KEY": base64.b64encode(key.public_key().public_bytes_raw()).decode(),
        "CLUSTER_PRIVATE_KEY": base64.b64encode(key.private_bytes_raw()).decode(),
    }
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump(values, out, indent=2)


def environment(wish: StartWish) -> dict[str, str]:
    """What the processes see, private names included; whatever the caller has set wins."""
    kubeconfig = os.environ.get("KUBECONFIG", "")
    theirs = {name: value for name, value in os.environ.items() if value}
    ours = {
        **kept_secrets(wish.var),
        "SLIPWAY_VAR": str(wish.var),
        "PUBLIC_URL": wish.url,
        "STATIC_HASHED": "yes",
        # The embedded cluster listens on loopback; a cluster that you name yourself may be on a private network.
        "ALLOWED_NETWORKS": PRIVATE_NETWORKS if kubeconfig else "127.0.0.0/8",
        # What of ours listens: nobody's source or repository reaches it, whatever the networks above say.
        "OWN_ADDRESSES": f"{reachable(wish.host)}:{wish.port}",
        "SANDBOX_ADDRESS": "" if kubeconfig else f"127.0.0.1:{sandbox_port(wish.var)}",
        "PYTHONUNBUFFERED": "1",
        # Threads share two heaps in place of one each, which would grow and never shrink.
        "MALLOC_ARENA_MAX": "2",
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }
    # The demo's catalog lies in a folder of ours, whatever other folders are named.
    folders = [*env.words("SOURCE_FOLDERS"), *([str(ROOT / "demo")] if demo_wanted() else [])]
    return {**ours, **theirs, "SOURCE_FOLDERS": ",".join(dict.fromkeys(folders))}


def close_to_others(var: Path) -> None:
    """Makes the folder and lets nobody else in but, under root, the user that the embedded database runs as."""
    var.mkdir(parents=True, exist_ok=True)
    os.umask(0o077)
    if os.geteuid() == 0 and (var / "pg").exists():
        os.chown(var, 0, (var / "pg").stat().st_gid)
        var.chmod(0o710)
    else:
        var.chmod(0o700)


def sandbox_port(var: Path) -> str:
    """The port of the embedded cluster, chosen once for the folder's life."""
    folder = var / "sandbox"
    folder.mkdir(exist_ok=True)
    kept = folder / "port"
    if not kept.exists():
        from portal.embedded import free_port

        kept.write_text(str(free_port()))
    return kept.read_text().strip()


# --- the guard --------------------------------------------------------------------------------------------------------


def guard(wish: StartWish, supervisor: int, private: int, *, role: str = "guard") -> int:
    """Waits for the supervisor's end; one that did not end by itself is started again. Returns the exit status.

    A spare guard hesitates: most likely the first one has started another supervisor by then.
    """
    ledger = Ledger(wish.var / "up.json")
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)

    def forward(number: int, frame: FrameType | None) -> None:
        # Ctrl-C and a closed terminal reach the supervisor by themselves; a signal sent to us alone does not.
        with contextlib.suppress(ProcessLookupError):
            os.kill(supervisor, signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, forward)
    while True:
        await_end(supervisor)
        status = exit_status(supervisor)
        time.sleep(HESITATION if role == "spare" else 0.0)
        if not ledger.file.exists():
            return status
        successor = holder(wish.var)
        if successor is None:
            say("The supervisor was killed; another one takes over. What it kept goes on.")
            successor = start_supervisor(wish, private, role)
        supervisor = successor


def await_end(pid: int) -> None:
    """Waits until the process is gone, and meanwhile collects what a killed supervisor has left to us."""
    try:
        gone = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    while not select.select([gone], [], [], 5.0)[0]:
        reap(but=pid)
    os.close(gone)


def reap(*, but: int) -> None:
    """Collects orphans that ended: whatever a killed supervisor leaves behind becomes ours."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and found.si_pid != but:
            os.waitpid(found.si_pid, os.WNOHANG)


def exit_status(pid: int) -> int:
    """The process's exit status; 0 where it was another's child."""
    with contextlib.suppress(ChildProcessError):
        return max(0, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    return 0


def start_supervisor(wish: StartWish, private: int, role: str) -> int:
    """The pid of a supervisor that we, in this role, started. It sees nothing of what is private: that lies in the
    descriptor it hands on.
    """
    public = {name: value for name, value in environment(wish).items() if name not in stems.PRIVATE}
    return spawn(
        [sys.executable, "-m", "portal.up", "supervise", str(private), role, str(os.getpid())],
        env=public, cwd=ROOT, pass_fds=[private],
    )  # fmt: skip


# --- the supervisor ---------------------------------------------------------------------------------------------------


class House:
    """Everything that `make up` keeps, and the order in which it comes up."""

    def __init__(self, wish: StartWish, private: int, starter: tuple[str, int]) -> None:
        """`starter` is who started us: its role, guard or spare, and its pid."""
        self.wish = wish
        self.private = private
        self.starter = starter
        self.ledger = Ledger(wish.var / "up.json")
        self.begun = time.monotonic()
        # What a later guard and supervisor are started with: without the addresses of engines that are ours.
        self.asked = dict(os.environ)
        self.lock = only_one(wish.var)
        self.supervisor = Supervisor(self.ledger, self.take_over(), say=say)
        self.stem = stems.Stem(private, self.leave)

    def leave(self) -> None:
        """In a forked child."""
        self.supervisor.leave()
        self.lock.close()

    def take_over(self) -> dict[str, Any]:
        """The facts of this start. What another start with other facts has left running is stopped first."""
        left = self.ledger.read()
        facts = self.wish.facts()
        if left and {name: left.get(name) for name in facts} != facts:
            for pid, born in left.get("processes", {}).values():
                end_leftover(pid, born)
            self.ledger.clear()
            left = {}
        facts["valkey"] = left.get("valkey", 0)
        return facts

    def run(self) -> int:
        """Starts everything and keeps it until told to stop."""
        try:
            self.start()
            while not self.supervisor.stopping:
                self.supervisor.turn()
        except CannotStart as error:
            say(f"\n  {error}\n")
            return 1
        finally:
            # The guard, which the terminal waits for, ends when we have.
            self.supervisor.release("guard")
            self.supervisor.release("spare")
            self.supervisor.finish(("web", "worker", "live"), ("sandbox",), ("valkey",), ("postgres",))
            self.lock.close()
        return 0

    def start(self) -> None:
        was_ready = bool(self.ledger.read())
        self.keep_guard()
        addresses = self.start_engines()
        self.supervisor.facts["addresses"] = addresses
        os.environ.update(addresses)
        has_sandbox = not os.environ.get("KUBECONFIG")
        if has_sandbox:
            self.supervisor.keep(KeptProcess("sandbox", self.start_sandbox))
        self.stem.grow()
        self.await_engines()
        if not was_ready:
            self.once("prepare", ("prepare",), "The database could not be prepared")
        self.stem.ripen()
        for name, main in (("worker", stems.worker), ("live", stems.manage("live"))):
            self.keep_fork(name, main, "CLUSTER_PRIVATE_KEY")
        if demo_wanted() and not was_ready:
            self.load_demo(has_sandbox=has_sandbox)
        self.keep_fork("web", lambda: stems.web(self.wish.host, self.wish.port))
        if not self.supervisor.wait(lambda: answers(f"{self.wish.url}/healthz"), 60) and not self.supervisor.stopping:
            raise CannotStart("The web process does not answer: see the lines above.")
        if not was_ready and not self.supervisor.stopping:
            say(welcome(os.environ["PUBLIC_URL"], time.monotonic() - self.begun, has_demo=demo_wanted()))

    def keep_guard(self) -> None:
        """The guards are kept like the others; one of them has started us."""
        role, pid = self.starter
        for name in ("guard", "spare"):
            kept = KeptProcess(name, functools.partial(self.start_guard, name), takes_children_along=False)
            self.supervisor.keep(kept, pid if name == role else None)

    def start_guard(self, role: str) -> int:
        return spawn(
            [sys.executable, "-m", "portal.up", role, str(self.private), str(os.getpid())],
            env=self.asked, cwd=ROOT, pass_fds=[self.private],
        )  # fmt: skip

    def start_engines(self) -> dict[str, str]:
        """Starts what nobody has named an address of; returns the addresses by the names that settings read."""
        addresses: dict[str, str] = {}
        needed = engines_needed()
        if "valkey" in needed:
            from portal.embedded import Valkey, free_port

            port = self.supervisor.facts["valkey"] or free_port()
            self.supervisor.facts["valkey"] = port
            valkey = Valkey(self.wish.var / "valkey", port)
            self.supervisor.keep(KeptProcess("valkey", valkey.start))
            addresses["VALKEY_URL"] = valkey.url
        self.postgres = None
        if "postgres" in needed:
            from portal.embedded import Postgres

            self.postgres = Postgres.lay_out(self.wish.var)
            close_to_others(self.wish.var)
            self.supervisor.keep(
                KeptProcess("postgres", self.postgres.start, signal.SIGINT, patience=30, takes_children_along=False)
            )
            addresses["DATABASE_URL"] = self.postgres.addresses(DATABASE).app_url
        return addresses

    def await_engines(self) -> None:
        """Waits for PostgreSQL, which may have a crash to recover from, and makes roles and database."""
        if self.postgres is None:
            return
        if not self.supervisor.wait(self.postgres.is_ready, 60) and not self.supervisor.stopping:
            raise CannotStart(f"The embedded PostgreSQL did not start: see {self.wish.var / 'pg' / 'log'}.")
        if not self.supervisor.stopping:
            self.postgres.database(DATABASE)

    def start_sandbox(self) -> int:
        folder = self.wish.var / "sandbox"
        return spawn(
            [
                sys.executable, "-m", "portal.sandbox", "--port", sandbox_port(self.wish.var),
                "--kubeconfig", str(folder / "kubeconfig"), "--state", str(folder / "state.json"),
            ],
            cwd=ROOT, start_new_session=True,
        )  # fmt: skip

    def keep_fork(self, name: str, main: Callable[[], Any], *grants: str) -> None:
        self.supervisor.keep(KeptProcess(name, lambda: self.stem.fork(name, main, *grants)))

    def once(self, name: str, arguments: tuple[str, ...], complaint: str, **environment: str) -> None:
        """Runs a management command to its end; raises CannotStart when it fails."""
        if self.supervisor.stopping:
            return
        if self.postgres is not None and name == "prepare":
            environment["DATABASE_OWNER_URL"] = self.postgres.addresses(DATABASE).owner_url
        pid = self.stem.fork(name, stems.manage(*arguments), *stems.PRIVATE, **environment)
        status: list[int] = []

        def ended() -> bool:
            done, code = os.waitpid(pid, os.WNOHANG)
            if done:
                status.append(os.waitstatus_to_exitcode(code))
            return bool(done)

        if not self.supervisor.wait(ended, 600):
            os.kill(pid, signal.SIGTERM)
        elif status != [0]:
            raise CannotStart(f"{complaint}: see the lines above.")

    def load_demo(self, *, has_sandbox: bool) -> None:
        """The demo comes before web: nobody is turned away who was told to sign in."""
        arguments = ["load_demo"]
        extra: dict[str, str] = {}
        if has_sandbox:
            kubeconfig = self.wish.var / "sandbox" / "kubeconfig"
            if not self.supervisor.wait(kubeconfig.exists, 30) and not self.supervisor.stopping:
                raise CannotStart(f"The sandbox cluster did not start: {kubeconfig} is missing.")
            extra["KUBECONFIG"] = str(kubeconfig)
            # Only into a cluster of our own: what somebody else runs is not the place for a demo's workloads.
            arguments.append("--workloads")
        self.once("demo", tuple(arguments), "The demo could not be loaded", **extra)


def end_leftover(pid: int, born: int) -> None:
    """Ends a process that an earlier start left behind, and waits for its end."""
    if identity(pid) != (pid, born):
        return
    gone = os.pidfd_open(pid)
    for number, seconds in ((signal.SIGINT, 10), (signal.SIGKILL, 10)):
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(gone, number)
        if select.select([gone], [], [], seconds)[0]:
            break
    os.close(gone)


def answers(url: str) -> bool:
    """Whether it answers 200 within two seconds."""
    from http.client import HTTPConnection, HTTPException
    from urllib.parse import urlsplit

    where = urlsplit(url)
    peer = HTTPConnection(where.hostname or "", where.port, timeout=2)
    try:
        peer.request("GET", where.path)
        return peer.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        peer.close()


def welcome(url: str, seconds: float, *, has_demo: bool) -> str:
    """The lines that end a start: where to go and as whom."""
    from portal.demo_people import SIGN_INS

    people = "\n".join(f"    {who:<34} {what}" for who, what in SIGN_INS.lines())
    who = (
        f"Demo sign-ins (password {SIGN_INS.password}):\n{people}"
        if has_demo
        else "Nobody is here yet? Whoever signs up first makes the first organisation."
    )
    return (
        f"\n  Slipway is ready after {seconds:.1f} s:  {url}\n\n  {who}\n\n  Ctrl-C stops everything; the data stays.\n"
    )


def say(text: str) -> None:
    # A terminal that is gone is no reason to stop.
    with contextlib.suppress(OSError):
        print(text, flush=True)  # noqa: T201 - this is the command's output


def run(wish: StartWish, argv: list[str]) -> int:
    """Runs a command with the environment of the product that runs from this folder; raises CannotStart without one."""
    running = Ledger(wish.var / "up.json").read()
    if not running:
        raise CannotStart("Nothing runs from this folder: start it with make up.")
    os.execvpe(argv[0], argv, {**environment(wish), **running.get("addresses", {})})  # noqa: S606 - no shell is the point


# --- the command ------------------------------------------------------------------------------------------------------


def main(argv: list[str]) -> int:
    try:
        wish = wished()
        close_to_others(wish.var)
        if argv[:1] == ["supervise"]:
            return House(wish, int(argv[1]), (argv[2], int(argv[3]))).run()
        if argv[:1] in (["guard"], ["spare"]):
            return guard(wish, int(argv[2]), int(argv[1]), role=argv[0])
        if argv[:1] == ["run"] and argv[1:]:
            return run(wish, argv[1:])
        only_one(wish.var).close()
        if not Ledger(wish.var / "up.json").file.exists():
            require_free(wish.host, wish.port)
        known = environment(wish)
        private = stems.seal({name: known.get(name, "") for name in stems.PRIVATE})
        return guard(wish, start_supervisor(wish, private, "guard"), private)
    except CannotStart as error:
        sys.stderr.write(f"\n  {error}\n\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
