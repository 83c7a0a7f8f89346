"""Names that arrive by a real push: what could take over a clone is refused, what only looks odd is shown as it is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from django.urls import reverse

from portal.accounts.tenancy import tenant
from portal.githosts import bare, smart
from portal.githosts.models import Repository
from tests.githosts.conftest import git

FOLDER, FILE, LINK = "40000", "100644", "120000"


@pytest.fixture
def work(address, committed_world, token_for, tmp_path) -> Path:
    """A clone of acme's repository, whose origin may be pushed to."""
    url = address(token_for(committed_world.dev, committed_world.acme, "repo:write"))
    assert git("clone", "-q", url, "work", cwd=tmp_path).returncode == 0
    return tmp_path / "work"


def written(work: Path, kind: str, content: bytes) -> str:
    """An object that git would not make by itself, by its id."""
    command = ["git", "hash-object", "-t", kind, "-w", "--literally", "--stdin"]
    return subprocess.run(command, cwd=work, input=content, capture_output=True, check=True).stdout.decode().strip()


def tree(work: Path, *entries: tuple[str, str, str]) -> str:
    """A tree of (mode, name, id), whatever the names are."""
    return written(work, "tree", b"".join(f"{m} {n}".encode() + b"\0" + bytes.fromhex(i) for m, n, i in entries))


def push(work: Path, top: str, branch: str = "odd") -> subprocess.CompletedProcess[str]:
    commit = git("commit-tree", "-m", "Odd", top, cwd=work).stdout.strip()
    return git("push", "origin", f"{commit}:refs/heads/{branch}", cwd=work)


def kept(organisation) -> tuple[dict[str, str], set[str]]:
    """The references of the repository and the ids of everything in it."""
    with tenant(organisation):
        path = Repository.objects.get().path
    objects = git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)", cwd=path).stdout
    return bare.refs(path), set(objects.split())


LOOKALIKES = {
    "plain": ".git",
    "another case": ".GiT",
    "HFS+, zero-width joiner": ".g\u200dit",
    "HFS+, zero-width non-joiner": "\u200c.git",
    "HFS+, turning": ".gi\u202et",
    "HFS+, byte order mark": ".git\ufeff",
    "NTFS, short name": "git~1",
    "NTFS, short name in capitals": "GIT~1",
    "NTFS, stream": ".git::$INDEX_ALLOCATION",
    "NTFS, trailing dot": ".git.",
    "NTFS, trailing space": ".git ",
    "NTFS, short name and dots": "git~1. .",
    "NTFS, backslashes": "a\\.git\\config",
}


@pytest.mark.parametrize("name", LOOKALIKES.values(), ids=LOOKALIKES.keys())
@pytest.mark.parametrize("mode", [FOLDER, FILE])
def test_what_some_system_takes_for_git_is_refused_in_words_and_leaves_nothing(work, committed_world, name, mode):
    before = kept(committed_world.acme)
    blob = written(work, "blob", b"[core]\n\tfsmonitor = touch /tmp/taken\n")
    inside = blob if mode == FILE else tree(work, (FILE, "config", blob))
    refused = push(work, tree(work, (FOLDER, "deep", tree(work, (mode, name, inside)))))
    assert refused.returncode != 0
    assert f"remote: {smart.FAULTS['hasDotgit']} Nothing of this push was kept." in refused.stderr
    assert kept(committed_world.acme) == before


@pytest.mark.parametrize(
    ("fault", "mode", "name", "content"),
    [
        ("gitmodulesSymlink", LINK, ".gitmodules", b"elsewhere"),
        ("gitmodulesSymlink", LINK, ".gitmod\u200cules", b"elsewhere"),
        ("gitmodulesSymlink", LINK, "GITMOD~1", b"elsewhere"),
        ("gitmodulesUrl", FILE, ".gitmodules", b'[submodule "a"]\n\tpath = a\n\turl = --upload-pack=x\n'),
        ("gitmodulesName", FILE, ".gitmodules", b'[submodule "../../x"]\n\tpath = a\n\turl = https://a.example\n'),
        ("hasDotdot", FILE, "..", b"x"),
        ("fullPathname", FILE, "a/b", b"x"),
    ],
)
def test_what_leads_out_is_refused_in_words_and_leaves_nothing(work, committed_world, fault, mode, name, content):
    before = kept(committed_world.acme)
    refused = push(work, tree(work, (mode, name, written(work, "blob", content))))
    assert refused.returncode != 0
    assert f"remote: {smart.FAULTS[fault]} Nothing of this push was kept." in refused.stderr
    assert kept(committed_world.acme) == before


def test_an_honest_push_is_told_nothing(work):
    (work / ".gitignore").write_text("*.pyc\n")
    (work / ".gitmodules").write_text('[submodule "a"]\n\tpath = a\n\turl = https://a.example/a.git\n')
    (work / "digit~1").write_text("x")
    git("add", ".", cwd=work)
    git("commit", "-qm", "Honest", cwd=work)
    pushed = git("push", "origin", "HEAD:refs/heads/honest", cwd=work)
    assert pushed.returncode == 0, pushed.stderr
    assert "remote:" not in pushed.stderr


def test_words_in_a_file_are_no_fault():
    """Only what git itself says on the side is looked at, and an answer that is cut short is left as it is."""
    line = b"error: object " + b"0" * 40 + b": hasDotgit: contains '.git'\n"
    on_data = b"%04x\x01" % (len(line) + 5) + line + b"0000"
    on_side = b"%04x\x02" % (len(line) + 5) + line + b"0000"
    assert smart.told(on_data) == on_data
    assert smart.told(line) == line
    assert smart.told(b"") == b""
    assert smart.told(on_side).endswith(on_side)
    assert smart.FAULTS["hasDotgit"].encode() in smart.told(on_side)


def test_three_files_travel_byte_for_byte(work, address, committed_world, token_for, tmp_path):
    """A workflow in a dot-folder, an executable and a binary: as they were, with the executable bit alone."""
    files = {
        ".github/workflows/ci.yml": (b"\xef\xbb\xbfon: push\r\njobs: {}\r\n", False),
        "gradlew": (b'#!/bin/sh\nexec java "$@"\n', True),
        "favicon.ico": (bytes(range(256)) * 3 + b"\r\n\0\n", False),
    }
    for path, (content, is_executable) in files.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_bytes(content)
        (work / path).chmod(0o755 if is_executable else 0o644)
    git("add", "--all", cwd=work)
    git("commit", "-qm", "Three", cwd=work)
    assert git("push", "-q", "origin", "main", cwd=work).returncode == 0
    url = address(token_for(committed_world.vic, committed_world.acme, "repo:read"))
    assert git("clone", "-q", url, "again", cwd=tmp_path).returncode == 0
    for path, (content, is_executable) in files.items():
        arrived = tmp_path / "again" / path
        assert arrived.read_bytes() == content, path
        assert os.access(arrived, os.X_OK) is is_executable, path


def test_names_that_hide_or_turn_are_shown_by_number(work, committed_world, client_for):
    for name in ("gpj.\u202eexe", "two\nlines", "plain.txt", "über.txt"):
        (work / name).write_text("x")
    (work / "d\u2066").mkdir()
    (work / "d\u2066" / "README.md").write_text("# Hi\n\n- [x] done\n")
    git("add", "--all", cwd=work)
    git("commit", "-qm", "Turn \u202e around", cwd=work)
    pushed = git("push", "-q", "origin", "main", "HEAD:refs/heads/fea\u202eture", cwd=work)
    assert pushed.returncode == 0, pushed.stderr

    vic, where = client_for(committed_world.vic), {"org": "acme", "repo": "checkout"}
    pages = [reverse("repo", kwargs=where), reverse("repo-commits", kwargs=where)]
    pages += [
        reverse("repo-file", kwargs={**where, "path": path})
        for path in ("gpj.\u202eexe", "two\nlines", "d\u2066", "d\u2066/README.md")
    ]
    html = {page: vic.get(page).content.decode() for page in pages}
    assert "gpj.⟨U+202E⟩exe</a>" in html[pages[0]]
    assert "two⟨U+000A⟩lines</a>" in html[pages[0]]
    assert "über.txt</a>" in html[pages[0]]
    assert ">fea⟨U+202E⟩ture</option>" in html[pages[0]]
    assert "Turn ⟨U+202E⟩ around" in html[pages[1]]
    assert "<title>gpj.⟨U+202E⟩exe" in html[pages[2]]
    assert 'type="checkbox" disabled=""' in html[pages[4]]
    for page, text in html.items():
        # a value that the browser sends back stays the name itself
        assert "\u202e" not in text.replace('<option value="fea\u202eture">', ""), page
        assert "\u2066" not in text, page
    gone = vic.get(reverse("repo-file", kwargs={**where, "path": "no\u202e"}))
    assert (gone.status_code, "no⟨U+202E⟩" in gone.content.decode()) == (404, True)
