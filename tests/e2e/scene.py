"""What must have happened before every page of the product has something to show: done by people, in the browser."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
import time
from dataclasses import dataclass, field
from typing import Any

from portal.demo_people import SIGN_INS
from tests.e2e.acts import answer_the_form, launch, number_in, sign_in
from tests.e2e.product import Product

ORG = "/o/parcelwright"
NAME = "depot-sorter"
STUCK = "label-maker"
WRITTEN = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: pallet-scale
  description: Weighs pallets at the depot's gate.
spec:
  type: service
  lifecycle: experimental
  owner: group:default/payments
"""
NEW_PERSON = "pat@slipway.example"


CANDIDATE = """\
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: reserve-a-berth, title: Reserve a berth}
spec:
  type: service
  steps:
    - {id: say, name: Say it, action: "debug:log", input: {message: Reserved}}
"""


@dataclass
class Scene:
    """`facts` fill the addresses of tests/e2e/pages.py; `states` are the signed-in browsers, one a person."""

    facts: dict[str, str] = field(default_factory=dict)
    states: dict[str, Any] = field(default_factory=dict)


def build(browser: Any, product: Product) -> Scene:
    """Signs everybody in, launches three runs (one comes to an end, one fails, one waits), invites two people."""
    scene = Scene()
    pages = {}
    for who in ("dev", "ada", "mae", "vic", "eve"):
        context = browser.new_context(
            base_url=product.url, viewport={"width": 1440, "height": 900}, reduced_motion="reduce"
        )
        pages[who] = sign_in(context.new_page(), who)
        scene.states[who] = context.storage_state()
    _runs(scene, pages["dev"])
    _things(scene, pages["ada"])
    _git_host(scene, pages["ada"])
    _cards(scene, pages["ada"])
    _written(scene, pages["dev"])
    _candidate(scene, pages["dev"])
    _empty_organisation(product)
    _people(scene, product, pages["ada"])
    for page in pages.values():
        page.context.close()
    return scene


def _runs(scene: Scene, page: Any) -> None:
    """Two reviews of one name are launched together: one makes the repository, the other finds it taken. Which is
    which, the workers decide."""
    rival = page.context.new_page()
    for tab in (page, rival):
        tab.goto(f"{ORG}/paths/python-web-service/")
        answer_the_form(tab, NAME)
    launched = {launch(tab): tab for tab in (page, rival)}
    stuck = page.context.new_page()
    stuck.goto(f"{ORG}/paths/python-web-service/")
    answer_the_form(stuck, STUCK, image=f"ghcr.io/parcelwright/{STUCK}:not-ready")
    waiting = launch(stuck)
    ends = {run: _end_of(tab) for run, tab in launched.items()}
    assert sorted(ends.values()) == ["Failed", "Succeeded"]
    done, failed = sorted(ends, key=lambda run: ends[run], reverse=True)
    stuck.locator(".datagrid").get_by_text("Waiting").wait_for(timeout=60_000)
    scene.facts.update(run=str(done), failed=str(failed), waiting=str(waiting), repo=NAME)


def _end_of(run_page: Any) -> str:
    """What its page says when the run is over: Succeeded or Failed."""
    status = run_page.locator(".datagrid").get_by_text(re.compile(r"^\s*(Succeeded|Failed)\s*$")).first
    status.wait_for(timeout=60_000)
    return str(status.inner_text()).strip()


def _things(scene: Scene, page: Any) -> None:
    page.goto(f"{ORG}/catalog/sources/")
    address = page.locator("main .row-title[href*='/catalog/sources/']").first.get_attribute("href")
    scene.facts["source"] = str(number_in(address, "sources"))
    page.goto(f"{ORG}/catalog/problems/?code=tag")
    hrefs = page.locator("main a[href*='/catalog/problems/']").evaluate_all(
        "links => links.map((link) => link.pathname)"
    )
    address = next(href for href in hrefs if re.search(r"/problems/\d+/", href))
    scene.facts["problem"] = str(number_in(address, "problems"))
    _handed_over(scene, page)
    page.goto(f"{ORG}/clusters/")
    address = page.locator("main a[href*='/clusters/']:not([href$='new/'])").first.get_attribute("href")
    scene.facts["cluster"] = address.rstrip("/").rpartition("/")[2]
    page.goto(f"{ORG}/catalog/component/default/{NAME}/")
    scene.facts["logs"] = page.locator("a[href*='/logs/']").first.get_attribute("href")


def _handed_over(scene: Scene, page: Any) -> None:
    """Something is offered to another team, and a reorganisation drafted, to be looked at; nothing changes hands."""
    page.goto(f"{ORG}/transfers/new/?entity=component:default/payment-gateway")
    page.get_by_label("To", exact=True).fill("booking")
    page.get_by_label("Ask them first").check()
    page.get_by_role("button", name="Hand over", exact=True).click()
    page.wait_for_url(re.compile(r"/transfers/\d+/"))
    scene.facts["transfer"] = str(number_in(page.url, "transfers"))
    page.goto(f"{ORG}/reorganisations/")
    page.get_by_label("Name", exact=True).fill("Payments goes to booking")
    page.get_by_role("button", name="Draft", exact=True).click()
    page.wait_for_url(re.compile(r"/reorganisations/\d+/"))
    scene.facts["plan"] = str(number_in(page.url, "reorganisations"))
    page.get_by_text("Merge a team into another").click()
    page.locator("#merge-team").fill("payments")
    page.locator("#merge-into").fill("booking")
    page.get_by_role("button", name="Add the step").locator("visible=true").click()
    page.get_by_role("button", name="Apply it now").wait_for()


def _git_host(scene: Scene, page: Any) -> None:
    """An account at a git host that does not answer."""
    page.goto(f"{ORG}/git-hosts/new")
    page.get_by_label("Address").fill("https://git.parcelwright.example/shop")
    page.get_by_label("User name").fill("slipway")
    page.get_by_label("Token").fill("of-no-use-anywhere")
    page.get_by_label("Repository to try").fill("https://git.parcelwright.example/shop/till.git")
    page.get_by_role("button", name="Save and try").click()
    page.wait_for_url(lambda address: "/new" not in address)
    page.goto(f"{ORG}/git-hosts/")
    address = page.get_by_role("link", name="Replace the credential").first.get_attribute("href")
    scene.facts["git_host"] = str(number_in(address, "git-hosts"))


def _cards(scene: Scene, page: Any) -> None:
    """A card with a link, and one that asks an address which nobody has."""
    for title, address in (
        ("Dashboard", "https://grafana.parcelwright.example/d/{name}"),
        ("Alerts", "https://alerts.parcelwright.example/api/{name}"),
    ):
        page.goto(f"{ORG}/catalog/cards/new/")
        page.get_by_label("Title").fill(title)
        page.get_by_label("Address").fill(address)
        if title == "Alerts":
            page.get_by_label("Shows", exact=True).select_option("json")
            template = "**${{ answer.firing | length }} alerts** for ${{ entity.title }}"
            page.get_by_label("Template", exact=True).fill(template)
        page.get_by_label("Systems", exact=True).check()
        page.get_by_role("button", name="Save", exact=True).click()
        page.wait_for_url("**/catalog/cards/")
    address = page.get_by_role("link", name="Change Alerts").get_attribute("href")
    scene.facts["card"] = str(number_in(address, "cards"))


def _written(scene: Scene, page: Any) -> None:
    """An entity that lives in the portal, so that it can be edited there."""
    page.goto(f"{ORG}/catalog/new/")
    page.get_by_role("textbox").last.fill(WRITTEN)
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/catalog/component/default/pallet-scale/")
    scene.facts["written"] = "pallet-scale"


def _candidate(scene: Scene, page: Any) -> None:
    """A golden path that somebody's upload brought; nobody has decided on it."""
    page.goto(f"{ORG}/catalog/sources/register/")
    page.locator("[name=kind]").select_option("upload")
    template = {"name": "berth.yaml", "mimeType": "application/yaml", "buffer": CANDIDATE.encode()}
    page.locator("[name=upload]").set_input_files(template)
    page.get_by_role("button", name="Register", exact=True).click()
    page.wait_for_url(re.compile(r"/sources/\d+/"))
    page.goto(f"{ORG}/paths/candidates/")
    page.get_by_role("link", name="Reserve a berth").click()
    scene.facts["candidate"] = page.url.rstrip("/").rpartition("/")[2]


def _empty_organisation(product: Product) -> None:
    """The operator makes one for Eve, with the command that operators have."""
    product.run("manage.py", "organisation", "newharbour", "New Harbour", "eve@slipway.example")


def _people(scene: Scene, product: Product, admin: Any) -> None:
    """Pat joins by invitation, sets up an authenticator app and leaves again; a second invitation stays open."""
    scene.facts["join_open"] = _invite(product, admin, "quinn@slipway.example")
    pat = admin.context.browser.new_context(base_url=product.url).new_page()
    pat.goto(_invite(product, admin, NEW_PERSON))
    pat.get_by_role("button", name="Create your account").click()
    pat.get_by_label("Email", exact=True).fill(NEW_PERSON)
    pat.get_by_label("Your name").fill("Pat Orlowe")
    pat.get_by_label("Password", exact=True).fill(SIGN_INS.password)
    pat.get_by_role("button", name="Create account").click()
    pat.get_by_role("button", name="Join as").click()
    pat.wait_for_url("**/o/parcelwright/**")
    pat.goto("/accounts/2fa/totp/activate/")
    pat.get_by_label("Password", exact=True).fill(SIGN_INS.password)
    pat.get_by_role("button", name="Confirm").click()
    pat.get_by_label("Code").fill(code_of(pat.locator("main code").first.inner_text()))
    pat.get_by_role("button", name=re.compile("Turn on|Activate|Set up")).click()
    pat.wait_for_url(re.compile("recovery-codes|2fa/$"))
    pat.goto(f"{ORG}/people/")
    pat.get_by_role("button", name="Leave").click()
    pat.get_by_role("button", name="Leave").last.click()
    pat.wait_for_url(lambda url: "/people/" not in url)
    scene.states["pat"] = pat.context.storage_state()
    pat.context.close()
    scene.facts["reset"] = _reset_link(product, admin)


def _mailed(product: Product, pattern: str, known: int) -> str:
    """What the newest mail in the product's log says; `known` is how many such lines were there before."""
    end = time.monotonic() + 20
    while len(found := re.findall(pattern, product.said())) <= known:
        assert time.monotonic() < end, f"no mail with {pattern}"
        time.sleep(0.1)
    return str(found[-1])


def _invite(product: Product, admin: Any, email: str) -> str:
    pattern = r"(/join/parcelwright/[\w-]+/)"
    known = len(re.findall(pattern, product.said()))
    admin.goto(f"{ORG}/people/")
    admin.get_by_label("E-mail address").fill(email)
    admin.get_by_role("button", name="Send invitation").click()
    return _mailed(product, pattern, known)


def _reset_link(product: Product, page: Any) -> str:
    pattern = r"(/accounts/password/reset/key/[\w-]+/)"
    known = len(re.findall(pattern, product.said()))
    stranger = page.context.browser.new_context(base_url=product.url).new_page()
    stranger.goto("/accounts/password/reset/")
    stranger.get_by_label("E-mail address").fill("vic@slipway.example")
    stranger.get_by_role("button").filter(has_text=re.compile("link|reset", re.I)).click()
    stranger.wait_for_url("**/done/")
    stranger.context.close()
    return _mailed(product, pattern, known)


def code_of(secret: str) -> str:
    """The six digits of RFC 6238 for this half minute."""
    text = re.sub(r"\s", "", secret)
    key = base64.b32decode(text + "=" * (-len(text) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"
