"""Connections to git hosts: a private repository is fetched with a sealed credential that nobody sees."""

import os
import re
import subprocess
import threading
import time
from pathlib import Path

import pytest
from django.urls import reverse

from catalog.intake.sources import git as git_source
from catalog.models import Source
from portal.accounts.models import AuditEvent
from portal.accounts.tenancy import tenant
from portal.githosts import connections, fetch, gitcli
from portal.githosts.connections import covers
from portal.githosts.errors import GitFailed
from portal.githosts.hosts import host_for
from portal.githosts.models import Connection
from portal.kit.errors import Conflict, Invalid, Unavailable
from tests.conftest import by
from tests.githosts.https import GitOverHttps

SECRET = "tok-4711-very-private"
ROOT = Path(__file__).resolve().parents[2]
ODD = {
    ".github/workflows/ci.yml": (b"on: push\r\n", 0o644),
    "gradlew": (b"#!/bin/sh\necho build\n", 0o755),
    "favicon.ico": (bytes(range(256)), 0o644),
    ".gitattributes": (b"* text=auto eol=crlf\n*.txt ident\n", 0o644),
    "note.txt": (b"\xef\xbb\xbf$Id$\none\r\ntwo\n", 0o644),
}


@pytest.fixture
def private(tmp_path, settings):
    """The address of a private repository on a host over https."""
    shop = tmp_path / "repos" / "team" / "shop"
    shop.mkdir(parents=True)
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@b.example", "-c", "core.autocrlf=false", "-C", str(shop)]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    for name, (content, mode) in ODD.items():
        (shop / name).parent.mkdir(parents=True, exist_ok=True)
        (shop / name).write_bytes(content)
        (shop / name).chmod(mode)
    (shop / ".git" / "info" / "attributes").write_text("* -text -ident\n")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "One"], check=True)
    certificate, key = tmp_path / "host.pem", tmp_path / "host.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    settings.ALLOWED_NETWORKS = ["127.0.0.0/8", "::1/128"]
    settings.GIT_CA_FILE = str(certificate)
    server = GitOverHttps(tmp_path / "repos", certificate, key, secret=SECRET)
    yield f"https://localhost:{server.port}/team/shop"
    server.stop()


def connect(world, url, secret=SECRET, organisation=None) -> Connection:
    organisation = organisation or world.acme
    with tenant(organisation):
        return connections.add_connection(
            organisation=organisation,
            actor=by(world.ada),
            base_url=url.rpartition("/")[0],
            probe_url=url,
            username="",
            secret=secret,
        )


@pytest.mark.django_db
def test_a_private_repository_arrives_byte_for_byte_with_the_organisations_credential(world, private, tmp_path):
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(GitFailed, match="wants a sign-in that the portal does not have"):
        host_for(world.acme.pk, private).fetch(private, "", into)
    connect(world, private)
    with pytest.raises(GitFailed, match="wants a sign-in"):
        host_for(world.rival.pk, private).fetch(private, "", into)
    host_for(world.acme.pk, private).fetch(private, "", into)
    for name, (content, mode) in ODD.items():
        assert (into / name).read_bytes() == content, name
        assert os.access(into / name, os.X_OK) is bool(mode & 0o111), name


@pytest.mark.django_db
def test_a_source_of_the_catalog_is_read_with_it(world, private):
    connect(world, private)
    source = Source(organisation=world.acme, kind="git", target=private, revision="main", path="x")
    with git_source.opened(source) as tree:
        assert ".github/workflows/ci.yml" in tree.below("", fetch_bounds())


def fetch_bounds():
    from catalog.intake.sources.tree import Bounds

    return Bounds(files=100, file_bytes=10_000, total_bytes=100_000)


@pytest.mark.django_db
def test_the_secret_is_on_no_command_line_in_no_message_and_in_no_row(world, private, tmp_path, monkeypatch):
    """Every process that git starts is looked at while it runs; what goes wrong is looked at afterwards."""
    row = connect(world, private)
    assert SECRET not in repr(connections.credential_of(row))
    with tenant(world.acme):
        assert SECRET not in str(list(AuditEvent.objects.values())) + str(list(Connection.objects.values()))
    seen: set[str] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            for place in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(place.read_bytes().decode("utf-8", "replace"))
                except OSError:
                    continue
            time.sleep(0.001)

    watcher = threading.Thread(target=look)
    watcher.start()
    into = tmp_path / "into"
    into.mkdir()
    try:
        host_for(world.acme.pk, private).fetch(private, "", into)
    finally:
        done.set()
        watcher.join()
    assert any("git-remote-https" in line or "remote-https" in line for line in seen), "the watcher saw git at work"
    assert not [line for line in seen if SECRET in line]
    wrong = connect(world, f"{private}-other/x", secret="tok-wrong")
    with pytest.raises(GitFailed) as caught:
        fetch.probe(private, credential=fetch.Credential(wrong.username, "tok-wrong"))
    assert "tok-wrong" not in caught.value.text + caught.value.stderr


@pytest.mark.django_db
def test_a_credential_opens_for_its_own_address_and_organisation_alone(world, private):
    row = connect(world, private)
    moved = Connection(organisation=world.acme, base_url="https://evil.example", username="git", sealed=row.sealed)
    theirs = Connection(organisation=world.rival, base_url=row.base_url, username="git", sealed=row.sealed)
    for stolen in (moved, theirs):
        with pytest.raises(Unavailable, match="does not open"):
            connections.credential_of(stolen)
    assert connections.credential_of(row).secret == SECRET


@pytest.mark.django_db
def test_the_web_process_keeps_it_and_cannot_open_it(world, private, settings):
    settings.CLUSTER_PRIVATE_KEY = ""
    connect(world, private)
    with pytest.raises(Unavailable, match="cannot open credentials"):
        host_for(world.acme.pk, private)


@pytest.mark.parametrize(
    ("base", "url", "is_below"),
    [
        ("https://h.example", "https://h.example/a/b", True),
        ("https://h.example/a", "https://h.example/a", True),
        ("https://h.example/a", "https://H.example/a/b.git", True),
        ("https://h.example/a", "https://h.example:443/a/b", True),
        ("https://h.example/a", "https://h.example/ab", False),
        ("https://h.example/a", "https://h.example:444/a/b", False),
        ("https://h.example", "https://h.example.evil.example/a", False),
        ("https://h.example", "https://evil.example/h.example", False),
        ("https://h.example", "http://h.example/a", False),
        ("https://h.example", "ssh://git@h.example/a", False),
        ("https://h.example", "https://h.example@evil.example/a", False),
        ("https://h.example/a", "https://h.example/a/../b", False),
        ("https://h.example/a", "https://h.example/a/%2e%2e/b", False),
        ("https://h.example", "/srv/git/a", False),
    ],
)
def test_an_address_is_covered_by_whole_segments_of_the_same_host(base, url, is_below):
    assert covers(base, url) is is_below


@pytest.mark.django_db
def test_the_longest_base_wins(world):
    for base in ("https://h.example", "https://h.example/team", "https://h.example/team/shop"):
        with tenant(world.acme):
            connections.add_connection(
                organisation=world.acme,
                actor=by(world.ada),
                base_url=base,
                probe_url=f"{base}/x",
                username="u",
                secret="s",
            )
    with tenant(world.acme):
        assert str(connections.connection_for(world.acme.pk, "https://h.example/team/shop.git")) == (
            "https://h.example/team"
        )
        assert str(connections.connection_for(world.acme.pk, "https://h.example/team/shop/x")).endswith("/shop")
        assert connections.connection_for(world.acme.pk, "https://other.example/team") is None
        with pytest.raises(Conflict):
            connections.add_connection(
                organisation=world.acme,
                actor=by(world.ada),
                base_url="https://H.example/",
                probe_url="https://h.example/x",
                username="u",
                secret="s",
            )
        for wrong in ({"base_url": "ssh://h.example"}, {"probe_url": "https://x.example/a"}, {"secret": "two\nlines"}):
            given = {"base_url": "https://n.example", "probe_url": "https://n.example/x", "username": "", "secret": "s"}
            with pytest.raises(Invalid):
                connections.add_connection(organisation=world.acme, actor=by(world.ada), **given | wrong)


def at(name, **more):
    return reverse(name, kwargs={"org": "acme", **more})


@pytest.mark.django_db
def test_an_admin_adds_tries_replaces_and_removes_one(world, private, client_for, do_jobs):
    ada = client_for(world.ada)
    assert client_for(world.mae).get(at("git-hosts")).status_code == 403
    form = {"base_url": private.rpartition("/")[0], "probe_url": private, "secret": "wrong"}
    assert "/jobs/" in ada.post(at("git-host-new"), form)["Location"]
    assert ada.post(at("git-host-new"), form).status_code == 422
    do_jobs(world.acme)
    html = ada.get(at("git-hosts")).content.decode()
    assert "Does not work" in html
    assert "wants a sign-in" in html
    with tenant(world.acme):
        row = Connection.objects.get()
    assert ada.post(at("git-host-replace", connection=row.pk), {"secret": SECRET}).status_code == 302
    do_jobs(world.acme)
    html = ada.get(at("git-hosts")).content.decode()
    assert "Works" in html
    assert "has 1 branch." in html
    assert SECRET not in html
    assert ada.post(at("git-host-try", connection=row.pk)).status_code == 302
    assert ada.post(at("git-host-remove", connection=row.pk)).status_code == 302
    assert "No git host is connected" in ada.get(at("git-hosts")).content.decode()
    with tenant(world.acme):
        verbs = list(AuditEvent.objects.filter(verb__startswith="git-connection").order_by("pk").values_list("verb"))
    assert [verb for (verb,) in verbs] == [
        "git-connection.added", "git-connection.replaced", "git-connection.removed",
    ]  # fmt: skip


def test_nothing_outside_the_room_knows_a_hosts_addresses():
    """Sign-in with a host's account is another matter."""
    words = re.compile(r"github\.com|githubusercontent|/blob/|/-/(raw|edit|tree)|/git/\{|raw\.git")
    found = {
        path.relative_to(ROOT).as_posix()
        for top in ("portal", "catalog")
        for path in (ROOT / top).rglob("*.py")
        if words.search(path.read_text()) and "shipped" not in path.parts
    }
    own = {name for name in found if name.startswith("portal/githosts/")}
    assert found - own - {"portal/accounts/providers.py"} == set()
    assert own == {"portal/githosts/weburls.py", "portal/githosts/builtin.py"}


def test_git_asks_nobody_without_a_credential():
    assert gitcli.environment()["GIT_ASKPASS"] == "true"
