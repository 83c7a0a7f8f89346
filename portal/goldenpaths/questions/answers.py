"""Answers on their way: from a posted form to typed values, and from the review to the launch."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from portal.goldenpaths.questions import schemas
from portal.goldenpaths.questions.schemas import Schema
from portal.kit.plain import MAX_DIGITS
from portal.kit.yamltext import YamlError, load_all

PREFIX = "f."


def type_of(schema: Schema) -> str:
    """The one type that a field is asked in."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "string")
    if kind:
        return str(kind)
    if schemas.declared(schema):
        return "object"
    return "array" if "items" in schema else "string"


def is_nested(schema: Schema) -> bool:
    return type_of(schema) == "object" and bool(schemas.declared(schema))


def is_secret(schema: Schema) -> bool:
    return schema.get("ui:field") == "Secret"


def item_options(schema: Schema) -> list[Any]:
    """The allowed entries of a list that is chosen rather than written."""
    items = schema.get("items")
    return list(items.get("enum") or []) if isinstance(items, Mapping) else []


def option_key(value: Any) -> str:
    """How an allowed value is written in a form."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def posted(document: Mapping[str, Any], post: QueryDict) -> dict[str, Any]:
    """The typed answers of a posted form; what cannot be converted stays text, for the validation to name."""
    values: dict[str, Any] = {}
    for page in schemas.pages_of(document):
        values |= _posted(page, post, PREFIX)
    return values


def _posted(schema: Schema, post: QueryDict, prefix: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, child in schemas.declared(schema).items():
        key = f"{prefix}{name}"
        if is_secret(child):
            continue
        if is_nested(child):
            inner = _posted(child, post, f"{key}.")
            if inner:
                values[name] = inner
        elif key in post:
            values[name] = typed(child, post.getlist(key))
    return values


def typed(schema: Schema, texts: list[str]) -> Any:
    """The value that was meant by what was typed; None for nothing."""
    kind = type_of(schema)
    if kind == "array":
        return _list(schema, texts)
    text = texts[-1].replace("\r\n", "\n") if texts else ""
    if kind == "boolean":
        return {"": False, "on": True, "true": True, "false": False}.get(text, text)
    if not text.strip():
        return None
    if "enum" in schema:
        return next((option for option in schema["enum"] if option_key(option) == text), text)
    if kind in ("integer", "number"):
        return _number(text.strip(), kind)
    if kind == "object":
        return _data(text)
    if schema.get("ui:field") == "RepoUrlPicker" and "?" not in text:
        return f"slipway?repo={text.strip()}"
    return text if schema.get("ui:widget") == "textarea" else text.strip()


def _number(text: str, kind: str) -> Any:
    try:
        number = int(text) if kind == "integer" else float(text)
    except ValueError:
        return text
    return number if len(text) <= MAX_DIGITS and math.isfinite(number) else text


def _list(schema: Schema, texts: list[str]) -> Any:
    options = item_options(schema)
    if options:
        return [next((one for one in options if option_key(one) == text), text) for text in texts if text]
    if schema.get("ui:field") in ("EntityTagsPicker", "MultiEntityPicker"):
        return [part for text in texts for part in text.replace(",", " ").split()]
    items = schema.get("items")
    kind = type_of(items) if isinstance(items, Mapping) else "string"
    if kind in ("object", "array"):
        return _data("\n".join(texts))
    lines = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
    return [_number(line, kind) if kind in ("integer", "number") else line for line in lines]


def _data(text: str) -> Any:
    """What is too deep for fields is written as YAML."""
    if not text.strip():
        return None
    try:
        documents = load_all(text, "the answer")
    except YamlError:
        return text
    return documents[0].data if documents else None


def as_posted(document: Mapping[str, Any], values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Answers as the form's controls would send them: the way back from `posted`."""
    return [pair for page in schemas.pages_of(document) for pair in _as_posted(page, values, PREFIX)]


def _as_posted(schema: Schema, values: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, child in schemas.declared(schema).items():
        value = values.get(name)
        if name not in values or is_secret(child):
            continue
        if is_nested(child) and isinstance(value, Mapping):
            pairs += _as_posted(child, value, f"{prefix}{name}.")
        elif isinstance(value, list) and not any(isinstance(item, Mapping | list) for item in value):
            pairs += [(f"{prefix}{name}", option_key(item)) for item in value]
        else:
            pairs.append((f"{prefix}{name}", "" if value is None else option_key(value)))
    return pairs


def as_sent(values: Mapping[str, Any]) -> str:
    """The checked answers as the review page carries them to the launch, which checks them again."""
    return json.dumps(dict(values), ensure_ascii=False)


def new_key() -> str:
    """What makes two clicks on one review page one launch."""
    return secrets.token_urlsafe(24)
