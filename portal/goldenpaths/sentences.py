"""JSON Schema's findings in words that the person who filled in the form can act on."""

import json
from collections.abc import Callable
from typing import Any, Protocol


class SchemaError(Protocol):
    """The part of jsonschema's errors that is read here; its own annotations say that any of it may be unset."""

    validator: Any
    validator_value: Any
    instance: Any
    schema: Any


_TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "yes or no",
    "array": "a list",
    "object": "an object",
    "null": "empty",
}


def _type(error: SchemaError, label: str) -> str:
    wanted = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
    return f"{label} must be {' or '.join(_TYPES.get(kind, str(kind)) for kind in wanted)}."


def _enum(error: SchemaError, label: str) -> str:
    options = ", ".join(_plain(option) for option in error.validator_value[:12])
    return f"{label} must be one of: {options}."


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _required(error: SchemaError, label: str) -> str:
    missing = next((name for name in error.validator_value if name not in error.instance), "")
    return f"{label} lacks “{missing}”."


def _additional(error: SchemaError, label: str) -> str:
    known = set(error.schema.get("properties", {}))
    extra = ", ".join(f"“{name}”" for name in sorted(set(error.instance) - known))
    return f"{label} has no {extra}; it takes {', '.join(sorted(known)) or 'nothing'}."


def _pattern(error: SchemaError, label: str) -> str:
    return f"{label} does not have the expected form ({error.validator_value})."


def _count(word: str, unit: str) -> Callable[[SchemaError, str], str]:
    def sentence(error: SchemaError, label: str) -> str:
        number = error.validator_value
        return f"{label} must have {word} {number} {unit}{'' if number == 1 else 's'}."

    return sentence


def _bound(word: str) -> Callable[[SchemaError, str], str]:
    return lambda error, label: f"{label} must be {word} {error.validator_value}."


_FORMATS = {
    "email": "an e-mail address",
    "uri": "a web address",
    "date": "a date such as 2026-05-31",
    "date-time": "a date and time such as 2026-05-31T09:00:00Z",
    "hostname": "a host name",
    "ipv4": "an IPv4 address",
    "uuid": "a UUID",
}

_SENTENCES: dict[str, Callable[[SchemaError, str], str]] = {
    "type": _type,
    "enum": _enum,
    "const": lambda error, label: f"{label} must be {_plain(error.validator_value)}.",
    "required": _required,
    "additionalProperties": _additional,
    "pattern": _pattern,
    "minLength": _count("at least", "character"),
    "maxLength": _count("at most", "character"),
    "minItems": _count("at least", "entry"),
    "maxItems": _count("at most", "entry"),
    "uniqueItems": lambda error, label: f"{label} has the same entry twice.",
    "minimum": _bound("at least"),
    "maximum": _bound("at most"),
    "exclusiveMinimum": _bound("more than"),
    "exclusiveMaximum": _bound("less than"),
    "multipleOf": _bound("a multiple of"),
    "format": lambda error, label: f"{label} must be {_FORMATS.get(error.validator_value, error.validator_value)}.",
    "anyOf": lambda error, label: f"{label} needs one of: {_alternatives(error)}.",
    "oneOf": lambda error, label: f"{label} must match exactly one of the allowed forms.",
    "not": lambda error, label: f"{label} has a value that is not allowed.",
}


def _alternatives(error: SchemaError) -> str:
    names = [name for option in error.validator_value for name in option.get("required", [])]
    return ", ".join(f"“{name}”" for name in names) or "the allowed forms"


def sentence_of(error: SchemaError, label: str) -> str:
    """One finding as a sentence about `label`, which stands at its beginning."""
    name = f"{label[:1].upper()}{label[1:]}"
    keyword = str(error.validator)
    if keyword in _SENTENCES:
        return _SENTENCES[keyword](error, name).replace("entrys", "entries")
    return f"{name} is not valid."
