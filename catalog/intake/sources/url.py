"""A single descriptor at an address on the web, fetched without letting anybody choose what we connect to."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import quote, unquote

from catalog.intake.sources.tree import (
    Bounds,
    FileUnreadable,
    MemoryTree,
    RawFile,
    SourceAway,
    SourceUnreadable,
    Tree,
    inside,
    mark_of,
    text_of,
)
from catalog.models import Source
from portal.githosts.weburls import raw_address
from portal.kit import fetching
from portal.kit.errors import Away, Refusal
from portal.kit.fetching import TOTAL_SECONDS, Unfetched
from portal.kit.yamltext import MAX_BYTES


class UrlTree:
    """The file at the address, and files beside or below it."""

    revision = ""
    author = ""

    def __init__(self, target: str) -> None:
        base, _, self.name = raw_address(target).rpartition("/")
        self.base = base + "/"
        self.deadline = time.monotonic() + TOTAL_SECONDS
        self.read_so_far: dict[str, bytes] = {}

    def read(self, path: str) -> str:
        return text_of(self._bytes(path), path)

    def _bytes(self, path: str) -> bytes:
        if path not in self.read_so_far:
            address = self.base + quote(inside(path), safe="/:@!$&'()*+,;=~%-._?")
            try:
                self.read_so_far[path] = fetch(address, deadline=self.deadline)
            except Away:
                raise  # not this file alone: nothing there can be read now
            except Refusal as refusal:
                raise FileUnreadable(refusal.text) from refusal
        return self.read_so_far[path]

    def mark(self, path: str) -> str:
        try:
            return mark_of(self._bytes(path))
        except FileUnreadable:
            return ""

    def ahead(self, paths: Sequence[str]) -> None:
        """An address is asked for one file at a time."""

    def own(self, address: str) -> str | None:
        """Files beside or below the descriptor; what an address calls its root is not known."""
        there = raw_address(address)
        return unquote(there.removeprefix(self.base)) if there.startswith(self.base) else None

    def below(self, folder: str, bounds: Bounds) -> dict[str, RawFile]:
        """Only what was named and read: an address does not say what lies beside it."""
        return MemoryTree(self.read_so_far, "").below(folder, bounds)

    def paths(self) -> list[str]:
        raise SourceUnreadable("Files at an address cannot be listed. Name one file, without *.", field="path")


@contextmanager
def opened(source: Source) -> Iterator[Tree]:
    """The descriptor at the address; an address that cannot be read at all is the source's own failure."""
    tree = UrlTree(source.target)
    try:
        text = tree.read(start_of(source.target))
    except FileUnreadable as error:
        raise SourceUnreadable(str(error), field="target") from error
    tree.revision = hashlib.sha256(text.encode()).hexdigest()[:12]
    yield tree


def start_of(target: str) -> str:
    """The name of the file at the address, inside its own tree."""
    return raw_address(target).rpartition("/")[2]


def fetch(address: str, *, deadline: float | None = None) -> bytes:
    """The bytes at the address, at most 1 MiB, without redirects; raises Refusal."""
    try:
        return fetching.fetch(address, most=MAX_BYTES, deadline=deadline or time.monotonic() + TOTAL_SECONDS).content
    except Unfetched as error:
        raise SourceUnreadable(error.text, field="target") from error
    except Away as error:
        raise SourceAway(error.text, field="target", what=error.what, why=error.__cause__) from error
