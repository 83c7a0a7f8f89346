"""Answers on their way: from a posted form to typed values, and from the review to the launch."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from portal.goldenpaths.questions import schemas
from portal.goldenpaths.questions.schemas import FORM, Schema
from portal.kit.plain import MAX_DIGITS
from portal.kit.yamltext import YamlError, load_all

PREFIX = "f."
# Beside a list of groups: how many of them the form shows.
COUNT = "~count"
MAX_ROWS = 50
# Pickers whose list of answers is written in one line.
IN_ONE_LINE = ("EntityTagsPicker", "MultiEntityPicker")


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


def is_repeated(schema: Schema) -> bool:
    """Whether it is a list of groups, each with questions of its own."""
    items = schema.get("items")
    return type_of(schema) == "array" and isinstance(items, Mapping) and is_nested(items)


def is_secret(schema: Schema) -> bool:
    return schema.get("ui:field") == "Secret"


def item_options(schema: Schema) -> list[Any]:
    """The allowed entries of a list that is chosen rather than written."""
    items = schema.get("items")
    return [value for value, _ in schemas.options_of(items)] if isinstance(items, Mapping) else []


def option_key(value: Any) -> str:
    """How an allowed value is written in a form."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def posted(document: Mapping[str, Any], post: QueryDict) -> dict[str, Any]:
    """The typed answers of a posted form; what cannot be converted stays text, for the validation to name."""
    values: dict[str, Any] = {}
    pages = schemas.pages_of(document)
    for page, names in zip(pages, schemas.asked(pages), strict=True):
        values |= _posted(page, names, post, PREFIX)
    return values


def _posted(schema: Schema, names: Mapping[str, Schema], post: QueryDict, prefix: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if f"{prefix}{FORM}" in post:
        values[FORM] = post[f"{prefix}{FORM}"]
        names = _names_of_form(schema, names, values)
    for name, child in names.items():
        key = f"{prefix}{name}"
        if is_secret(child):
            continue
        if is_nested(child):
            inner = _posted(child, schemas.declared(child), post, f"{key}.")
            if inner:
                values[name] = inner
        elif is_repeated(child) and f"{key}.{COUNT}" in post:
            values[name] = _rows(child["items"], post, key)
        elif key in post:
            values[name] = typed(child, post.getlist(key))
    return values


def _names_of_form(schema: Schema, names: Mapping[str, Schema], values: Mapping[str, Any]) -> dict[str, Schema]:
    """The questions of the chosen form: one of the same name in another form is another question."""
    resolved = schemas.resolve(schema, values)
    return {name: resolved["properties"].get(name, child) for name, child in names.items()}


def _rows(items: Schema, post: QueryDict, key: str) -> list[dict[str, Any]]:
    count = str(post[f"{key}.{COUNT}"])
    number = min(int(count), MAX_ROWS) if count.isdigit() and len(count) < 4 else 0
    return [_posted(items, schemas.declared(items), post, f"{key}.{index}.") for index in range(number)]


def typed(schema: Schema, texts: list[str]) -> Any:
    """The value that was meant by what was typed; None for nothing."""
    kind = type_of(schema)
    if kind == "array":
        return _list(schema, texts)
    text = texts[-1].replace("\r\n", "\n") if texts else ""
    options = [value for value, _ in schemas.options_of(schema)]
    if options and text:
        return next((option for option in options if option_key(option) == text), text)
    if kind == "boolean":
        if not text and schemas.ui(schema, "widget") in ("radio", "select"):
            return None
        return {"": False, "on": True, "true": True, "false": False}.get(text, text)
    if not text.strip():
        return None
    if kind in ("integer", "number"):
        return _number(text.strip(), kind)
    if kind == "object":
        return _data(text)
    if schema.get("ui:field") == "RepoUrlPicker" and "?" not in text:
        return f"slipway?repo={text.strip()}"
    return text if schemas.ui(schema, "widget") == "textarea" else text.strip()


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
    if schema.get("ui:field") in IN_ONE_LINE:
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


def changed_rows(values: dict[str, Any], act: str) -> dict[str, Any]:
    """The answers after a button of a list of groups: `add:links` or `remove:links.1`, whose path may be nested."""
    verb, _, path = act.partition(":")
    parts = path.split(".")
    at = parts.pop() if verb == "remove" else ""
    where: Any = values
    for part in parts[:-1]:
        where = where.get(part) if isinstance(where, dict) else _row(where, part)
    if not isinstance(where, dict) or not parts:
        return values
    rows = where.get(parts[-1])
    rows = rows if isinstance(rows, list) else []
    if verb == "add" and len(rows) < MAX_ROWS:
        where[parts[-1]] = [*rows, {}]
    elif verb == "remove" and at.isdigit():
        where[parts[-1]] = [row for index, row in enumerate(rows) if index != int(at)]
    return values


def _row(rows: Any, part: str) -> Any:
    return rows[int(part)] if isinstance(rows, list) and part.isdigit() and int(part) < len(rows) else None


def is_blank(value: Any) -> bool:
    """Whether nothing was answered in a group: an added one that was left alone."""
    if isinstance(value, Mapping):
        return all(is_blank(item) for name, item in value.items() if name != FORM)
    return value in (None, "", False) or value == []


def as_posted(document: Mapping[str, Any], values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Answers as the form's controls would send them: the way back from `posted`."""
    pages = schemas.pages_of(document)
    return [pair for names in schemas.asked(pages) for pair in _as_posted(names, values, PREFIX)]


def _as_posted(names: Mapping[str, Schema], values: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    if FORM in values:
        pairs.append((f"{prefix}{FORM}", str(values[FORM])))
    for name, child in names.items():
        value, key = values.get(name), f"{prefix}{name}"
        if name not in values or is_secret(child):
            continue
        if is_nested(child) and isinstance(value, Mapping):
            pairs += _as_posted(schemas.declared(child), value, f"{key}.")
        elif is_repeated(child) and isinstance(value, list):
            pairs.append((f"{key}.{COUNT}", str(len(value))))
            for index, row in enumerate(value):
                inner = row if isinstance(row, Mapping) else {}
                pairs += _as_posted(schemas.declared(child["items"]), inner, f"{key}.{index}.")
        elif isinstance(value, list) and not any(isinstance(item, Mapping | list) for item in value):
            pairs += [(key, option_key(item)) for item in value] or [(key, "")]
        else:
            pairs.append((key, "" if value is None else option_key(value)))
    return pairs


def as_sent(values: Mapping[str, Any]) -> str:
    """The checked answers as the review page carries them to the launch, which checks them again."""
    return json.dumps(dict(values), ensure_ascii=False)


def new_key() -> str:
    """What makes two clicks on one review page one launch."""
    return secrets.token_urlsafe(24)
