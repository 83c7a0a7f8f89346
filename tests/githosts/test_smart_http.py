"""Real git against a real server: clone, push, and every way in that must stay shut."""

import base64
import gzip
import os
import urllib.error
import urllib.request
from datetime import timedelta

import pytest
from django.utils import timezone

from portal.accounts.models import ApiToken, AuditEvent, Membership
from portal.accounts.tenancy import tenant
from portal.githosts import pushes, smart
from portal.githosts.hosts import HOSTS
from portal.githosts.models import Repository
from portal.kit.errors import Invalid, TooLarge
from tests.conftest import by
from tests.githosts.conftest import git, make_repository

host = HOSTS["slipway"]


def test_clone_commit_push_and_clone_again(address, committed_world, token_for, tmp_path):
    url = address(token_for(committed_world.dev, committed_world.acme, "repo:write"))
    assert git("clone", "-q", url, "one", cwd=tmp_path).returncode == 0
    work = tmp_path / "one"
    assert (work / "README.md").read_text().startswith("# Checkout")
    assert os.access(work / "bin/run", os.X_OK)
    (work / "big.bin").write_bytes(os.urandom(3 * 1024 * 1024))  # beyond http.postBuffer: git sends it in chunks
    git("add", ".", cwd=work)
    git("commit", "-qm", "Grow", cwd=work)
    pushed = git("push", "-q", "origin", "main", "HEAD:refs/heads/feature", cwd=work)
    assert pushed.returncode == 0, pushed.stderr
    assert git("clone", "-q", "--depth=1", "-b", "feature", url, "two", cwd=tmp_path).returncode == 0
    assert (tmp_path / "two" / "big.bin").read_bytes() == (work / "big.bin").read_bytes()
    assert git("pull", "-q", cwd=work).returncode == 0
    with tenant(committed_world.acme):
        [event] = AuditEvent.objects.filter(verb="repository.pushed")
        assert event.actor == committed_world.dev
        assert (event.way, event.ip, event.via[:9]) == ("git", "127.0.0.1", "test (slw")
        assert event.token_id == ApiToken.objects.get().pk
        assert set(event.data["refs"]) == {"refs/heads/main", "refs/heads/feature"}
        assert Repository.objects.get().pushed_at is not None


def test_a_reader_clones_and_may_not_push(address, committed_world, token_for, tmp_path):
    url = address(token_for(committed_world.dev, committed_world.acme, "repo:read"))
    assert git("clone", "-q", url, "one", cwd=tmp_path).returncode == 0
    git("commit", "-q", "--allow-empty", "-m", "x", cwd=tmp_path / "one")
    refused = git("push", "origin", "main", cwd=tmp_path / "one")
    assert refused.returncode != 0
    assert "was not given that scope" in refused.stderr


def test_a_viewer_may_not_push_whatever_the_token_says(address, committed_world, token_for, tmp_path):
    url = address(token_for(committed_world.vic, committed_world.acme, "repo:write"))
    assert git("clone", "-q", url, "one", cwd=tmp_path).returncode == 0
    git("commit", "-q", "--allow-empty", "-m", "x", cwd=tmp_path / "one")
    refused = git("push", "origin", "main", cwd=tmp_path / "one")
    assert "as a viewer" in refused.stderr


def test_doors_that_stay_shut(address, committed_world, token_for):
    world = committed_world
    past = timezone.now() - timedelta(days=1)
    good = token_for(world.dev, world.acme, "repo:read")
    shut = {
        "no credential": (address(), ""),
        "a made-up token": (address(), "slw_made-up"),
        "an expired token": (address(), token_for(world.dev, world.acme, "repo:read", expires_at=past)),
        "a revoked token": (address(), token_for(world.dev, world.acme, "repo:read", revoked_at=past)),
        "a neighbour's token": (address(), token_for(world.eve, world.rival, "repo:write")),
        "our token next door": (address(org="rival"), good),
        "no such organisation": (address(org="nowhere"), good),
    }
    for why, (url, secret) in shut.items():
        status, headers, text = ask(f"{url}/info/refs?service=git-upload-pack", secret)
        assert status == 401, why
        assert headers["WWW-Authenticate"].startswith("Basic"), why
        assert text.endswith(".\n"), why
    assert ask(f"{address(name='nothing')}/info/refs?service=git-upload-pack", good)[0] == 404
    assert ask(f"{address()}/info/refs?service=git-upload-pack", good)[0] == 200
    assert ask(f"{address()}/info/refs?service=git-receive-pack", good)[0] == 403
    assert ask(f"{address()}/info/refs", good)[0] == 400
    assert ask(f"{address()}/info/refs?service=git-upload-archive", good)[0] == 400
    assert ask(f"{address()}/HEAD", good)[0] == 404


def test_who_left_the_organisation_is_out(address, committed_world, token_for):
    secret = token_for(committed_world.dev, committed_world.acme, "repo:read")
    with tenant(committed_world.acme):
        Membership.objects.filter(user=committed_world.dev).delete()
    assert ask(f"{address()}/info/refs?service=git-upload-pack", secret)[0] == 404


def test_requests_that_are_not_gits_are_refused(address, committed_world, token_for):
    secret = token_for(committed_world.dev, committed_world.acme, "repo:write")
    url = f"{address()}/git-upload-pack"
    assert ask(url, secret)[0] == 405
    assert ask(url, secret, body=b"x", kind="text/plain")[0] == 415
    kind = "application/x-git-upload-pack-request"
    assert ask(url, secret, body=b"not gzip", kind=kind, encoding="gzip")[0] == 400
    assert ask(url, secret, body=gzip.compress(b"0000")[:-4], kind=kind, encoding="gzip")[0] == 400


def ask(url: str, secret: str = "", *, body: bytes | None = None, kind: str = "", encoding: str = ""):
    request = urllib.request.Request(url, data=body)
    if secret:
        request.add_header("Authorization", "Basic " + base64.b64encode(f"x:{secret}".encode()).decode())
    if kind:
        request.add_header("Content-Type", kind)
    if encoding:
        request.add_header("Content-Encoding", encoding)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers, answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode("utf-8", "replace")


def test_a_push_tells_whoever_asked_to_know(world, monkeypatch):
    repo = make_repository(world.acme, files={})
    with tenant(world.acme):
        row = Repository.objects.get()
    told = []
    monkeypatch.setitem(pushes.AFTER_PUSH, "test", lambda push: told.append((push.repository.name, push.actor.name)))
    about = {"organisation": world.acme, "actor": by(world.dev), "repository": row}
    pushes.note_push(**about, moved={})
    assert told == []
    make_repository(world.acme)
    assert told == [("checkout", "Slipway")], "the portal's own commits are told too"
    pushes.note_push(**about, moved={"refs/heads/main": (None, host.head(repo))})
    assert told[1:] == [("checkout", "Dev")]
    assert host.head(repo)


def test_bodies_are_bounded_before_and_after_unpacking():
    bomb = gzip.compress(b"0" * 5_000_000)
    assert len(bomb) < 10_000
    with pytest.raises(TooLarge):
        smart.spool([bomb], gzipped=True, limit=100_000)
    with pytest.raises(TooLarge):
        smart.spool([b"x" * 60, b"x" * 60], gzipped=False, limit=100)
    with smart.spool([gzip.compress(b"hello")[:9], gzip.compress(b"hello")[9:]], gzipped=True, limit=100) as body:
        assert body.read() == b"hello"
    with pytest.raises(Invalid):
        smart.spool([b"\x1f\x8bnonsense"], gzipped=True, limit=100)


@pytest.mark.parametrize("header", ["version=2", "version=1"])
def test_the_protocol_version_is_passed_on(header):
    assert smart.environment(header)["GIT_PROTOCOL"] == header


@pytest.mark.parametrize("header", ["", "version=2\nX=y", "$(id)", "version=2;ls", "x" * 200])
def test_other_protocol_headers_are_dropped(header):
    assert "GIT_PROTOCOL" not in smart.environment(header)
