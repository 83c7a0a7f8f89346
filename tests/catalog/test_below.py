"""A folder of a source is taken byte for byte, from wherever the source is: or a sentence says what cannot be."""

import io
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from catalog.intake.sources.registry import OPENERS
from catalog.intake.sources.tree import Bounds, FileUnreadable, RawFile, Tree
from catalog.models import Source, Upload
from portal.githosts.hosts import HOSTS
from tests.conftest import World, by

pytestmark = pytest.mark.django_db

WIDE = Bounds(100, 2**20, 2**21)
FILES = {
    "skeleton/.github/workflows/ci.yml": RawFile(b"\xef\xbb\xbfon: push\r\nrun: echo $Id$\n"),
    "skeleton/.gitattributes": RawFile(b"* text=auto eol=crlf\n*.ico ident\n"),
    "skeleton/gradlew": RawFile(b"#!/bin/sh\necho built\n", is_executable=True),
    "skeleton/favicon.ico": RawFile(bytes(range(256)) * 3),
    "skeleton/empty": RawFile(b""),
    "skeleton/lone.txt": RawFile(b"one\r\ntwo\nthree\r"),
}


def write(root: Path) -> None:
    for path, file in FILES.items():
        place = root / "paths" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.content)
        place.chmod(0o755 if file.is_executable else 0o644)
    (root / "outside.txt").write_text("not below")


def git(root: Path, *args: str) -> None:
    who = ("-c", "user.name=Bo", "-c", "user.email=bo@example.com", "-c", "core.autocrlf=false")
    subprocess.run(["git", *who, *args], cwd=root, check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "init", "-q", "-b", "main")
    # The author's own checkout may hold anything: what is committed here are the bytes as they lie there.
    (root / ".git" / "info" / "attributes").write_text("* -text\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")


def zipped(files: dict[str, RawFile]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, file in files.items():
            entry = zipfile.ZipInfo(f"paths/{path}")
            entry.external_attr = (0o100755 if file.is_executable else 0o100644) << 16
            archive.writestr(entry, file.content)
    return packed.getvalue()


def tarred(files: dict[str, RawFile]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, file in files.items():
            entry = tarfile.TarInfo(f"paths/{path}")
            entry.size, entry.mode = len(file.content), 0o755 if file.is_executable else 0o644
            archive.addfile(entry, io.BytesIO(file.content))
    return packed.getvalue()


@pytest.fixture
def opened(world: World, tmp_path: Path, settings: Any) -> Any:
    """Opens a source of the kind that the test names, with FILES in its folder `paths`."""
    settings.SOURCE_FOLDERS = [str(tmp_path)]
    settings.GIT_ROOT = tmp_path / "git"
    with ExitStack() as stack:

        def open_one(kind: str, change: Callable[[Path], None] = lambda root: None) -> Tree:
            root = tmp_path / "root"
            root.mkdir()
            write(root)
            change(root)
            source = Source(organisation=world.acme, kind=kind.partition("-")[0], target=str(root), revision="")
            if kind == "git":
                commit(root)
            elif kind == "repository":
                source.target = "shop"
                push(world, root)
            elif kind.startswith("upload"):
                keep_upload(world, source, kind.partition("-")[2])
            return stack.enter_context(OPENERS[source.kind](source))

        yield open_one


def push(world: World, root: Path) -> None:
    commit(root)
    HOSTS["slipway"].create_repository(
        world.acme, name="shop", description="", owner_ref="", marker="t", actor=by(world.dev)
    )
    from portal.githosts.models import Repository

    with world.tenant():
        place = Repository.objects.for_tenant(world.acme).get(name="shop").path
    git(root, "push", "-q", str(place), "main")


def keep_upload(world: World, source: Source, suffix: str) -> None:
    content = zipped(FILES) if suffix == "zip" else tarred(FILES)
    with world.tenant():
        source.save()
        Upload.objects.create(organisation=world.acme, source=source, filename=f"all.{suffix}", content=content)


@pytest.mark.parametrize("kind", ["folder", "git", "repository", "upload-zip", "upload-tgz"])
def test_every_kind_of_source_gives_the_same_bytes(opened: Any, kind: str) -> None:
    assert opened(kind).below("paths", WIDE) == FILES


@pytest.mark.parametrize("kind", ["git", "repository"])
def test_git_says_who_made_the_commit(opened: Any, kind: str) -> None:
    assert opened(kind).author == "Bo <bo@example.com>"


@pytest.mark.parametrize("kind", ["folder", "git", "repository"])
def test_a_link_is_a_sentence(opened: Any, kind: str) -> None:
    tree = opened(kind, lambda root: (root / "paths" / "skeleton" / "latest").symlink_to("gradlew"))
    with pytest.raises(FileUnreadable, match=r'"skeleton/latest" is a symbolic link'):
        tree.below("paths", WIDE)
    assert tree.below("paths/skeleton/.github", WIDE)


def test_a_linked_folder_is_a_sentence(opened: Any) -> None:
    tree = opened("folder", lambda root: (root / "paths" / "more").symlink_to("skeleton"))
    with pytest.raises(FileUnreadable, match=r'"more" is a symbolic link'):
        tree.below("paths", WIDE)


@pytest.mark.parametrize("kind", ["folder", "git", "repository", "upload-zip"])
@pytest.mark.parametrize(
    ("bounds", "sentence"),
    [
        (Bounds(3, 2**20, 2**20), "more than 3 files"),
        (Bounds(100, 512, 2**20), r'"skeleton/favicon.ico" is larger than'),
        (Bounds(100, 2**20, 800), "files together are larger than"),
    ],
)
def test_what_is_too_much_is_a_sentence(opened: Any, kind: str, bounds: Bounds, sentence: str) -> None:
    with pytest.raises(FileUnreadable, match=sentence):
        opened(kind).below("paths", bounds)


def test_a_submodule_is_a_sentence(opened: Any, world: World, tmp_path: Path) -> None:
    def add(root: Path) -> None:
        git(root, "init", "-q", "-b", "main")
        (root / "paths" / "lib").mkdir()
        git(root, "update-index", "--add", "--cacheinfo", f"160000,{'a' * 40},paths/lib")

    with pytest.raises(FileUnreadable, match=r'"lib" is a submodule'):
        opened("git", add).below("paths", WIDE)


def test_a_repositorys_own_folder_is_no_file_of_it(opened: Any) -> None:
    def nest(root: Path) -> None:
        (root / "paths" / ".git").mkdir()
        (root / "paths" / ".git" / "config").write_text("")

    assert opened("folder", nest).below("paths", WIDE) == FILES


def test_reading_a_repository_holds_no_transaction(world: World, opened: Any, django_assert_num_queries: Any) -> None:
    tree = opened("repository")
    with django_assert_num_queries(0):
        tree.below("paths", WIDE)
