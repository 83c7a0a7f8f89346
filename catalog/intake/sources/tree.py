"""What every kind of source gives: a small tree of files that can be read and listed, and nothing outside it."""

import fnmatch
import hashlib
import os
import posixpath
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from django.conf import settings

from portal.kit.errors import Away, Invalid, Refusal
from portal.kit.paths import is_git_folder, safe_path
from portal.kit.yamltext import MAX_BYTES

MAX_INCLUDED_BYTES = 4 * MAX_BYTES
SYMLINK, SUBMODULE = "a symbolic link", "a submodule"


class SourceUnreadable(Refusal):
    """The source as a whole cannot be read: the sentence says why and what to do."""

    code = "source-unreadable"


class SourceAway(SourceUnreadable, Away):
    """Where the source is, nobody answers; what was read before stays."""

    status = 503


class FileUnreadable(Exception):
    """One file of a source cannot be read; `str()` is the sentence."""


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file byte for byte; of its mode only "may be executed" counts, as in git."""

    content: bytes
    is_executable: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may lie below a folder that is taken whole; sizes in bytes."""

    files: int
    file_bytes: int
    total_bytes: int


class Basket:
    """Collects the files below a folder. What does not fit or is no plain file is a FileUnreadable, never left out."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.files: dict[str, RawFile] = {}
        self.size = 0

    def expect(self, path: str, size: int, odd: str = "") -> None:
        """Says before the bytes are read whether they may come; `odd` is what stands there instead of a file."""
        if odd:
            raise FileUnreadable(f'"{path}" is {odd}; only plain files are kept. Put the file itself there.')
        if size > self.bounds.file_bytes:
            raise FileUnreadable(f'"{path}" is larger than {self.bounds.file_bytes / 2**20:g} MiB.')
        if len(self.files) >= self.bounds.files:
            raise FileUnreadable(f"There are more than {self.bounds.files:,} files in this folder.")
        if self.size + size > self.bounds.total_bytes:
            raise FileUnreadable(f"The files together are larger than {self.bounds.total_bytes / 2**20:g} MiB.")

    def put(self, path: str, content: bytes, *, is_executable: bool = False) -> None:
        """Keeps one file under its path below the folder."""
        self.expect(path, len(content))
        self.size += len(content)
        self.files[path] = RawFile(content, is_executable)


class Tree(Protocol):
    """The files of a source at one moment. Paths are relative, with slashes."""

    revision: str

    @property
    def author(self) -> str:
        """Who made this state of the files, as far as the place says: "name <address>", or "" where it says nothing."""
        ...

    def read(self, path: str) -> str:
        """The file's text; raises FileUnreadable."""
        ...

    def mark(self, path: str) -> str:
        """What changes exactly when the file's bytes do, without reading them where the place knows it; "" where there
        is no such file, or it is not to be had."""
        ...

    def ahead(self, paths: Sequence[str]) -> None:
        """These files are read next: where asking for each alone is dear, as many as fit are fetched at once."""
        ...

    def own(self, address: str) -> str | None:
        """The path of a file of this source that is named from outside of it: by its whole address, or from the root
        with a slash. None for anything else: a relative path, and what lies elsewhere."""
        ...

    def paths(self) -> list[str]:
        """Every file, sorted; raises SourceUnreadable when they cannot be listed."""
        ...

    def below(self, folder: str, bounds: Bounds) -> dict[str, RawFile]:
        """Every file below `folder` ("" is all of the source) byte for byte, by its path from there, folders that
        begin with a dot among them. Raises FileUnreadable for what is no plain file, and beyond the bounds."""
        ...


def inside(path: str, *, below: str = "") -> str:
    """`path` as named in the file `below`, normalised; raises FileUnreadable when it leaves the source."""
    if "\\" in path or "\0" in path:
        raise FileUnreadable(f'"{path}" is not a path. Write it with slashes, relative to the file.')
    if path.startswith(("/", "url:")) or "://" in path:
        raise FileUnreadable(
            f'"{path}" lies outside this source. Name a file of the same source, relative to this one.'
        )
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(below), path))
    if ".." in joined.split("/"):
        raise FileUnreadable(f'"{path}" leads out of the source. Name a file inside it.')
    try:
        return safe_path(joined) if joined != "." else joined
    except Invalid as refusal:
        raise FileUnreadable(refusal.text) from refusal


def from_root(path: str) -> str | None:
    """The path from the source's root when it is written with a slash in front; None otherwise."""
    return path.lstrip("/") if path.startswith("/") else None


def text_of(content: bytes, path: str) -> str:
    """The bytes as text; raises FileUnreadable for what is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileUnreadable(f'"{path}" is not text in UTF-8.') from error


def missing(path: str) -> FileUnreadable:
    """The sentence for a file that is not there."""
    return FileUnreadable(f'There is no file "{path}" in this source.')


def too_large(path: str) -> FileUnreadable:
    """The sentence for a file over the cap."""
    return FileUnreadable(f'"{path}" is larger than {MAX_INCLUDED_BYTES // MAX_BYTES} MiB.')


def mark_of(content: bytes) -> str:
    """A file's mark by its bytes."""
    return hashlib.sha256(content).hexdigest()


def too_many_files() -> SourceUnreadable:
    """The sentence for a source of more files than the operator lets one have."""
    return SourceUnreadable(
        f"The source has more than {settings.SOURCE_FILES:,} files. Name the file to start from instead of a pattern; "
        "the operator sets the bound in SOURCE_FILES."
    )


def matching(tree: Tree, pattern: str) -> list[str]:
    """The files that a path with * or ** names; a plain path names itself."""
    if "*" not in pattern:
        return [inside(pattern)]
    parts = pattern.removeprefix("./").split("/")
    return [path for path in tree.paths() if _matches(path.split("/"), parts)]


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the pattern names the path: ** stands for any number of parts. Each part is looked at once for each part
    of the pattern, whatever the pattern: how far it may have been followed is a set of places in it."""
    places = _with_skipped({0}, pattern)
    for part in parts:
        places = _with_skipped(
            {
                place + (pattern[place] != "**")
                for place in places
                if place < len(pattern) and (pattern[place] == "**" or fnmatch.fnmatchcase(part, pattern[place]))
            },
            pattern,
        )
    return len(pattern) in places


def _with_skipped(places: Iterable[int], pattern: Sequence[str]) -> set[int]:
    """These places and those behind a ** that stands for no part."""
    found = set[int]()
    for place in places:
        found.add(place)
        while place < len(pattern) and pattern[place] == "**":
            place += 1
            found.add(place)
    return found


def prefix_of(folder: str) -> str:
    """What the paths of all files below a folder begin with."""
    return f"{folder.rstrip('/')}/" if folder else ""


class MemoryTree:
    """Files held in memory: an upload. `executables` are the paths of those that may be executed; a repository's files
    may name each other from its root, others may not (decision 174)."""

    author = ""

    def __init__(
        self,
        files: Mapping[str, bytes],
        revision: str,
        executables: frozenset[str] = frozenset(),
        *,
        is_repository: bool = False,
    ) -> None:
        self.is_repository = is_repository
        self.files = files
        self.revision = revision
        self.executables = executables

    def read(self, path: str) -> str:
        content = self.files.get(path)
        if content is None:
            raise missing(path)
        if len(content) > MAX_INCLUDED_BYTES:
            raise too_large(path)
        return text_of(content, path)

    def mark(self, path: str) -> str:
        content = self.files.get(path)
        return "" if content is None else mark_of(content)

    def ahead(self, paths: Sequence[str]) -> None:
        """All of them are at hand."""

    def own(self, address: str) -> str | None:
        return from_root(address) if self.is_repository else None

    def paths(self) -> list[str]:
        return sorted(self.files)

    def below(self, folder: str, bounds: Bounds) -> dict[str, RawFile]:
        basket, prefix = Basket(bounds), prefix_of(folder)
        for path in self.paths():
            if path.startswith(prefix):
                basket.put(path.removeprefix(prefix), self.files[path], is_executable=path in self.executables)
        return basket.files


class FolderTree:
    """Files below a folder; links are never followed out of it. `odd` names what git wrote in place of a link or a
    submodule, by its path; `by_address` gives the path of a file of this folder from its whole address."""

    def __init__(
        self,
        root: Path,
        revision: str = "",
        *,
        author: str = "",
        odd: Mapping[str, str] | None = None,
        by_address: Callable[[str], str | None] | None = None,
    ) -> None:
        self.root = root.resolve()
        self.revision = revision
        self.author = author
        self.odd = odd or {}
        self.by_address = by_address
        self._listed: list[str] | None = None

    def own(self, address: str) -> str | None:
        if self.by_address is None:
            return None  # a folder of a machine: a slash in front means the machine's root, which is not ours to read
        path = from_root(address)
        return self.by_address(address) if path is None else path

    def read(self, path: str) -> str:
        place = self._place(path)
        try:
            if place.stat().st_size > MAX_INCLUDED_BYTES:
                raise too_large(path)
            return text_of(place.read_bytes(), path)
        except OSError as error:
            raise missing(path) from error

    def mark(self, path: str) -> str:
        try:
            place = self._place(path)
            return "" if place.stat().st_size > MAX_INCLUDED_BYTES else mark_of(place.read_bytes())
        except (FileUnreadable, OSError):
            return ""

    def ahead(self, paths: Sequence[str]) -> None:
        """A file on our own disk is no way off."""

    def _place(self, path: str) -> Path:
        try:
            place = Path(os.path.realpath(self.root / inside(path), strict=True))
        except (OSError, RuntimeError, ValueError) as error:
            raise missing(path) from error
        if not place.is_relative_to(self.root) or not place.is_file():
            raise missing(path)
        return place

    def paths(self) -> list[str]:
        if self._listed is None:
            self._listed = self._list()
        return self._listed

    def _list(self) -> list[str]:
        found: list[str] = []
        for folder, folders, files in os.walk(self.root):
            folders[:] = [name for name in folders if not name.startswith(".") and name != "node_modules"]
            below = prefix_of(folder[len(str(self.root)) + 1 :])
            found += [below + name for name in files]
            if len(found) > settings.SOURCE_FILES:
                raise too_many_files()
        return sorted(found)

    def below(self, folder: str, bounds: Bounds) -> dict[str, RawFile]:
        basket, top = Basket(bounds), self.root / folder
        for path, what in self.odd.items():
            if path.startswith(prefix_of(folder)):
                basket.expect(path.removeprefix(prefix_of(folder)), 0, what)
        for place, folders, names in os.walk(top, onerror=_unlistable):
            # A repository's own folder is no file of it: git would not carry it either.
            folders[:] = sorted(name for name in folders if not is_git_folder(name))
            links = [name for name in folders if Path(place, name).is_symlink()]
            for name in sorted([*names, *links]):
                if not is_git_folder(name):
                    self._put(basket, Path(place, name), Path(place, name).relative_to(top).as_posix())
        return basket.files

    def _put(self, basket: Basket, place: Path, path: str) -> None:
        try:
            found = place.lstat()
            basket.expect(path, found.st_size, _oddness(found.st_mode))
            basket.put(path, place.read_bytes(), is_executable=bool(found.st_mode & 0o100))
        except OSError as error:
            raise FileUnreadable(f'"{path}" cannot be read: {error.strerror}.') from error


def _unlistable(error: OSError) -> None:
    raise FileUnreadable(f"A folder cannot be read: {error.strerror}.") from error


def _oddness(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return SYMLINK
    return "" if stat.S_ISREG(mode) else "neither a file nor a folder"
