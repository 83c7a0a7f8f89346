"""What a person does in the browser, for every journey that needs it done."""

from __future__ import annotations

import re
import time
from typing import Any

from portal.demo_people import SIGN_INS

PURPOSE = "Takes a parcel's label and says which depot sorts it next."


def sign_in(page: Any, who: str) -> Any:
    """Signs in by the form."""
    page.goto("/accounts/login/")
    page.get_by_label("E-mail address").fill(f"{who}@slipway.example")
    page.get_by_label("Password", exact=True).fill(SIGN_INS.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/o/**")
    return page


def answer_the_form(page: Any, name: str, *, image: str = "", purpose: str = PURPOSE, is_plain: bool = False) -> None:
    """The web service path, page by page, up to its review."""
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("What it does").fill(purpose)
    page.get_by_label("Owner", exact=True).select_option("group:default/payments")
    page.get_by_role("button", name="Next").last.click()
    page.get_by_label("Cluster", exact=True).wait_for()
    cluster = page.get_by_label("Cluster", exact=True)
    if not cluster.input_value():
        cluster.select_option(index=1)
    page.get_by_role("button", name="Next").last.click()
    page.get_by_label("First image").wait_for()
    if image:
        page.get_by_label("First image").fill(image)
    review(page, is_plain=is_plain)


def review(page: Any, *, is_plain: bool = False) -> None:
    """Asks for the review and waits for it: the page of its job leads on by itself, or, plain, when it is loaded."""
    page.get_by_role("button", name="Review").last.click()
    heading = page.get_by_role("heading", name="Review", level=1, exact=True)
    if is_plain:
        page.wait_for_url(re.compile("/jobs/|/review/.+"))
        end = time.monotonic() + 30
        while "/jobs/" in page.url:
            assert time.monotonic() < end, page.inner_text("main")
            page.wait_for_timeout(200)
            page.goto(page.url)
    heading.wait_for()


def launch(page: Any) -> int:
    """Presses the review page's button; returns the run's number."""
    page.get_by_role("button", name="Launch").click()
    page.wait_for_url(re.compile(r"/runs/\d+/"))
    return number_in(page.url, "runs")


def number_in(address: str, after: str) -> int:
    """The number that follows a part of an address: number_in("/o/x/runs/7/", "runs") == 7."""
    found = re.search(rf"/{after}/(\d+)/", address)
    assert found, address
    return int(found.group(1))


def confirm(page: Any) -> None:
    """Where the portal asks again who this is, says so with the password, and goes on with what waits."""
    if page.get_by_role("heading", name="Confirm that it is you").is_visible():
        page.get_by_label("Password", exact=True).fill(SIGN_INS.password)
        page.get_by_role("button", name="Confirm").click()
