"""What the service answers, asked in memory and over a real socket."""

import json
import logging
import threading
import urllib.error
import urllib.request
from wsgiref.util import setup_testing_defaults

import pytest

from ${{ values.package }} import __version__
from ${{ values.package }}.app import Application
from ${{ values.package }}.logs import JsonFormatter
from ${{ values.package }}.server import Settings, build, serve


@pytest.fixture
def application():
    return Application()


def ask(application, path, method="GET", **environ):
    setup_testing_defaults(environ)
    environ |= {"PATH_INFO": path, "REQUEST_METHOD": method}
    answer = {}
    body = b"".join(application(environ, lambda status, headers: answer.update(status=status, headers=dict(headers))))
    return int(answer["status"][:3]), answer["headers"], body


def test_it_says_who_it_is(application):
    status, _, body = ask(application, "/")
    assert (status, json.loads(body)) == (200, {"name": "${{ values.name }}", "version": __version__})


def test_it_greets(application):
    status, headers, body = ask(application, "/api/greetings/Ada")
    assert (status, json.loads(body)) == (200, {"greeting": "Hello, Ada!"})
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("name", [" ", "x" * 81])
def test_a_name_that_is_none_is_refused_with_a_sentence(application, name):
    status, _, body = ask(application, f"/api/greetings/{name}")
    assert (status, json.loads(body)["error"]) == (400, "A name has 1 to 80 characters.")


def test_an_unknown_address_is_not_found(application):
    assert ask(application, "/nowhere")[0] == 404


def test_writing_is_not_answered(application):
    assert ask(application, "/", method="POST")[0] == 405


def test_it_is_alive_and_ready_until_it_drains(application):
    assert ask(application, "/healthz")[0] == ask(application, "/readyz")[0] == 200
    application.drain()
    assert ask(application, "/readyz")[0] == 503
    assert ask(application, "/healthz")[0] == 200


def test_it_counts_requests(application):
    ask(application, "/")
    ask(application, "/nowhere")
    lines = ask(application, "/metrics")[2].decode().splitlines()
    assert 'http_requests_total{status="200"} 1' in lines
    assert any('status="404"' in line for line in lines)


def test_a_request_id_is_kept(application):
    assert ask(application, "/", HTTP_X_REQUEST_ID="abc")[1]["X-Request-Id"] == "abc"


def test_a_log_line_is_json():
    record = logging.LogRecord("x", logging.INFO, "", 0, "request", None, None)
    record.status = 200
    entry = json.loads(JsonFormatter().format(record))
    assert (entry["message"], entry["level"], entry["status"]) == ("request", "INFO", 200)


def test_it_serves_over_a_socket_and_stops_in_order(application):
    server = build(Settings(port=0), application)
    port = server.server_port
    server.server_close()
    stop = threading.Event()
    settings = Settings(port=port, drain_seconds=0.2)
    thread = threading.Thread(target=serve, args=(settings, application, stop))
    thread.start()
    try:
        assert _get(port, "/readyz") == 200
    finally:
        stop.set()
        thread.join(timeout=10)
    assert not thread.is_alive()
    with pytest.raises(OSError):
        _get(port, "/readyz", tries=1)


def _get(port, path, tries=50):
    for attempt in range(tries):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
                return response.status
        except urllib.error.URLError:
            if attempt == tries - 1:
                raise
            threading.Event().wait(0.05)
    raise AssertionError("unreachable")
