"""Signing in through an identity provider, in Chromium, with a provider that speaks the protocol over real HTTP."""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount

from tests.accounts.provider import CLIENT_ID, CLIENT_SECRET, Provider
from tests.conftest import Process, free_port
from tests.e2e.sound import assert_is_sound_here

pytestmark = pytest.mark.browser


@pytest.fixture
def provider() -> Iterator[Provider]:
    running = Provider()
    yield running
    running.stop()


@pytest.fixture
def page(
    chromium: Any, start_process: Callable[..., Process], provider: Provider, committed_world: Any
) -> Iterator[Any]:
    """A browser at a web process that knows the provider and lets anybody sign up; fails on what the policy refuses."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    start_process(
        "web-with-provider",
        [sys.executable, "-m", "uvicorn", "portal.asgi:application", "--port", str(port), "--log-level", "warning"],
        PUBLIC_URL=url, OIDC_SERVER_URL=provider.url, OIDC_CLIENT_ID=CLIENT_ID, OIDC_CLIENT_SECRET=CLIENT_SECRET,
        OIDC_NAME="Acme sign-in", SIGNUP="open",
    )  # fmt: skip
    end = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(f"{url}/healthz", timeout=2).close()
            break
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            assert time.monotonic() < end, "the web process does not listen"
            time.sleep(0.1)
    context = chromium.new_context(base_url=url)
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    context.close()
    assert refused == []


def through_the_provider(page: Any) -> None:
    """From the sign-in form to the provider, which asks nothing, and back."""
    page.goto("/accounts/login/")
    page.get_by_role("link", name="Acme sign-in").click()
    page.get_by_role("heading", name="Sign in with Acme sign-in").wait_for()
    assert_is_sound_here(page)
    page.get_by_role("button", name="Continue").click()


def test_somebody_new_comes_through_the_provider_and_back_again(page: Any, provider: Provider) -> None:
    provider.person = {"sub": "7", "name": "Nia New", "email": "nia@acme.example", "email_verified": True}
    through_the_provider(page)
    page.get_by_text("Ask an admin of yours for an invitation.").wait_for()
    nia = SocialAccount.objects.get(uid="7").user
    assert nia.email == "nia@acme.example"

    page.context.clear_cookies()
    through_the_provider(page)
    page.get_by_text("Ask an admin of yours for an invitation.").wait_for()
    assert SocialAccount.objects.filter(user=nia).count() == 1


def test_an_address_that_is_taken_opens_no_account_of_somebody_else(
    page: Any, provider: Provider, committed_world: Any
) -> None:
    """It looks as for anybody new: who has an account here is not told, and its owner gets a mail."""
    provider.person = {"sub": "8", "name": "Not Dev", "email": committed_world.dev.email, "email_verified": True}
    through_the_provider(page)
    page.wait_for_url("**/accounts/confirm-email/")
    assert_is_sound_here(page)
    assert not SocialAccount.objects.exists()
    page.goto("/o/acme/")
    assert "/accounts/" in page.url


def test_somebody_without_an_address_is_asked_for_one(page: Any, provider: Provider) -> None:
    provider.person = {"sub": "9", "name": "Nia New"}
    through_the_provider(page)
    page.get_by_role("heading", name="One last step").wait_for()
    assert_is_sound_here(page)
    page.locator("[name=email]").fill("nia@acme.example")
    page.locator("[name=name]").fill("Nia New")
    page.get_by_role("button", name="Create account").click()
    page.wait_for_url("**/accounts/confirm-email/")
    assert SocialAccount.objects.get(uid="9").user.email == "nia@acme.example"


def test_the_way_out_says_where_it_leads(page: Any, provider: Provider) -> None:
    page.route(f"{provider.url}/**", lambda route: route.fulfill(status=204))  # the browser stays where it is
    through_the_provider(page)
    page.get_by_role("heading", name=f"On to {provider.url.removeprefix('http://')}").wait_for()
    assert page.get_by_role("link", name="Go on").get_attribute("href").startswith(provider.url)
    assert_is_sound_here(page)
