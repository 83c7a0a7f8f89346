"""The bell in a real browser: it counts without reloading, following a notice reads it, and Back shows what is so."""

from __future__ import annotations

import pytest

from portal.notices.telling import Telling, tell
from tests.notices.conftest import unread_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def count(page, number: str) -> None:
    if number:
        page.locator(".bell-count", has_text=number).wait_for()
    else:
        page.locator(".bell-count").wait_for(state="detached")


@pytest.fixture
def told(committed_world, turn):
    """told("one", …): Ada is told so much of a kind that the web process knows, too."""

    def tell_all(*titles):
        with committed_world.tenant():
            things = [
                Telling(kind="destination.disabled", key=title, summary=title, subject_id=title) for title in titles
            ]
            tell(committed_world.acme, things)
        turn()

    return tell_all


def test_the_bell_counts_live_and_a_notice_is_read_by_following_it(committed_world, told, signed_in):
    world = committed_world
    page = signed_in(world.ada)
    with page.expect_response(lambda answer: "/live/" in answer.url):
        page.goto("/o/acme/people/")
    assert page.locator("[data-bell]").inner_text().strip() == "Notices"
    told("Kettle 0 boils", "Kettle 1 boils")
    count(page, "2")
    assert page.locator("#live-light").is_hidden(), "the bell alone makes no page a live one"
    page.keyboard.press("g")
    page.keyboard.press("n")
    page.wait_for_url("**/o/acme/notices/")
    page.get_by_role("link", name="Kettle 1 boils").click()
    page.wait_for_url("**/o/acme/notices/destinations/")
    count(page, "1")
    assert unread_of(world, world.ada) == 1
    page.go_back()
    page.wait_for_url("**/o/acme/notices/")
    page.get_by_role("link", name="Kettle 0 boils").wait_for()
    assert page.get_by_role("link", name="Kettle 1 boils").count() == 0, "what was read is not unread on the way back"
    page.get_by_role("button", name="Mark as read: Kettle 0 boils").press("Enter")
    page.get_by_text("Nothing unread").wait_for()
    count(page, "")
    page.get_by_role("link", name="All", exact=True).click()
    page.get_by_role("button", name="Mark as unread: Kettle 0 boils").click()
    count(page, "1")


def test_without_scripts_all_of_it_works(committed_world, told, chromium, live_server_url, client_for):
    world = committed_world
    told("Kettle boils")
    context = chromium.new_context(
        base_url=live_server_url, java_script_enabled=False, viewport={"width": 390, "height": 844}
    )
    cookie = client_for(world.ada).cookies["slipway_session"].value
    context.add_cookies([{"name": "slipway_session", "value": cookie, "url": live_server_url}])
    page = context.new_page()
    page.goto("/o/acme/notices/")
    page.locator(".notice-why summary").click()
    page.get_by_role("button", name="Mail for Destinations that fail: Not at all").click()
    page.locator(".notice-why summary").click()
    page.get_by_text("Mail: not at all.").wait_for()
    page.get_by_role("button", name="All read").click()
    page.get_by_text("Nothing unread").wait_for()
    context.close()
