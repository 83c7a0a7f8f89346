"""Reads a YAML stream into plain data with a line for every field, bounded against hostile input.

The scalars follow YAML 1.2's core schema, as every other reader of `catalog-info.yaml` does: `NO` stays the text "NO",
`2024-01-01` stays text, `<<` is an ordinary key. Nothing here ever builds an object of a class named in the input.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from catalog.descriptors.findings import Finding

MAX_BYTES = 1024 * 1024
MAX_ALIASES = 100
MAX_DEPTH = 64
MAX_NODES = 100_000
MAX_DOCUMENTS = 1000
MAX_DIGITS = 40

FieldPath = tuple[str | int, ...]

_MARKER = re.compile(r"^(---|\.\.\.)(?=\s|$)")
_NULL = re.compile(r"^(~|null|Null|NULL)?$")
_TRUE = re.compile(r"^(true|True|TRUE)$")
_FALSE = re.compile(r"^(false|False|FALSE)$")
_INT = re.compile(r"^[-+]?[0-9]+$")
_OCTAL = re.compile(r"^0o[0-7]+$")
_HEX = re.compile(r"^0x[0-9a-fA-F]+$")
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_NOT_A_NUMBER = re.compile(r"^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$")


@dataclass(frozen=True)
class Document:
    """One document of a stream: its data, the line it starts on, the line of each field and its text as written."""

    value: Any
    line: int
    lines: Mapping[FieldPath, int] = field(default_factory=dict)
    raw: str = ""

    def line_of(self, path: FieldPath) -> int:
        """The line of the field, or of the nearest field around it that was written."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[:-1]
        return self.line


class Unreadable(Exception):
    """One document cannot be read: a sentence and the line (counted in the whole file)."""

    def __init__(self, sentence: str, line: int, code: str = "yaml-syntax") -> None:
        super().__init__(sentence)
        self.sentence, self.line, self.code = sentence, line, code


def read_stream(text: str, path: str) -> tuple[list[Document], list[Finding]]:
    """Every document that can be read, and a finding for every one that cannot. Empty documents are left out."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        return [], [Finding(path, 1, "too-large", _too_large(size))]
    documents: list[Document] = []
    findings: list[Finding] = []
    for number, (first_line, chunk) in enumerate(split_documents(text)):
        if number >= MAX_DOCUMENTS:
            sentence = f"The file holds more than {MAX_DOCUMENTS} documents. Split it into several files."
            findings.append(Finding(path, first_line, "too-many-documents", sentence))
            break
        try:
            document = read_document(chunk, first_line)
        except Unreadable as problem:
            findings.append(Finding(path, problem.line, problem.code, problem.sentence))
        else:
            if document.value is not None:
                documents.append(document)
    return documents, findings


def _too_large(size: int) -> str:
    return f"The file is {size / MAX_BYTES:.1f} MiB; a descriptor file may have at most 1 MiB. Split it."


def split_documents(text: str) -> Iterator[tuple[int, str]]:
    """(first line, text) of each document; YAML forbids a marker at column 0 anywhere else, so lines are enough."""
    start, chunk = 1, list[str]()
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(keepends=True), start=1):
        if _MARKER.match(line):
            if _has_content(chunk):
                yield start, "".join(chunk)
            start, chunk = number, []
            if line.startswith("..."):
                continue
        chunk.append(line)
    if _has_content(chunk):
        yield start, "".join(chunk)


def _has_content(lines: list[str]) -> bool:
    """False for a part made of blank lines, comments, directives and a bare marker."""
    return any((text := line.strip()) and text != "---" and text[0] not in "#%" for line in lines)


def read_document(text: str, first_line: int = 1) -> Document:
    """The one document in `text`; raises Unreadable."""
    try:
        builder = _Builder(first_line)
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise Unreadable(_syntax_sentence(error), first_line + _line_of(error)) from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise Unreadable(
            "The text holds characters that YAML does not allow.", first_line, "yaml-characters"
        ) from error
    return Document(builder.value, builder.line or first_line, builder.lines, text)


def _line_of(error: yaml.MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return mark.line if mark else 0


def _syntax_sentence(error: yaml.MarkedYAMLError) -> str:
    problem = (error.problem or "cannot be read").strip()
    context = f" {error.context.strip()}" if error.context else ""
    column = f", column {error.problem_mark.column + 1}" if error.problem_mark else ""
    hint = _HINTS.get(problem, "")
    return f"This is not valid YAML: {problem}{context}{column}.{hint}"


_HINTS = {
    "mapping values are not allowed in this context": ' A value that holds ": " needs quotes around it.',
    "found character that cannot start any token": " Indent with spaces; quote a value that starts with @, ` or %.",
    "did not find expected key": " Check the indentation of this line and the one above.",
    "found unexpected end of stream": " A quote or bracket is opened and never closed.",
}


@dataclass
class _Open:
    """A collection under construction."""

    value: dict[str, Any] | list[Any]
    path: FieldPath
    anchor: str | None
    key: str | None = None
    size: int = 1


class _Builder:
    """Turns parser events into data; counts depth, aliases and expanded nodes before they can cost anything."""

    def __init__(self, first_line: int) -> None:
        self.offset = first_line
        self.value: Any = None
        self.line = 0
        self.lines: dict[FieldPath, int] = {}
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.open_anchors: set[str] = set()
        self.aliases = 0
        self.nodes = 0

    def take(self, event: yaml.Event) -> None:
        line = self.offset + (event.start_mark.line if event.start_mark else 0)
        if isinstance(event, yaml.ScalarEvent):
            self._take_scalar(event, line)
        elif isinstance(event, yaml.AliasEvent):
            self._take_alias(event.anchor or "", line)
        elif isinstance(event, yaml.MappingStartEvent):
            self._open({}, event.anchor, line)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._open([], event.anchor, line)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._close(line)

    def _take_scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if "\0" in event.value:
            raise Unreadable("A value holds a NUL character; remove it.", line, "yaml-characters")
        parent = self.stack[-1] if self.stack else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            self._take_key(parent, event.value, line)
            return
        value = _scalar(event, line)
        if event.anchor:
            self.anchors[event.anchor] = (value, 1)
        self._add(value, 1, line)

    def _take_key(self, parent: _Open, key: str, line: int) -> None:
        if key in parent.value:
            first = self.lines[(*parent.path, key)]
            raise Unreadable(
                f'The key "{key}" stands here and on line {first}; a key may appear once.', line, "duplicate-key"
            )
        parent.key = key
        self.lines[(*parent.path, key)] = line

    def _take_alias(self, anchor: str, line: int) -> None:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise Unreadable(f"The document uses more than {MAX_ALIASES} aliases (*name).", line, "too-many-aliases")
        if anchor in self.open_anchors:
            raise Unreadable(f"The alias *{anchor} lies inside what it repeats.", line, "alias-loop")
        if anchor not in self.anchors:
            raise Unreadable(f"The alias *{anchor} repeats something that is not marked &{anchor} above.", line)
        if self.stack and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None:
            raise Unreadable("An alias cannot be a key.", line, "complex-key")
        value, size = self.anchors[anchor]
        self._add(value, size, line)

    def _open(self, value: dict[str, Any] | list[Any], anchor: str | None, line: int) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise Unreadable(f"The document is nested more than {MAX_DEPTH} levels deep.", line, "too-deep")
        if self.stack and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None:
            raise Unreadable("A key must be plain text, not a list or a mapping.", line, "complex-key")
        if anchor:
            self.open_anchors.add(anchor)
        self.line = self.line or line
        self.stack.append(_Open(value, self._next_path(line), anchor))

    def _close(self, line: int) -> None:
        done = self.stack.pop()
        if done.anchor:
            self.open_anchors.discard(done.anchor)
            self.anchors[done.anchor] = (done.value, done.size)
        self._add(done.value, done.size, line)

    def _next_path(self, line: int) -> FieldPath:
        if not self.stack:
            return ()
        parent = self.stack[-1]
        if isinstance(parent.value, dict):
            return (*parent.path, parent.key or "")
        path = (*parent.path, len(parent.value))
        self.lines.setdefault(path, line)
        return path

    def _add(self, value: Any, size: int, line: int) -> None:
        self.nodes += 1
        if size > MAX_NODES or self.nodes > MAX_NODES:
            raise Unreadable("The document grows too large when its aliases are expanded.", line, "too-large")
        if not self.stack:
            self.value, self.line = value, self.line or line
            return
        parent = self.stack[-1]
        parent.size += size
        if isinstance(parent.value, dict):
            parent.value[parent.key or ""] = value
            parent.key = None
        else:
            self.lines.setdefault((*parent.path, len(parent.value)), line)
            parent.value.append(value)


def _scalar(event: yaml.ScalarEvent, line: int) -> Any:
    """The value of a scalar by YAML 1.2's core schema; quoted and block scalars are always text."""
    text: str = event.value
    if event.style or event.tag in ("tag:yaml.org,2002:str", "!"):
        return text
    if _NULL.match(text):
        return None
    if _TRUE.match(text) or _FALSE.match(text):
        return text[0] in "tT"
    if _NOT_A_NUMBER.match(text):
        raise Unreadable(f"{text} is not a number that can be kept. Put it in quotes if text is meant.", line, "number")
    return _number(text, line)


def _number(text: str, line: int) -> Any:
    is_integer = bool(_INT.match(text) or _OCTAL.match(text) or _HEX.match(text))
    if not is_integer and not _FLOAT.match(text):
        return text
    if len(text) > MAX_DIGITS:
        raise Unreadable("This number is too long to be kept exactly. Put it in quotes.", line, "number")
    if is_integer:
        return int(text, 10) if _INT.match(text) else int(text, 0)
    value = float(text)
    if math.isinf(value):
        raise Unreadable(f"{text} is too large for a number. Put it in quotes.", line, "number")
    return value
