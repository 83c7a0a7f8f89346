"""A passkey from beginning to end, in Chromium with an authenticator of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.hashers import make_password

from portal.accounts.sessions import SessionStore
from tests.conftest import PASSWORD
from tests.e2e.sound import assert_is_sound_here

pytestmark = pytest.mark.browser


@pytest.fixture
def keyed(chromium: Any, live_server_url: str) -> Iterator[Any]:
    """A page whose browser has an authenticator; at localhost, for a passkey belongs to a name, not to a number."""
    context = chromium.new_context(base_url=live_server_url.replace("127.0.0.1", "localhost"))
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert complaints == []


def test_a_passkey_is_added_named_signs_in_and_is_removed(committed_world: Any, keyed: Any) -> None:
    page = keyed
    dev = committed_world.dev
    dev.password = make_password(PASSWORD, hasher="argon2")  # the server knows no faster one
    dev.save()
    sign_in(page, dev)
    page.wait_for_url("**/o/acme/**")

    page.goto("/accounts/2fa/webauthn/add/")  # the password of a moment ago is proof enough
    page.get_by_label("Name of the key").fill("Laptop")
    page.get_by_role("button", name="Add this key").click()
    page.wait_for_url("**/recovery-codes/**")
    key = Authenticator.objects.get(user=dev, type="webauthn")
    assert key.wrap().name == "Laptop"
    assert key.wrap().is_passwordless

    page.goto("/accounts/2fa/webauthn/")
    assert page.get_by_text("not used yet").is_visible()
    page.get_by_role("link", name="Rename Laptop").click()
    page.get_by_label("Name of the key").fill("Laptop at home")
    assert_is_sound_here(page)
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Laptop at home").wait_for()

    forget(page)
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/o/acme/**")
    assert Authenticator.objects.get(pk=key.pk).last_used_at is not None

    # The password alone is not enough any more; the key is the second step.
    forget(page)
    sign_in(page, dev)
    page.get_by_role("heading", name="One more step").wait_for()
    page.get_by_role("button", name="Use a security key").click()
    page.wait_for_url("**/o/acme/**")

    page.goto("/accounts/2fa/webauthn/")
    age_proofs(page)
    page.get_by_role("link", name="Remove Laptop at home").click()
    page.get_by_role("link", name="Use a security key").click()
    page.get_by_role("button", name="Use a key").wait_for()
    assert_is_sound_here(page)
    page.get_by_role("button", name="Use a key").click()
    page.wait_for_url("**/remove/**")
    assert_is_sound_here(page)
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_role("link", name="Add a key").first.wait_for()
    assert not Authenticator.objects.filter(user=dev, type="webauthn").exists()


def test_what_the_browser_refuses_is_said_in_words(committed_world: Any, page: Any) -> None:
    """An address that is a number can have no passkeys: `make up` prints one."""
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_text("this address is a number. Open http://localhost:").wait_for()


def forget(page: Any) -> None:
    """Leaves without a session; the page goes first, for its stream may only just be opening."""
    page.goto("about:blank")
    page.context.clear_cookies()


def age_proofs(page: Any) -> None:
    """As if what the browser's session has proved had been proved too long ago."""
    key = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == settings.SESSION_COOKIE_NAME)
    session = SessionStore(key)
    session["account_authentication_methods"] = [
        {**record, "at": record["at"] - settings.ACCOUNT_REAUTHENTICATION_TIMEOUT}
        for record in session["account_authentication_methods"]
    ]
    session.save()


def sign_in(page: Any, user: Any) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("E-mail address").fill(user.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
