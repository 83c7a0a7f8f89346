"""What protects an account is changed only by somebody who has just proved again that it is them."""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.socialaccount.models import SocialAccount
from django.urls import reverse

from portal.accounts.fresh import DONE, SHOWN
from portal.accounts.models import ApiToken
from portal.accounts.tenancy import tenant
from tests.accounts.provider import CLIENT_ID, CLIENT_SECRET, Provider
from tests.accounts.test_pages import url
from tests.accounts.test_sign_in import code_for
from tests.accounts.test_sign_in import sign_in as sign_in_now
from tests.conftest import PASSWORD, prove

pytestmark = pytest.mark.django_db
AGAIN = "/accounts/reauthenticate/"
TOKEN = {"name": "laptop", "scopes": ["read"], "days": "30"}
MINUTE = 60


def tokens(world) -> int:
    with tenant(world.acme):
        return ApiToken.objects.count()


def age(browser, seconds: float) -> None:
    """As if what was proved had been proved that much earlier."""
    session = browser.session
    session["account_authentication_methods"] = [
        {**record, "at": record["at"] - seconds} for record in session["account_authentication_methods"]
    ]
    session.save()


def sign_in(browser, email: str) -> None:
    """Signed in, long enough ago that it proves nothing any more."""
    sign_in_now(browser, email)
    age(browser, 16 * MINUTE)


def addresses_of(person) -> set[str]:
    return set(EmailAddress.objects.filter(user=person).values_list("email", flat=True))


# --- each act asks ---


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_a_page_that_opens_the_account_asks_first(world, client, name):
    sign_in(client, world.dev.email)
    kwargs = {"pk": 1} if name in {"mfa_edit_webauthn", "mfa_remove_webauthn"} else {}
    for answer in (client.get(reverse(name, kwargs=kwargs)), client.post(reverse(name, kwargs=kwargs))):
        assert answer.status_code == 302
        assert answer["Location"].startswith(AGAIN)


def test_every_named_act_exists():
    for name in SHOWN | DONE:
        assert reverse(name, kwargs={"pk": 1} if name in {"mfa_edit_webauthn", "mfa_remove_webauthn"} else {})


def test_a_stolen_session_makes_no_token_and_adds_no_address(world, client):
    sign_in(client, world.dev.email)
    for place, body in (
        (url("tokens"), TOKEN),
        (reverse("account_email"), {"action_add": "", "email": "thief@x.example"}),
        (reverse("account_email"), {"action_remove": "", "email": world.dev.email}),
        (reverse("socialaccount_connections"), {"account": "1"}),
        ("/accounts/github/login/?process=connect", {}),
    ):
        answer = client.post(place, body)
        assert answer.status_code == 302, place
        assert answer["Location"].startswith(AGAIN), place
    assert tokens(world) == 0
    assert addresses_of(world.dev) == {world.dev.email}


def test_a_wrong_password_does_nothing_of_what_waits(world, client):
    sign_in(client, world.dev.email)
    asked = client.post(url("tokens"), TOKEN)
    assert client.post(asked["Location"], {"password": "not it", "next": url("tokens")}).status_code == 200
    assert tokens(world) == 0


def test_a_password_is_changed_with_the_present_one_only(world, client):
    sign_in(client, world.dev.email)
    new = {"password1": "a-brand-new-passphrase", "password2": "a-brand-new-passphrase"}
    assert client.post(reverse("account_change_password"), {"oldpassword": "not it", **new}).status_code == 200
    world.dev.refresh_from_db()
    assert world.dev.check_password(PASSWORD)


# --- and goes on where they were ---


def test_what_was_typed_is_kept_and_done(world, client):
    sign_in(client, world.dev.email)
    asked = client.post(url("tokens"), TOKEN)
    page = client.get(asked["Location"])
    assert "Confirm that it is you" in page.content.decode()
    done = client.post(AGAIN, {"password": PASSWORD, "next": url("tokens")})
    assert (done.status_code, done["Location"]) == (302, url("tokens"))
    shown = client.get(done["Location"])
    assert shown.context["new_token"].name == "laptop"
    assert tokens(world) == 1


def test_what_was_typed_wrongly_is_shown_again_with_its_errors(world, client):
    sign_in(client, world.dev.email)
    client.post(url("tokens"), {**TOKEN, "scopes": []})
    shown = client.post(AGAIN, {"password": PASSWORD, "next": url("tokens")})
    assert shown.status_code == 422
    assert 'value="laptop"' in shown.content.decode()


def test_an_address_is_added_after_the_password(world, client):
    sign_in(client, world.dev.email)
    client.post(reverse("account_email"), {"action_add": "", "email": "second@acme.example"})
    done = client.post(AGAIN, {"password": PASSWORD, "next": reverse("account_email")})
    assert done.status_code == 302
    assert done["Location"] != AGAIN
    follow = client.get(done["Location"]).content.decode()
    assert "second@acme.example" in follow


def test_it_is_never_replayed_for_somebody_else(world, client):
    """What Dev was about to do is gone when Dev signs out and Mae signs in at the same browser."""
    sign_in(client, world.dev.email)
    client.post(url("tokens"), TOKEN)
    client.post(reverse("account_logout"))
    sign_in(client, world.mae.email)
    client.post(AGAIN, {"password": PASSWORD, "next": url("tokens")})
    assert tokens(world) == 0


def test_the_way_back_stays_on_this_site(world, client):
    sign_in(client, world.dev.email)
    done = client.post(AGAIN, {"password": PASSWORD, "next": "https://evil.example/"})
    assert "evil" not in done["Location"]


# --- for fifteen minutes ---


def test_it_is_fresh_for_fifteen_minutes(world, client):
    sign_in(client, world.dev.email)
    prove(client)
    age(client, 14 * MINUTE)
    assert client.post(url("tokens"), TOKEN)["Location"] == url("tokens")
    age(client, 1.1 * MINUTE)
    assert client.post(url("tokens"), TOKEN)["Location"].startswith(AGAIN)
    assert tokens(world) == 1


def test_signing_in_by_password_is_the_proof(world, client):
    sign_in_now(client, world.dev.email)
    assert client.post(url("tokens"), TOKEN)["Location"] == url("tokens")
    age(client, 14 * MINUTE)
    assert client.post(url("tokens"), TOKEN)["Location"] == url("tokens")
    age(client, 1.1 * MINUTE)
    assert client.post(url("tokens"), TOKEN)["Location"].startswith(AGAIN)
    assert tokens(world) == 2


@pytest.mark.parametrize("name", sorted(SHOWN - {"account_set_password"}))
def test_the_sign_in_opens_each_page_that_asks(world, client, name):
    """allauth's own checks stand behind our list: they go by the same proof."""
    sign_in_now(client, world.dev.email)
    kwargs = {"pk": 1} if name in {"mfa_edit_webauthn", "mfa_remove_webauthn"} else {}
    assert AGAIN not in client.get(reverse(name, kwargs=kwargs)).get("Location", "")


@pytest.mark.parametrize("method", ["code", "password_reset", "socialaccount", "phone", "", None])
def test_a_session_begun_otherwise_proves_nothing_yet(world, client, method):
    """A code in a mail, a new password by mail, a provider that may not have asked, and whatever comes later."""
    sign_in_now(client, world.dev.email)
    session = client.session
    session["account_authentication_methods"] = [{"method": method, "at": time.time()}]
    session.save()
    assert client.post(url("tokens"), TOKEN)["Location"].startswith(AGAIN)
    assert tokens(world) == 0


def test_a_second_factor_proves_it_as_well(world, client_for):
    secret = generate_totp_secret()
    TOTP.activate(world.dev, secret)
    browser = client_for(world.dev)
    browser.post(url("tokens"), TOKEN)
    done = browser.post(reverse("mfa_reauthenticate"), {"code": code_for(secret), "next": url("tokens")})
    assert done["Location"] == url("tokens")
    assert tokens(world) == 1
    assert Authenticator.objects.filter(user=world.dev).exists()


def test_ones_proof_is_not_anothers(world, client_for):
    prove(client_for(world.dev))
    assert client_for(world.dev).post(url("tokens"), TOKEN)["Location"].startswith(AGAIN), "another browser"


# --- people of an identity provider ---


@pytest.fixture
def provider(settings):
    running = Provider()
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {
            "APPS": [
                {
                    "provider_id": "oidc", "name": "Acme sign-in", "client_id": CLIENT_ID, "secret": CLIENT_SECRET,
                    "settings": {"server_url": running.url, "token_auth_method": "client_secret_basic"},
                }
            ],
            "OAUTH_PKCE_ENABLED": True,
        }
    }  # fmt: skip
    yield running
    running.stop()


class Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the way back is the browser's."""

    def redirect_request(self, *args):
        return None


def at_the_provider(browser, left):
    """From our redirect through the provider, which signs in whoever `person` is, and back to us."""

    assert left.status_code == 200, "a page that leads there: the content policy lets no form do so"
    out = re.search(r'href="(http://127[^"]+)"', left.content.decode()).group(1).replace("&amp;", "&")
    assert "prompt=login" in out, "the provider is told to ask, though its own session stands"
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.build_opener(Stay).open(out)
    back = urlsplit(answer.value.headers["Location"])
    return browser.get(f"{back.path}?{back.query}")


@pytest.fixture
def federated(world, client_for):
    """Dev without a password here, connected to the provider."""
    world.dev.set_unusable_password()
    world.dev.save()
    account = SocialAccount.objects.create(user=world.dev, provider="oidc", uid="7", extra_data={})
    return client_for(world.dev), account


def test_people_of_an_identity_provider_prove_it_there(world, federated, provider):
    browser, account = federated
    provider.person = {"sub": "7", "name": "Dev", "email": world.dev.email, "email_verified": True}
    asked = browser.post(url("tokens"), TOKEN)
    assert asked["Location"].startswith(reverse("reauthenticate-provider"))
    assert "Acme sign-in" in browser.get(asked["Location"]).content.decode()
    left = browser.post(asked["Location"], {"account": account.pk})
    back = at_the_provider(browser, left)
    assert back["Location"].startswith(reverse("reauthenticate-provider"))
    done = browser.get(back["Location"])
    assert done["Location"] == url("tokens")
    assert tokens(world) == 1, "what waited was done"
    assert time.time() - browser.session["account_authentication_methods"][-1]["at"] < MINUTE


def test_somebody_else_at_the_provider_proves_nothing(world, federated, provider):
    browser, account = federated
    SocialAccount.objects.create(user=world.eve, provider="oidc", uid="8", extra_data={})
    provider.person = {"sub": "8", "name": "Eve", "email": world.eve.email, "email_verified": True}
    asked = browser.post(url("tokens"), TOKEN)
    back = at_the_provider(browser, browser.post(asked["Location"], {"account": account.pk}))
    assert browser.get(back["Location"]).status_code == 200, "asked again"
    assert tokens(world) == 0
    assert int(browser.session["_auth_user_id"]) == world.dev.pk, "and nobody was signed in by it"


def test_anothers_provider_account_cannot_be_chosen(world, federated, provider):
    browser, _ = federated
    theirs = SocialAccount.objects.create(user=world.eve, provider="oidc", uid="8", extra_data={})
    for account in (theirs.pk, "0", "x", "9" * 30):
        assert browser.post(reverse("reauthenticate-provider"), {"account": account}).status_code == 404


def test_who_has_no_way_to_prove_it_is_told_what_to_do(world, client_for):
    world.dev.set_unusable_password()
    world.dev.save()
    answer = client_for(world.dev).post(url("tokens"), TOKEN)
    assert answer.status_code == 403
    assert "Forgot your password" in answer.content.decode()
