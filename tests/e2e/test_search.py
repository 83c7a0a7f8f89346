"""Search in the browser: the palette by keys, the page of results, chips, answers, and Back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import sign_in
from tests.e2e.sound import assert_is_sound_here

pytestmark = [pytest.mark.browser, pytest.mark.slow]
O = "/o/parcelwright"  # noqa: E741 - as in the addresses


@pytest.fixture
def dev(browse: Callable[..., Any]) -> Any:
    page = browse()
    sign_in(page, "dev")
    return page


def open_palette(page: Any, words: str) -> None:
    """Opens it, types, and waits for the answer to all of the words."""
    page.keyboard.press("Control+k")
    page.locator("#palette[open]").wait_for()
    with page.expect_response(lambda answer: "/search/?q=" in answer.url and answer.url.endswith(words[-3:])):
        page.keyboard.type(words)
    page.locator("#palette:not(.htmx-request)").wait_for()


def chosen(page: Any) -> Any:
    return page.locator("#palette-results [aria-selected=true]")


def test_the_palette_leads_where_enter_says_and_is_closed_for_who_comes_back(dev: Any) -> None:
    dev.goto(f"{O}/")
    open_palette(dev, "paymentGatway")
    chosen(dev).filter(has_text="Payment gateway").wait_for()
    dev.keyboard.press("Enter")
    dev.wait_for_url("**/catalog/component/default/payment-gateway/")
    dev.go_back()
    dev.wait_for_url(f"**{O}/")
    assert dev.locator("#palette[open]").count() == 0
    dev.keyboard.press("Control+k")
    dev.locator("#palette-results").get_by_text("Recently viewed").wait_for()
    chosen(dev).filter(has_text="Payment gateway").wait_for()


def test_who_owns_it_is_two_keys_and_a_word_away_from_anywhere(dev: Any) -> None:
    """On any page: g, o, and the name. The answer stands there before Enter."""
    for path in ("/o/parcelwright/", "/o/parcelwright/runs/"):
        dev.goto(path)
        dev.keyboard.press("g")
        dev.keyboard.press("o")
        dev.locator("#palette[open]").wait_for()
        dev.keyboard.type("payments")
        dev.locator("#palette:not(.htmx-request) .palette-answer").filter(has_text="payments").wait_for()
        assert dev.locator("#palette-input").input_value() == "who owns payments"
    dev.keyboard.press("Enter")
    dev.locator(".answer-headline").wait_for()


def test_one_key_copies_who_answers_for_an_entity(dev: Any) -> None:
    dev.context.grant_permissions(["clipboard-read", "clipboard-write"])
    dev.goto(f"{O}/catalog/component/default/payment-gateway/")
    dev.keyboard.press("c")
    dev.get_by_text("Copied.").wait_for()
    copied = dev.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("Payment gateway (component:default/payment-gateway)\nOwner: Payments")
    assert "payments@parcelwright.example" in copied


def test_the_palette_answers_a_question_and_leads_to_the_whole_card(dev: Any) -> None:
    dev.goto(f"{O}/")
    open_palette(dev, "who owns payments")
    chosen(dev).filter(has_text="Payments owns the system payments.").wait_for()
    assert "Led by Dev Ranasuri" in chosen(dev).inner_text()
    assert_is_sound_here(dev)
    dev.keyboard.press("Enter")
    dev.wait_for_url("**/search/?q=who%20owns%20payments")
    card = dev.get_by_role("region", name="Payments owns the system payments.")
    card.get_by_role("link", name="Payments", exact=True).first.click()
    dev.wait_for_url("**/teams/payments/")
    dev.go_back()
    card.wait_for()
    assert dev.locator("#search-q").input_value() == "who owns payments"


def test_what_is_said_to_be_done_is_done(dev: Any) -> None:
    dev.goto(f"{O}/catalog/")
    open_palette(dev, "dark")
    chosen(dev).filter(has_text="Dark theme").wait_for()
    dev.keyboard.press("Enter")
    dev.locator("html[data-bs-theme=dark]").wait_for()
    assert "/catalog/" in dev.url
    open_palette(dev, "launch python")
    chosen(dev).filter(has_text="Launch Python web service").wait_for()
    dev.keyboard.press("Enter")
    dev.wait_for_url("**/paths/python-web-service/")
    open_palette(dev, "log out")
    chosen(dev).filter(has_text="Sign out").wait_for()
    dev.keyboard.press("Enter")
    dev.wait_for_url("**/accounts/login/**")


def test_filters_are_taken_away_one_by_one_and_back_brings_them_again(dev: Any) -> None:
    dev.goto(f"{O}/search/")
    dev.locator("#search-q").fill("owner:payments kind:api tag:pci")
    dev.keyboard.press("Enter")
    dev.wait_for_url("**tag%3Apci**")
    chips = dev.get_by_role("list", name="Filters").get_by_role("link")
    assert chips.count() == 3
    only = dev.locator("[data-results] .rows li").count()
    assert_is_sound_here(dev)
    dev.get_by_role("link", name="Remove the filter tag: pci").click()
    dev.wait_for_url(lambda url: "pci" not in url)
    assert chips.count() == 2
    assert dev.locator("[data-results] .rows li").count() > only
    dev.go_back()
    dev.wait_for_url("**tag%3Apci**")
    assert chips.count() == 3


def test_the_page_of_results_is_gone_through_by_arrows(dev: Any) -> None:
    dev.goto(f"{O}/search/?q=gatway")
    dev.get_by_role("link", name="gateway", exact=True).wait_for()  # did you mean
    dev.locator("#search-q").focus()
    dev.keyboard.press("ArrowDown")
    first = dev.evaluate("document.activeElement.textContent")
    dev.keyboard.press("ArrowDown")
    assert dev.evaluate("document.activeElement.textContent") != first
    dev.keyboard.press("ArrowUp")
    assert dev.evaluate("document.activeElement.textContent") == first == "Payment gateway"
    dev.keyboard.press("ArrowUp")
    assert dev.evaluate("document.activeElement.id") == "search-q"
    dev.keyboard.press("ArrowDown")
    dev.keyboard.press("Enter")
    dev.wait_for_url("**/catalog/component/default/payment-gateway/")


def test_answers_and_nothing_are_sound(dev: Any) -> None:
    for words in ("what breaks if payment-db stops", "is payments down", "on call for tracking", "zzzzqqq"):
        dev.goto(f"{O}/search/?q={words}")
        assert_is_sound_here(dev)
    dev.get_by_text("Nothing found").wait_for()
