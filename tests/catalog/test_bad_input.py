"""Whatever is written, uploaded or pointed to: a sentence at its field, and what was typed is still there."""

import io
import json
import socket
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.html import escape

from catalog.models import Entity, Problem, Source

pytestmark = pytest.mark.django_db

NEW = "/o/acme/catalog/new/"
REGISTER = "/o/acme/catalog/sources/register/"
API = "/api/o/acme/catalog"
GOOD = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: {name}
spec: {{type: service, lifecycle: production, owner: payments}}
"""
LAUGHS = "a: &l0 [x, x, x]\n" + "".join(
    f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 9)}]\n" for level in range(1, 10)
)


def errors_at(answer, field):
    """The sentences beside a field of the page."""
    html = answer.content.decode()
    _, opened, rest = html.partition(f'<div class="field-errors" id="id_{field}_error">')
    assert opened, f"no sentence at {field}"
    return rest.partition("</div>")[0].replace("&quot;", '"').replace("&#x27;", "'").replace("&amp;", "&")


def nothing_is_kept(world):
    with world.tenant():
        assert not Source.objects.for_tenant(world.acme).exists()
        assert not Entity.objects.for_tenant(world.acme).exists()


# --- text written in the portal ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: [", "Line 2: This is not valid YAML"),
        ("a: 'never closed", "This is not valid YAML"),
        (GOOD.format(name="x").replace("Component", "Spaceship"), 'Line 2: The kind "Spaceship"'),
        (GOOD.format(name="x") + "---\n" + GOOD.format(name="y"), "Write exactly one entity; this describes 2."),
        (LAUGHS, "grows too large when its aliases are expanded"),
        ("&a [*a]", "The alias *a lies inside what it repeats."),
        ("[" * 20_000 + "]" * 20_000, "nested more than 64 levels deep"),
        ("a: " + "{b: " * 5_000 + "}" * 5_000, "nested more than 64 levels deep"),
        ("- " * 50_000, "nested more than 64 levels deep"),
        ("!!python/object/apply:os.system [id]", "The tag !!python/object/apply:os.system is not known here"),
        ("a: 1\na: 2", 'The key "a" stands here and on line 1'),
        ('a: "\\0"', "A value holds the character U+0000"),
        ("a: \x07", "holds characters that YAML does not allow"),
        ("a: \0", "Null characters are not allowed."),
        ("n: 1e999", "1e999 is not a number that can be kept: it is too large."),
        ("n: " + "9" * 5000, "This number is too long to be kept exactly"),
        ("", "Write the descriptor."),
        ("x" * (1024 * 1024 + 1), "at most 1048576 characters"),
    ],
)
def test_a_descriptor_that_cannot_be_read(world, client_for, text, words):
    answer = client_for(world.dev).post(NEW, {"text": text})
    assert answer.status_code == 422
    assert words in errors_at(answer, "text")
    assert escape(text.replace("\r\n", "\n")) in answer.content.decode(), "what was typed is still there"
    nothing_is_kept(world)


def test_a_name_that_exists(world, client_for):
    client = client_for(world.dev)
    assert client.post(NEW, {"text": GOOD.format(name="orders")}).status_code == 302
    again = GOOD.format(name="ORDERS")
    answer = client.post(NEW, {"text": again})
    assert answer.status_code == 422
    assert "component:default/orders exists already. Choose another name." in errors_at(answer, "text")
    assert escape(again) in answer.content.decode()


def test_an_owner_that_no_page_can_have_is_shown_as_text(world, client_for):
    text = GOOD.format(name="odd").replace("payments", '"group:default/no such team!"')
    client = client_for(world.mae)
    answer = client.post(NEW, {"text": text})
    assert answer.status_code == 302
    assert "no such team!" in client.get(answer["Location"]).content.decode()
    assert "no such team!" in client.get("/o/acme/catalog/?kind=").content.decode()


def test_more_text_than_a_form_takes_is_a_sentence_with_and_without_the_guard_against_forgery(world, client_for):
    body = "text=" + "x" * (6 * 2**20)
    kind = "application/x-www-form-urlencoded"
    answer = client_for(world.dev).post(NEW, body, content_type=kind)
    assert answer.status_code == 413
    assert "That is larger than this form accepts." in answer.content.decode()
    guarded = Client(enforce_csrf_checks=True)
    guarded.force_login(world.dev, backend="allauth.account.auth_backends.AuthenticationBackend")
    guarded.get(NEW)
    answer = guarded.post(NEW, body, content_type=kind)
    assert answer.status_code == 413
    assert "That is larger than this form accepts." in answer.content.decode()


def test_a_form_that_outlived_its_session_says_what_to_do(world):
    guarded = Client(enforce_csrf_checks=True)
    guarded.force_login(world.dev, backend="allauth.account.auth_backends.AuthenticationBackend")
    answer = guarded.post(NEW, {"text": GOOD.format(name="x")})
    assert answer.status_code == 403
    assert "This form is too old or was not ours. Go back, copy what you typed" in answer.content.decode()
    assert "Slipway" in answer.content.decode(), "it is a page of the product"


# --- uploads ----------------------------------------------------------------------------------------------------------


def zipped(files, *, compress=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compress) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return buffer.getvalue()


def zip_link(name, target):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o120777 << 16
    return zipped({entry: target})


def tarred(*entries):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for entry, content in entries:
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def entry(name, kind=tarfile.REGTYPE, target=""):
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


def in_zip_of_zips():
    inner = zipped({"bomb.yaml": b"0" * 3_000_000})
    return zipped({f"{number}.zip": inner for number in range(50)})


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("huge.yaml", b"a: " + b"x" * (10 * 2**20), "huge.yaml is 10.0 MiB; an upload may have at most 4 MiB."),
        ("bomb.zip", zipped({"a.yaml": b"0" * (20 * 2**20)}), "larger than 16 MiB when unpacked"),
        ("bomb.tgz", tarred((entry("a.yaml"), b"0" * (20 * 2**20))), "larger than 16 MiB when unpacked"),
        ("many.zip", zipped({f"{n}.yaml": b"" for n in range(1001)}), "more than 1000 files"),
        ("up.zip", zipped({"../../evil.yaml": b"a: 1"}), "leads out of the source"),
        ("up.tgz", tarred((entry("../evil.yaml"), b"a: 1")), "leads out of the source"),
        ("abs.tgz", tarred((entry("/etc/evil.yaml"), b"a: 1")), "lies outside this source"),
        ("win.zip", zipped({"..\\evil.yaml": b"a: 1"}), "is not a path"),
        ("git.zip", zipped({".GIT/config": b"a"}), "own .git folder"),
        ("link.zip", zip_link("a.yaml", "/etc/passwd"), "which is a link or a device"),
        ("soft.tgz", tarred((entry("a.yaml", tarfile.SYMTYPE, "/etc/passwd"), b"")), "which is a link or a device"),
        ("hard.tgz", tarred((entry("a.yaml", tarfile.LNKTYPE, "b"), b"")), "which is a link or a device"),
        ("pipe.tgz", tarred((entry("a.yaml", tarfile.FIFOTYPE), b"")), "which is a link or a device"),
        ("disk.tgz", tarred((entry("a.yaml", tarfile.BLKTYPE), b"")), "which is a link or a device"),
        ("twice.tgz", tarred((entry("a.yaml"), b"a: 1"), (entry("a.yaml"), b"a: 2")), 'holds "a.yaml" twice'),
        ("torn.tgz", tarred((entry("a.yaml"), b"a: 1"))[:40], "the archive is damaged or locked"),
        ("torn.zip", zipped({"a.yaml": b"a: 1"})[:-30] + b"PK\x05\x06", "is not a zip archive"),
        ("fake.zip", b"PK not really", "is not a zip archive"),
        ("fake.tar.gz", b"\x1f\x8b nonsense", "the archive is damaged or locked"),
        ("empty.yaml", b"", "no entity in it"),
    ],
)
def test_an_upload_that_cannot_be_taken(world, client_for, name, content, words):
    form = {"kind": "upload", "path": "here/**", "upload": SimpleUploadedFile(name, content)}
    answer = client_for(world.dev).post(REGISTER, form)
    assert answer.status_code == 422
    html = answer.content.decode()
    assert words in errors_at(answer, "upload")
    assert '<option value="upload" selected>' in html
    assert 'value="here/**"' in html, "what was typed is still there"
    nothing_is_kept(world)


@pytest.mark.parametrize(
    ("name", "content", "line", "words"),
    [
        ("broken.yaml", b"a: 1\nb: [", 3, "This is not valid YAML"),
        ("kind.yaml", GOOD.format(name="x").replace("Component", "Widget").encode(), 2, '"Widget" is not known'),
        ("latin.yaml", "name: Zoë".encode("latin-1"), 1, "is not text in UTF-8"),
        ("bomb.yaml", LAUGHS.encode(), 6, "grows too large"),
        ("deep.yaml", b"[" * 5000, 1, "nested more than 64 levels"),
        ("line.yaml", b"a: " + b"x" * (2 * 2**20), 1, "may have at most 1 MiB"),
        ("null.yaml", b"a: b\0c", 1, "characters that YAML does not allow"),
    ],
)
def test_an_upload_with_faults_in_it_says_them_with_file_and_line(world, client_for, name, content, line, words):
    client = client_for(world.dev)
    answer = client.post(REGISTER, {"kind": "upload", "upload": SimpleUploadedFile(name, content)})
    assert answer.status_code == 302
    html = client.get(answer["Location"]).content.decode()
    with world.tenant():
        [problem] = Problem.objects.for_tenant(world.acme)
    assert words in problem.sentence
    assert (problem.line, escape(problem.sentence) in html) == (line, True)
    assert f"{problem.path}:{line}" in html


def test_an_archive_inside_an_archive_is_not_opened(world, client_for):
    client = client_for(world.dev)
    form = {"kind": "upload", "upload": SimpleUploadedFile("outer.zip", in_zip_of_zips())}
    html = client.get(client.post(REGISTER, form)["Location"]).content.decode()
    assert "&quot;0.zip&quot; is not text in UTF-8." in html
    assert "50 problems" in html, "each of the inner ones is, on several pages"


def test_one_bad_file_of_an_archive_does_not_hide_the_others(world, client_for):
    client = client_for(world.dev)
    packed = zipped({"good.yaml": GOOD.format(name="good"), "bad.yaml": "a: ["})
    answer = client.post(REGISTER, {"kind": "upload", "upload": SimpleUploadedFile("both.zip", packed)})
    html = client.get(answer["Location"]).content.decode()
    assert "component:default/good" in html
    assert "bad.yaml:2" in html


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("ext::sh -c id", "no spaces"),
        ("ext::sh%20-c%20id", "A git address starts with https://"),
        ("--upload-pack=touch /tmp/x", "no spaces"),
        ("--upload-pack=/bin/true", "A git address starts with https://"),
        ("-oProxyCommand=id", "A git address starts with https://"),
        ("ssh://-oProxyCommand=id/x", "names no valid host"),
        ("git@-oProxyCommand=id:x", "A git address starts with https://"),
        ("file:///etc", "may not read this folder"),
        ("/root/.ssh", "may not read this folder"),
        ("/tmp/../etc", "may not read this folder"),
        ("file://example.com/tmp/x", "names no host"),
        ("file://[x/tmp", "names no host"),
        ("git://example.com/x", "A git address starts with https://"),
        ("http://example.com/x.git", "A git address starts with https://"),
        ("https://user:secret@example.com/x.git", "Leave passwords and tokens out of the address"),
        ("https://token@example.com/x.git", "Leave passwords and tokens out of the address"),
        ("https://exa\nmple.com/x.git", "no spaces, line breaks"),
        ("https:///x.git", "names no valid host"),
        ("https://example.com:99999/x.git", "This is not a git address."),
        ("https://169.254.169.254/x.git", "lies on a private network"),
        ("https://127.0.0.1/x.git", "lies on a private network"),
        ("https://[::1]/x.git", "names no valid host"),
        ("https://[::ffff:10.0.0.1]/x.git", "names no valid host"),
        ("https://localhost/x.git", "lies on a private network"),
        ("ssh://git@10.0.0.1/x.git", "lies on a private network"),
        ("git@192.168.1.1:x.git", "lies on a private network"),
        ("https://2130706433/x.git", "lies on a private network"),
        ("https://0x7f.1/x.git", "lies on a private network"),
        ("https://no-such-host.invalid/x.git", "cannot be found"),
        ("a\0b", "Null characters are not allowed."),
        ("x" * 2000, "at most 1000 characters"),
    ],
)
def test_a_git_address_that_is_refused(world, client_for, settings, target, words):
    settings.ALLOWED_NETWORKS = []
    form = {"kind": "git", "target": target, "revision": "main", "path": "deep/catalog-info.yaml"}
    answer = client_for(world.dev).post(REGISTER, form)
    assert answer.status_code == 422
    html = answer.content.decode()
    assert words in errors_at(answer, "target")
    assert escape(target) in html or "\n" in target
    assert 'value="main"' in html
    assert 'value="deep/catalog-info.yaml"' in html
    nothing_is_kept(world)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("https://169.254.169.254/latest/meta-data/", "lies on a private network"),
        ("http://169.254.169.254/latest/meta-data/", "lies on a private network"),
        ("https://127.0.0.1:1/x.yaml", "lies on a private network"),
        ("https://localhost/x.yaml", "lies on a private network"),
        ("https://[fd00::1]/x.yaml", "lies on a private network"),
        ("https://[64:ff9b::a00:1]/x.yaml", "lies on a private network"),
        ("https://0/x.yaml", "lies on a private network"),
        ("https://127.1/x.yaml", "lies on a private network"),
        ("file:///etc/passwd", "starts with https://"),
        ("ftp://example.com/x.yaml", "starts with https://"),
        ("javascript:alert(1)", "starts with https://"),
        ("https://user:pass@example.com/x.yaml", "must not hold a user name or password"),
        ("https://example.com:99999/x.yaml", "is not a web address"),
        ("https://[::1/x.yaml", "is not a web address"),
        ("//example.com/x.yaml", "starts with https://"),
    ],
)
def test_a_web_address_that_is_refused(world, client_for, settings, target, words):
    settings.ALLOWED_NETWORKS = []
    answer = client_for(world.dev).post(REGISTER, {"kind": "url", "target": target})
    assert answer.status_code == 422
    assert words in errors_at(answer, "target")
    assert escape(target) in answer.content.decode()
    said = client_for(world.dev).post(
        f"{API}/locations", json.dumps({"type": "url", "target": target}), content_type="application/json"
    )
    assert said.status_code in (400, 503), said.content
    assert said.json()["error"]["message"].endswith(".")
    nothing_is_kept(world)


class _Door(BaseHTTPRequestHandler):
    """A server on an allowed address that tries what servers try."""

    def do_GET(self):
        if self.path.startswith("/away"):
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.2:{self.server.server_port}/secret.yaml")
            self.end_headers()
            return
        self.send_response(200)
        if self.path.startswith("/liar"):
            self.send_header("Content-Length", "100")
        self.end_headers()
        if self.path.startswith("/endless"):
            line = b"x" * 65536
            for _ in range(200):
                self.wfile.write(line)
        else:
            self.wfile.write(b"a: 1")

    def log_message(self, *args):
        """Tests are quiet."""


@pytest.fixture
def door():
    server = HTTPServer(("127.0.0.1", 0), _Door)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/away.yaml", "sends readers elsewhere (302). Write the address where it ends."),
        ("/endless.yaml", "larger than 1 MiB"),
        ("/liar.yaml", "broke off the transfer"),
    ],
)
def test_a_server_that_plays_tricks(world, client_for, settings, door, path, words):
    settings.ALLOWED_NETWORKS = ["127.0.0.1/32"]
    answer = client_for(world.dev).post(REGISTER, {"kind": "url", "target": f"{door}{path}"})
    assert answer.status_code == 422
    assert words in errors_at(answer, "target")
    assert f'value="{door}{path}"' in answer.content.decode()


def test_a_server_that_never_answers(world, client_for, settings, monkeypatch):
    monkeypatch.setattr("portal.kit.fetching.CONNECT_SECONDS", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        target = f"http://127.0.0.1:{silent.getsockname()[1]}/x.yaml"
        answer = client_for(world.dev).post(REGISTER, {"kind": "url", "target": target})
    assert answer.status_code == 422
    assert "broke off the transfer" in errors_at(answer, "target")


# --- the API ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "not valid JSON"),
        (b'{"entity": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", 400, "more than 64 levels"),
        (b'{"entity": {"kind": "a\\u0000"}}', 400, "U+0000, which cannot be kept"),
        (b'{"entity": {"kind": "\\ud800"}}', 400, "U+D800, which cannot be kept"),
        (b'{"entity": NaN}', 400, "NaN is not a number"),
        (b'{"entity": ' + b"9" * 5000 + b"}", 400, "5000 digits"),
        (b'{"a": "\xff"}', 400, "not text in UTF-8"),
        (b'{"a": "' + b"x" * (6 * 2**20) + b'"}', 413, "larger than"),
        (b"[]", 400, ""),
        (b"null", 400, ""),
        (b'{"entity": "x", "location": 5}', 400, ""),
    ],
)
@pytest.mark.parametrize("path", ["validate-entity", "locations", "entities/by-query", "entities/by-refs", "refresh"])
def test_a_body_that_makes_no_sense_is_an_error_in_the_shape_that_clients_read(
    world, client_for, body, status, words, path
):
    answer = client_for(world.dev).post(f"{API}/{path}", body, content_type="application/json")
    if not words:
        # Valid JSON of the wrong shape: an empty query asks for everything, a validation lists its errors.
        assert answer.status_code in (200, 400, 404), answer.content
        return
    assert answer.status_code == status, answer.content
    error = answer.json()["error"]
    assert error["name"] == "InputError"
    assert words in error["message"]


@pytest.mark.parametrize("text", ["a\0b", "9" * 5000, "-1", "%", "\\", "'\"", "\N{SHIP}", "=", "kind=a\0"])
def test_any_query_is_answered(world, client_for, text):
    client = client_for(world.dev)
    for path, names in (
        ("/o/acme/catalog/", ["q", "kind", "owner", "tag", "type", "lifecycle", "cursor"]),
        ("/o/acme/catalog/problems/", ["q", "source", "cursor"]),
        ("/o/acme/runs/", ["status", "path", "who", "entity", "before"]),
        ("/o/acme/paths/", ["q"]),
        ("/o/acme/repos/", ["q", "after", "before"]),
        ("/o/acme/search/", ["q"]),
        ("/api/o/acme/runs/", ["status", "path", "who", "entity", "before"]),
        (f"{API}/entities", ["filter", "fields", "order", "after", "limit", "offset"]),
        (f"{API}/entities/by-query", ["cursor", "limit", "orderField", "fullTextFilterTerm", "filter"]),
        (f"{API}/entity-facets", ["facet", "filter"]),
    ):
        for name in names:
            answer = client.get(path, {name: text})
            assert answer.status_code in (200, 400), (path, name, answer.status_code)
