"""A page stays open while parts of the product are killed: it says in words what it no longer knows, and heals."""

from __future__ import annotations

import os
import re
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from portal.clusters import kubeconfig
from portal.clusters.kube import Client
from tests.e2e.conftest import sign_in
from tests.e2e.product import Product

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ENTITY = "catalog/component/default/quote-engine/"
NAMESPACE = "booking"


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def pids(product: Product, words: str) -> list[int]:
    """The product's processes, and children of them that carry nothing of its environment, with such a command."""
    ours = set(product.processes())
    found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    known = [pid for pid in sorted(found) if pid in ours or parent_of(pid) in ours]
    return [pid for pid in known if re.search(words, command_of(pid))]


@contextmanager
def killed(product: Product, process: str, keeper: str) -> Iterator[None]:
    """SIGKILLs the process while whoever would start it again is held; it comes back afterwards."""
    keepers = pids(product, keeper)
    assert keepers, keeper
    for pid in keepers:
        os.kill(pid, signal.SIGSTOP)
    try:
        victims = [pid for pid in pids(product, process) if pid not in keepers]
        assert victims, process
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        yield
    finally:
        for pid in keepers:
            os.kill(pid, signal.SIGCONT)


@pytest.fixture
def watched(product: Product, browse: Callable[..., Any]) -> Any:
    """A page on an entity whose workload is healthy, never reloaded from here on."""
    page = browse()
    sign_in(page, "dev")
    organisation = re.search(r"/o/([^/]+)/", page.url)
    assert organisation
    page.goto(f"/o/{organisation.group(1)}/{ENTITY}")
    healthy(page, 60)
    page.evaluate("window.neverReloaded = true")
    return page


def panel(page: Any) -> Any:
    return page.locator('[data-live^="workloads:"]')


def healthy(page: Any, seconds: float) -> None:
    """The panel says so and nothing in it is unknown."""
    panel(page).get_by_text("All 3 pods are available").first.wait_for(timeout=seconds * 1000)
    assert panel(page).get_by_text("Unknown", exact=True).locator("visible=true").count() == 0
    light(page, "Live", seconds)


def unknown(page: Any, seconds: float) -> None:
    """The panel says so, and nothing in it is called healthy."""
    panel(page).get_by_text("no current view").first.wait_for(timeout=seconds * 1000)
    assert panel(page).get_by_text("Unknown", exact=True).locator("visible=true").count() >= 1
    assert panel(page).get_by_text("Healthy", exact=True).locator("visible=true").count() == 0


def light(page: Any, words: str, seconds: float) -> None:
    page.locator("#live-light").get_by_text(words, exact=True).wait_for(timeout=seconds * 1000)


def a_change_arrives(product: Product, page: Any) -> None:
    """Something said to the cluster from now on appears in the page, which was not reloaded."""
    kube = Client("sandbox", kubeconfig.parse((product.folder / "var" / "sandbox" / "kubeconfig").read_text()))
    word = f"Told{uuid.uuid4().hex[:6]}"
    pods = kube.list("v1", "Pod", NAMESPACE)
    name = next(pod["metadata"]["name"] for pod in pods if pod["metadata"]["name"].startswith("quote-engine-"))
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{name}/status"
    kube.call("PATCH", path, None, {"status": {"reason": word}}, "application/merge-patch+json")
    page.locator(f'[data-pod="{name}"][data-phase="{word}"]').wait_for(timeout=20_000)
    kube.call("PATCH", path, None, {"status": {"reason": None}}, "application/merge-patch+json")
    assert page.evaluate("window.neverReloaded") is True


def test_without_live_the_status_is_unknown_and_the_next_one_makes_it_true(product: Product, watched: Any) -> None:
    with killed(product, r"manage\.py live", r"portal\.keep .*manage\.py live"):
        unknown(watched, 40)
    healthy(watched, 60)
    a_change_arrives(product, watched)


def test_without_the_cluster_the_status_is_unknown_and_its_return_heals(product: Product, watched: Any) -> None:
    with killed(product, r"-m portal\.sandbox", r"portal\.keep .*portal\.sandbox"):
        unknown(watched, 30)
    healthy(watched, 60)
    a_change_arrives(product, watched)


def test_without_valkey_the_status_is_unknown_and_its_return_heals(product: Product, watched: Any) -> None:
    with killed(product, r"/valkey-server ", r"-m portal\.embedded"):
        unknown(watched, 30)
    healthy(watched, 60)
    a_change_arrives(product, watched)


def test_without_postgresql_the_page_says_that_it_is_out_of_date(product: Product, watched: Any) -> None:
    with killed(product, r"/bin/postgres -D", r"-m portal\.embedded"):
        light(watched, "Out of date", 30)
    healthy(watched, 60)
    a_change_arrives(product, watched)
    # Not one of the connections that died with the server is handed to a page.
    statuses = {watched.request.get(watched.url).status for _ in range(20)}
    assert statuses == {200}


def test_without_web_the_stream_is_opened_again(product: Product, watched: Any) -> None:
    with killed(product, r"uvicorn portal\.asgi", r"portal\.keep .*uvicorn"):
        light(watched, "Reconnecting…", 15)
    light(watched, "Live", 60)
    a_change_arrives(product, watched)
