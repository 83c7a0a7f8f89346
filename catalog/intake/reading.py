"""Reads a source from its first file on: follows Locations, collects entities and what is wrong. Writes nothing."""

import hashlib
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.descriptors import relations
from catalog.descriptors.findings import Finding
from catalog.descriptors.parsing import Parsed, ParsedEntity, parse
from catalog.descriptors.placeholders import CannotRead
from catalog.intake.sources.tree import FileUnreadable, SourceUnreadable, Tree, inside, matching

MAX_FILES = 1000
MAX_ENTITIES = 20_000
# Part of every digest: raising it makes each entity be written again after a change of how they are read.
FORMAT = "2"


@dataclass(frozen=True)
class Found:
    """An entity as read, with its place."""

    entity: ParsedEntity
    path: str

    @property
    def ref(self) -> str:
        return str(self.entity.ref)

    @property
    def digest(self) -> str:
        """Changes exactly when something that is stored of the entity changes."""
        parts = [FORMAT, self.path, self.entity.line, self.entity.raw, self.entity.document]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True)
class Reading:
    """Everything a source says. `broken` are references whose text is not admitted now: what was known of them stays.
    Unless `is_whole`, some file could not be read, and nothing may be concluded from what is absent."""

    entities: list[Found] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    broken: frozenset[str] = frozenset()
    is_whole: bool = True
    revision: str = ""
    author: str = ""
    # What the rooms above took from the same files, by the room's name (see ingest.ALSO_READ).
    beside: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """One value for all of it."""
        lines = sorted(f"{found.ref} {found.digest}" for found in self.entities)
        lines += [repr(problem) for problem in self.problems]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def finding_at(path: str, code: str, sentence: str, entity: ParsedEntity) -> Finding:
    """What is wrong with an admitted entity as a whole, with the lines it begins with."""
    owner = relations.owner_of(entity.document)
    return Finding(path, entity.line, code, sentence, str(entity.ref), owner_ref=owner, excerpt=entity.excerpt())


@dataclass(frozen=True)
class _Wanted:
    path: str
    is_optional: bool = False
    named_in: str = ""
    line: int = 1


def read(tree: Tree, start: str) -> Reading:
    """Reads the file (or files, when `start` has a *) and all that their Locations name.

    Raises SourceUnreadable when there is nothing to begin with.
    """
    try:
        first = matching(tree, start)
    except FileUnreadable as error:
        raise SourceUnreadable(str(error), field="path") from error
    if start == "**":
        # All of an upload: what stands beside descriptors, such as a README, is none.
        first = [path for path in first if path.lower().endswith((".yaml", ".yml"))] or first
    if not first and tree.revision != "":
        raise SourceUnreadable(f'No file of this source matches "{start}".', field="path")
    return _Walk(tree, first, is_single="*" not in start).all()


class _Walk:
    def __init__(self, tree: Tree, first: list[str], *, is_single: bool) -> None:
        self.tree = tree
        self.is_single = is_single
        self.queue = deque(_Wanted(path) for path in first)
        self.seen = set(first)
        self.found: dict[str, Found] = {}
        self.problems: list[Finding] = []
        self.broken: set[str] = set()
        self.is_whole = True

    def all(self) -> Reading:
        files = 0
        while self.queue:
            wanted = self.queue.popleft()
            files += 1
            if files > MAX_FILES or len(self.found) > MAX_ENTITIES:
                self._problem(
                    wanted.path, 1, "too-many", f"The source names more than {MAX_FILES} files; the rest is left out."
                )
                self.is_whole = False
                break
            self._read_one(wanted)
        return Reading(
            list(self.found.values()),
            sorted(set(self.problems)),
            frozenset(self.broken - set(self.found)),
            self.is_whole,
            self.tree.revision,
            self.tree.author,
        )

    def _problem(self, path: str, line: int, code: str, sentence: str, at: ParsedEntity | None = None) -> None:
        if at is None:
            self.problems.append(Finding(path, line, code, sentence))
        else:
            self.problems.append(finding_at(path, code, sentence, at))

    def _read_one(self, wanted: _Wanted) -> None:
        try:
            text = self.tree.read(wanted.path)
        except FileUnreadable as error:
            if not wanted.named_in and self.is_single:
                raise SourceUnreadable(str(error), field="path") from error
            if not wanted.is_optional:
                self._problem(wanted.named_in or wanted.path, wanted.line, "unreadable-file", str(error))
                self.is_whole = False
            return
        parsed = parse(text, wanted.path, lambda target: self._include(target, wanted.path))
        self.problems += parsed.problems
        self.broken |= parsed.broken
        self.is_whole = self.is_whole and parsed.is_whole
        self._take(parsed, wanted.path)

    def _include(self, target: str, below: str) -> str:
        try:
            return self.tree.read(self._inside(target, below))
        except FileUnreadable as error:
            raise CannotRead(str(error)) from error

    def _inside(self, target: str, below: str) -> str:
        """The path that a file names, be it relative to it, from the root, or the whole address of a file of ours."""
        path = self.tree.own(target)
        return inside(target, below=below) if path is None else inside(path)

    def _take(self, parsed: Parsed, path: str) -> None:
        for entity in parsed.entities:
            found = Found(entity, path)
            first = self.found.setdefault(found.ref, found)
            if first is not found:
                self._problem(
                    path,
                    entity.line,
                    "described-twice",
                    f"{found.ref} stands here and in {first.path}, line {first.entity.line}; the first one counts.",
                    entity,
                )
            elif entity.document["kind"] == "Location":
                self._follow(entity, path)

    def _follow(self, entity: ParsedEntity, path: str) -> None:
        spec: dict[str, Any] = entity.document["spec"]
        targets = [*([spec["target"]] if "target" in spec else []), *spec.get("targets", [])]
        for target in targets:
            try:
                paths = matching(self.tree, self._inside(target, path))
            except (FileUnreadable, SourceUnreadable) as error:
                self._problem(path, entity.line, "location", f"`{target}`: {error}", entity)
                continue
            for each in paths:
                if each not in self.seen:
                    self.seen.add(each)
                    self.queue.append(_Wanted(each, spec.get("presence") == "optional", path, entity.line))
