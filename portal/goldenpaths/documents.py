"""Reading YAML that strangers wrote: bounded, without duplicate keys, and remembering the line of everything in it."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from portal.kit.errors import Invalid
from portal.kit.plain import odd_character

MAX_BYTES = 1024 * 1024
MAX_ALIASES = 100
MAX_DEPTH = 60
MAX_NODES = 100_000
# What JSON knows as well; a date or a binary value could not be kept.
_TAGS = {"!", *(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq"))}

Path = tuple[str | int, ...]


class YamlError(Invalid):
    """A YAML text cannot be read: what is wrong and on which line."""

    code = "yaml-error"

    def __init__(self, sentence: str, path: str, line: int) -> None:
        super().__init__(f"{path}, line {line}: {sentence}", detail={"path": path, "line": line})
        self.sentence = sentence
        self.path = path
        self.line = line


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document as data, and the line on which each of its parts stands."""

    data: Any
    lines: dict[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int:
        """The line of the part at `path`, or of the nearest part around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class _Loader(yaml.CSafeLoader):
    """YAML 1.2's core types: `on`, `yes` and dates are text, as the format's other readers have it."""

    yaml_implicit_resolvers: dict[str, Any] = {}


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:[0-9]+|0x[0-9a-fA-F]+)$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


def _decimal(loader: Any, node: yaml.ScalarNode) -> int:
    """YAML 1.2 has no octal by leading zero: 0755 is seven hundred and fifty-five."""
    text = node.value.replace("_", "")
    return int(text, 16) if "x" in text.lower() else int(text)


def _finite(loader: Any, node: yaml.ScalarNode) -> float:
    value = float(node.value.replace("_", ""))
    if not math.isfinite(value):
        raise ValueError(f"{node.value} is not a number that can be kept; put it in quotes")
    return value


_Loader.add_constructor("tag:yaml.org,2002:int", _decimal)
_Loader.add_constructor("tag:yaml.org,2002:float", _finite)


def load_all(text: str, path: str) -> list[Document]:
    """Every document of a YAML stream, empty ones left out. Raises YamlError."""
    if len(text.encode()) > MAX_BYTES:
        raise YamlError(f"The file is larger than {MAX_BYTES // 1024 // 1024} MiB.", path, 1)
    try:
        _check_events(text, path)
        return [document for document in _documents(text, path) if document.data is not None]
    except yaml.MarkedYAMLError as error:
        problem = (error.problem or error.context or "it does not parse").rstrip(".")
        # What is never closed is reported at the end of the file; where it was opened helps more.
        opened = error.context_mark if "end of stream" in problem else None
        mark = opened or error.problem_mark or error.context_mark
        raise YamlError(f"This is not valid YAML: {problem}.", path, mark.line + 1 if mark else 1) from None
    except (yaml.YAMLError, ValueError) as error:
        raise YamlError(f"This is not valid YAML: {str(error).splitlines()[0].rstrip('.')}.", path, 1) from None


def _check_events(text: str, path: str) -> None:
    """Refuse bombs before anything is built: the aliases of a small file may stand for millions of values."""
    budget = _Budget(path)
    for event in yaml.parse(text, Loader=_Loader):
        line = _line(event)
        if isinstance(event, yaml.AliasEvent):
            budget.alias(event.anchor or "", line)
        elif isinstance(event, yaml.ScalarEvent):
            _check_scalar(event, path, line)
            budget.add(1, event.anchor, line)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            _check_tag(event.tag, path, line)
            budget.open(event.anchor, line)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            budget.close(line)


class _Budget:
    """Counts how deep a file goes and how many values it would have with its aliases written out."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.aliases = 0
        self.sizes: dict[str, int] = {}
        self.stack: list[tuple[str | None, int]] = [(None, 0)]

    def alias(self, anchor: str, line: int) -> None:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise YamlError(f"The file uses more than {MAX_ALIASES} aliases.", self.path, line)
        if any(anchor == name for name, _ in self.stack):
            raise YamlError(f"The alias *{anchor} lies inside what it repeats.", self.path, line)
        self.add(self.sizes.get(anchor, 1), None, line)

    def add(self, size: int, anchor: str | None, line: int) -> None:
        if anchor:
            self.sizes[anchor] = size
        name, so_far = self.stack[-1]
        if so_far + size > MAX_NODES:
            raise YamlError("The file grows too large when its aliases are written out.", self.path, line)
        self.stack[-1] = (name, so_far + size)

    def open(self, anchor: str | None, line: int) -> None:
        if len(self.stack) > MAX_DEPTH:
            raise YamlError(f"The file is nested deeper than {MAX_DEPTH} levels.", self.path, line)
        self.stack.append((anchor, 1))

    def close(self, line: int) -> None:
        anchor, size = self.stack.pop()
        self.add(size, anchor, line)


def _check_scalar(event: yaml.ScalarEvent, path: str, line: int) -> None:
    _check_tag(event.tag, path, line)
    if code := odd_character(event.value):
        raise YamlError(f"A value holds the character {code}, which cannot be kept; remove it.", path, line)


def _check_tag(tag: str | None, path: str, line: int) -> None:
    if tag and tag not in _TAGS:
        shown = tag.replace("tag:yaml.org,2002:", "!!")
        raise YamlError(f"The tag {shown} is not known here; leave it out.", path, line)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _documents(text: str, path: str) -> Iterator[Document]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node: Any = loader.get_node()
            lines: dict[Path, int] = {}
            _index(node, (), lines, path)
            yield Document(loader.construct_document(node), lines)
    finally:
        loader.dispose()


def _index(node: yaml.Node, place: Path, lines: dict[Path, int], path: str) -> None:
    # A block scalar's text begins on the line after its "|" or ">".
    block = isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")
    lines[place] = node.start_mark.line + (2 if block else 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise YamlError("A key must be a plain text.", path, key.start_mark.line + 1)
            if key.value in seen:
                raise YamlError(f"The key “{key.value}” occurs twice.", path, key.start_mark.line + 1)
            seen.add(key.value)
            _index(value, (*place, key.value), lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _index(value, (*place, index), lines, path)
