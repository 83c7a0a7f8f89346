"""Reading YAML that strangers wrote: bounded, without duplicate keys, and remembering the line of everything in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from portal.kit.errors import Invalid

MAX_BYTES = 1024 * 1024
MAX_ALIASES = 100
MAX_DEPTH = 60

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


_Loader.add_constructor("tag:yaml.org,2002:int", _decimal)


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
    aliases = depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = _line(event)
        if isinstance(event, yaml.AliasEvent):
            aliases += 1
            if aliases > MAX_ALIASES:
                raise YamlError(f"The file uses more than {MAX_ALIASES} aliases.", path, line)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
            if depth > MAX_DEPTH:
                raise YamlError(f"The file is nested deeper than {MAX_DEPTH} levels.", path, line)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1


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
