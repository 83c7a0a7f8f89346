"""A running sandbox for the tests of this folder."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.sandbox.process import Api, Sandbox


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox whose pods live five times faster than usual."""
    running = Sandbox(tmp_path_factory.mktemp("sandbox"), ("--speed", "5")).start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def api(sandbox: Sandbox) -> Api:
    return sandbox.api()


@pytest.fixture
def namespace(api: Api) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    api.delete(f"/api/v1/namespaces/{name}")
