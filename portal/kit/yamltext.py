"""The one reader of YAML: plain data with a line for every field, bounded against hostile input.

The scalars follow YAML 1.2's core schema, as every other reader of `catalog-info.yaml` does: `NO` stays the text "NO",
`2024-01-01` stays text. Merge keys (`<<`) are merged: what stands in the mapping itself goes first. Nothing here ever
builds an object of a class named in the input.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from portal.kit.errors import Invalid
from portal.kit.plain import odd_character

MAX_BYTES = 1024 * 1024
MAX_ALIASES = 100
MAX_DEPTH = 64
MAX_NODES = 100_000
MAX_DOCUMENTS = 1000
MAX_DIGITS = 40

FieldPath = tuple[str | int, ...]
MERGE = "<<"
_YAMLS_OWN = "tag:yaml.org,2002:"
_TYPES = frozenset({"str", "int", "float", "bool", "null", "map", "seq"})

_MARKER = re.compile(r"^(---|\.\.\.)(?=\s|$)")
# Begins as no null, truth value or number does.
_PLAIN = re.compile(r"[^\W\dnNtTfF_]")
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
    """One document of a stream: its data, the line it starts on, the line of each field and its text as written, which
    begins on `raw_line`: what stands above the first field belongs to it."""

    data: Any
    first_line: int = 1
    lines: Mapping[FieldPath, int] = field(default_factory=dict)
    values: Mapping[FieldPath, int] = field(default_factory=dict)
    raw: str = ""
    raw_line: int = 1

    def line_of(self, path: FieldPath) -> int:
        """The line where the field is named, or the nearest field around it that was written."""
        return _nearest(self.lines, path, self.first_line)

    def line(self, path: FieldPath = ()) -> int:
        """The line where the field's value begins (below its | or >), or that of the nearest field around it."""
        return _nearest(self.values, path, self.first_line)


def _nearest(lines: Mapping[FieldPath, int], path: FieldPath, otherwise: int) -> int:
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return otherwise


class Unreadable(Exception):
    """One document cannot be read: a sentence and the line (counted in the whole file)."""

    def __init__(self, sentence: str, line: int, code: str = "yaml-syntax") -> None:
        super().__init__(sentence)
        self.sentence, self.line, self.code = sentence, line, code


def read_documents(text: str) -> Iterator[Document | Unreadable]:
    """Every document that can be read, and the trouble of every one that cannot. Empty ones are left out."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        yield Unreadable(_too_large(size), 1, "too-large")
        return
    for number, (first_line, chunk) in enumerate(split_documents(text)):
        if number >= MAX_DOCUMENTS:
            sentence = f"The file holds more than {MAX_DOCUMENTS} documents. Split it into several files."
            yield Unreadable(sentence, first_line, "too-many-documents")
            return
        try:
            document = read_document(chunk, first_line)
        except Unreadable as trouble:
            yield trouble
        else:
            if document.data is not None:
                yield document


class YamlError(Invalid):
    """A YAML text cannot be read: what is wrong, in which file and on which line."""

    code = "yaml-error"

    def __init__(self, sentence: str, path: str, line: int) -> None:
        super().__init__(f"{path}, line {line}: {sentence}", detail={"path": path, "line": line})
        self.sentence = sentence
        self.path = path
        self.line = line


def load_all(text: str, path: str) -> list[Document]:
    """Every document of a text that must be right as a whole. Raises YamlError at the first that is not."""
    documents = []
    for document in read_documents(text):
        if isinstance(document, Unreadable):
            raise YamlError(document.sentence, path, document.line) from None
        documents.append(document)
    return documents


def _too_large(size: int) -> str:
    return f"The file is {size / MAX_BYTES:.1f} MiB; a file may have at most 1 MiB. Split it."


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
        for event in _events(text):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise Unreadable(_syntax_sentence(error), first_line + _line_of(error)) from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise Unreadable(
            "The text holds characters that YAML does not allow.", first_line, "yaml-characters"
        ) from error
    return Document(builder.value, builder.line or first_line, builder.lines, builder.values, text, first_line)


def _events(text: str) -> Iterator[yaml.Event]:
    """What the parser sees, to the end. `yaml.parse` would ask twice for each."""
    loader = yaml.CSafeLoader(text)
    try:
        following = loader.get_event
        while (event := following()) is not None:
            yield event
    finally:
        loader.dispose()


@dataclass(frozen=True, slots=True)
class Span:
    """Where a word stands: the line from 1, the column from 0, and the text as it is written there, quotes included."""

    line: int
    column: int
    text: str


@dataclass(frozen=True)
class Spans:
    """Where the keys and the plain or quoted values of a document stand, each on one line. Others have no place."""

    keys: Mapping[FieldPath, Span]
    values: Mapping[FieldPath, Span]


def spans_of(document: Document) -> Spans:
    """The places in a document that was read; what a merge key or an alias brought has none."""
    finder = _Finder(document.raw, document.raw_line)
    for event in _events(document.raw):
        finder.take(event)
    return Spans(finder.keys, finder.values)


class _Finder:
    """Walks the events of a document that _Builder has admitted, and remembers where its words stand."""

    def __init__(self, text: str, first_line: int) -> None:
        self.lines = text.splitlines()
        self.first_line = first_line
        # (path, the key that waits for its value; for a list the next index)
        self.stack: list[tuple[FieldPath, str | int | None]] = []
        self.keys: dict[FieldPath, Span] = {}
        self.values: dict[FieldPath, Span] = {}

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._word(event)
        elif isinstance(event, yaml.AliasEvent):
            self._done()
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self.stack.append((self._path(), None if isinstance(event, yaml.MappingStartEvent) else 0))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self.stack.pop()
            self._done()

    def _word(self, event: yaml.ScalarEvent) -> None:
        if self.stack and self.stack[-1][1] is None:
            path = self.stack[-1][0]
            self.stack[-1] = (path, event.value)
            if span := self._span(event):
                self.keys[(*path, event.value)] = span
            return
        if span := self._span(event):
            self.values[self._path()] = span
        self._done()

    def _span(self, event: yaml.ScalarEvent) -> Span | None:
        begin, end = event.start_mark, event.end_mark
        if begin is None or end is None or begin.line != end.line:
            return None
        if event.anchor or event.tag or event.style in ("|", ">"):
            return None
        text = self.lines[begin.line][begin.column : end.column].rstrip() if begin.line < len(self.lines) else ""
        return Span(self.first_line + begin.line, begin.column, text) if text else None

    def _path(self) -> FieldPath:
        if not self.stack:
            return ()
        path, at = self.stack[-1]
        return (*path, "" if at is None else at)

    def _done(self) -> None:
        """A value has ended: the next word of a mapping is a key, of a list the next entry."""
        if self.stack:
            path, at = self.stack[-1]
            self.stack[-1] = (path, at + 1 if isinstance(at, int) else None)


def _line_of(error: yaml.MarkedYAMLError) -> int:
    """What is never closed is noticed at the end of the file; where it was opened helps more."""
    opened = error.context_mark if "end of stream" in (error.problem or "") else None
    mark = opened or error.problem_mark or error.context_mark
    return mark.line if mark else 0


def _syntax_sentence(error: yaml.MarkedYAMLError) -> str:
    problem = (error.problem or "cannot be read").strip()
    context = f" {error.context.strip()}" if error.context else ""
    is_open = "end of stream" in problem
    column = f", column {error.problem_mark.column + 1}" if error.problem_mark and not is_open else ""
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
    # What the merge key `<<` brings, with its line; None while the mapping has none.
    merged: tuple[Any, int] | None = None
    is_merging: bool = False


class _Builder:
    """Turns parser events into data; counts depth, aliases and expanded nodes before they can cost anything."""

    def __init__(self, first_line: int) -> None:
        self.offset = first_line
        self.value: Any = None
        self.line = 0
        self.lines: dict[FieldPath, int] = {}
        self.values: dict[FieldPath, int] = {}
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.open_anchors: set[str] = set()
        self.aliases = 0
        self.nodes = 0

    def take(self, event: yaml.Event) -> None:
        line = self.offset + (event.start_mark.line if event.start_mark else 0)
        # The parser makes no others; asking with isinstance is a tenth of all reading.
        if type(event) is yaml.ScalarEvent:
            self._take_scalar(event, line)
        elif type(event) is yaml.MappingEndEvent or type(event) is yaml.SequenceEndEvent:
            self._close(line)
        elif type(event) is yaml.MappingStartEvent:
            _check_tag(event.tag, line)
            self._open({}, event.anchor, line)
        elif type(event) is yaml.SequenceStartEvent:
            _check_tag(event.tag, line)
            self._open([], event.anchor, line)
        elif type(event) is yaml.AliasEvent:
            self._take_alias(event.anchor or "", line)

    def _take_scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if code := odd_character(event.value):
            raise Unreadable(
                f"A value holds the character {code}, which cannot be kept; remove it.", line, "yaml-characters"
            )
        parent = self.stack[-1] if self.stack else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            is_plain = event.implicit[0] and not event.style
            self._take_key(parent, event.value, line, is_merge=event.value == MERGE and is_plain)
            return
        _check_tag(event.tag, line)
        value = _scalar(event, line)
        if event.anchor:
            self.anchors[event.anchor] = (value, 1)
        # A block scalar's text begins on the line after its | or >.
        self.values[self._next_path(line)] = line + (event.style in ("|", ">"))
        self._add(value, 1, line)

    def _take_key(self, parent: _Open, key: str, line: int, *, is_merge: bool) -> None:
        if is_merge and parent.merged is not None:
            raise Unreadable(
                f"The merge key << stands here and on line {parent.merged[1]}; write << once, with a list of mappings.",
                line,
                "duplicate-key",
            )
        if is_merge:
            parent.is_merging = True
        elif key in parent.value:
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
        self.values[self._next_path(line)] = line
        self._add(value, size, line)

    def _open(self, value: dict[str, Any] | list[Any], anchor: str | None, line: int) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise Unreadable(f"The document is nested more than {MAX_DEPTH} levels deep.", line, "too-deep")
        if self.stack and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None:
            raise Unreadable("A key must be plain text, not a list or a mapping.", line, "complex-key")
        if anchor:
            self.open_anchors.add(anchor)
        self.line = self.line or line
        path = self._next_path(line)
        self.values[path] = line
        self.stack.append(_Open(value, path, anchor))

    def _close(self, line: int) -> None:
        done = self.stack.pop()
        if done.merged is not None:
            self._merge(done, *done.merged)
        if done.anchor:
            self.open_anchors.discard(done.anchor)
            self.anchors[done.anchor] = (done.value, done.size)
        self._add(done.value, done.size, line)

    def _merge(self, done: _Open, brought: Any, line: int) -> None:
        """Adds what << brings and the mapping itself does not have; of several mappings the first one counts."""
        mappings = brought if isinstance(brought, list) else [brought]
        if not all(isinstance(each, dict) for each in mappings):
            raise Unreadable(
                "The merge key << takes a mapping (*name) or a list of mappings. Name one, or put << in quotes if the "
                "text is meant as a key.",
                line,
                "merge-key",
            )
        assert isinstance(done.value, dict)
        for mapping in mappings:
            for key, value in mapping.items():
                if key not in done.value:
                    done.value[key] = value
                    self.lines[(*done.path, key)] = self.values[(*done.path, key)] = line

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
        if isinstance(parent.value, dict) and parent.is_merging:
            parent.merged, parent.is_merging, parent.key = (value, line), False, None
        elif isinstance(parent.value, dict):
            parent.value[parent.key or ""] = value
            parent.key = None
        else:
            self.lines.setdefault((*parent.path, len(parent.value)), line)
            parent.value.append(value)


def _check_tag(tag: str | None, line: int) -> None:
    """YAML's types beyond JSON's could not be kept; a tag of somebody's own says nothing here and is passed over."""
    if tag and tag.startswith(_YAMLS_OWN) and tag.removeprefix(_YAMLS_OWN) not in _TYPES:
        raise Unreadable(f"The tag !!{tag.removeprefix(_YAMLS_OWN)} is not known here; leave it out.", line, "yaml-tag")


def _scalar(event: yaml.ScalarEvent, line: int) -> Any:
    """The value of a scalar by YAML 1.2's core schema; quoted and block scalars are always text."""
    text: str = event.value
    if event.style or event.tag in ("tag:yaml.org,2002:str", "!") or _PLAIN.match(text):
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
        raise Unreadable(f"{text} is not a number that can be kept: it is too large. Put it in quotes.", line, "number")
    return value
