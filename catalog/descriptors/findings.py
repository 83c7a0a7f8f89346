"""What is wrong with a file, an entity or a launch: one type from reader to page; the `Problem` row keeps it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as aside
from typing import Any

from catalog.descriptors.problemkinds import ProblemKind, Severity, kind_of_problem

# Lines of an excerpt on each side of the one that is meant, and characters of a line.
AROUND = 2
WIDEST = 160
# What neither the database nor a page can hold; a \ufffd stands in its place.
UNKEPT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


class StaleEdit(Exception):
    """The file no longer reads what an edit would change."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The lines around a place, `first` being the number of the first of them.

    line    the one that is meant
    column  where on that line it begins, from 0, and `length` characters of it; the whole line where length is 0
    """

    first: int
    lines: tuple[str, ...]
    line: int
    column: int = 0
    length: int = 0

    @property
    def caret(self) -> str:
        """The line below the one that is meant, pointing at the place: `      ^^^^`."""
        at = self.lines[self.line - self.first] if 0 <= self.line - self.first < len(self.lines) else ""
        begin, length = (self.column, self.length) if self.length else (len(at) - len(at.lstrip()), len(at.strip()))
        return " " * begin + "^" * max(1, length)

    @property
    def numbered(self) -> list[tuple[int, str, bool]]:
        """(number, text, whether it is the one that is meant); a tab is seen, and one character wide."""
        lines = (text.replace("\t", "→") for text in self.lines)
        return [(number, text, number == self.line) for number, text in enumerate(lines, start=self.first)]

    def text(self) -> str:
        """For terminals: numbered lines with the caret under the one that is meant."""
        width = len(str(self.first + len(self.lines)))
        said = []
        for number, text, is_meant in self.numbered:
            said.append(f"{'>' if is_meant else ' '} {number:>{width}} | {text}")
            if is_meant:
                said.append(f"  {'':>{width}} | {self.caret}")
        return "\n".join(said)

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "first": self.first,
            "lines": list(self.lines),
            "line": self.line,
            "column": self.column,
            "length": self.length,
        }


def excerpt_of(lines: Sequence[str], line: int, *, first: int = 1, column: int = 0, length: int = 0) -> Excerpt | None:
    """The excerpt around a line of a text whose first line has the number `first`; None where there is no such line."""
    at = line - first
    if not 0 <= at < len(lines):
        return None
    begin = max(0, at - AROUND)
    shown = tuple(UNKEPT.sub("\ufffd", each.rstrip("\r\n")[:WIDEST]) for each in lines[begin : at + AROUND + 1])
    if column + length > WIDEST:
        column = length = 0
    return Excerpt(first + begin, shown, line, column, length)


@dataclass(frozen=True, slots=True)
class Edit:
    """A mend that a machine can make: at this line and column (from 0) the file reads `was`; it should read `text`."""

    path: str
    line: int
    column: int
    was: str
    text: str

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {"path": self.path, "line": self.line, "column": self.column, "was": self.was, "text": self.text}


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text with the edits made; raises StaleEdit where it reads something else by now."""
    lines = text.splitlines(keepends=True)
    for edit in sorted(set(edits), key=lambda each: (each.line, each.column), reverse=True):
        at = edit.line - 1
        line = lines[at] if 0 <= at < len(lines) else ""
        if not edit.was or not line.startswith(edit.was, edit.column):
            raise StaleEdit(f"{edit.path}, line {edit.line} does not read {edit.was!r} any more.")
        lines[at] = line[: edit.column] + edit.text + line[edit.column + len(edit.was) :]
    return "".join(lines)


def patch_of(path: str, before: str, after: str, *, first: int = 1) -> str:
    """The change as a patch that `git apply` takes; the texts are whole files, or the same part of one that begins on
    the line `first`."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    lines = []
    for line in difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", n=max(len(old), len(new)) if first > 1 else 3):
        if line.startswith("@@"):
            line = f"@@ -{first},{len(old)} +{first},{len(new)} @@\n" if first > 1 else line
        lines.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(lines)


@dataclass(frozen=True, order=True)
class Finding:
    """One thing wrong: file path inside the source, line from 1, a stable code, a sentence, and the entity if known.

    What no file says, such as a relation that leads nowhere, has no path and line 0. What helps to see and to mend it
    is no part of what it is: two findings are the same when their first five fields are.
    """

    path: str
    line: int
    code: str
    sentence: str
    entity_ref: str = ""
    field: str = aside(default="", compare=False)
    owner_ref: str = aside(default="", compare=False)
    excerpt: Excerpt | None = aside(default=None, compare=False)
    edit: Edit | None = aside(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.sentence}" if self.path else self.sentence

    @property
    def kind(self) -> ProblemKind:
        """What is said of all problems with this code."""
        return kind_of_problem(self.code)

    @property
    def severity(self) -> Severity:
        return self.kind.severity

    @property
    def is_error(self) -> bool:
        """Whether it keeps something out."""
        return self.severity == "error"

    @property
    def expected(self) -> str:
        return self.kind.expected

    @property
    def mend(self) -> str:
        return self.kind.mend

    def plain(self) -> dict[str, Any]:
        """As JSON: what the check for pipelines answers, and what jobs keep."""
        return {
            "code": self.code,
            "severity": self.severity,
            "title": self.kind.title,
            "path": self.path,
            "line": self.line,
            "field": self.field,
            "entityRef": self.entity_ref,
            "sentence": self.sentence,
            "expected": self.expected,
            "mend": self.mend,
            "excerpt": self.excerpt.plain() if self.excerpt else None,
            "edit": self.edit.plain() if self.edit else None,
        }


def excerpt_from(plain: dict[str, Any] | None) -> Excerpt | None:
    """The excerpt that `plain()` made."""
    return Excerpt(**{**plain, "lines": tuple(plain["lines"])}) if plain else None


def edit_from(plain: dict[str, Any] | None) -> Edit | None:
    """The edit that `plain()` made."""
    return Edit(**plain) if plain else None


def found_in(plain: Mapping[str, Any]) -> Finding:
    """The finding that `plain()` made."""
    return Finding(
        plain["path"],
        plain["line"],
        plain["code"],
        plain["sentence"],
        plain["entityRef"],
        plain["field"],
        excerpt=excerpt_from(plain["excerpt"]),
        edit=edit_from(plain["edit"]),
    )
