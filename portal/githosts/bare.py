"""Bare repositories on our own disk, made and read by git's plumbing; knows paths and bytes, but no rows."""

import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from portal.githosts import gitcli
from portal.githosts.fetch import check_ref
from portal.githosts.protocol import Author, Commit, TreeEntry, TreeFile
from portal.kit import paths
from portal.kit.errors import Conflict, Invalid, NotFound, TooLarge

COMMIT = re.compile(r"^[0-9a-f]{40}$")
NOTHING = "0" * 40
FILE_LIMIT = 10 * 1024 * 1024
PATH_LIMIT = 4096
STAGING = "refs/slipway"
KINDS = {"040000": "folder", "120000": "link", "160000": "submodule"}


def create(path: Path, *, marker: str, branch: str) -> bool:
    """Make a bare repository that carries `marker`; False when one with the same marker is there already.

    Appears whole or not at all: it is made beside its place and renamed into it. Conflict when the place is taken.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        draft = path.parent / f".new-{secrets.token_hex(8)}"
        gitcli.run(
            ["init", "--quiet", "--bare", "--template=", f"--initial-branch={check_ref(branch)}", str(draft)],
            path.parent,
        )
        for key, value in {"slipway.marker": marker, **_settings()}.items():
            gitcli.run(["config", "--local", key, value], draft)
        try:
            draft.rename(path)  # POSIX: fails when a full folder is in the way
        except OSError:
            shutil.rmtree(draft)
        else:
            return True
    if marker_of(path) != marker:
        raise Conflict(f"A repository named “{path.stem}” exists already.", code="repository_exists", field="name")
    return False


def _settings() -> dict[str, str]:
    return {
        "receive.fsckObjects": "true",
        "receive.autogc": "false",
        "receive.advertisePushOptions": "false",
        "transfer.hideRefs": STAGING,
        "uploadpack.allowFilter": "true",
        "core.logAllRefUpdates": "true",
    }


def marker_of(path: Path) -> str:
    """The ownership marker of a repository, "" when it has none."""
    outcome = gitcli.attempt(["config", "--local", "--get", "slipway.marker"], path)
    return outcome.stdout.decode("utf-8", "replace").strip()


def put_aside(path: Path, why: str) -> Path | None:
    """Move a repository out of the way under a name that no request can reach; None when there is none."""
    aside = path.parent / f".{why}-{path.stem}-{secrets.token_hex(8)}"
    try:
        path.rename(aside)
    except FileNotFoundError:
        return None
    return aside


def _own_spelling(path: str) -> str:
    """The path of a file to commit, already in its one spelling; Invalid otherwise."""
    if paths.safe_path(path) != path:
        raise Invalid(f"The file path {path[:80]!r} has empty parts.", code=paths.CODE)
    return path


def _asked_for(path: str) -> str:
    """A path to look up in what somebody pushed: it may be odd, but it must be one that a tree can hold."""
    parts = path.split("/")
    if "\0" in path or len(path.encode("utf-8", "surrogatepass")) > PATH_LIMIT or {"", ".", ".."} & set(parts):
        raise NotFound(f"There is no “{path[:80]}” here.")
    return path


def commit_tree(
    path: Path,
    files: Mapping[str, TreeFile],
    *,
    message: str,
    author: Author,
    when: datetime,
    branch: str,
    parent: str = "",
) -> str:
    """Put exactly `files` on a branch as one commit; GitHost.push_tree says what happens when it is there already."""
    if parent and not COMMIT.match(parent):
        raise Invalid("The parent of a commit is named by its full id.", code="bad_parent")
    head = _commit_head(message=message, author=author, when=when, parent=parent)
    return _imported(path, [*head, b"deleteall\n", *_files(files)], branch=branch, parent=parent)


def commit_file(
    path: Path, inner: str, content: bytes, *, message: str, author: Author, when: datetime, branch: str, parent: str
) -> str:
    """Put other bytes for one file on a branch as one commit; every other file, links too, stays what it is."""
    entry = entry_at(path, parent, inner)
    if entry is None or entry.kind != "file":
        raise NotFound(f"There is no file “{inner[:200]}” here.")
    head = _commit_head(message=message, author=author, when=when, parent=parent)
    return _imported(path, [*head, *_file(entry.mode, inner, content)], branch=branch, parent=parent)


def _imported(path: Path, chunks: Sequence[bytes], *, branch: str, parent: str) -> str:
    """Makes the commit, and moves the branch to it."""
    ref = f"refs/heads/{check_ref(branch)}"
    staging = f"{STAGING}/{secrets.token_hex(8)}"
    stream = b"".join([f"commit {staging}\n".encode(), *chunks, b"done\n"])
    gitcli.run(["fast-import", "--quiet", "--done", "--date-format=raw"], path, stdin=stream)
    commit = gitcli.run(["rev-parse", "--verify", staging], path).decode().strip()
    try:
        _move(path, ref, commit, parent)
    finally:
        gitcli.run(["update-ref", "-d", staging], path)
    return commit


def _move(path: Path, ref: str, commit: str, parent: str) -> None:
    moved = gitcli.attempt(["update-ref", ref, commit, parent or NOTHING], path)
    if moved.code == 0 or _contains(path, ref, commit):
        return
    branch = ref.removeprefix("refs/heads/")
    raise Conflict(
        f"The branch “{branch}” of “{path.stem}” holds commits that are not ours; they are left as they are.",
        code="branch_moved",
    )


def _contains(path: Path, ref: str, commit: str) -> bool:
    return gitcli.attempt(["merge-base", "--is-ancestor", commit, ref], path).code == 0


def _commit_head(*, message: str, author: Author, when: datetime, parent: str) -> list[bytes]:
    """What a commit says of itself, for fast-import."""
    person = f"{_plain(author.name)} <{_plain(author.email)}> {int(when.timestamp())} +0000".encode()
    text = (message.strip() + "\n").encode()
    chunks = [
        b"author " + person + b"\n",
        b"committer " + person + b"\n",
        b"data %d\n" % len(text),
        text,
    ]
    if parent:
        chunks.append(f"from {parent}\n".encode())
    return chunks


def _files(files: Mapping[str, TreeFile]) -> list[bytes]:
    """Sorted, so that the same files make the same bytes."""
    modes = {name: "100755" if file.mode & 0o111 else "100644" for name, file in files.items()}
    return [chunk for name in sorted(files) for chunk in _file(modes[name], name, files[name].content)]


def _file(mode: str, name: str, content: bytes) -> list[bytes]:
    head = f"M {mode} inline {_quoted(_own_spelling(name))}\n".encode()
    return [head, b"data %d\n" % len(content), content, b"\n"]


def _plain(text: str) -> str:
    """A name that cannot end the line it stands in."""
    return re.sub(r"[<>\x00-\x1f\x7f]", "", text).strip() or "Slipway"


def _quoted(path: str) -> str:
    return '"' + path.replace('"', '\\"') + '"'


def resolve(path: Path, ref: str) -> str | None:
    """The commit that a branch, tag or id names, or None."""
    name = ref if COMMIT.match(ref) else check_ref(ref)
    # A full id is that commit, whatever a branch is called.
    for candidate in (name,) if COMMIT.match(name) else (f"refs/heads/{name}", f"refs/tags/{name}", name):
        if candidate == name and not re.fullmatch(r"[0-9a-f]{7,40}", name):
            continue
        found = gitcli.attempt(
            ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{candidate}^{{commit}}"], path
        )
        if found.code == 0:
            return found.stdout.decode().strip().splitlines()[-1]
    return None


def tips(path: Path) -> set[str]:
    """The ids that all branches, tags and other references of the repository point to."""
    said = gitcli.run(["for-each-ref", "--format=%(objectname)"], path)
    return set(said.decode().split())


def branches(path: Path) -> list[str]:
    """The names of the branches, newest commit first."""
    listed = gitcli.run(["for-each-ref", "--sort=-committerdate", "--format=%(refname:lstrip=2)", "refs/heads"], path)
    return listed.decode("utf-8", "replace").splitlines()


def entry_at(path: Path, commit: str, inner: str) -> TreeEntry | None:
    """What lies at a path inside a commit, or None."""
    listed = gitcli.run(["--literal-pathspecs", "ls-tree", "-z", "-l", commit, "--", _asked_for(inner)], path)
    return next((entry for entry in _parsed(listed) if entry.path == inner), None)


def folder(path: Path, commit: str, inner: str = "") -> list[TreeEntry]:
    """The entries of one folder, folders first; paths are relative to the repository."""
    place = [f"{_asked_for(inner)}/"] if inner else []
    listed = gitcli.run(["--literal-pathspecs", "ls-tree", "-z", "-l", commit, "--", *place], path)
    return sorted(_parsed(listed), key=lambda entry: (entry.kind != "folder", entry.name.lower()))


def tree(path: Path, commit: str) -> list[TreeEntry]:
    """Every file below the root."""
    return _parsed(gitcli.run(["ls-tree", "-r", "-z", "-l", commit], path))


def _parsed(listing: bytes) -> list[TreeEntry]:
    found = []
    for line in filter(None, listing.split(b"\0")):
        head, _, path = line.partition(b"\t")
        mode, _, identity, size = head.decode().split()
        kind = KINDS.get(mode, "file")
        found.append(TreeEntry(path.decode("utf-8", "replace"), kind, mode, int(size) if size != "-" else 0, identity))
    return found


def content(path: Path, commit: str, inner: str, *, limit: int = FILE_LIMIT) -> bytes:
    """A file's bytes; NotFound, or TooLarge above `limit`."""
    entry = entry_at(path, commit, inner)
    if entry is None or entry.kind not in {"file", "link"}:
        raise NotFound(f"There is no file “{inner[:200]}” here.")
    if entry.size > limit:
        raise TooLarge(f"“{entry.name}” is larger than {limit // 2**20} MiB.")
    return gitcli.run(["cat-file", "blob", entry.id], path, limit=limit + 1)


def blobs(path: Path, ids: Sequence[str]) -> list[bytes]:
    """The bytes of several files by their ids, in order; one git process, at most its OUTPUT_LIMIT together."""
    if not ids:
        return []
    answer = gitcli.run(["cat-file", "--batch"], path, stdin="".join(f"{each}\n" for each in ids).encode())
    found, at = [], 0
    for each in ids:
        head, _, _ = answer[at : at + 200].partition(b"\n")
        fields = head.split()
        if len(fields) != 3 or fields[1] != b"blob":
            raise NotFound(f"The repository has no file with the id {each}.")
        start = at + len(head) + 1
        end = start + int(fields[2])
        found.append(answer[start:end])
        at = end + 1
    return found


def history(path: Path, commit: str, *, limit: int, skip: int = 0, inner: str = "") -> list[Commit]:
    """The commits that lead to `commit`, newest first; only those that touched `inner` when it is given."""
    place = [_asked_for(inner)] if inner else []
    fields = "%H%x1f%an%x1f%ae%x1f%at%x1f%s"
    listed = gitcli.run(
        [
            "--literal-pathspecs",
            "log",
            "-z",
            f"--format={fields}",
            f"-n{limit}",
            f"--skip={skip}",
            commit,
            "--",
            *place,
        ],
        path,
    )
    return [_commit(line) for line in listed.decode("utf-8", "replace").split("\0") if line]


def _commit(line: str) -> Commit:
    identity, name, email, at, subject = line.split("\x1f", 4)
    return Commit(identity, Author(name, email), datetime.fromtimestamp(int(at), UTC), subject)


def count(path: Path, commit: str) -> int:
    """How many commits lead to `commit`."""
    return int(gitcli.run(["rev-list", "--count", commit], path))


def refs(path: Path) -> dict[str, str]:
    """Every branch and tag with the id it stands at; what changed in it is what a push did."""
    listed = gitcli.run(["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags"], path)
    pairs = (line.split(" ", 1) for line in listed.decode("utf-8", "replace").splitlines())
    return {name: identity for identity, name in pairs}


def moved(said: bytes) -> dict[str, tuple[str | None, str | None]]:
    """What a push moved, from what its hook was told: (old id, new id) by reference, None for "not there"."""
    lines = (line.split(" ", 2) for line in said.decode("utf-8", "replace").splitlines())
    return {ref: (None if old == NOTHING else old, None if new == NOTHING else new) for old, new, ref in lines}


def remove(path: Path) -> None:
    """Delete a repository's folder; already gone is fine."""
    if (aside := put_aside(path, "gone")) is not None:
        shutil.rmtree(aside)


def is_repository(path: Path) -> bool:
    """Whether the folder is there and looks like a bare repository."""
    return os.path.isfile(path / "HEAD")
