"""Changes one field of a descriptor's text and nothing else: comments, order and spelling stay as they are.

Each way to write the change is tried, and the first is taken whose text reads exactly as it should: what cannot be
written safely is refused. Data in, data out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from catalog.descriptors import rules
from portal.kit.yamltext import Document, FieldPath, Unreadable, read_document

FIELDS: Mapping[str, FieldPath] = {"owner": ("spec", "owner"), "lifecycle": ("spec", "lifecycle")}
TAGS: FieldPath = ("metadata", "tags")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*(:[a-z0-9-]+/[A-Za-z0-9._-]+)?", re.ASCII)
# A scalar as it stands behind a key: quoted either way, or plain up to a comment or what ends it in braces.
_VALUE = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#,}\]\[{"'][^#,}\n]*?)"""


class CannotEdit(Exception):
    """The text is left alone; `str()` is the sentence."""


def changed(raw: str, act: str, value: str) -> str:
    """The text of one document after the act: owner, lifecycle, tag or untag. The same text where it says so already.

    Raises CannotEdit where the text is written in a way that no rule here is sure of, or would become wrong.
    """
    document = _read(raw)
    wanted = _meant(document.data, act, value)
    if wanted == document.data:
        return raw
    # What was wrong before stands for the text as it is, such as a definition that the reader puts in place of `$text`.
    known = {each.sentence for each in rules.check(document.data)}
    if broken := [each for each in rules.check(wanted) if each.sentence not in known]:
        raise CannotEdit(broken[0].sentence)
    for candidate in _candidates(document, raw.splitlines(keepends=True), act, value):
        try:
            if read_document(candidate).data == wanted:
                return candidate
        except Unreadable:
            continue
    raise CannotEdit("Its text is written in a way that cannot be changed by a machine. Change it by hand.")


def _read(raw: str) -> Document:
    try:
        document = read_document(raw)
    except Unreadable as error:
        raise CannotEdit(error.sentence) from error
    data = document.data
    if not isinstance(data, dict) or not all(isinstance(data.get(name), dict) for name in ("metadata", "spec")):
        raise CannotEdit("It has no metadata or no spec that could be changed.")
    return document


def _meant(data: dict[str, Any], act: str, value: str) -> dict[str, Any]:
    """The document as it should read."""
    after = deepcopy(data)
    if act in FIELDS:
        after["spec"][act] = value
        return after
    tags = after["metadata"].get("tags") or []
    if act == "tag" and value not in tags:
        after["metadata"]["tags"] = [*tags, value]
    elif act == "untag" and value in tags:
        left = [tag for tag in tags if tag != value]
        after["metadata"]["tags"] = left
        if not left:
            del after["metadata"]["tags"]
    return after


def _candidates(document: Document, lines: list[str], act: str, value: str) -> Iterator[str]:
    path = FIELDS.get(act, TAGS)
    at = document.lines.get(path)
    if act == "untag":
        yield from _taken_away(document, lines, value)
    elif at is None:
        yield from _put_in(document, lines, path, written(value) if act in FIELDS else f"[{written(value)}]")
    elif act == "tag":
        yield from _added(document, lines, at - 1, value)
    else:
        yield from _replaced(lines, at - 1, str(path[-1]), written(value))


def written(value: str) -> str:
    """A word as YAML; in quotes where it could be taken for something else than text."""
    plain = _PLAIN.fullmatch(value) and value.lower() not in {"true", "false", "null", "yes", "no", "on", "off"}
    return value if plain else json.dumps(value, ensure_ascii=False)


def _with(lines: list[str], at: int, *instead: str) -> str:
    return "".join([*lines[:at], *instead, *lines[at + 1 :]])


def _replaced(lines: list[str], at: int, key: str, text: str) -> Iterator[str]:
    """`owner: payments` on a line of its own or within braces."""
    for found in re.finditer(rf"(?<![\w-])(['\"]?{key}['\"]?:[ \t]+){_VALUE}(?=\s*(?:#|,|\}}|$))", lines[at]):
        yield _with(lines, at, lines[at][: found.end(1)] + text + lines[at][found.end() :])


def _put_in(document: Document, lines: list[str], path: FieldPath, text: str) -> Iterator[str]:
    """The field as the first of its mapping: under its heading, or behind its brace."""
    at = document.lines.get(path[:1])
    if at is None:
        return
    line, key = lines[at - 1], path[-1]
    inner = next((lines[n - 1] for place, n in document.lines.items() if len(place) == 2 and place[:1] == path[:1]), "")
    indent = inner[: len(inner) - len(inner.lstrip())]
    yield _with(lines, at - 1, _ended(line), f"{indent}{key}: {text}\n")
    if found := re.search(rf"(?<![\w-]){path[0]}:\s*\{{\s*", line):
        yield _with(lines, at - 1, f"{line[: found.end()]}{key}: {text}, {line[found.end() :]}")


def _ended(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n"


def _added(document: Document, lines: list[str], at: int, value: str) -> Iterator[str]:
    """One more tag: in the brackets, or below the last."""
    line = lines[at]
    for found in re.finditer(r"tags:\s*\[([^\]\n]*)\]", line):
        inner = found[1].rstrip().rstrip(",")
        text = f"{inner}, {written(value)}" if inner.strip() else written(value)
        yield _with(lines, at, f"{line[: found.start(1)]}{text}{line[found.end(1) :]}")
    last = max((n for place, n in document.lines.items() if place[:2] == TAGS and len(place) == 3), default=0)
    if last:
        item = lines[last - 1]
        indent = item[: len(item) - len(item.lstrip())]
        yield _with(lines, last - 1, _ended(item), f"{indent}- {written(value)}\n")


def _taken_away(document: Document, lines: list[str], value: str) -> Iterator[str]:
    """One tag less; with the last of them goes the heading."""
    at = document.lines[TAGS] - 1
    places = [n for place, n in document.lines.items() if place[:2] == TAGS and len(place) == 3]
    line = lines[at]
    if len(document.data["metadata"]["tags"]) == 1:
        yield "".join(lines[:at] + lines[max([*places, at + 1]) :])
        yield _with(lines, at, re.sub(r"tags:\s*\[[^\]\n]*\]\s*,?\s*", "", line))
        yield _with(lines, at, re.sub(r",\s*tags:\s*\[[^\]\n]*\]", "", line))
        return
    word = re.escape(value)
    for found in re.finditer(rf"(?<=[\[,\s])['\"]?{word}['\"]?\s*,\s*|,\s*['\"]?{word}['\"]?(?=\s*[\],])", line):
        yield _with(lines, at, line[: found.start()] + line[found.end() :])
    for place in places:
        if place - 1 != at:
            yield "".join(lines[: place - 1] + lines[place:])
