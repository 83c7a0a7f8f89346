"""What a candidate would change: steps and files against the version that is published now."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.goldenpaths.files import File
from portal.goldenpaths.models import Candidate, Version
from portal.goldenpaths.templates import step_id

# Beyond this a difference is said, not shown: a comparison must not cost a page more than a glance.
MAX_LINES = 2_000
MAX_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a difference: `mark` is "+", "-", " " or "@" for a jump."""

    mark: str
    text: str

    @property
    def kind(self) -> str:
        return {"+": "added", "-": "removed", "@": "jump"}.get(self.mark, "same")


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that differs. `note` stands where no lines can."""

    path: str
    word: str
    lines: list[DiffLine]
    note: str = ""


@dataclass(frozen=True, slots=True)
class StepChange:
    """One step that differs."""

    id: str
    action: str
    word: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """All of it; `same_files` counts what stays as it is."""

    files: list[FileChange]
    steps: list[StepChange]
    same_files: int


def compare(candidate: Candidate, current: Version | None) -> Comparison:
    """The candidate beside the published version, or beside nothing."""
    before = current.bundle() if current else {}
    after = candidate.bundle()
    paths = sorted({*before, *after})
    changes = [_file(path, before.get(path), after.get(path)) for path in paths if before.get(path) != after.get(path)]
    return Comparison(
        changes, _steps(current.document if current else None, candidate.document), len(paths) - len(changes)
    )


def _file(path: str, before: File | None, after: File | None) -> FileChange:
    word = "added" if before is None else "removed" if after is None else "changed"
    notes = []
    if before is not None and after is not None and before.is_executable != after.is_executable:
        notes.append("It may be executed now." if after.is_executable else "It may no longer be executed.")
    elif before is None and after is not None and after.is_executable:
        notes.append("It may be executed.")
    if before is not None and after is not None and before.content == after.content:
        return FileChange(path, word, [], " ".join(notes))
    old, new = _text(before), _text(after)
    if old is None or new is None:
        size = len(after.content) if after else 0
        return FileChange(path, word, [], " ".join([*notes, f"Binary or too large to show here; {size:,} bytes now."]))
    return FileChange(path, word, _lines(old, new), " ".join(notes))


def _text(file: File | None) -> list[str] | None:
    if file is None:
        return []
    text = file.text() if len(file.content) <= MAX_BYTES else None
    lines = text.splitlines() if text is not None else None
    return lines if lines is not None and len(lines) <= MAX_LINES else None


def _lines(old: list[str], new: list[str]) -> list[DiffLine]:
    said = list(difflib.unified_diff(old, new, lineterm=""))[2:]
    found = [DiffLine("@", "…") if line.startswith("@@") else DiffLine(line[:1], line[1:]) for line in said]
    return found[1:] if found and found[0].mark == "@" else found


def _steps(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[StepChange]:
    old, new = _by_id(before), _by_id(after)
    changes = [
        StepChange(identity, str(step.get("action")), "added" if identity not in old else "changed")
        for identity, step in new.items()
        if old.get(identity) != step
    ]
    gone = [
        StepChange(identity, str(step.get("action")), "removed")
        for identity, step in old.items()
        if identity not in new
    ]
    return changes + gone


def _by_id(document: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any]]:
    spec = document.get("spec") if isinstance(document, Mapping) else None
    steps = spec.get("steps") if isinstance(spec, Mapping) else None
    if not isinstance(steps, list):
        return {}
    found: dict[str, Mapping[str, Any]] = {}
    for index, step in enumerate(steps):
        if isinstance(step, Mapping):
            identity = step_id(step, index)
            # Steps that share an id, where their conditions exclude each other, are told apart by their place.
            found[identity if identity not in found else f"{identity} ({index + 1})"] = step
    return found
