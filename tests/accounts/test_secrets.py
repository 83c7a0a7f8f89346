"""Secrets of people at rest: a dump of the database opens no account."""

from __future__ import annotations

import importlib
import json
import re

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse

from portal.accounts import sealing
from portal.accounts.models import ApiToken
from portal.accounts.tenancy import tenant
from portal.kit.errors import Unavailable
from tests.accounts.test_pages import invite, url
from tests.accounts.test_sign_in import code_for
from tests.conftest import prove

pytestmark = pytest.mark.django_db


def dump() -> str:
    """All that people's tables hold, as a thief of a backup reads it: sessions opened as Django opens its own."""
    found = []
    for table in ("mfa_authenticator", "django_session", "accounts_invitation", "accounts_apitoken"):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table}")
            found += [str(row) for row in cursor.fetchall()]
    found += [json.dumps(session.get_decoded()) for session in Session.objects.all()]
    return "\n".join(found)


# --- authenticators ---


def test_an_authenticators_secret_is_in_no_row(world, client_for):
    browser = prove(client_for(world.dev))
    secret = browser.get(reverse("mfa_activate_totp")).context["form"].secret
    assert secret not in dump(), "not before it is confirmed either: it waits in the session"
    assert browser.post(reverse("mfa_activate_totp"), {"code": code_for(secret)}).status_code == 302
    codes = re.findall(r"\b\d{8}\b", browser.get(reverse("mfa_view_recovery_codes")).content.decode())
    seed = Authenticator.objects.get(type="recovery_codes").wrap()
    assert len(codes) == 10
    written = dump()
    assert secret not in written
    assert not any(code in written for code in codes)
    assert all(sealing.is_sealed(row.data.get("secret") or row.data["seed"]) for row in Authenticator.objects.all())
    assert seed.validate_code(codes[0]), "and they still work"


def test_what_stood_in_clear_is_sealed_by_the_migration(world):
    secret, seed = generate_totp_secret(), RecoveryCodes.generate_seed()
    totp = Authenticator.objects.create(user=world.dev, type="totp", data={"secret": secret})
    recovery = Authenticator.objects.create(user=world.dev, type="recovery_codes", data={"seed": seed, "used_mask": 3})
    TOTP(totp).validate_code(code_for(secret))
    before = RecoveryCodes(recovery).generate_codes()
    migration = importlib.import_module("portal.accounts.migrations.0005_seal_authenticators")
    for _ in range(2):  # twice is once
        migration.seal_all(apps, None)
        totp.refresh_from_db()
        recovery.refresh_from_db()
        assert secret not in dump()
        assert get_adapter().decrypt(totp.data["secret"]) == secret
        assert RecoveryCodes(recovery).generate_codes() == before
        assert recovery.data["used_mask"] == 3


def test_keys_rotate(world, settings):
    adapter = get_adapter()
    old = settings.SECRET_KEY
    totp = Authenticator.objects.create(user=world.dev, type="totp", data={"secret": adapter.encrypt("MFRGG")})
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a newer key", [old]
    assert adapter.decrypt(totp.data["secret"]) == "MFRGG"
    call_command("reseal")
    settings.SECRET_KEY_FALLBACKS = []
    totp.refresh_from_db()
    assert adapter.decrypt(totp.data["secret"]) == "MFRGG"
    settings.SECRET_KEY = "a key that knows nothing"
    with pytest.raises(Unavailable, match="SECRET_KEY_FALLBACKS"):
        adapter.decrypt(totp.data["secret"])
    with pytest.raises(CommandError, match="1 were sealed"):
        call_command("reseal")


def test_what_is_sealed_for_one_thing_opens_for_no_other():
    sealed = sealing.seal("x", "session")
    assert sealing.unseal(sealed, "session") == "x"
    for broken in (sealed[:-4], sealed + "AAAA", sealing.MARK, sealing.MARK + "é", "x", ""):
        with pytest.raises(sealing.Unsealable):
            sealing.unseal(broken, "session")
    with pytest.raises(sealing.Unsealable):
        sealing.unseal(sealed, "authenticator")


# --- sessions ---


def test_a_session_says_nothing_to_who_reads_the_table(world, client_for):
    browser = client_for(world.dev)
    key = browser.session.session_key
    assert str(world.dev.pk) not in json.dumps(Session.objects.get(pk=key).get_decoded())
    assert browser.get(url("home")).status_code == 200
    Session.objects.filter(pk=key).update(session_data="forged")
    assert browser.get(url("home")).status_code == 302


def test_an_invitations_secret_is_in_no_session(world, client_for, client, django_capture_on_commit_callbacks):
    path = invite(world, client_for, django_capture_on_commit_callbacks)
    secret = path.rstrip("/").rpartition("/")[2]
    client.post(path, {"go": "signup"})
    assert secret not in json.dumps(dict(client.session))
    assert secret not in dump()
    assert client.get("/join/acme/").status_code == 200, "the browser is still known to be invited"
    assert client.get("/join/rival/").status_code == 404
    client.cookies.clear()
    assert client.get("/join/acme/").status_code == 404


# --- links in mails ---


@pytest.mark.parametrize("name", ["known", "unknown"])
def test_links_in_mails_never_follow_the_host_header(world, client, settings, name):
    """Else whoever asks for somebody's password names the host that their link leads to."""
    settings.ALLOWED_HOSTS = ["*"]
    settings.PUBLIC_URL = "https://portal.example"
    address = world.dev.email if name == "known" else "nobody@x.example"
    client.post(reverse("account_reset_password"), {"email": address}, HTTP_HOST="evil.example")
    [letter] = mail.outbox
    assert "evil.example" not in letter.body + letter.subject
    links = re.findall(r"https?://\S+", letter.body)
    assert links
    assert all(link.startswith("https://portal.example/accounts/") for link in links)


def test_a_notice_about_the_account_does_not_name_the_host_either(world, client_for, settings):
    settings.ALLOWED_HOSTS = ["*"]
    settings.PUBLIC_URL = "https://portal.example"
    browser = prove(client_for(world.dev))
    browser.post(reverse("account_email"), {"action_add": "", "email": "second@acme.example"}, HTTP_HOST="evil.example")
    assert mail.outbox
    assert not any("evil.example" in letter.body + letter.subject for letter in mail.outbox)


# --- tokens ---


def test_reload_makes_no_second_token(world, client_for):
    browser = prove(client_for(world.dev))
    wanted = {"name": "laptop", "scopes": ["read"], "days": "30"}
    made = browser.post(url("tokens"), wanted)
    assert (made.status_code, made["Location"]) == (302, url("tokens"))
    waiting = browser.session["new_token"][1]
    assert waiting not in dump()
    page = browser.get(url("tokens"))
    assert page.context["secret"] == waiting
    assert waiting in page.content.decode()
    for _ in range(2):
        assert waiting not in browser.get(url("tokens")).content.decode(), "shown this once"
    assert waiting not in json.dumps(dict(browser.session))
    with tenant(world.acme):
        assert ApiToken.objects.count() == 1


def test_a_token_made_here_is_not_shown_next_door(world, client_for):
    with tenant(world.rival):
        world.rival.__class__.objects.get(pk=world.rival.pk)
    browser = prove(client_for(world.dev))
    browser.post(url("tokens"), {"name": "laptop", "scopes": ["read"], "days": "30"})
    secret = browser.session["new_token"][1]
    assert browser.get("/o/rival/tokens/").status_code == 404
    assert secret in browser.get(url("tokens")).content.decode()
