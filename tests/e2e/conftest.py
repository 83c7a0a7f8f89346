"""One whole product for all browser journeys, and people signed in to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.acts import sign_in as sign_in  # tests take it from here
from tests.e2e.product import Product


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """`make up`, with its demo organisations, its sandbox cluster and its four processes."""
    running = Product(tmp_path_factory.mktemp("product")).with_migrated_database()
    running.start()
    yield running
    running.stop()


@pytest.fixture
def browse(chromium: Any, product: Product) -> Iterator[Callable[..., Any]]:
    """browse(width=…, theme=…) -> a fresh page on the product; fails the test on script errors and CSP violations."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_page(*, width: int = 1440, height: int = 900, theme: str = "light") -> Any:
        context = chromium.new_context(
            base_url=product.url,
            viewport={"width": width, "height": height},
            color_scheme=theme,
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.on(
            "console",
            lambda message: (
                complaints.append(f"{page.url}: {message.text}") if "Content Security Policy" in message.text else None
            ),
        )
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
