"""Starting a sandbox as its own process, and a plain HTTP client for a Kubernetes API."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import yaml

ROOT = Path(__file__).resolve().parents[2]
APPLY = "application/apply-patch+yaml"


class Api:
    """Requests to one API server as one user."""

    def __init__(self, kubeconfig: Path) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        context = document["contexts"][0]["context"]
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        self.kubeconfig = kubeconfig
        self.namespace = context.get("namespace", "default")
        self.server = cluster["server"]
        self.session = requests.Session()
        self.session.trust_env = False
        self._folder = Path(tempfile.mkdtemp(prefix="api-"))
        self.session.verify = self._file("ca.crt", cluster, "certificate-authority")
        if "token" in user:
            self.session.headers["Authorization"] = f"Bearer {user['token']}"
        if "client-certificate" in user or "client-certificate-data" in user:
            self.session.cert = (self._file("crt", user, "client-certificate"), self._file("key", user, "client-key"))

    def _file(self, name: str, holder: Mapping[str, Any], key: str) -> str:
        if key in holder:
            return str(holder[key])
        path = self._folder / name
        path.write_bytes(base64.b64decode(holder[f"{key}-data"]))
        return str(path)

    def request(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        headers = options.pop("headers", {})
        data = None
        if body is not None:
            data = body if isinstance(body, str | bytes) else json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        return self.session.request(
            method, self.server + path, data=data, headers=headers, timeout=options.pop("timeout", 30), **options
        )

    def get(self, path: str, **params: Any) -> requests.Response:
        return self.request("GET", path, params=params)

    def json(self, path: str, **params: Any) -> dict[str, Any]:
        """A document that must be there."""
        response = self.get(path, **params)
        assert response.status_code == 200, response.text
        return response.json()

    def create(self, path: str, body: Any, **params: Any) -> dict[str, Any]:
        """Create an object, as patiently as the server asks for (`retryAfterSeconds`)."""
        response = self.request("POST", path, body, params=params)
        for _ in range(10):
            wait = (response.json().get("details") or {}).get("retryAfterSeconds")
            if response.status_code < 500 or not wait:
                break
            time.sleep(wait)
            response = self.request("POST", path, body, params=params)
        assert response.status_code == 201, response.text
        return response.json()

    def apply(self, path: str, body: Any, manager: str = "suite", **params: Any) -> requests.Response:
        params = {"fieldManager": manager} | params
        return self.request("PATCH", path, body, params=params, headers={"Content-Type": APPLY})

    def patch(self, path: str, body: Any, kind: str = "merge", **params: Any) -> requests.Response:
        headers = {"Content-Type": f"application/{kind}-patch+json"}
        return self.request("PATCH", path, body, params=params, headers=headers)

    def delete(self, path: str, body: Any = None, **params: Any) -> requests.Response:
        return self.request("DELETE", path, body, params=params)

    @contextmanager
    def watch(self, path: str, seconds: int = 30, **params: Any) -> Iterator[Iterator[dict[str, Any]]]:
        """The events of a watch, as they come."""
        params = {"watch": "true", "timeoutSeconds": seconds} | params
        response = self.session.get(self.server + path, params=params, stream=True, timeout=seconds + 10)
        try:
            assert response.status_code == 200, response.text
            yield (json.loads(line) for line in response.iter_lines(chunk_size=1) if line)
        finally:
            response.close()

    def until(self, path: str, holds: Any, seconds: float = 60, **params: Any) -> dict[str, Any]:
        """Watch one object until it is as wanted."""
        folder, _, name = path.rpartition("/")
        end = time.monotonic() + seconds
        last: dict[str, Any] = {}
        with self.watch(folder, seconds=int(seconds), fieldSelector=f"metadata.name={name}", **params) as events:
            for event in events:
                last = event["object"]
                if event["type"] != "DELETED" and holds(last):
                    return last
                if time.monotonic() > end:
                    break
        raise AssertionError(f"{path} did not become what was expected: {json.dumps(last)[:2000]}")

    def until_gone(self, path: str, seconds: float = 60) -> None:
        folder, _, name = path.rpartition("/")
        with self.watch(folder, seconds=int(seconds), fieldSelector=f"metadata.name={name}") as events:
            if self.get(path).status_code == 404:
                return
            for event in events:
                if event["type"] == "DELETED":
                    return
        raise AssertionError(f"{path} is still there")


@dataclass
class Sandbox:
    """A sandbox process; `stop` asks it to end, as Ctrl-C does."""

    folder: Path
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = field(default=None)

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "admin.kubeconfig"

    @property
    def viewer(self) -> Path:
        return self.folder / "admin.viewer.kubeconfig"

    @property
    def limited(self) -> Path:
        return self.folder / "admin.limited.kubeconfig"

    def start(self) -> Sandbox:
        command = [sys.executable, "-m", "portal.sandbox", "--port", "0", "--kubeconfig", str(self.kubeconfig)]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("DJANGO_")}
        self.process = subprocess.Popen(
            [*command, *self.arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "Kubernetes API at" in line, line
        return self

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=15)
        if self.process.stdout:
            self.process.stdout.close()
        return code

    def api(self) -> Api:
        return Api(self.kubeconfig)
