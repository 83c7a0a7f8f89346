"""Everything that `make up` keeps, and the order in which it comes up: the supervisor's own process."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from portal import stem as stems
from portal.demo_people import SIGN_INS
from portal.embedded import Postgres, Valkey
from portal.guard import asleep
from portal.supervisor import KeptProcess, Ledger, Supervisor, free_port, identity, spawn
from portal.wish import (
    ROOT,
    CannotStart,
    StartWish,
    close_to_others,
    demo_wanted,
    engines_needed,
    only_one,
    sandbox_port,
    say,
)

DATABASE = "slipway"


class House:
    """Everything that `make up` keeps, and the order in which it comes up."""

    def __init__(self, wish: StartWish, private: int, starter: tuple[str, int], *ends: int) -> None:
        """`starter` is who started us: its role, guard or spare, and its pid. `ends` are descriptors that it watches:
        they close when we end.
        """
        self.wish = wish
        self.private = private
        self.starter = starter
        self.ledger = Ledger(wish.var / "up.json")
        self.begun = time.monotonic()
        # What a later guard and supervisor are started with: without the addresses of engines that are ours.
        self.asked = dict(os.environ)
        self.lock = only_one(wish.var)
        # The same for the guards that we start: they read from the one end, and we alone have the other.
        self.lifeline, end = os.pipe()
        self.ends = (*ends, end)
        self.supervisor = Supervisor(self.ledger, self.take_over(), say=say)
        self.stem = stems.Stem(private, self.leave)

    def leave(self) -> None:
        """In a forked child."""
        self.supervisor.leave()
        self.lock.close()
        for descriptor in (self.lifeline, *self.ends):
            os.close(descriptor)

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
            # The guard, which sleeps, learns by what it reads with which status to end.
            for end in self.ends:
                os.write(end, b"1\n")
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
        for _ in self.stem.grow():
            self.supervisor.turn(0.0)
        self.await_engines()
        if not was_ready:
            # An upgrade takes as long as what is there is large, and says how far it is: nothing ends it half done.
            self.once("prepare", ("prepare",), "The database could not be prepared", seconds=math.inf)
        self.stem.ripen()
        if has_sandbox:
            self.keep_fork("sandbox", self.sandbox())
        for name, main in (("worker", stems.worker), ("live", stems.manage("live", "--skip-checks"))):
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
        command = asleep(role, os.getpid(), self.private)
        return spawn(command, stdin=self.lifeline, env=self.asked, cwd=ROOT, pass_fds=[self.private])

    def start_engines(self) -> dict[str, str]:
        """Starts what nobody has named an address of; returns the addresses by the names that settings read."""
        addresses: dict[str, str] = {}
        needed = engines_needed()
        if "valkey" in needed:
            port = self.supervisor.facts["valkey"] or free_port()
            self.supervisor.facts["valkey"] = port
            valkey = Valkey(self.wish.var / "valkey", port)
            self.supervisor.keep(KeptProcess("valkey", valkey.start))
            addresses["VALKEY_URL"] = valkey.url
        self.postgres: Postgres | None = None
        if "postgres" in needed:
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

    def sandbox(self) -> Callable[[], None]:
        """What the embedded cluster's process does: it keeps its state in the folder."""
        folder = self.wish.var / "sandbox"
        return stems.sandbox(sandbox_port(self.wish.var), folder / "kubeconfig", folder / "state.json")

    def keep_fork(self, name: str, main: Callable[[], Any], *grants: str) -> None:
        self.supervisor.keep(KeptProcess(name, lambda: self.stem.fork(name, main, *grants)))

    def once(
        self,
        name: str,
        arguments: tuple[str, ...],
        complaint: str,
        extra: Mapping[str, str] | None = None,
        seconds: float = 600,
    ) -> None:
        """Runs a management command to its end; raises CannotStart when it fails or takes longer than that."""
        if self.supervisor.stopping:
            return
        environment = dict(extra or {})
        if self.postgres is not None and name == "prepare":
            environment["DATABASE_OWNER_URL"] = self.postgres.addresses(DATABASE).owner_url
        pid = self.stem.fork(name, stems.manage(*arguments), *stems.PRIVATE, **environment)
        status: list[int] = []

        def ended() -> bool:
            done, code = os.waitpid(pid, os.WNOHANG)
            if done:
                status.append(os.waitstatus_to_exitcode(code))
            return bool(done)

        if not self.supervisor.wait(ended, seconds):
            os.kill(pid, signal.SIGTERM)
            if not self.supervisor.stopping:
                raise CannotStart(f"{complaint} in {seconds:.0f} s: see the lines above.")
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
        self.once("demo", tuple(arguments), "The demo could not be loaded", extra)


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
    people = "\n".join(f"    {who:<34} {what}" for who, what in SIGN_INS.lines())
    who = (
        f"Demo sign-ins (password {SIGN_INS.password}):\n{people}"
        if has_demo
        else "Nobody is here yet? Whoever signs up first makes the first organisation."
    )
    return (
        f"\n  Slipway is ready after {seconds:.1f} s:  {url}\n\n  {who}\n\n  Ctrl-C stops everything; the data stays.\n"
    )
