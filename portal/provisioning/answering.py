"""What the review page shows of answers and files: grouped, nested and masked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from portal.goldenpaths.models import Version
from portal.goldenpaths.questions import schemas
from portal.goldenpaths.questions.answers import is_nested, is_secret, option_key
from portal.goldenpaths.questions.forms import pages_of
from portal.goldenpaths.questions.schemas import Schema
from portal.goldenpaths.questions.unseen import is_unseen, mask_of
from portal.provisioning.acting.pretence import HIDDEN, PreviewFile

# Questions whose answers are references.
PICKERS = frozenset({"OwnerPicker", "EntityPicker", "OwnedEntityPicker", "MyGroupsPicker"})


@dataclass(slots=True)
class Folder:
    """A folder of the preview's file tree; files carry the number of their panel on the page."""

    name: str
    folders: list[Folder] = field(default_factory=list)
    files: list[tuple[str, int, PreviewFile]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answered:
    """The answers of one page: labels and texts. Those texts that are references are in `refs`: pages show titles."""

    number: int
    title: str
    rows: list[tuple[str, str]]
    refs: frozenset[str] = frozenset()


def tree_of(files: Sequence[PreviewFile]) -> Folder:
    """The files as a tree."""
    root = Folder("")
    for number, file in enumerate(files, start=1):
        *folders, name = file.path.split("/")
        here = root
        for part in folders:
            below = next((one for one in here.folders if one.name == part), None)
            if below is None:
                below = Folder(part)
                here.folders.append(below)
            here = below
        here.files.append((name, number, file))
    return root


def shown_answers(version: Version, values: Mapping[str, Any]) -> list[Answered]:
    """Every answer that was given, by page, as a person reads it."""
    return [
        Answered(page.number, page.title, _rows(page.schema, values), frozenset(_refs(page.schema, values)))
        for page in pages_of(version)
    ]


def refs_in(answered: Sequence[Answered]) -> list[str]:
    """Every reference among the answers, to be named."""
    return [ref for page in answered for ref in page.refs]


def _refs(schema: Schema, values: Mapping[str, Any]) -> Iterator[str]:
    resolved = schemas.resolve(schema, values)
    for name, child in resolved["properties"].items():
        value = values.get(name)
        if is_nested(child) and isinstance(value, Mapping):
            yield from _refs(child, value)
        elif isinstance(value, str) and child.get("ui:field") in PICKERS and ":" in value:
            yield value


def _rows(schema: Schema, values: Mapping[str, Any], lead: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    resolved = schemas.resolve(schema, values)
    for name in schemas.ordered(resolved):
        child = resolved["properties"][name]
        value = values.get(name)
        review = child.get("ui:backstage", {}).get("review", {})
        if value is None or is_secret(child) or review.get("show") is False or child.get("ui:widget") == "hidden":
            continue
        label = f"{lead}{review.get('name') or child.get('title') or name}"
        if is_nested(child) and isinstance(value, Mapping):
            rows += _rows(child, value, f"{label}: ")
        else:
            rows.append((label, _text(child, value)))
    return rows


def _text(schema: Schema, value: Any) -> str:
    if is_unseen(schema):
        return mask_of(schema) or HIDDEN
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, list):
        return ", ".join(option_key(item) for item in value)
    options, names = schema.get("enum") or [], schema.get("enumNames") or []
    if value in options and options.index(value) < len(names):
        return str(names[options.index(value)])
    return option_key(value)
