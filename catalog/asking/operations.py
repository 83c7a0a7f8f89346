"""The operations of an OpenAPI definition, for search: read in one pass, and nothing else of it.

A definition may be large and is somebody's text. What reads it here is no parser of YAML: of block style it follows the
indents from `paths:` on, JSON is read as JSON; of any other style it sees no operations, and search then does not find
them. Nothing can fail here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from catalog.asking.words import split_words

METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
MOST = 400
MOST_TEXT = 1_000_000
LONGEST = 300

_LINE = re.compile(r"^( *)(?:\"([^\"]+)\"|'([^']+)'|([^\s#:'\"-][^:]*|/[^\s]*?)):(?:[ \t]+(.*))?$")


@dataclass(frozen=True)
class NamedOperation:
    """`method` in capitals; `name` is its operationId, "" where it has none."""

    method: str
    path: str
    name: str = ""
    summary: str = ""

    @property
    def title(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def words(self) -> list[str]:
        """What finds it."""
        return split_words(f"{self.title} {self.name} {self.summary}")

    def has(self, words: Iterable[str]) -> bool:
        """Whether it has all these words, or words that begin so."""
        mine = self.words
        return all(any(one.startswith(word) for one in mine) for word in words)


def operations_of(definition: object) -> list[NamedOperation]:
    """Those of an OpenAPI (or Swagger) definition as its author wrote it; none for anything else."""
    if not isinstance(definition, str) or not _is_openapi(definition):
        return []
    text = definition[:MOST_TEXT]
    found = _of_json(text) if text.lstrip().startswith("{") else _of_yaml(text)
    return [one for one, _ in zip(found, range(MOST), strict=False)]


def _is_openapi(definition: str) -> bool:
    start = definition[:2_000].lower()
    return "openapi" in start or "swagger" in start


def _of_json(text: str) -> Iterator[NamedOperation]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return
    paths = document.get("paths") if isinstance(document, dict) else None
    for path, item in paths.items() if isinstance(paths, dict) else ():
        for method, said in item.items() if isinstance(item, dict) else ():
            if method.lower() in METHODS:
                fields = said if isinstance(said, dict) else {}
                yield _operation(method, path, fields)


def _operation(method: str, path: str, fields: dict[str, Any]) -> NamedOperation:
    name, summary = fields.get("operationId"), fields.get("summary")
    return NamedOperation(
        method.upper(),
        path[:LONGEST],
        name[:LONGEST] if isinstance(name, str) else "",
        summary[:LONGEST] if isinstance(summary, str) else "",
    )


def _of_yaml(text: str) -> Iterator[NamedOperation]:
    """Keys at three depths below `paths:`: a path, a method, and what is said of it."""
    depths: list[int] = []
    path, method, fields = "", "", dict[str, Any]()
    for indent, key, value in _keys_below_paths(text):
        while depths and indent < depths[-1]:
            depths.pop()
        if not depths or indent > depths[-1]:
            depths.append(indent)
        if len(depths) <= 2 and method:
            yield _operation(method, path, fields)
            method, fields = "", {}
        if len(depths) == 1:
            path = key if key.startswith("/") else ""
        elif len(depths) == 2 and path and key.lower() in METHODS:
            method = key
        elif len(depths) == 3 and method and key in ("operationId", "summary"):
            fields.setdefault(key, value.strip("\"' "))
    if method:
        yield _operation(method, path, fields)


def _keys_below_paths(text: str) -> Iterator[tuple[int, str, str]]:
    is_inside = False
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        indent, key = len(match[1]), (match[2] or match[3] or match[4] or "").strip()
        if not indent:
            is_inside = key == "paths"
        elif is_inside:
            yield indent, key, match[5] or ""
