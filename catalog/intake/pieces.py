"""A source in pieces: what of it has to be written, a transaction's worth at a time, and what may be passed over."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from django.db import connection

from catalog.intake.readers import Readers
from catalog.intake.reading import FileRead, FoundEntity, Reading
from catalog.intake.remembering import paths_of, remembered
from catalog.intake.sources.tree import Tree
from catalog.intake.walking import SourceWalk
from catalog.models import Source
from portal.accounts.tenancy import tenant

# So many entities, or so many characters of text, are written in one transaction.
CHUNK = 1000
CHUNK_TEXT = 8 * 1024 * 1024
# So many files that are only to be remembered.
CHUNK_FILES = 2000
# Nobody is told how long it takes before this much is known, in seconds.
KNOWN_AFTER = 3.0


@dataclass
class Piece:
    """What one transaction writes.

    fresh      entities that were read
    settled    how many entities of files that did not change are rows exactly as remembered
    files      those to remember once the entities are written
    """

    fresh: list[FoundEntity] = field(default_factory=list)
    settled: int = 0
    files: list[FileRead] = field(default_factory=list)
    size: int = 0
    is_last: bool = False

    @property
    def is_full(self) -> bool:
        return len(self.fresh) >= CHUNK or self.size >= CHUNK_TEXT or len(self.files) >= CHUNK_FILES


class Pieces:
    """The pieces of one reading, the last of them marked; a context, at whose end nobody reads any more.

    Beginning it reads the rows of the source in a transaction of its own; the pieces themselves are read in none.
    """

    def __init__(self, source: Source, tree: Tree, start: str) -> None:
        """Raises SourceUnreadable when there is nothing to begin with."""
        self.source, self.tree = source, tree
        self.readers = Readers()
        self.digests: dict[str, str] = {}
        files, before = dict[str, FileRead](), set[str]()
        if source.pk is not None:
            with tenant(source.organisation_id):
                self.digests = _digests(source)
                files = remembered(source)
                before = set(files)
                files = self._as_they_stand(files)
        self.walk = SourceWalk(tree, start, self.readers, files)
        self.walked = set[str]()
        self._before = before
        self._gone: list[str] | None = None
        self._begun = time.monotonic()
        self._first: Piece | None = None
        self._rest = self._pieces()

    def __enter__(self) -> Self:
        self.readers.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.readers.__exit__(kind, error, trace)

    def __iter__(self) -> Iterator[Piece]:
        if self._first is not None:
            yield self._first
        yield from self._rest

    def belong_to(self, source: Source) -> None:
        """What was read of a draft is stored as this source, which may have rows of its own."""
        self.source = source
        with tenant(source.organisation_id):
            self.digests = _digests(source)
            self._before = paths_of(source)

    def is_empty(self) -> bool:
        """Whether the source describes nothing and nothing is wrong with it. Reads its first piece."""
        self._first = self._first or next(self._rest)
        return self._first.is_last and not self.walk.first and not self.walk.problems

    @property
    def progress(self) -> tuple[str, int, int]:
        """What to tell between two pieces: words, files done, files known of."""
        done, total = len(self.walked), self.walk.total
        spent = time.monotonic() - self._begun
        if spent < KNOWN_AFTER or not done:
            return "Reading and writing files", done, total
        left = spent / done * (total - done)
        return f"Reading and writing files, {_words(left)} left", done, total

    def reading(self) -> Reading:
        """What there is to say when all pieces were taken."""
        return self.walk.reading()

    def gone(self, most: int = 0) -> list[str]:
        """References of the source that are described no more: `most` of them when there are more, else [];
        all that are left without it."""
        if self._gone is None:
            reading = self.reading()
            there = self.walk.first
            self._gone = (
                [ref for ref in self.digests if ref not in there and ref not in reading.broken]
                if reading.is_whole
                else []
            )
        if most and len(self._gone) <= most:
            return []
        taken = self._gone[: most or None]
        self._gone = self._gone[len(taken) :]
        return taken

    @property
    def left(self) -> Sequence[str]:
        """Files that were remembered and are no part of the source any more."""
        return [path for path in self._before if path not in self.walk.seen]

    def _pieces(self) -> Iterator[Piece]:
        piece = Piece()
        for taken in self.walk:
            if piece.is_full:
                yield piece
                piece = Piece()
            if taken.file.is_known:
                piece.settled += len(taken.entities)
                self.walked.add(taken.file.path)
                continue
            for found in taken.entities:
                if piece.is_full:
                    yield piece
                    piece = Piece()
                piece.fresh.append(found)  # type: ignore[arg-type]
                piece.size += len(found.entity.raw)  # type: ignore[union-attr]
            piece.files.append(taken.file)
            self.walked.add(taken.file.path)
        piece.is_last = True
        yield piece

    def _as_they_stand(self, files: dict[str, FileRead]) -> dict[str, FileRead]:
        """Those of the files whose entities the rows hold exactly as remembered. The others are read again: a row was
        lost, or a name belongs to another file or source, and what is said about that shows the file's own lines."""
        digests = self.digests
        return {
            path: file
            for path, file in files.items()
            if all(digests.get(seen.ref) == seen.digest for seen in file.entities)
        }


def _digests(source: Source) -> dict[str, str]:
    """What the rows of the source hold, by reference."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ref, digest FROM catalog_entity"
            " WHERE organisation_id = %s AND source_id = %s AND removed_at IS NULL",
            [source.organisation_id, source.pk],
        )
        return dict(cursor.fetchall())


def _words(seconds: float) -> str:
    if seconds >= 90:
        return f"about {round(seconds / 60)} minutes"
    rounded = max(5, round(seconds / 5) * 5)
    return f"about {rounded} seconds"
