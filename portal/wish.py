"""What `make up` is asked for: what the environment says, the folder with its lock and keys, what its processes see.

The guards wake to this and little else, so it imports little.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from portal.kit import env
from portal.supervisor import free_port

ROOT = Path(__file__).resolve().parent.parent
ANY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104 - recognised here, never chosen by us
# The servers of a kubeconfig, as far as their addresses go; reading it whole is for those who connect.
SERVER = re.compile(r"""(?:^|[\s{,])["']?server["']?\s*:\s*["']?https?://([^\s"'/,}]+)""", re.MULTILINE)


class CannotStart(Exception):
    """A sentence for the person who typed `make up`."""


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
    import base64
    import secrets

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
        # A cluster that you name yourself may be on a private network: it is reached as a cluster and as nothing else.
        "CLUSTER_ADDRESSES": ",".join(servers_of(kubeconfig)) if kubeconfig else "",
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


def servers_of(kubeconfig: str) -> list[str]:
    """host:port of every API server that the files of a KUBECONFIG name; a file that cannot be read names none."""
    found: list[str] = []
    for path in kubeconfig.split(os.pathsep):
        with contextlib.suppress(OSError, UnicodeError):
            found += SERVER.findall(Path(path).read_text())
    return list(dict.fromkeys(found))


def close_to_others(var: Path) -> None:
    """Makes the folder and lets nobody else in but, under root, the user that the embedded database runs as."""
    os.umask(0o077)
    var.mkdir(parents=True, exist_ok=True)
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
        kept.write_text(str(free_port()))
    return kept.read_text().strip()


def say(text: str) -> None:
    # A terminal that is gone is no reason to stop.
    with contextlib.suppress(OSError):
        print(text, flush=True)  # noqa: T201 - this is the command's output
