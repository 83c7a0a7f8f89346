"""What a request may bring is bounded before it is written anywhere, and the refusal is words."""

import http.client
from urllib.parse import urlsplit

import pytest
from django.test import RequestFactory

from portal.kit.bodies import BODY_LIMIT, MEBIBYTE, limit_of
from portal.kit.uploads import KEPT_BYTES


def connection(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_body_that_is_announced_too_large_is_refused_before_it_is_sent(live_server_url):
    door = connection(live_server_url)
    door.putrequest("POST", "/o/acme/catalog/sources/register/")
    door.putheader("Content-Length", str(10 * 1024 * MEBIBYTE))
    door.putheader("Content-Type", "multipart/form-data; boundary=x")
    door.endheaders(b"--x\r\n")
    answer = door.getresponse()
    assert answer.status == 413
    assert b"That is larger than 32 MiB, which is the most that is taken here." in answer.read()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_body_of_unknown_length_is_refused_where_it_passes_the_limit(live_server_url):
    door = connection(live_server_url)
    door.putrequest("POST", "/api/o/acme/catalog/validate-entity")
    door.putheader("Transfer-Encoding", "chunked")
    door.putheader("Content-Type", "application/json")
    door.endheaders()
    piece = b"100000\r\n" + b"x" * MEBIBYTE + b"\r\n"
    for _ in range(BODY_LIMIT // MEBIBYTE + 1):
        door.send(piece)
    answer = door.getresponse()
    assert answer.status == 413
    assert b"which is the most that is taken here" in answer.read()


def test_a_push_may_bring_more(settings):
    settings.GIT_PUSH_LIMIT = 100 * MEBIBYTE
    assert limit_of("/o/acme/git/orders.git/git-receive-pack") == 101 * MEBIBYTE
    assert limit_of("/o/acme/gitops/") == BODY_LIMIT


def test_of_a_large_file_the_beginning_is_kept_and_the_size_is_known():
    size = KEPT_BYTES + 3 * MEBIBYTE
    body = (
        b'--x\r\nContent-Disposition: form-data; name="upload"; filename="big.yaml"\r\n\r\n'
        + b"y" * size
        + b'\r\n--x\r\nContent-Disposition: form-data; name="kind"\r\n\r\nupload\r\n--x--\r\n'
    )
    request = RequestFactory().post("/", body, content_type="multipart/form-data; boundary=x")
    file = request.FILES["upload"]
    assert (file.size, file.name, len(file.read())) == (size, "big.yaml", KEPT_BYTES)
    assert request.POST["kind"] == "upload"
