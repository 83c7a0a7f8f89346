"""Back and Forward show whole pages, styled, at the choices made; Chromium keeps no page alive for it here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]
OWNER = "group:default/payments"


def is_whole(page: Any) -> None:
    """The frame, its style and its script are there, not a bare part."""
    page.locator("nav").first.wait_for()
    assert page.locator("html").count() == 1
    assert page.evaluate("getComputedStyle(document.body).fontFamily").startswith("Geist")
    assert page.evaluate("typeof window.htmx") == "object"
    assert page.locator("#results").count() <= 1


def chosen(page: Any) -> str:
    return str(page.locator("#catalog-owner").input_value())


def test_back_and_forward_between_a_filtered_catalog_and_an_entity(browse: Callable[..., Any]) -> None:
    page = browse()
    sign_in(page, "dev")
    page.goto("/o/parcelwright/catalog/?kind=Component")
    with page.expect_response(lambda answer: "owner=" in answer.url and answer.request.headers.get("hx-request")):
        page.locator("#catalog-owner").select_option(OWNER)
    page.wait_for_url("**owner=group**")
    page.locator("#results a.row-title").first.click()
    page.wait_for_url("**/catalog/component/**")
    entity = page.url
    page.go_back()
    page.wait_for_url("**owner=group**")
    is_whole(page)
    assert chosen(page) == OWNER
    page.go_back()
    page.wait_for_url(lambda url: "owner=" not in url)
    is_whole(page)
    assert chosen(page) == ""
    page.go_forward()
    page.wait_for_url("**owner=group**")
    is_whole(page)
    assert chosen(page) == OWNER
    page.go_forward()
    page.wait_for_url(entity)
    is_whole(page)


def test_a_page_that_htmx_asked_for_is_whole_when_its_address_is_opened_or_reloaded(browse: Callable[..., Any]) -> None:
    page = browse()
    sign_in(page, "dev")
    page.goto("/o/parcelwright/catalog/?kind=Component")
    with page.expect_response(lambda answer: "q=pay" in answer.url and answer.request.headers.get("hx-request")):
        page.locator("#catalog-q").fill("pay")
    page.wait_for_url("**q=pay**")
    address = page.url
    page.reload()
    is_whole(page)
    page.goto("/o/parcelwright/runs/")
    page.goto(address)
    is_whole(page)
    assert page.locator("#catalog-q").input_value() == "pay"


def test_typing_replaces_the_place_and_choosing_adds_one(browse: Callable[..., Any]) -> None:
    page = browse()
    sign_in(page, "dev")
    page.goto("/o/parcelwright/catalog/?kind=Component")
    steps = page.evaluate("history.length")
    with page.expect_response(lambda answer: "q=pay" in answer.url and answer.request.headers.get("hx-request")):
        page.locator("#catalog-q").press_sequentially("pay", delay=20)
    page.wait_for_url("**q=pay**")
    assert page.evaluate("history.length") == steps
    page.locator("#results a.row-title").first.click()
    page.wait_for_url("**/catalog/component/**")
    entity = page.url
    assert page.evaluate("history.length") == steps + 1
    page.go_back()
    page.wait_for_url("**q=pay**")
    is_whole(page)
    assert page.locator("#catalog-q").input_value() == "pay"
    page.go_forward()
    page.wait_for_url(entity)
    page.go_back()
    page.wait_for_url("**q=pay**")
    with page.expect_response(lambda answer: "owner=" in answer.url and answer.request.headers.get("hx-request")):
        page.locator("#catalog-owner").select_option(OWNER)
    page.wait_for_url("**owner=group**")
    assert page.evaluate("history.length") == steps + 1, "the step forward was given up for the choice"
    page.go_back()
    page.wait_for_url(lambda url: "q=pay" in url and "owner=group" not in url)
    is_whole(page)
    assert page.locator("#catalog-q").input_value() == "pay"
    assert chosen(page) == ""
