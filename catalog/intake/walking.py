"""Walks a source from its first file on, follows Locations, and gives file by file what each says. Writes nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from catalog.descriptors.findings import Finding
from catalog.descriptors.placeholders import CannotRead
from catalog.intake.onefile import file_read
from catalog.intake.readers import Readers
from catalog.intake.reading import FORMAT, FileRead, FoundEntity, Reading, Remnant, finding_at
from catalog.intake.sources.tree import FileUnreadable, SourceUnreadable, Tree, inside, matching

# So many files, or so many characters of them, are begun before the first of them is taken.
BEGUN = 64
BEGUN_TEXT = 4 * 1024 * 1024
AHEAD = 500
# More than so many things wrong are not kept one by one.
MAX_PROBLEMS = 20_000


def read(tree: Tree, start: str) -> Reading:
    """Everything that a small source says, in memory. Raises SourceUnreadable when there is nothing to begin with."""
    with Readers() as readers:
        walk = SourceWalk(tree, start, readers)
        entities = [found for taken in walk for found in taken.entities if isinstance(found, FoundEntity)]
    return walk.reading(entities)


@dataclass(frozen=True)
class _Wanted:
    path: str
    is_optional: bool = False
    named_in: str = ""
    line: int = 1


@dataclass
class _Begun:
    """A file that is remembered, or is being parsed."""

    wanted: _Wanted
    mark: str = ""
    known: FileRead | None = None
    includes: dict[str, str] = field(default_factory=dict)
    said: Future[dict[str, Any]] | None = None
    size: int = 0
    trouble: str = ""


@dataclass(frozen=True)
class Taken:
    """One file of a reading, and those of its entities that no file before it describes."""

    file: FileRead
    entities: list[FoundEntity] | list[Remnant]


class SourceWalk:
    """One reading, file by file in the order in which they are named.

    remembered  what files said at an earlier reading: those are not read again whose bytes, and the bytes of what they
                include, are the same
    What concerns more than one file is known when the walk is over: `problems`, `broken`, `is_whole`.
    """

    def __init__(
        self, tree: Tree, start: str, readers: Readers, remembered: Mapping[str, FileRead] | None = None
    ) -> None:
        """Raises SourceUnreadable when there is nothing to begin with."""
        first = _first(tree, start)
        self.tree, self.readers = tree, readers
        self.remembered = remembered or {}
        self.is_single = "*" not in start
        self.queue = deque(_Wanted(path) for path in first)
        self.seen = set(first)
        self.first: dict[str, tuple[str, int]] = {}  # where each reference is described first
        self.kept: list[FoundEntity] = []
        self.problems: list[Finding] = []
        self.unkept = 0  # problems that were too many
        self.broken: set[str] = set()
        self.is_whole = True
        self.files = 0
        self._fetched: set[str] = set()
        self._marks: dict[str, str] = {}

    @property
    def total(self) -> int:
        """How many files are known to be named so far."""
        return len(self.seen)

    def reading(self, entities: list[FoundEntity] | None = None) -> Reading:
        """What there is to say when the walk is over."""
        problems = sorted(set(self.problems))
        if self.unkept:
            sentence = f"{self.unkept:,} more things are wrong in this source; they show when some are mended."
            problems.append(Finding("", 0, "too-many", sentence))
        return Reading(
            self.kept if entities is None else entities,
            problems,
            frozenset(self.broken.difference(self.first)),
            self.is_whole,
            self.tree.revision,
            self.tree.author,
        )

    def __iter__(self) -> Iterator[Taken]:
        window = deque[_Begun]()
        size = 0
        while self.queue or window:
            while self.queue and len(window) < BEGUN and size < BEGUN_TEXT:
                window.append(self._begin(self.queue.popleft()))
                size += window[-1].size
            begun = window.popleft()
            size -= begun.size
            if self.files >= settings.SOURCE_FILES or len(self.first) >= settings.SOURCE_ENTITIES:
                self._leave_out(begun.wanted.path)
                return
            self.files += 1
            taken = self._end(begun)
            if taken is not None:
                yield taken

    def _anew(self, file: FileRead) -> FileRead:
        """A file that did not change, read after all: something of it stands in a file before it by now."""
        fresh = self._said(self._begin(_Wanted(file.path), is_anew=True))
        return file if fresh is None else fresh

    def _leave_out(self, path: str) -> None:
        sentence = (
            f"A source may hold {settings.SOURCE_FILES:,} files and {settings.SOURCE_ENTITIES:,} entities; what "
            "follows from this file on is left out. The operator sets the bounds in SOURCE_FILES and SOURCE_ENTITIES."
        )
        self._problem(path, 1, "too-many", sentence)
        self.is_whole = False

    def _problem(self, path: str, line: int, code: str, sentence: str) -> None:
        self._note([Finding(path, line, code, sentence)])

    def _note(self, problems: list[Finding]) -> None:
        room = max(0, MAX_PROBLEMS - len(self.problems))
        self.problems += problems[:room]
        self.unkept += len(problems[room:])

    # What one file says.

    def _begin(self, wanted: _Wanted, *, is_anew: bool = False) -> _Begun:
        """Find out whether the file is known; have it parsed otherwise. Its mark is taken before its bytes: what
        changes in between is read again next time."""
        mark = self._mark(wanted.path)
        known = self.remembered.get(wanted.path)
        if known is not None and not is_anew and self._is_same(known, mark):
            return _Begun(wanted, mark, known)
        try:
            self._fetch_ahead(wanted.path)
            text = self.tree.read(wanted.path)
        except FileUnreadable as error:
            return _Begun(wanted, trouble=str(error))
        includes: dict[str, str] = {}
        said = self.readers.begin(text, wanted.path, lambda target: self._include(target, wanted.path, includes))
        return _Begun(wanted, mark, None, includes, said, len(text))

    def _mark(self, path: str) -> str:
        known = self._marks.get(path)
        if known is None:
            mark = self.tree.mark(path)
            known = self._marks[path] = f"{FORMAT}:{mark}" if mark else ""
        return known

    def _is_same(self, known: FileRead, mark: str) -> bool:
        return mark == known.mark and all(
            was and self._mark_of_included(target, known.path) == was for target, was in known.includes.items()
        )

    def _fetch_ahead(self, path: str) -> None:
        """Tell the tree once which files come after this one."""
        if path in self._fetched:
            return
        near = [path]
        for wanted in self.queue:
            if len(near) >= AHEAD:
                break
            known = self.remembered.get(wanted.path)
            if known is None or known.mark != self._mark(wanted.path):
                near.append(wanted.path)
        self.tree.ahead(near)
        self._fetched = set(near)

    def _mark_of_included(self, target: str, below: str) -> str:
        try:
            return self._mark(self._inside(target, below))
        except FileUnreadable:
            return ""

    def _include(self, target: str, below: str, includes: dict[str, str]) -> str:
        includes[target] = self._mark_of_included(target, below)
        try:
            return self.tree.read(self._inside(target, below))
        except FileUnreadable as error:
            raise CannotRead(str(error)) from error

    def _inside(self, target: str, below: str) -> str:
        """The path that a file names, be it relative to it, from the root, or the whole address of a file of ours."""
        path = self.tree.own(target)
        return inside(target, below=below) if path is None else inside(path)

    def _said(self, begun: _Begun) -> FileRead | None:
        if begun.known is not None:
            return begun.known
        if begun.said is None:
            return None
        return file_read(self.readers.wait(begun.said), begun.wanted.path, begun.mark, begun.includes)

    # What it says beside the others.

    def _end(self, begun: _Begun) -> Taken | None:
        """What the file says, and what of it stands nowhere else; None when it cannot be read."""
        file = self._said(begun)
        if file is None:
            self._unreadable(begun.wanted, begun.trouble)
            return None
        self._note(file.problems)
        self.broken |= file.broken
        self.is_whole = self.is_whole and file.is_whole
        if file.is_known and any(seen.ref in self.first for seen in file.entities):
            file = self._anew(file)
        entities = [found for found in file.entities if self._is_first(found)]
        for found in file.kept:
            if self.first[found.ref] == (file.path, found.line):
                self.kept.append(found)
                if found.entity.document["kind"] == "Location":
                    self._follow(found)
        return Taken(file, entities)  # type: ignore[arg-type]

    def _unreadable(self, wanted: _Wanted, sentence: str) -> None:
        if not wanted.named_in and self.is_single:
            raise SourceUnreadable(sentence, field="path")
        if not wanted.is_optional:
            self._problem(wanted.named_in or wanted.path, wanted.line, "unreadable-file", sentence)
            self.is_whole = False

    def _is_first(self, found: FoundEntity | Remnant) -> bool:
        here = (found.path, found.line)
        first = self.first.setdefault(found.ref, here)
        if first is here:
            return True
        sentence = f"{found.ref} stands here and in {first[0]}, line {first[1]}; the first one counts."
        if isinstance(found, FoundEntity):  # so it is, unless the file went in this moment
            self._note([finding_at(found.path, "described-twice", sentence, found.entity)])
        return False

    def _follow(self, found: FoundEntity) -> None:
        spec: dict[str, Any] = found.entity.document["spec"]
        targets = [*([spec["target"]] if "target" in spec else []), *spec.get("targets", [])]
        for target in targets:
            try:
                paths = matching(self.tree, self._inside(target, found.path))
            except (FileUnreadable, SourceUnreadable) as error:
                self._note([finding_at(found.path, "location", f"`{target}`: {error}", found.entity)])
                continue
            for each in paths:
                if each not in self.seen:
                    self.seen.add(each)
                    self.queue.append(_Wanted(each, spec.get("presence") == "optional", found.path, found.line))


def _first(tree: Tree, start: str) -> list[str]:
    try:
        first = matching(tree, start)
    except FileUnreadable as error:
        raise SourceUnreadable(str(error), field="path") from error
    if start == "**":
        # All of an upload: what stands beside descriptors, such as a README, is none.
        first = [path for path in first if path.lower().endswith((".yaml", ".yml"))] or first
    if not first and tree.revision != "":
        raise SourceUnreadable(f'No file of this source matches "{start}".', field="path")
    return first
