"""The face of the product: every page in both themes, wide and narrow, by keyboard, with and without scripts."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.acts import answer_the_form, launch, sign_in
from tests.e2e.product import Product

pytestmark = pytest.mark.browser


def test_two_tabs_of_one_browser_are_both_live(product: Product, browse: Callable[..., Any]) -> None:
    """They share one stream; the tab that does not hold it must hear of its own run all the same."""
    first = sign_in(browse(), "dev")
    second = first.context.new_page()
    for tab in (first, second):
        tab.goto("/o/parcelwright/paths/python-web-service/")
        answer_the_form(tab, f"tabbed-{uuid.uuid4().hex[:6]}")
    for tab in (first, second):
        launch(tab)
        tab.evaluate("window.neverReloaded = true")
    for tab in (first, second):
        tab.locator(".datagrid").get_by_text("Succeeded").wait_for(timeout=60_000)
        assert tab.evaluate("window.neverReloaded") is True
