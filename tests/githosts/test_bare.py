"""Bare repositories: the same files make the same commit, nothing of others is overwritten, no path leaves the tree."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from portal.githosts import bare, gitcli, names
from portal.githosts.protocol import Author
from portal.kit.errors import Conflict, Invalid, NotFound, TooLarge

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ADA = Author("Ada Lovelace", "ada@acme.example")


@dataclass(frozen=True)
class Plain:
    content: bytes
    mode: int = 0o644


FILES = {
    "README.md": Plain(b"# Hello\n"),
    "bin/run": Plain(b"#!/bin/sh\n", 0o755),
    "src/app/main.py": Plain(b"print(1)\n"),
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "7" / "shop.git"
    assert bare.create(path, marker="run:1", branch="main")
    return path


def commit(path: Path, files=FILES, **changes) -> str:
    return bare.commit_tree(
        path, files, **{"message": "First", "author": ADA, "when": WHEN, "branch": "main", **changes}
    )


def test_create_twice_adopts_the_same_marker_and_refuses_another(repository: Path):
    assert bare.create(repository, marker="run:1", branch="main") is False
    with pytest.raises(Conflict, match="exists already"):
        bare.create(repository, marker="run:2", branch="main")
    assert bare.marker_of(repository) == "run:1"


def test_a_race_to_create_makes_one_and_leaves_nothing_behind(tmp_path: Path):
    path = tmp_path / "7" / "raced.git"
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: bare.create(path, marker="run:1", branch="main"), range(6)))
    assert made.count(True) == 1
    assert [entry.name for entry in path.parent.iterdir()] == ["raced.git"]


def test_same_files_and_date_make_the_same_commit_in_two_repositories(repository: Path, tmp_path: Path):
    other = tmp_path / "8" / "other.git"
    bare.create(other, marker="x", branch="main")
    reordered = dict(reversed(list(FILES.items())))
    assert commit(repository) == commit(other, reordered)


def test_commit_again_changes_nothing(repository: Path):
    first = commit(repository)
    before = bare.refs(repository)
    assert commit(repository) == first
    assert bare.refs(repository) == before == {"refs/heads/main": first}
    assert bare.count(repository, first) == 1


def test_commit_again_after_somebody_pushed_on_top_leaves_their_commit(repository: Path):
    first = commit(repository)
    second = commit(repository, {"a": Plain(b"a")}, parent=first, message="Second")
    assert commit(repository) == first
    assert bare.resolve(repository, "main") == second


def test_a_branch_that_stands_elsewhere_is_a_conflict(repository: Path):
    commit(repository)
    with pytest.raises(Conflict, match="not ours"):
        commit(repository, {"a": Plain(b"a")})
    first = bare.resolve(repository, "main")
    commit(repository, {"a": Plain(b"a")}, parent=first)
    with pytest.raises(Conflict):
        commit(repository, {"b": Plain(b"b")}, parent=first)


def test_no_staging_reference_survives(repository: Path):
    commit(repository)
    with pytest.raises(Conflict):
        commit(repository, {"a": Plain(b"a")})
    everything = gitcli.run(["for-each-ref", "--format=%(refname)"], repository).decode().split()
    assert everything == ["refs/heads/main"]


def test_a_commit_holds_exactly_its_files_with_modes(repository: Path):
    first = commit(repository)
    second = commit(repository, {"only.txt": Plain(b"x")}, parent=first)
    assert {entry.path: entry.mode for entry in bare.tree(repository, first)} == {
        "README.md": "100644",
        "bin/run": "100755",
        "src/app/main.py": "100644",
    }
    assert [entry.path for entry in bare.tree(repository, second)] == ["only.txt"]


def test_git_itself_finds_no_fault(repository: Path):
    commit(repository, {'quote".txt': Plain(b"q"), "späte/ü.txt": Plain(b"u"), "empty": Plain(b"")})
    subprocess.run(["git", "fsck", "--strict"], cwd=repository, check=True, capture_output=True)
    assert bare.content(repository, "main", "späte/ü.txt") == b"u"
    assert bare.content(repository, "main", 'quote".txt') == b"q"


@pytest.mark.parametrize(
    "path",
    [
        "../up",
        "/abs",
        "a/../b",
        "a//b",
        ".git/config",
        "a/.GIT/hooks",
        ".git. /x",
        "git~1/x",
        "a\\b",
        "a\nb",
        "a\0b",
        "",
        ".",
        "a/",
    ],
)
def test_paths_that_lead_out_are_refused(repository: Path, path: str):
    with pytest.raises(Invalid, match="path"):
        commit(repository, {path: Plain(b"x")})
    first = commit(repository)
    with pytest.raises(NotFound):
        bare.content(repository, first, path)


def test_an_author_cannot_write_headers(repository: Path):
    forged = Author("Eve\ncommitter Root <root@x> 1 +0000", "eve@rival.example> 1 +0000\nx")
    first = commit(repository, author=forged)
    [entry] = bare.history(repository, first, limit=5)
    assert entry.at == WHEN
    assert entry.author.name == "Evecommitter Root root@x 1 +0000"


def test_folders_come_first_and_patterns_mean_themselves(repository: Path):
    first = commit(repository, {"b.txt": Plain(b"b"), "a/x": Plain(b"x"), "*": Plain(b"star")})
    assert [(entry.name, entry.kind) for entry in bare.folder(repository, first)] == [
        ("a", "folder"),
        ("*", "file"),
        ("b.txt", "file"),
    ]
    assert [entry.path for entry in bare.folder(repository, first, "a")] == ["a/x"]
    assert bare.content(repository, first, "*") == b"star"
    assert bare.entry_at(repository, first, "[ab].txt") is None


def test_what_is_not_a_file_is_not_found(repository: Path):
    first = commit(repository)
    for inner in ("src", "nothing", "src/app/main.py/x"):
        with pytest.raises(NotFound):
            bare.content(repository, first, inner)


def test_a_large_file_is_refused_in_words(repository: Path):
    first = commit(repository, {"big": Plain(b"x" * 2000)})
    with pytest.raises(TooLarge, match="big"):
        bare.content(repository, first, "big", limit=1000)


def test_references_that_look_like_options_or_ranges_are_refused(repository: Path):
    commit(repository)
    for ref in ("--upload-pack=x", "-n1", "main..main", "main^{tree}", "a b", "@{-1}", "x.lock"):
        with pytest.raises(Invalid):
            bare.resolve(repository, ref)
    assert bare.resolve(repository, "nowhere") is None


def test_history_pages_and_follows_a_path(repository: Path):
    first = commit(repository)
    second = commit(repository, {**FILES, "new": Plain(b"n")}, parent=first, message="Add new\n\nBody")
    assert [entry.subject for entry in bare.history(repository, second, limit=1)] == ["Add new"]
    assert [entry.id for entry in bare.history(repository, second, limit=5, skip=1)] == [first]
    assert [entry.id for entry in bare.history(repository, second, limit=5, inner="README.md")] == [first]


def test_names_that_are_no_repository_are_not_found(tmp_path: Path):
    for name in ("..", "a/b", ".new-x", "UPPER", "", "-a", "a" * 64, "x.git"):
        with pytest.raises(NotFound):
            names.repository_path(tmp_path, 1, name)
    assert names.repository_path(tmp_path, 1, "shop") == tmp_path / "1" / "shop.git"


def test_remove_twice_is_once(repository: Path):
    bare.remove(repository)
    bare.remove(repository)
    assert list(repository.parent.iterdir()) == []
