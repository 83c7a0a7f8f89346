"""From signing in to a service that runs, is watched, is in the catalog and can be cloned: in a real browser."""

from __future__ import annotations

import os
import re
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.acts import answer_the_form, sign_in
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


def test_a_developer_launches_a_service_and_watches_it_come_alive(
    product: Product, browse: Callable[..., Any], tmp_path: Path
) -> None:
    walk(product, browse(), tmp_path)


@pytest.mark.slow
def test_the_same_on_a_real_cluster(chromium: Any, tmp_path: Path) -> None:
    kubeconfig = os.environ.get("SLIPWAY_TEST_KUBECONFIG", "")
    if not kubeconfig:
        pytest.skip("SLIPWAY_TEST_KUBECONFIG names no real cluster")
    product = Product(tmp_path / "real", KUBECONFIG=kubeconfig)
    product.start()
    try:
        context = chromium.new_context(base_url=product.url, viewport={"width": 1440, "height": 900})
        walk(product, context.new_page(), tmp_path)
        context.close()
    finally:
        product.stop()


def walk(product: Product, page: Any, tmp_path: Path) -> None:
    """The whole way, from the sign-in form to a clone of the new repository."""
    sign_in(page, "dev")
    name = f"sorter-{uuid.uuid4().hex[:6]}"
    page.get_by_role("link", name="Golden paths").first.click()
    page.get_by_role("link", name=re.compile("Python web service")).first.click()
    answer_the_form(page, name)
    assert page.get_by_text(f"Repository {name}").is_visible()
    assert page.get_by_text("deploy/deployment.yaml").first.is_visible()

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
    page.get_by_text("Healthy").first.wait_for(timeout=20_000)
    about = page.get_by_role("region", name="About")
    assert about.get_by_role("link", name="payments", exact=False).count() == 1
    assert about.get_by_role("link", name=name, exact=True).get_attribute("href").endswith(f"/repos/{name}/")

    secret = new_token(page)
    where = f"http://dev:{secret}@127.0.0.1:{product.port}/o/{organisation_of(page)}/git/{name}.git"
    subprocess.run(["git", "clone", "-q", where, str(tmp_path / "clone")], check=True, timeout=60)
    assert (tmp_path / "clone" / "catalog-info.yaml").exists()
    assert "kind: Deployment" in (tmp_path / "clone" / "deploy" / "deployment.yaml").read_text()


def organisation_of(page: Any) -> str:
    found = re.search(r"/o/([^/]+)/", page.url)
    assert found
    return found.group(1)


def new_token(page: Any) -> str:
    """Makes an API token for git on the tokens page and reads it off, as a person would."""
    page.goto(f"/o/{organisation_of(page)}/tokens/")
    page.get_by_label("Name", exact=True).fill("laptop")
    page.get_by_label("Clone repositories").check()
    page.get_by_role("button", name=re.compile("Create|Make")).click()
    return str(page.locator("code", has_text="slw_").first.inner_text()).strip()
