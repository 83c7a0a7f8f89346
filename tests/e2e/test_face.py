"""The face of the product: every page in both themes, wide and narrow, by keyboard, with and without scripts."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import scene as scenes
from tests.e2e.acts import answer_the_form, launch, sign_in
from tests.e2e.pages import NOT_PAGES, STOPS, Stop, routes
from tests.e2e.product import Product
from tests.e2e.scene import Scene
from tests.e2e.sound import NARROW, WIDE, assert_is_sound

pytestmark = pytest.mark.browser
O = "/o/parcelwright"  # noqa: E741 - as in the addresses
WATCH_THE_POLICY = """window.refused = [];
  addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
    window.refused.push(`${violatedDirective}: ${blockedURI}`));"""
OUR_POLICY = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
# What a policy without unsafe-inline would not run, and what a server should not send.
INLINE = re.compile(
    r"<style|<[^>]+\s(?:style|on[a-z]+)=|<script(?![^>]*(?:\ssrc=|type=\"application/json\"))", re.IGNORECASE
)


@dataclass
class Visit:
    """One page opened in one state, and what the browser said meanwhile."""

    page: Any
    complaints: list[str] = field(default_factory=list)

    def hear(self, message: Any) -> None:
        if message.type != "error":
            return
        # A page that is an answer of 4xx is what we came for; anything else that fails to load is not.
        own = message.location.get("url", "").partition("#")[0] == self.page.url.partition("#")[0]
        if not (own and message.text.startswith("Failed to load resource: the server responded with a status of 4")):
            self.complaints.append(message.text)

    def fail(self, error: Any) -> None:
        self.complaints.append(str(error))


@pytest.fixture(scope="module")
def scene(chromium: Any, product: Product) -> Scene:
    return scenes.build(chromium, product)


@pytest.fixture(scope="module")
def rooms(chromium: Any, product: Product, scene: Scene) -> Iterator[Callable[[str], Any]]:
    """rooms("dev") -> Dev's signed-in browser, the same for every page; rooms("") -> a stranger's, always a new one."""
    kept: dict[str, Any] = {}
    opened: list[Any] = []

    def room(who: str) -> Any:
        if who and who in kept:
            return kept[who]
        context = chromium.new_context(
            base_url=product.url, viewport=WIDE, reduced_motion="reduce", storage_state=scene.states.get(who)
        )
        context.add_init_script(WATCH_THE_POLICY)
        opened.append(context)
        kept[who] = context
        return context

    yield room
    for context in opened:
        context.close()


@pytest.fixture(scope="module")
def tab(rooms: Callable[[str], Any]) -> Callable[[str], AbstractContextManager[Any]]:
    """tab("dev") -> the tab in which Dev goes from page to page, light and wide again; a stranger's is always new."""
    kept: dict[str, Any] = {}

    @contextmanager
    def sit_down(who: str) -> Iterator[Any]:
        page = kept.pop(who, None) or rooms(who).new_page()
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(WIDE)
        yield page
        # A browser starts a process for each new tab; one in which something failed is not used again.
        if who:
            kept[who] = page
        else:
            page.context.close()

    return sit_down


@contextmanager
def heard(page: Any) -> Iterator[Visit]:
    """What the browser says about the page meanwhile."""
    visit = Visit(page)
    page.on("console", visit.hear)
    page.on("pageerror", visit.fail)
    yield visit
    page.remove_listener("console", visit.hear)
    page.remove_listener("pageerror", visit.fail)


def test_every_address_is_walked_or_says_why_not() -> None:
    walked = {stop.route for stop in STOPS if stop.route}
    assert walked & set(NOT_PAGES) == set()
    assert set(routes()) == walked | set(NOT_PAGES)


@pytest.mark.parametrize("stop", STOPS, ids=[stop.name for stop in STOPS])
def test_a_page_is_sound(stop: Stop, tab: Callable[[str], AbstractContextManager[Any]], scene: Scene) -> None:
    """axe finds nothing in either theme, nothing is refused or broken, and the phone scrolls one way only."""
    with tab(stop.who) as page, heard(page) as seen:
        answer = page.goto(stop.address.format(**scene.facts))
        assert answer.status == stop.status
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert policy.items() >= OUR_POLICY.items()
        assert INLINE.search(answer.text()) is None
        if stop.act:
            stop.act(page)
        assert_is_sound(page)
        assert page.evaluate("window.refused") == []
        assert seen.complaints == []
        # Streams of the page that is left are left while nobody listens for complaints about the next one.
        page.goto("about:blank")


# ---- by keyboard ---------------------------------------------------------------------------------------------------


def focused(page: Any) -> str:
    """What a screen reader would say has the focus, about."""
    return str(
        page.evaluate(
            """() => {
              const at = document.activeElement;
              return (at.getAttribute("aria-label") || at.labels?.[0]?.innerText || at.innerText || at.id).trim();
            }"""
        )
    )


def test_the_tab_key_reaches_everything_in_the_order_of_the_page(rooms: Callable[[str], Any]) -> None:
    page = rooms("dev").new_page()
    page.goto(f"{O}/")
    stops = []
    while "Launch a service" not in stops:
        assert len(stops) < 40, stops
        page.keyboard.press("Tab")
        stops.append(focused(page))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", stops[-1]
    wanted = ["Skip to content", "Slipway", "Home", "Catalog", "Golden paths", "Runs", "Clusters", "Launch a service"]
    assert [words for words in stops if words in wanted] == wanted
    page.close()


def test_the_skip_link_leads_past_the_navigation(rooms: Callable[[str], Any]) -> None:
    page = rooms("dev").new_page()
    page.goto(f"{O}/catalog/")
    page.keyboard.press("Tab")
    assert page.get_by_role("link", name="Skip to content").is_visible()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert focused(page) == "Sources"
    page.close()


def test_the_palette_is_driven_by_keys_alone(rooms: Callable[[str], Any]) -> None:
    page = rooms("dev").new_page()
    page.goto(f"{O}/")
    page.keyboard.press("Control+k")
    page.locator("#palette[open]").wait_for()
    page.keyboard.type("refund")
    first = page.locator("#palette-results [role=option]").filter(has_text="refund-worker").first
    first.wait_for()
    chosen = page.locator("#palette-results [aria-selected=true]")
    before = chosen.get_attribute("id")
    page.keyboard.press("ArrowDown")
    after = chosen.get_attribute("id")
    assert before != after
    assert page.locator("#palette-input").get_attribute("aria-activedescendant") == after
    page.keyboard.press("ArrowUp")
    assert chosen.get_attribute("id") == before
    page.keyboard.press("Escape")
    page.locator("#palette[open]").wait_for(state="detached")
    page.keyboard.press("Control+k")
    page.keyboard.type("refund-worker")
    page.locator("#palette-results [aria-selected=true]").filter(has_text="refund-worker").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/catalog/component/default/refund-worker/")
    page.close()


def test_letters_lead_to_pages_and_escape_closes_what_is_open(rooms: Callable[[str], Any]) -> None:
    page = rooms("dev").new_page()
    page.goto(f"{O}/")
    page.keyboard.press("?")
    page.locator("#shortcuts[open]").wait_for()
    page.keyboard.press("Escape")
    page.locator("#shortcuts[open]").wait_for(state="detached")
    menu = page.locator("details.menu").last
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    menu.get_by_role("button", name="Sign out").wait_for()
    page.keyboard.press("Escape")
    assert focused(page).endswith("Your account: Dev Ranasuri")
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/catalog/**")
    page.keyboard.press("/")
    assert focused(page) == "Search"
    page.close()


def test_a_phone_opens_the_navigation_and_closes_it_again(rooms: Callable[[str], Any]) -> None:
    page = rooms("dev").new_page()
    page.set_viewport_size(NARROW)
    page.goto(f"{O}/")
    golden = page.get_by_role("link", name="Golden paths")
    assert not golden.is_visible()
    page.get_by_role("button", name="Menu", exact=True).press("Enter")
    golden.wait_for()
    page.keyboard.press("Escape")
    golden.wait_for(state="hidden")
    page.get_by_role("button", name="Menu", exact=True).click()
    golden.click()
    page.wait_for_url("**/paths/")
    page.close()


# ---- without JavaScript ----------------------------------------------------------------------------------------------


@pytest.fixture
def plain(chromium: Any, product: Product) -> Iterator[Any]:
    """A page in a browser that runs no scripts."""
    context = chromium.new_context(base_url=product.url, viewport=WIDE, java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_a_service_is_launched_without_scripts(plain: Any) -> None:
    sign_in(plain, "dev")
    plain.goto(f"{O}/paths/python-web-service/")
    plain.get_by_role("button", name="Next").last.click()
    assert plain.locator(".field-errors p").count() > 0
    answer_the_form(plain, f"plain-{uuid.uuid4().hex[:6]}", is_plain=True)
    launch(plain)
    end = time.monotonic() + 60
    while not plain.locator(".datagrid").get_by_text("Succeeded").is_visible():
        assert time.monotonic() < end, plain.locator(".datagrid").inner_text()
        plain.reload()
    plain.get_by_role("link", name="Open it in the catalog").click()
    assert plain.get_by_role("region", name="About").is_visible()


def look_again(page: Any) -> None:
    """Follows a job without scripts, until its page leads on."""
    end = time.monotonic() + 20
    while "/jobs/" in page.url:
        assert time.monotonic() < end, page.inner_text("main")
        page.wait_for_timeout(200)
        page.goto(page.url)


def test_a_source_is_looked_at_registered_and_removed_without_scripts(plain: Any, tmp_path: Path) -> None:
    name = f"uploaded-{uuid.uuid4().hex[:6]}"
    file = tmp_path / "catalog-info.yaml"
    file.write_text(scenes.WRITTEN.replace("pallet-scale", name))
    sign_in(plain, "dev")
    plain.goto(f"{O}/catalog/sources/register/")
    plain.get_by_label("Kind").select_option("upload")
    plain.locator("input[type=file]").set_input_files(file)
    plain.get_by_role("button", name="Look first").click()
    look_again(plain)
    assert plain.get_by_text(f"component:default/{name}").is_visible()
    plain.locator("input[type=file]").set_input_files(file)
    plain.get_by_role("button", name="Register", exact=True).click()
    look_again(plain)
    plain.wait_for_url(re.compile(r"/sources/\d+/"))
    assert plain.get_by_role("link", name=name).is_visible()


def test_search_menus_and_sign_out_work_without_scripts(plain: Any) -> None:
    sign_in(plain, "dev")
    plain.get_by_role("link", name="Search or jump to").click()
    plain.get_by_role("searchbox").last.fill("refund-worker")
    with plain.expect_navigation():
        plain.keyboard.press("Enter")
    assert plain.get_by_role("link", name=re.compile("refund-worker")).first.is_visible()
    plain.locator("details.menu > summary").last.click()
    plain.get_by_role("button", name="Sign out").click()
    plain.wait_for_url("**/accounts/login/**")


# ---- live ------------------------------------------------------------------------------------------------------------


def test_two_tabs_of_one_browser_are_both_live(product: Product, browse: Callable[..., Any]) -> None:
    """They share one stream; the tab that does not hold it must hear of its own run all the same."""
    first = sign_in(browse(), "dev")
    second = first.context.new_page()
    for tab in (first, second):
        tab.goto(f"{O}/paths/python-web-service/")
        answer_the_form(tab, f"tabbed-{uuid.uuid4().hex[:6]}")
    for tab in (first, second):
        launch(tab)
        tab.evaluate("window.neverReloaded = true")
    for tab in (first, second):
        tab.locator(".datagrid").get_by_text("Succeeded").wait_for(timeout=60_000)
        assert tab.evaluate("window.neverReloaded") is True
