"""One address answers two bodies, and every answer says so: nobody is shown a part where the page belongs."""

from __future__ import annotations

import gzip

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from portal.kit.middleware import CompressMiddleware, FragmentMiddleware
from tests.accounts.test_doors import TENANT_PAGES

HTMX = {"HX-Request": "true"}
RESTORING = {**HTMX, "HX-History-Restore-Request": "true"}
BOOSTED = {**HTMX, "HX-Boosted": "true"}


@pytest.mark.django_db
@pytest.mark.parametrize("address", TENANT_PAGES, ids=lambda a: a.name)
def test_every_address_says_what_its_answer_depends_on_and_gives_whole_pages_to_who_goes_back(
    world, client_for, address
):
    client = client_for(world.ada)
    path = address.path("acme")
    for headers in ({}, HTMX, RESTORING, BOOSTED):
        answer = client.get(path, headers=headers)
        assert {"HX-Request", "HX-History-Restore-Request", "HX-Boosted"} <= {
            word.strip() for word in answer["Vary"].split(",")
        }, path
        is_page = answer.status_code not in {302, 405} and answer.get("Content-Type", "").startswith("text/html")
        if headers is not HTMX and is_page:
            assert b"<html" in answer.content, f"{path} with {headers}"


@pytest.mark.parametrize("content_type", ["text/html", "text/plain; charset=utf-8", "application/json", "text/csv", ""])
@pytest.mark.parametrize("status", [200, 204, 302, 404, 405])
def test_no_type_and_no_status_is_left_out(content_type, status):
    """The walk above meets most files as a refusal, for nothing of that name is there: the rule must not ask which."""
    request = RequestFactory().get("/o/acme/runs/1/log/")
    sent = FragmentMiddleware(lambda _: HttpResponse("x", status=status, content_type=content_type))(request)
    assert set(FragmentMiddleware.WORDS) <= {word.strip() for word in sent["Vary"].split(",")}


@pytest.mark.django_db
def test_a_filtered_catalog_is_a_part_for_htmx_and_a_page_for_everybody_else(world, client_for):
    client = client_for(world.vic)
    path = "/o/acme/catalog/?owner=group:default/payments"
    assert b"<html" not in client.get(path, headers=HTMX).content
    whole = client.get(path).content
    assert b"<html" in whole
    assert b'id="results"' in client.get(path, headers=HTMX).content


@pytest.mark.django_db
def test_pages_are_compressed_and_what_shows_a_secret_is_not(world, client_for):
    client = client_for(world.ada)
    page = client.get("/o/acme/catalog/?kind=", headers={"Accept-Encoding": "gzip"})
    assert page["Content-Encoding"] == "gzip"
    assert b"<html" in gzip.decompress(page.content)
    for secret in ("/o/acme/tokens/", "/o/acme/people/"):
        assert "Content-Encoding" not in client.get(secret, headers={"Accept-Encoding": "gzip"})


@pytest.mark.parametrize(
    ("answer", "is_compressed"),
    [
        (HttpResponse("x" * 2000), True),
        (HttpResponse("x" * 900), False),
        (HttpResponse(b"x" * 2000, content_type="application/x-git-upload-pack-result"), False),
        (HttpResponse("x" * 2000, content_type="text/plain", headers={"Content-Encoding": "br"}), False),
    ],
)
def test_only_whole_answers_of_text_are_compressed(answer, is_compressed):
    request = RequestFactory().get("/o/acme/catalog/", headers={"Accept-Encoding": "gzip"})
    sent = CompressMiddleware(lambda _: answer)(request)
    assert (sent.get("Content-Encoding") == "gzip") is is_compressed
