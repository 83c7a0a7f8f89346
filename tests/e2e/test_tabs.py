"""Tabs are one row at any width: it scrolls sideways, says so at its edge, and shows the current tab."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]
GATEWAY = "/o/parcelwright/catalog/component/default/payment-gateway/"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("tab", ["", "dependencies/", "ownership/"])
def test_a_narrow_page_has_one_row_of_tabs_with_the_current_one_in_view(
    browse: Callable[..., Any], theme: str, tab: str
) -> None:
    page = browse(width=390, height=844, theme=theme)
    sign_in(page, "ada")
    page.goto(GATEWAY + tab)
    row = page.locator(".nav-tabs")
    tops = row.locator(".nav-link").evaluate_all("links => links.map((link) => link.offsetTop)")
    assert len(tops) >= 4
    assert len(set(tops)) == 1, "one row"
    assert row.evaluate("row => row.scrollWidth > row.clientWidth"), "there is more to a side"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "only the row scrolls"
    assert row.evaluate(
        """row => {
          const at = row.querySelector("[aria-current]").getBoundingClientRect(), of = row.getBoundingClientRect();
          return at.left >= of.left - 1 && at.right <= of.right + 1;
        }"""
    )
    assert row.evaluate("row => getComputedStyle(row).backgroundImage.split('linear-gradient').length") == 5
    row.locator("[aria-current]").focus()
    while not row.locator(".nav-link").last.evaluate("link => link === document.activeElement"):
        page.keyboard.press("Tab")
    page.wait_for_function("document.activeElement.getBoundingClientRect().right <= innerWidth + 1", timeout=5000)
