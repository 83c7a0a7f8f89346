"""Taking the files of a repository: only over allowed protocols, never out of the folder, never from an inner host."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.githosts import fetch, gitcli
from portal.githosts.errors import GitFailed, GitTimedOut, GitTooMuch
from portal.kit import outbound
from portal.kit.errors import Invalid, TooLarge
from tests.conftest import free_port
from tests.githosts.https import GitOverHttps


def git(*args: str, cwd: Path) -> str:
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@acme.example"]
    return subprocess.run(["git", *who, *args], cwd=cwd, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def origin(tmp_path: Path, settings) -> Path:
    settings.SOURCE_FOLDERS = [str(tmp_path / "sources")]
    settings.ALLOWED_NETWORKS = []
    path = tmp_path / "sources" / "shop"
    path.mkdir(parents=True)
    git("init", "-q", "-b", "main", cwd=path)
    (path / "catalog-info.yaml").write_text("kind: Component\n")
    (path / "leak").symlink_to("/etc/passwd")
    git("add", ".", cwd=path)
    git("commit", "-qm", "First", cwd=path)
    git("tag", "v1", cwd=path)
    (path / "second.txt").write_text("two\n")
    git("add", ".", cwd=path)
    git("commit", "-qm", "Second", cwd=path)
    return path


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def test_the_default_branch_arrives(origin: Path, into: Path):
    commit = fetch.fetch_tree(str(origin), "", into)
    assert commit == git("rev-parse", "HEAD", cwd=origin)
    assert sorted(entry.name for entry in into.iterdir()) == ["catalog-info.yaml", "leak", "second.txt"]


def test_a_tag_arrives_by_file_address(origin: Path, into: Path):
    assert fetch.fetch_tree(f"file://{origin}", "v1", into) == git("rev-parse", "v1", cwd=origin)
    assert not (into / "second.txt").exists()


def test_a_symbolic_link_arrives_as_text(origin: Path, into: Path):
    fetch.fetch_tree(str(origin), "main", into)
    assert not (into / "leak").is_symlink()
    assert (into / "leak").read_text() == "/etc/passwd"


def test_a_commit_without_files_is_fetched_too(tmp_path, settings):
    origin, into = tmp_path / "empty", tmp_path / "into"
    into.mkdir()
    settings.SOURCE_FOLDERS = [tmp_path]
    for argv in (["init", "-q", str(origin)], ["-C", str(origin), "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.example", *argv], check=True)
    assert len(fetch.fetch_tree(str(origin), "", into)) == 40
    assert list(into.iterdir()) == []


def test_a_missing_branch_is_named(origin: Path, into: Path):
    with pytest.raises(GitFailed, match="has no “nowhere”"):
        fetch.fetch_tree(str(origin), "nowhere", into)


def test_a_folder_that_is_no_repository_is_said(origin: Path, into: Path):
    (origin.parent / "plain").mkdir()
    with pytest.raises(GitFailed, match="no repository"):
        fetch.fetch_tree(str(origin.parent / "plain"), "", into)


def test_local_paths_outside_the_allowed_folders_are_refused(origin: Path, into: Path, tmp_path: Path):
    outside = tmp_path / "secret"
    origin.rename(outside)
    (tmp_path / "sources" / "door").symlink_to(outside)
    for path in (outside, tmp_path / "sources" / ".." / "secret", tmp_path / "sources" / "door"):
        with pytest.raises(Invalid, match="may not read"):
            fetch.fetch_tree(str(path), "", into)


def test_hooks_and_filters_of_the_repository_do_not_run(origin: Path, into: Path, tmp_path: Path):
    trace = tmp_path / "ran"
    (origin / ".gitattributes").write_text("* filter=evil\n")
    (origin / ".gitmodules").write_text('[submodule "x"]\n\tpath = x\n\turl = ext::touch /tmp/x\n')
    git("add", ".", cwd=origin)
    git("commit", "-qm", "Evil", cwd=origin)
    hook = origin / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {trace}\n")
    hook.chmod(0o755)
    fetch.fetch_tree(str(origin), "", into)
    assert (into / ".gitmodules").exists()
    assert not trace.exists()


def test_too_many_files_are_refused_before_they_are_written(origin: Path, into: Path, monkeypatch):
    monkeypatch.setattr(fetch, "FILES_LIMIT", 2)
    with pytest.raises(TooLarge, match="more than 2 files"):
        fetch.fetch_tree(str(origin), "", into)
    assert list(into.iterdir()) == []


def test_too_large_a_tree_is_refused(origin: Path, into: Path, monkeypatch):
    monkeypatch.setattr(fetch, "TREE_LIMIT", 3)
    with pytest.raises(TooLarge, match="larger"):
        fetch.fetch_tree(str(origin), "", into)


@pytest.mark.parametrize(
    ("url", "protocol", "host", "port"),
    [
        ("https://git.example.com/a/b.git", "https", "git.example.com", 443),
        ("https://git.example.com:8443/a/b", "https", "git.example.com", 8443),
        ("ssh://git@git.example.com/a/b", "ssh", "git.example.com", 22),
        ("git@github.com:acme/shop.git", "ssh", "github.com", 22),
        ("/srv/git/shop", "file", "", 0),
        ("file:///srv/git/shop", "file", "", 0),
    ],
)
def test_addresses_are_understood(url: str, protocol: str, host: str, port: int):
    found = fetch.parse_location(url)
    assert (found.protocol, found.host, found.port) == (protocol, host, port)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://git.example.com/a",
        "git://git.example.com/a",
        "ext::sh -c id",
        "ext::id",
        "--upload-pack=id",
        "-oProxyCommand=id",
        "ssh://-oProxyCommand=id/x",
        "ssh://-x@host/x",
        "ssh://git:pw@host/x",
        "https://token@git.example.com/a",
        "https://user:token@git.example.com/a",
        "https://git.example.com/a b",
        "https://git.example.com/a\nb",
        "https://exa_mple$.com/",
        "https:///nohost",
        "https://git.example.com:notaport/",
        "file://elsewhere/srv",
        "relative/path",
        "\\\\server\\share",
    ],
)
def test_other_addresses_are_refused(url: str):
    with pytest.raises(Invalid):
        fetch.parse_location(url)


def test_a_host_inside_is_refused_before_git_runs(into: Path, settings):
    settings.ALLOWED_NETWORKS = []
    for url in (
        "https://127.0.0.1/a",
        "https://169.254.169.254/latest",
        "ssh://git@10.0.0.5/x",
        "https://localhost:5432/x",
    ):
        with pytest.raises(Invalid, match="private network"):
            fetch.fetch_tree(url, "", into)
    assert list(into.iterdir()) == []


def test_git_connects_to_the_address_that_was_checked(into: Path, monkeypatch):
    checked = []

    def elsewhere(host: str, port: int) -> outbound.JudgedAddress:
        checked.append((host, port))
        return outbound.JudgedAddress(host, port, "127.0.0.1")

    monkeypatch.setattr(outbound, "destination", elsewhere)
    with pytest.raises(GitFailed, match="does not answer"):
        fetch.fetch_tree("https://git.example.invalid:9/a/b", "", into)
    assert checked == [("git.example.invalid", 9)]


@pytest.fixture
def ssh_port(tmp_path: Path) -> Iterator[int]:
    """A real ssh server on loopback whose host key nobody knows."""
    sshd = Path("/usr/sbin/sshd")
    if not sshd.exists() or os.geteuid() != 0:
        pytest.skip("Debian's openssh-server is not installed, or not ours to start")
    key, port = tmp_path / "host_key", free_port()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    # -D: in the foreground, so that it ends with us; it lets nobody in.
    where = [f"-oListenAddress=127.0.0.1:{port}", f"-oHostKey={key}", "-oPidFile=none", "-oAuthenticationMethods=none"]
    Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen([str(sshd), "-D", "-e", "-f", "/dev/null", *where], stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    assert "listening" in server.stderr.readline()
    yield port
    server.terminate()
    server.wait(5)
    server.stderr.close()


@pytest.fixture
def https_host(origin: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """git's own http-backend behind TLS on loopback: the address of the repository, and the certificate to trust."""
    certificate, key = tmp_path / "host.pem", tmp_path / "host.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    server = GitOverHttps(origin.parent, certificate, key)
    yield f"https://localhost:{server.port}/shop", certificate
    server.stop()


def test_a_repository_arrives_over_https(https_host: tuple[str, Path], into: Path, settings):
    url, certificate = https_host
    settings.ALLOWED_NETWORKS = ["127.0.0.0/8", "::1/128"]
    settings.GIT_CA_FILE = str(certificate)
    commit = fetch.fetch_tree(url, "", into)
    assert len(commit) == 40
    assert (into / "second.txt").read_text() == "two\n"
    with pytest.raises(GitFailed, match="There is no repository at this address"):
        fetch.fetch_tree(url.replace("/shop", "/none"), "", into)


def test_a_certificate_that_nobody_vouches_for_is_refused_in_words(https_host: tuple[str, Path], into: Path, settings):
    settings.ALLOWED_NETWORKS = ["127.0.0.0/8", "::1/128"]
    with pytest.raises(GitFailed, match="certificate of localhost is not trusted"):
        fetch.fetch_tree(https_host[0], "", into)
    assert list(into.iterdir()) == []


def test_an_unknown_host_key_is_said_with_who_can_add_it(ssh_port: int, into: Path, settings):
    settings.ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with pytest.raises(GitFailed, match=r"host key of 127\.0\.0\.1 is not known here"):
        fetch.fetch_tree(f"ssh://git@127.0.0.1:{ssh_port}/shop.git", "", into)


def test_git_that_hangs_is_ended_with_its_children(tmp_path: Path):
    with pytest.raises(GitTimedOut, match=r"within 0\.5 seconds"):
        gitcli.run(["-c", "alias.hang=!sleep 60 & sleep 60", "hang"], tmp_path, timeout=0.5)


def test_git_that_talks_too_much_is_cut_off(tmp_path: Path):
    with pytest.raises(GitTooMuch):
        gitcli.run(["-c", "alias.yes=!yes", "yes"], tmp_path, limit=1000, timeout=20)


def test_git_inherits_no_configuration_and_no_secrets(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    said = gitcli.run(["-c", "alias.env=!env", "env"], tmp_path).decode()
    assert "s3cret" not in said
    assert "GIT_DIR=/elsewhere" not in said
    assert "HOME=/nonexistent" in said


def test_a_file_larger_than_its_limit_is_not_written(tmp_path: Path):
    with pytest.raises(GitFailed):
        gitcli.run(["-c", "alias.fill=!head -c 100000 /dev/zero > big", "fill"], tmp_path, file_limit=10_240)
    assert (tmp_path / "big").stat().st_size <= 10_240
