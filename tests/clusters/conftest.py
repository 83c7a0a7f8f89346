"""Clusters for tests: the sandbox as a real process, a registered cluster, and watchers in a thread of the test."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from portal.clusters import actions, kubeconfig
from portal.clusters.kube import Kube, connect_target
from portal.clusters.watching.hub import run_clusters
from tests.conftest import by, free_port


def until(check: Callable[[], Any], what: str, seconds: float = 15) -> Any:
    """The first truthy answer of `check`; fails with `what` when there is none in time."""
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < end, f"not within {seconds} s: {what}; last: {found!r}"
        time.sleep(0.02)


@pytest.fixture
def sandbox_kubeconfig(start_process: Callable[..., Any], tmp_path: Path) -> Path:
    """A sandbox cluster of the test's own; the fixture answers the path of its kubeconfig."""
    if os.environ.get("LIVE_KUBECONFIG"):
        return Path(os.environ["LIVE_KUBECONFIG"])
    path = tmp_path / "kubeconfig"
    argv = [sys.executable, "-m", "portal.sandbox", "--port", str(free_port()), "--kubeconfig", str(path)]
    start_process("sandbox", [*argv, "--speed", "5"]).wait_for("Kubernetes API at")
    return path


@pytest.fixture
def kube(sandbox_kubeconfig: Path) -> Kube:
    """The sandbox as its administrator."""
    return connect_target("sandbox", kubeconfig.parse(sandbox_kubeconfig.read_text()))


@pytest.fixture
def cluster(committed_world: Any, sandbox_kubeconfig: Path) -> Any:
    """The sandbox, registered with acme by Ada."""
    with committed_world.tenant():
        return actions.register_cluster(
            organisation=committed_world.acme,
            actor=by(committed_world.ada),
            name="Sandbox",
            kubeconfig=sandbox_kubeconfig.read_text(),
        )


@contextmanager
def watchers(on_workload: Callable[[int, str], None] = lambda organisation, key: None) -> Iterator[None]:
    """run_clusters in a thread with a loop of its own, stopped at the end."""
    ready = threading.Event()
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    trouble: list[BaseException] = []

    async def main() -> None:
        event = asyncio.Event()
        stop.append((asyncio.get_running_loop(), event))
        ready.set()
        await run_clusters(event, on_workload)

    def body() -> None:
        try:
            asyncio.run(main())
        except Exception as error:  # noqa: BLE001 - told to the test, whatever it is
            trouble.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    ready.wait(5)
    try:
        yield
    finally:
        loop, event = stop[0]
        loop.call_soon_threadsafe(event.set)
        thread.join(15)
        assert not thread.is_alive(), "run_clusters did not stop"
        assert not trouble, trouble


@pytest.fixture(autouse=True)
def clean_valkey(request: pytest.FixtureRequest) -> None:
    """Status of one test is not the next one's."""
    if "committed_world" in request.fixturenames:
        import redis

        redis.Redis.from_url(os.environ["VALKEY_URL"]).flushall()
