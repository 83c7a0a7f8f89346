"""What the first and the second look at the catalog take over the wire, as a browser counts it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.acts import sign_in
from tests.e2e.pages import O

COLD_BYTES, COLD_REQUESTS, WARM_BYTES = 200_000, 10, 15_000


def fetched(page: Any, address: str) -> list[tuple[str, int]]:
    """(address, bytes over the wire) of everything that the page fetches, the live stream aside."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    names: dict[str, str] = {}
    sizes: dict[str, int] = {}
    session.on("Network.responseReceived", lambda event: names.setdefault(event["requestId"], event["response"]["url"]))
    session.on("Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}))
    page.goto(address, wait_until="load")
    page.evaluate("document.fonts.ready.then(() => true)")
    session.detach()
    return [
        (name, sizes.get(request, 0))
        for request, name in names.items()
        if name.startswith("http") and "/live/" not in name
    ]


@pytest.mark.parametrize("kind", ["Component", ""])
def test_the_catalog_is_light(browse: Any, product: Any, kind: str) -> None:
    first = browse()
    sign_in(first, "dev")
    state = first.context.storage_state()
    context = first.context.browser.new_context(base_url=product.url, storage_state=state)
    page = context.new_page()
    address = f"{O}/catalog/?kind={kind}"
    cold = fetched(page, address)
    assert len(cold) <= COLD_REQUESTS, cold
    assert sum(size for _, size in cold) <= COLD_BYTES, cold
    page.goto(f"{O}/teams/")
    warm = fetched(page, address)
    assert sum(size for _, size in warm) <= WARM_BYTES, warm
    context.close()
