"""From signing in to a service that runs, is watched, is in the catalog and can be cloned: in a real browser."""

from __future__ import annotations

import os
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.planes import ClusterUnderTest
from tests.e2e.acts import answer_the_form, confirm, review, sign_in
from tests.e2e.product import Product

pytestmark = pytest.mark.browser
STEPS = [
    "Write the files",
    "List what was written",
    "Create the repository",
    "Apply the manifests",
    "Wait until the pods are ready",
    "Register it in the catalog",
]


def step(page: Any, name: str) -> Any:
    return page.locator(".timeline > li").filter(has_text=name)


@pytest.fixture
def real_product(tmp_path: Path) -> Iterator[Product]:
    """The product on a real control plane, where SLIPWAY_TEST_KUBECONFIG names one."""
    kubeconfig = os.environ.get("SLIPWAY_TEST_KUBECONFIG", "")
    if not kubeconfig:
        pytest.skip("SLIPWAY_TEST_KUBECONFIG names no real cluster")
    running = Product(tmp_path / "real", KUBECONFIG=kubeconfig)
    running.start()
    yield running
    running.stop()


def test_a_developer_launches_a_service_and_watches_it_come_alive(
    product: Product, browse: Callable[..., Any], tmp_path: Path
) -> None:
    page = browse()
    sign_in(page, "dev")
    launch_a_service(product, page, served_by(sandbox_of(product)), tmp_path)


def test_a_scheduled_job_is_launched_and_watched(product: Product, browse: Callable[..., Any]) -> None:
    page = browse()
    sign_in(page, "dev")
    launch_a_job(page, served_by(sandbox_of(product)))


@pytest.mark.slow
def test_the_same_on_a_real_cluster(real_product: Product, chromium: Any, tmp_path: Path) -> None:
    served = served_by(Path(os.environ["SLIPWAY_TEST_KUBECONFIG"]))
    context = chromium.new_context(base_url=real_product.url, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    sign_in(page, "dev")
    launch_a_service(real_product, page, served, tmp_path)
    launch_a_job(page, served)
    context.close()


def is_healthy(page: Any, workload: str) -> None:
    card = page.locator('[id^="workload-"]').filter(has=page.get_by_text(workload, exact=True))
    card.get_by_text("Healthy", exact=True).first.wait_for(timeout=20_000)


def sandbox_of(product: Product) -> Path:
    return product.folder / "var" / "sandbox" / "kubeconfig"


def served_by(kubeconfig: Path) -> Callable[[str, str], bool]:
    """(apiVersion, kind) -> whether that cluster serves it, as its discovery says."""
    return ClusterUnderTest("cluster", kubeconfig).serves


def launch_a_service(product: Product, page: Any, served: Callable[[str, str], bool], tmp_path: Path) -> None:
    """The whole way, from the gallery to a clone of the new repository."""
    name = f"sorter-{uuid.uuid4().hex[:6]}"
    page.get_by_role("link", name="Golden paths").first.click()
    page.get_by_role("link", name=re.compile("Python web service")).first.click()
    answer_the_form(page, name)
    assert page.get_by_text(f"Repository {name}").is_visible()
    assert page.get_by_text("deploy/deployment.yaml").first.is_visible()
    for version, kind in (("autoscaling/v2", "HorizontalPodAutoscaler"), ("policy/v1", "PodDisruptionBudget")):
        told = page.get_by_text(f"does not serve {kind} as {version}").filter(has_text="so it is left out")
        assert told.count() == (0 if served(version, kind) else 1)

    page.get_by_role("button", name="Launch").click()
    begun = time.monotonic()
    page.wait_for_url(re.compile(r"/runs/\d+/"))
    # Not one reload from here on: everything comes through the stream.
    page.evaluate("window.neverReloaded = true")
    for title in STEPS:
        step(page, title).get_by_text("Succeeded").wait_for(timeout=60_000)
    page.locator(".datagrid").get_by_text("Succeeded").wait_for(timeout=20_000)
    elapsed = time.monotonic() - begun
    assert page.evaluate("window.neverReloaded") is True
    print(f"click to ready: {elapsed:.1f} s")

    page.get_by_role("link", name="Open it in the catalog").click()
    page.get_by_role("heading", name=name, level=1).wait_for()
    is_healthy(page, f"Deployment {name}")
    about = page.get_by_role("region", name="About")
    # Who answers for it comes first.
    assert page.get_by_role("main").get_by_role("link", name="Payments").first.is_visible()
    assert about.get_by_role("link", name=name, exact=True).get_attribute("href").endswith(f"/repos/{name}/")

    secret = new_token(page)
    where = f"http://dev:{secret}@127.0.0.1:{product.port}/o/{organisation_of(page)}/git/{name}.git"
    subprocess.run(["git", "clone", "-q", where, str(tmp_path / "clone")], check=True, timeout=60)
    assert (tmp_path / "clone" / "catalog-info.yaml").exists()
    assert "kind: Deployment" in (tmp_path / "clone" / "deploy" / "deployment.yaml").read_text()


def launch_a_job(page: Any, served: Callable[[str, str], bool]) -> None:
    """The scheduled job, or the sentence before anything is made where a cluster is too old for its CronJob."""
    name = f"counter-{uuid.uuid4().hex[:6]}"
    page.get_by_role("link", name="Golden paths").first.click()
    page.get_by_role("link", name=re.compile("Scheduled job")).first.click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("What it does").fill("Counts the parcels of the night and tells each depot.")
    page.get_by_label("Owner", exact=True).select_option("group:default/payments")
    page.get_by_role("button", name="Next").last.click()
    cluster = page.get_by_label("Cluster", exact=True)
    cluster.wait_for()
    if not cluster.input_value():
        cluster.select_option(index=1)
    page.get_by_role("button", name="Next").last.click()
    page.get_by_label("First image").wait_for()
    review(page)
    launch = page.get_by_role("button", name="Launch")
    if not served("batch/v1", "CronJob"):
        told = page.get_by_role("alert").filter(has_text="does not serve CronJob as batch/v1 (deploy/cronjob.yaml)")
        assert told.count() == 1
        assert launch.count() == 0 or launch.is_disabled()
        return
    launch.click()
    page.wait_for_url(re.compile(r"/runs/\d+/"))
    page.locator(".datagrid").get_by_text("Succeeded").wait_for(timeout=60_000)
    page.get_by_role("link", name="Open it in the catalog").click()
    page.get_by_role("heading", name=name, level=1).wait_for()
    is_healthy(page, f"CronJob {name}")


def organisation_of(page: Any) -> str:
    found = re.search(r"/o/([^/]+)/", page.url)
    assert found
    return found.group(1)


def new_token(page: Any) -> str:
    """Makes an API token for git on the tokens page and reads it off, as a person would."""
    page.goto(f"/o/{organisation_of(page)}/tokens/")
    page.get_by_label("Name", exact=True).fill("laptop")
    page.get_by_label("Clone repositories").check()
    with page.expect_navigation():
        page.get_by_role("button", name=re.compile("Create|Make")).click()
    confirm(page)
    return str(page.locator("code", has_text="slw_").first.inner_text()).strip()
