"""Ways in: password, second factor, recovery code, reset by mail; and the identity providers' settings."""

import os
import re
import subprocess
import sys

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.conf import settings as django_settings
from django.core import mail
from django.urls import reverse

from portal.accounts.models import User
from portal.accounts.providers import ProviderMisconfigured, providers_from
from tests.conftest import PASSWORD, prove

ARGON = ["django.contrib.auth.hashers.Argon2PasswordHasher"]


def sign_in(client, email: str, password: str = PASSWORD):
    return client.post(reverse("account_login"), {"login": email, "password": password})


def code_for(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))


@pytest.mark.django_db
def test_a_password_signs_in_and_leads_to_the_last_organisation(world, client):
    answer = sign_in(client, "DEV@acme.example")
    assert answer["Location"] == reverse("start")
    assert client.get(answer["Location"])["Location"] == "/o/acme/"


@pytest.mark.django_db
def test_passwords_are_kept_as_argon2(world, client, settings):
    settings.PASSWORD_HASHERS = ARGON
    world.dev.set_password(PASSWORD)
    world.dev.save()
    assert User.objects.get(pk=world.dev.pk).password.startswith("argon2$")
    assert sign_in(client, world.dev.email).status_code == 302


@pytest.mark.django_db
def test_a_wrong_password_and_an_unknown_address_read_the_same(world, client):
    wrong = sign_in(client, world.dev.email, "not it at all")
    unknown = sign_in(client, "nobody@acme.example", "not it at all")
    assert wrong.context["form"].errors == unknown.context["form"].errors
    assert "_auth_user_id" not in client.session


@pytest.mark.django_db
def test_guessing_is_slowed_down(world, client):
    answers = [sign_in(client, world.dev.email, f"guess {number}") for number in range(12)]
    assert "Too many failed" in answers[-1].content.decode() or answers[-1].status_code == 429
    assert sign_in(client, world.dev.email).status_code != 302, "not even with the right one, for a while"


@pytest.mark.django_db
def test_an_authenticator_app_is_set_up_asked_for_and_replaced_by_a_recovery_code(world, client):
    sign_in(client, world.dev.email)
    page = client.get(reverse("mfa_activate_totp"))
    assert "data:image/svg+xml" in page.content.decode()
    secret = page.context["form"].secret
    wrong = client.post(reverse("mfa_activate_totp"), {"code": "000000"})
    assert wrong.context["form"].errors
    secret = wrong.context["form"].secret
    answer = client.post(reverse("mfa_activate_totp"), {"code": code_for(secret)})
    assert answer.status_code == 302, answer.context["form"].errors
    codes = re.findall(r"(?:^|>)(\d{8})$", client.get(reverse("mfa_view_recovery_codes")).content.decode(), re.M)
    for name in ("mfa_index", "mfa_generate_recovery_codes", "mfa_deactivate_totp", "mfa_list_webauthn"):
        assert client.get(reverse(name)).status_code == 200
    client.post(reverse("account_logout"))

    answer = sign_in(client, world.dev.email)
    assert answer["Location"] == reverse("mfa_authenticate")
    assert client.get(reverse("start")).status_code == 302
    assert "_auth_user_id" not in client.session, "the password alone is not enough"
    page = client.post(answer["Location"], {"code": "000000"})
    assert page.context["form"].errors
    assert len(codes) == 10
    passed = client.post(answer["Location"], {"code": codes[0]})
    assert passed["Location"] == reverse("start")
    client.post(reverse("account_logout"))
    sign_in(client, world.dev.email)
    assert client.post(reverse("mfa_authenticate"), {"code": codes[0]}).context["form"].errors, "each works once"


@pytest.mark.django_db
def test_a_forgotten_password_is_reset_by_mail_and_unknown_addresses_are_not_told(world, client):
    known = client.post(reverse("account_reset_password"), {"email": world.dev.email})
    unknown = client.post(reverse("account_reset_password"), {"email": "nobody@acme.example"})
    assert known["Location"] == unknown["Location"]
    letter = next(letter for letter in mail.outbox if letter.to == [world.dev.email])
    link = re.search(r"https?://[^/\s]+(/\S+)", letter.body).group(1)
    page = client.get(link, follow=True)
    form = page.redirect_chain[-1][0]
    new = "a-brand-new-passphrase"
    assert client.post(form, {"password1": new, "password2": new}).status_code == 302
    client.post(reverse("account_logout"))
    assert sign_in(client, world.dev.email).status_code == 200
    assert sign_in(client, world.dev.email, new).status_code == 302
    assert "link was invalid" in client.get(link, follow=True).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("signup", "people_exist", "is_open"),
    [("invited", True, False), ("open", True, True), ("invited", False, True)],
)
def test_who_may_sign_up(client, settings, signup, people_exist, is_open):
    settings.SIGNUP = signup
    if people_exist:
        User.objects.create_user("first@x.example", PASSWORD)
    page = client.get(reverse("account_signup")).content.decode()
    assert ("by invitation" not in page) is is_open
    assert ("Create an account" in client.get(reverse("account_login")).content.decode()) is is_open


@pytest.mark.django_db
def test_a_weak_password_is_refused_in_words(client, settings):
    settings.SIGNUP = "open"
    page = client.post(reverse("account_signup"), {"name": "X", "email": "x@x.example", "password1": "password"})
    assert "too short" in page.content.decode()
    assert not User.objects.exists()


@pytest.mark.django_db
def test_signing_up_in_the_open_asks_for_the_address_first(client, settings):
    settings.SIGNUP = "open"
    fields = {"name": "Xena", "email": "x@x.example", "password1": PASSWORD}
    answer = client.post(reverse("account_signup"), fields)
    code = re.search(r"^([A-Z0-9-]{6,9})$", mail.outbox[-1].body, re.M).group(1)
    assert client.get(answer["Location"]).status_code == 200
    assert "_auth_user_id" not in client.session
    done = client.post(answer["Location"], {"code": code})
    assert done["Location"] == reverse("start")
    assert User.objects.get().name == "Xena"
    assert "not in an organisation yet" in client.get(reverse("start")).content.decode()


ACCOUNT_PAGES = [
    "profile",
    "account_email",
    "account_change_password",
    "mfa_index",
    "mfa_add_webauthn",
    "usersessions_list",
    "socialaccount_connections",
    "account_logout",
    "account_reauthenticate",
]


@pytest.mark.django_db
@pytest.mark.parametrize("name", ACCOUNT_PAGES)
def test_account_pages_open_and_have_one_heading(world, client, name):
    sign_in(client, world.dev.email)
    prove(client)
    page = client.get(reverse(name))
    assert page.status_code == 200
    text = page.content.decode()
    assert text.count("<h1") == 1
    assert " style=" not in text
    assert " onclick" not in text
    for script in re.findall(r"<script(?![^>]*(?:src=|type=\"application/json\"))[^>]*>", text):
        raise AssertionError(f"inline script: {script}")


# --- identity providers ---

COMPLETE = {
    "openid_connect": {
        "OIDC_SERVER_URL": "https://id.example/realms/x",
        "OIDC_CLIENT_ID": "a",
        "OIDC_CLIENT_SECRET": "b",
        "OIDC_NAME": "Example ID",
    },
    "github": {"GITHUB_CLIENT_ID": "a", "GITHUB_CLIENT_SECRET": "b", "GITHUB_URL": "https://github.example/"},
    "gitlab": {"GITLAB_CLIENT_ID": "a", "GITLAB_CLIENT_SECRET": "b", "GITLAB_URL": "https://gitlab.example"},
    "google": {"GOOGLE_CLIENT_ID": "a", "GOOGLE_CLIENT_SECRET": "b"},
    "saml": {
        "SAML_IDP_ENTITY_ID": "https://idp.example/metadata",
        "SAML_IDP_METADATA_URL": "https://idp.example/metadata.xml",
    },
}


def reader(values: dict[str, str]):
    return lambda name, default: values.get(name, default)


def test_nothing_configured_is_no_provider():
    assert providers_from(reader({})) == {}


@pytest.mark.parametrize("provider", COMPLETE)
def test_a_provider_that_lacks_something_stops_the_start(provider):
    for left_out in list(COMPLETE[provider])[:2]:
        some = {name: value for name, value in COMPLETE[provider].items() if name != left_out}
        with pytest.raises(ProviderMisconfigured, match=left_out):
            providers_from(reader(some))


@pytest.mark.django_db
@pytest.mark.parametrize("provider", COMPLETE)
def test_a_configured_provider_stands_on_the_sign_in_page(client, settings, provider):
    settings.SOCIALACCOUNT_PROVIDERS = providers_from(reader(COMPLETE[provider]))
    page = client.get(reverse("account_login")).content.decode()
    links = re.findall(r'href="(/accounts/[^"]*login/[^"]*)"', page)
    assert len(links) == 1, "one way in, beside the password"
    if provider in {"github", "gitlab", "google"}:
        assert client.get(links[0]).status_code == 200, "asks before it leaves"
        answer = client.post(links[0])
        assert answer.status_code == 200, "a redirected form would be refused by the content policy"
        [away] = re.findall(r'http-equiv="refresh" content="0; url=([^"]*)"', answer.content.decode())
        assert away.startswith("https://")
        assert "client_id=a" in away


@pytest.mark.parametrize("provider", COMPLETE)
def test_settings_load_with_each_provider(provider):
    """In a process of its own: what an operator's environment would do at start."""
    env = {**os.environ, **COMPLETE[provider], "DJANGO_SETTINGS_MODULE": "portal.settings"}
    program = (
        "import django; django.setup()\n"
        "from django.conf import settings\n"
        "from django.urls import get_resolver\n"
        "get_resolver().url_patterns\n"
        "print(*settings.SOCIALACCOUNT_PROVIDERS)"
    )
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == provider, done.stderr[-2000:]


def test_an_address_of_another_provider_never_opens_an_existing_account():
    """Otherwise whoever controls an e-mail address at some provider would own the account that has it here."""
    assert django_settings.SOCIALACCOUNT_EMAIL_AUTHENTICATION is False
