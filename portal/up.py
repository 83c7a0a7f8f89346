"""`make up`: the whole product on one machine, under one supervisor.

Engines, sandbox cluster, web, worker and live are honcho processes, each behind a keeper. A stage process prepares the
database, writes the environment that the others wait for, loads the demo once and says where to go. DATABASE_URL,
VALKEY_URL and KUBECONFIG, where set, replace the embedded part.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import select
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from honcho.manager import Manager

from portal.embedded import free_port
from portal.kit import env

ROOT = Path(__file__).resolve().parent.parent
ANY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104 - recognised here, never chosen by us
PRIVATE_NETWORKS = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"


class CannotStart(Exception):
    """A sentence for the person who typed `make up`."""


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
        raise CannotStart(f"Slipway runs from this folder already (pid {lock.read().strip() or '?'}).") from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def kept_secrets(var: Path) -> dict[str, str]:
    """The installation's own keys, made on the first start and kept in a file that only its user can read."""
    file = var / "secrets.json"
    if not file.exists():
        key = X25519PrivateKey.generate()
        values = {
            "SECRET_KEY": secrets.token_urlsafe(48),
            "CLUSTER_PUBLIC_KEY": base64.b64encode(key.public_key().public_bytes_raw()).decode(),
            "CLUSTER_PRIVATE_KEY": base64.b64encode(key.private_bytes_raw()).decode(),
        }
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as out:
            json.dump(values, out, indent=2)
    return dict(json.loads(file.read_text()))


def environment(var: Path, host: str, port: int) -> dict[str, str]:
    """What every process sees; whatever the caller has set wins."""
    kubeconfig = os.environ.get("KUBECONFIG", "")
    ours = {
        **kept_secrets(var),
        "SLIPWAY_VAR": str(var),
        "PUBLIC_URL": f"http://{reachable(host)}:{port}",
        "STATIC_HASHED": "yes",
        "DATABASE_POOL": "yes",
        "SOURCE_FOLDERS": str(ROOT / "demo"),
        # The embedded cluster listens on loopback; a cluster that you name yourself may be on a private network.
        "ALLOWED_NETWORKS": PRIVATE_NETWORKS if kubeconfig else "127.0.0.0/8",
        # What of ours listens: nobody's source or repository reaches it, whatever the networks above say.
        "OWN_ADDRESSES": f"{reachable(host)}:{port}",
        "SANDBOX_ADDRESS": "" if kubeconfig else f"127.0.0.1:{sandbox_port(var)}",
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }
    return {**ours, **{name: value for name, value in os.environ.items() if value}}


def processes(var: Path, host: str, port: int) -> dict[str, tuple[list[str], list[str]]]:
    """Name -> (command, environment names hidden from it)."""
    python = sys.executable
    web = [python, "-m", "uvicorn", "portal.asgi:application", "--host", host, "--port", str(port)]
    found: dict[str, tuple[list[str], list[str]]] = {
        # Web seals cluster credentials and can never open them.
        "web": ([*web, "--timeout-graceful-shutdown", "2", "--log-level", "warning"], ["CLUSTER_PRIVATE_KEY"]),
        "worker": (
            # No banner, and no word about root: containers run as root, and only JSON is ever read.
            [python, "-W", "ignore:You're running the worker", "-m", "celery", "--quiet", "-A", "portal", "worker",
             "--loglevel=warning", "--concurrency=2", "--without-gossip", "--without-mingle"],
            [],
        ),
        "live": ([python, "manage.py", "live"], []),
    }  # fmt: skip
    return found


def sandbox_port(var: Path) -> str:
    """The port of the embedded cluster, chosen once for the folder's life."""
    folder = var / "sandbox"
    folder.mkdir(exist_ok=True)
    kept = folder / "port"
    if not kept.exists():
        kept.write_text(str(free_port()))
    return kept.read_text().strip()


def sandbox_command(var: Path) -> list[str]:
    folder = var / "sandbox"
    return [
        sys.executable, "-m", "portal.sandbox", "--port", sandbox_port(var),
        "--kubeconfig", str(folder / "kubeconfig"), "--state", str(folder / "state.json"),
    ]  # fmt: skip


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


def end_with(supervisor: int) -> None:
    """Sends this process SIGTERM as soon as the supervisor is gone, however it went: a closed terminal tells nobody."""
    gone = os.pidfd_open(supervisor)

    def watch() -> None:
        select.select([gone], [], [])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def stage(var: Path, host: str, port: int, supervisor: int) -> int:
    """The stage process: engines up, database prepared, environment written, demo loaded, address printed."""
    begun = time.monotonic()
    values = dict(os.environ)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    end_with(supervisor)
    engines: subprocess.Popen[str] | None = None
    if needed := engines_needed():
        engines = subprocess.Popen(
            # A session of its own: a signal to the others must not stop the database under them.
            [sys.executable, "-m", "portal.embedded", str(var), *needed],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    try:
        if engines is not None:
            assert engines.stdout is not None
            said = engines.stdout.readline()
            if not said:
                names = " and ".join({"postgres": "PostgreSQL", "valkey": "Valkey"}[engine] for engine in needed)
                raise CannotStart(f"The embedded {names} did not start: see the lines above and {var / 'pg' / 'log'}.")
            values.update(json.loads(said))
        run(
            [sys.executable, "manage.py", "prepare"],
            {**values, "DATABASE_POOL": "no"},
            "The database could not be prepared",
        )
        values.pop("DATABASE_OWNER_URL", None)
        publish(var, values)
        load = [sys.executable, "manage.py", "load_demo"]
        if not os.environ.get("KUBECONFIG"):
            values["KUBECONFIG"] = str(await_file(var / "sandbox" / "kubeconfig"))
            # Only into a cluster of our own: what somebody else runs is not the place for a demo's workloads.
            load.append("--workloads")
        has_demo = demo_wanted()
        if has_demo:
            run(load, values, "The demo could not be loaded")
        await_answer(f"http://{reachable(host)}:{port}/healthz")
        say(welcome(values["PUBLIC_URL"], time.monotonic() - begun, has_demo=has_demo))
        if engines is None:
            signal.pause()
        elif engines.wait():
            say("The embedded database ended unexpectedly.")
    except CannotStart as error:
        say(str(error))
        return 1
    finally:
        if engines is not None and engines.poll() is None:
            # Web, worker and live end within these seconds too; the database goes last.
            time.sleep(1)
            engines.terminate()
            engines.wait()
    return 0


def run(argv: list[str], values: dict[str, str], complaint: str) -> None:
    if subprocess.run(argv, env=values, cwd=ROOT).returncode:
        raise CannotStart(f"{complaint}: see the lines above.")


def publish(var: Path, values: dict[str, str]) -> None:
    """Lets the keepers go: writes the environment they wait for, atomically and for this user only."""
    draft = var / "stage.json.new"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump(values, out)
    draft.rename(var / "stage.json")


def await_file(file: Path, seconds: float = 30) -> Path:
    end = time.monotonic() + seconds
    while not file.exists():
        if time.monotonic() > end:
            raise CannotStart(f"The sandbox cluster did not start: {file} is missing.")
        time.sleep(0.1)
    return file


def await_answer(url: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own loopback address
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            if time.monotonic() > end:
                raise CannotStart("The web process does not answer: see the lines above.") from error
            time.sleep(0.1)


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
    print(text, flush=True)  # noqa: T201 - this is the command's output


def supervise(var: Path, host: str, port: int) -> int:
    values = environment(var, host, port)
    (var / "stage.json").unlink(missing_ok=True)
    manager = Manager()

    def add(name: str, command: list[str], *keep: str) -> None:
        keeper = [sys.executable, "-m", "portal.keep", "--parent", str(os.getpid()), *keep, "--", *command]
        manager.add_process(name, "exec " + shlex.join(keeper), env=values, cwd=str(ROOT))

    stage_command = [sys.executable, "-m", "portal.up", "stage", host, str(port), str(os.getpid())]
    manager.add_process("slipway", "exec " + shlex.join(stage_command), env=values, cwd=str(ROOT))
    if not os.environ.get("KUBECONFIG"):
        add("sandbox", sandbox_command(var))
    for name, (command, hidden) in processes(var, host, port).items():
        # Who serves must not be able to become the owner, for whom the tenant wall is a matter of choice.
        hide = [word for secret in ["DATABASE_OWNER_URL", *hidden] for word in ("--hide", secret)]
        add(name, command, "--wait", str(var / "stage.json"), *hide)
    manager.loop()
    (var / "stage.json").unlink(missing_ok=True)
    # Ctrl-C is how one stops it: not a failure.
    return 0 if manager.returncode in {130, 143} else int(manager.returncode or 0)


def main(argv: list[str]) -> int:
    var = Path(os.environ.get("SLIPWAY_VAR") or ROOT / "var").resolve()
    var.mkdir(parents=True, exist_ok=True)
    if argv[:1] == ["stage"]:
        return stage(var, argv[1], int(argv[2]), int(argv[3]))
    try:
        host = os.environ.get("HOST") or "127.0.0.1"
        text = os.environ.get("PORT") or "8000"
        if not text.isdigit() or not 0 < int(text) < 65536:
            raise CannotStart(f"PORT={text} is not a port number.")
        demo_wanted()
        require_free(host, int(text))
        lock = only_one(var)
        try:
            return supervise(var, host, int(text))
        finally:
            lock.close()
    except CannotStart as error:
        sys.stderr.write(f"\n  {error}\n\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
