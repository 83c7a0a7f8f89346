"""The API's description, arranged for reading: groups of operations with parameters, bodies and answers."""

from dataclasses import dataclass
from typing import Any

from portal.accounts.contract import ALWAYS

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Parameter:
    """A parameter of an operation."""

    name: str
    where: str
    type: str
    is_required: bool
    description: str


@dataclass(frozen=True)
class Operation:
    """One method on one path."""

    method: str
    path: str
    summary: str
    description: str
    parameters: list[Parameter]
    body: list[Parameter]
    answers: list[tuple[str, str]]  # without those that every operation can give

    @property
    def anchor(self) -> str:
        """The id of its place in the page."""
        words = "".join(letter if letter.isalnum() else "-" for letter in self.path)
        return f"{self.method}-{words.strip('-')}"


@dataclass(frozen=True)
class Section:
    """Operations that belong together."""

    title: str
    operations: list[Operation]


def sections(document: dict[str, Any], *, organisation: str) -> list[Section]:
    """The document's operations by the first word of their path, with the organisation's slug filled in."""
    found: dict[str, list[Operation]] = {}
    for path, item in sorted(document.get("paths", {}).items()):
        words = path.removeprefix("/api/o/{org}/").split("/")
        for method in METHODS:
            if method in item:
                operation = _operation(document, method, path.replace("{org}", organisation), item[method])
                found.setdefault(words[0] or "other", []).append(operation)
    return [Section(title.replace("-", " ").capitalize(), rows) for title, rows in found.items()]


def _operation(document: dict[str, Any], method: str, path: str, raw: dict[str, Any]) -> Operation:
    text = str(raw.get("description", "")).strip()
    first, _, rest = text.partition("\n")
    parameters = [
        Parameter(
            one["name"],
            one["in"],
            type_words(document, one.get("schema", {})),
            bool(one.get("required")),
            one.get("description", ""),
        )
        for one in raw.get("parameters", [])
        if one["name"] != "org"
    ]
    answers = [
        (code, answer.get("description", ""))
        for code, answer in sorted(raw.get("responses", {}).items())
        if code not in ALWAYS
    ]
    return Operation(
        method.upper(), path, str(raw.get("summary") or first), rest.strip(), parameters, _body(document, raw), answers
    )


def _body(document: dict[str, Any], raw: dict[str, Any]) -> list[Parameter]:
    schema = raw.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    schema = resolve(document, schema)
    required = schema.get("required", [])
    return [
        Parameter(
            name, "body", type_words(document, part), name in required, resolve(document, part).get("description", "")
        )
        for name, part in schema.get("properties", {}).items()
    ]


def resolve(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that a local reference points at; other schemas as they are."""
    target = str(schema.get("$ref", ""))
    if not target.startswith("#/"):
        return schema
    found: Any = document
    for word in target[2:].split("/"):
        found = found.get(word, {})
    return dict(found)


def type_words(document: dict[str, Any], schema: dict[str, Any]) -> str:
    """A schema in a few words: string, list of integer, one of a, b."""
    schema = resolve(document, schema)
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        kind = " or ".join(str(one) for one in kind)
    if kind == "array":
        return f"list of {type_words(document, schema.get('items', {}))}"
    return str(schema.get("format") or kind)
