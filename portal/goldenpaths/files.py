"""Files of a golden path: their bytes and executable bits, under paths that `kit.paths` accepts, within bounds."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from portal.kit.errors import Invalid, TooLarge
from portal.kit.paths import safe_path

MAX_FILES = 2_000
MAX_FILE_BYTES = 2 * 1024 * 1024
MAX_TREE_BYTES = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class File:
    """Content and permission bits; only the executable bit is meaningful, as in git."""

    content: bytes
    mode: int = 0o644

    @property
    def is_executable(self) -> bool:
        return bool(self.mode & 0o111)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def text(self) -> str | None:
        """The content as text, or None for a binary file (a NUL in it, or not UTF-8)."""
        if b"\x00" in self.content:
            return None
        try:
            return self.content.decode("utf-8")
        except UnicodeDecodeError:
            return None


Workspace = dict[str, File]


def safe_folder(path: str | None) -> str:
    """A folder inside the workspace in its one spelling; the workspace itself is the empty string."""
    if path is None or path.strip() in ("", ".", "./"):
        return ""
    return safe_path(path)


def join(folder: str, path: str) -> str:
    """A path below a folder; one that starts with a slash is an error, not a path below it."""
    inner = safe_path(path)
    return safe_path(f"{folder}/{inner}" if folder else inner)


def within(files: Mapping[str, File], folder: str) -> Workspace:
    """The files below `folder`, their paths relative to it."""
    prefix = f"{folder}/" if folder else ""
    return {path.removeprefix(prefix): file for path, file in files.items() if path.startswith(prefix)}


def checked(files: Mapping[str, File]) -> Workspace:
    """The same files under safe paths and within the stated bounds, sorted by path."""
    if len(files) > MAX_FILES:
        raise TooLarge(f"There are {len(files):,} files; at most {MAX_FILES:,} are accepted.")
    total = 0
    tree: Workspace = {}
    for path, file in files.items():
        safe = safe_path(path)
        if safe in tree:
            raise Invalid(f"Two files have the same path {safe!r}.", code="duplicate-path")
        if len(file.content) > MAX_FILE_BYTES:
            raise TooLarge(f"{safe} is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB.")
        total += len(file.content)
        tree[safe] = File(file.content, 0o755 if file.is_executable else 0o644)
    if total > MAX_TREE_BYTES:
        raise TooLarge(f"The files together are larger than {MAX_TREE_BYTES // 1024 // 1024} MiB.")
    _refuse_file_as_folder(tree)
    return dict(sorted(tree.items()))


def _refuse_file_as_folder(tree: Mapping[str, File]) -> None:
    for path in tree:
        parts = path.split("/")
        for depth in range(1, len(parts)):
            if "/".join(parts[:depth]) in tree:
                raise Invalid(f"{'/'.join(parts[:depth])!r} is both a file and a folder.", code="duplicate-path")


def tree_digest(files: Mapping[str, File]) -> str:
    """One digest of paths, executable bits and contents: equal trees have equal digests."""
    total = hashlib.sha256()
    for path in sorted(files):
        file = files[path]
        total.update(f"{len(path.encode())}:{path}:{int(file.is_executable)}:{file.digest}\n".encode())
    return total.hexdigest()
