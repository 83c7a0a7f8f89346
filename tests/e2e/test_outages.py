"""A page stays open while parts of the product are killed: it says in words what it no longer knows, and heals."""

from __future__ import annotations

import os
import re
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from portal.clusters import kubeconfig
from portal.clusters.kube import Client
from tests.e2e.conftest import sign_in
from tests.e2e.product import Product
from tests.kit.test_frozen import stopped

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ENTITY = "catalog/component/default/quote-engine/"
NAMESPACE = "booking"


@contextmanager
def killed(product: Product, name: str) -> Iterator[None]:
    """SIGKILLs the process while whoever would start it again is held; it comes back afterwards."""
    processes = product.kept()
    os.kill(processes["supervisor"], signal.SIGSTOP)
    try:
        os.kill(processes[name], signal.SIGKILL)
        yield
    finally:
        os.kill(processes["supervisor"], signal.SIGCONT)


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
    with killed(product, "live"):
        unknown(watched, 40)
    healthy(watched, 60)
    a_change_arrives(product, watched)


def test_without_the_cluster_the_status_is_unknown_and_its_return_heals(product: Product, watched: Any) -> None:
    with killed(product, "sandbox"):
        unknown(watched, 30)
    healthy(watched, 60)
    a_change_arrives(product, watched)


def test_without_valkey_the_status_is_unknown_and_its_return_heals(product: Product, watched: Any) -> None:
    with killed(product, "valkey"):
        unknown(watched, 30)
    healthy(watched, 60)
    a_change_arrives(product, watched)


def test_without_postgresql_the_page_says_that_it_is_out_of_date(product: Product, watched: Any) -> None:
    with killed(product, "postgres"):
        light(watched, "Out of date", 30)
    healthy(watched, 60)
    a_change_arrives(product, watched)
    # Not one of the connections that died with the server is handed to a page.
    statuses = {watched.request.get(watched.url).status for _ in range(20)}
    assert statuses == {200}


def test_a_postgresql_that_is_frozen_is_told_within_ten_seconds_and_its_return_within_five(
    product: Product, watched: Any
) -> None:
    with stopped(product.kept()["postgres"]):
        light(watched, "Out of date", 10)
    light(watched, "Live", 5)
    healthy(watched, 5)
    a_change_arrives(product, watched)
    assert {watched.request.get(watched.url).status for _ in range(20)} == {200}


def test_without_web_the_stream_is_opened_again(product: Product, watched: Any) -> None:
    with killed(product, "web"):
        light(watched, "Reconnecting…", 15)
    light(watched, "Live", 60)
    a_change_arrives(product, watched)
