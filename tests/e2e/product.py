"""The whole product as `make up` starts it, in a folder of its own: for tests that need everything at once."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from portal.embedded import free_port
from tests.migrated import copy_migrated

ROOT = Path(__file__).resolve().parents[2]
# What the test run has set for its own engines must not reach a product that starts its own.
OURS = {
    "DATABASE_URL", "DATABASE_OWNER_URL", "VALKEY_URL", "SECRET_KEY", "SLIPWAY_VAR", "CLUSTER_PUBLIC_KEY",
    "CLUSTER_PRIVATE_KEY", "ALLOWED_NETWORKS", "SOURCE_FOLDERS", "DJANGO_SETTINGS_MODULE", "KUBECONFIG", "GIT_ROOT",
    "SLIPWAY_TEST_ENGINES", "LOG_LEVEL", "PUBLIC_URL", "DEMO", "PORT", "HOST", "STATIC_HASHED",
}  # fmt: skip


class Product:
    """One `make up`."""

    def __init__(self, folder: Path, *, port: int | None = None, prefix: Sequence[str] = (), **extra: str) -> None:
        """`prefix` is a command that runs it, such as one that steps down to another user."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.prefix = prefix
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "up.log"
        self.extra = extra
        self.popen: subprocess.Popen[bytes] | None = None

    def with_migrated_database(self) -> Product:
        """For tests that are about what comes after the first start: its database is there already."""
        var = self.folder / "var"
        var.mkdir(mode=0o700)
        copy_migrated(var)
        return self

    def start(self, seconds: float = 120) -> float:
        """Starts it, waits for the welcome, returns the seconds that took."""
        env = self.environment()
        begun = time.monotonic()
        with self.log.open("wb") as out:
            self.popen = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "portal.up"],
                cwd=ROOT,
                env=env,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        while "Slipway is ready after" not in self.said():
            if self.popen.poll() is not None or time.monotonic() - begun > seconds:
                self.stop()
                raise AssertionError(f"make up did not get ready:\n{self.said()[-6000:]}")
            time.sleep(0.1)
        return time.monotonic() - begun

    def environment(self) -> dict[str, str]:
        """What `make up` is started with."""
        env = {name: value for name, value in os.environ.items() if name not in OURS}
        return {**env, "SLIPWAY_VAR": str(self.folder / "var"), "PORT": str(self.port), **self.extra}

    def run(self, *arguments: str) -> str:
        """What a command of ours prints when it runs beside the product, as an operator would run it."""
        command = [*self.prefix, sys.executable, "-m", "portal.up", "run", sys.executable, *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment(), check=True, capture_output=True, text=True
        ).stdout

    def kept(self) -> dict[str, int]:
        """Name -> pid of everything that `make up` keeps, supervisor included; empty while that is not written."""
        var = self.folder / "var"
        try:
            processes = json.loads((var / "up.json").read_text())["processes"]
            names = {name: pid for name, (pid, _) in processes.items()}
            return {**names, "supervisor": int((var / "up.lock").read_text())}
        except (FileNotFoundError, ValueError):
            return {}

    def said(self) -> str:
        return re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_text(errors="replace"))

    def stop(self, seconds: float = 30) -> int:
        """Ctrl-C, as a person would; returns the exit status."""
        assert self.popen is not None
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGINT)
        return self.popen.wait(seconds)

    def end(self, seconds: float = 30) -> None:
        """Stops it whoever its guard is by now: asks the supervisor, and waits for it."""
        asked = int((self.folder / "var" / "up.lock").read_text())
        gone = os.pidfd_open(asked)
        os.kill(asked, signal.SIGTERM)
        assert select.select([gone], [], [], seconds)[0], "it did not stop"
        os.close(gone)
        assert self.popen is not None
        self.popen.wait(5)

    def processes(self) -> list[int]:
        """Pids of everything that carries this product's folder in its environment or command."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                words = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            except (FileNotFoundError, PermissionError, ProcessLookupError):
                continue
            if str(self.folder / "var").encode() in words:
                found.append(int(entry.name))
        return found
