"""What every kind of source gives: a small tree of files that can be read and listed, and nothing outside it."""

import fnmatch
import os
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from catalog.descriptors.yamlstream import MAX_BYTES
from portal.kit.errors import Refusal

MAX_INCLUDED_BYTES = 4 * MAX_BYTES
MAX_LISTED = 5000


class SourceUnreadable(Refusal):
    """The source as a whole cannot be read: the sentence says why and what to do."""

    code = "source-unreadable"


class FileUnreadable(Exception):
    """One file of a source cannot be read; `str()` is the sentence."""


class Tree(Protocol):
    """The files of a source at one moment. Paths are relative, with slashes."""

    revision: str

    def read(self, path: str) -> str:
        """The file's text; raises FileUnreadable."""
        ...

    def paths(self) -> list[str]:
        """Every file, sorted; raises SourceUnreadable when they cannot be listed."""
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
    parts = joined.split("/")
    if ".." in parts:
        raise FileUnreadable(f'"{path}" leads out of the source. Name a file inside it.')
    if any(part.rstrip(". ").lower() == ".git" for part in parts):
        raise FileUnreadable(f'"{path}" is not a file of the source.')
    return joined


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


def matching(tree: Tree, pattern: str) -> list[str]:
    """The files that a path with * or ** names; a plain path names itself."""
    if "*" not in pattern:
        return [inside(pattern)]
    return [path for path in tree.paths() if _matches(path.split("/"), pattern.removeprefix("./").split("/"))]


def _matches(parts: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[skip:], pattern[1:]) for skip in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


class MemoryTree:
    """Files held in memory: an upload, or a single address."""

    def __init__(self, files: Mapping[str, bytes], revision: str) -> None:
        self.files = files
        self.revision = revision

    def read(self, path: str) -> str:
        content = self.files.get(path)
        if content is None:
            raise missing(path)
        if len(content) > MAX_INCLUDED_BYTES:
            raise too_large(path)
        return text_of(content, path)

    def paths(self) -> list[str]:
        return sorted(self.files)


class FolderTree:
    """Files below a folder; links are never followed out of it."""

    def __init__(self, root: Path, revision: str = "") -> None:
        self.root = root.resolve()
        self.revision = revision

    def read(self, path: str) -> str:
        place = self._place(path)
        try:
            if place.stat().st_size > MAX_INCLUDED_BYTES:
                raise too_large(path)
            return text_of(place.read_bytes(), path)
        except OSError as error:
            raise missing(path) from error

    def _place(self, path: str) -> Path:
        try:
            place = (self.root / inside(path)).resolve(strict=True)
        except (OSError, RuntimeError, ValueError) as error:
            raise missing(path) from error
        if not place.is_relative_to(self.root) or not place.is_file():
            raise missing(path)
        return place

    def paths(self) -> list[str]:
        found: list[str] = []
        for folder, folders, files in os.walk(self.root):
            folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "node_modules")
            found += [Path(folder, name).relative_to(self.root).as_posix() for name in sorted(files)]
            if len(found) > MAX_LISTED:
                raise SourceUnreadable(
                    f"The source has more than {MAX_LISTED} files. Name the file to start from instead of a pattern."
                )
        return sorted(found)
