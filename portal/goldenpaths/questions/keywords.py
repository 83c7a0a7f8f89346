"""Which words of a form's schema act, and a sentence for each that is written there and does nothing.

What acts is proved word by word in tests/goldenpaths/test_keywords.py, which fails where these sets and its proofs
differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft7Validator

from portal.goldenpaths.questions import schemas
from portal.goldenpaths.questions.answers import is_nested

# What holds one question to something, or says something about it.
QUESTION = frozenset({
    "type", "title", "description", "default", "enum", "enumNames", "const", "format", "pattern", "errorMessage",
    "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "items", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains",
    "required", "additionalProperties", "minProperties", "maxProperties", "dependencies",
    "allOf", "anyOf", "oneOf", "not", "if", "then", "else",
})  # fmt: skip
# What makes a page or a group of questions.
GROUP = frozenset({
    "type", "title", "description", "default", "properties", "required", "additionalProperties", "dependencies",
    "allOf", "anyOf", "oneOf", "if", "then", "else",
})  # fmt: skip
# Said to the reader of the file, by the standard's own word: nobody expects them to do anything.
COMMENTS = frozenset({"$schema", "$id", "$comment", "examples"})
# `ui:NAME`; those of OPTIONS too are read there alone.
UI = frozenset({
    "field", "widget", "options", "order", "help", "placeholder", "autofocus", "readonly", "disabled", "title",
    "description", "inputType", "autocomplete", "rows", "enumNames", "backstage",
})  # fmt: skip
OPTIONS = frozenset({
    "catalogFilter", "allowedKinds", "defaultKind", "defaultNamespace", "allowArbitraryValues", "kind",
})  # fmt: skip
FIELDS = frozenset({
    "EntityPicker", "OwnedEntityPicker", "MultiEntityPicker", "OwnerPicker", "MyGroupsPicker", "ClusterPicker",
    "EntityTagsPicker", "RepoUrlPicker", "RepoOwnerPicker", "RepoBranchPicker", "EntityNamePicker", "Secret",
})  # fmt: skip
WIDGETS = frozenset({"hidden", "password", "textarea", "radio", "select", "checkbox", "checkboxes", "text"})
# Not to be written under ui:options: they stand beside the question.
_BESIDE = frozenset({"field", "options", "order", "backstage"})


def ignored(document: Mapping[str, Any]) -> list[str]:
    """A sentence for each part of a path's form that would do nothing, with its place. It stands in nobody's way."""
    found: dict[str, None] = {}
    for number, page in enumerate(schemas.pages_of(document), start=1):
        if isinstance(page, Mapping):
            found |= dict.fromkeys(_page(page, f"page {number} of the form"))
    return list(found)


def _page(page: Mapping[str, Any], where: str) -> Iterator[str]:
    if "default" in page:
        yield f"{where}: a page has no “default”; give each question its own."
    if page.get("additionalProperties") not in (None, False):
        yield f"{where}: “additionalProperties” does nothing; only what the form asks for is taken."
    yield from _group({key: value for key, value in page.items() if key != "additionalProperties"}, where)


def _group(schema: Mapping[str, Any], where: str) -> Iterator[str]:
    yield from _words(schema, GROUP, where)
    if isinstance(schema.get("additionalProperties"), Mapping):
        yield f"{where}: a schema under “additionalProperties” does nothing; write true or false."
    for name, child in (schema.get("properties") or {}).items():
        if isinstance(child, Mapping):
            yield from _child(child, str(name))
    branches = [branch for key in ("allOf", "anyOf", "oneOf") for branch in schema.get(key) or []]
    branches += [schema.get("then"), schema.get("else"), *(schema.get("dependencies") or {}).values()]
    for branch in branches:
        if isinstance(branch, Mapping):
            yield from _group(branch, where)


def _child(schema: Mapping[str, Any], where: str) -> Iterator[str]:
    if is_nested(schema):
        yield from _group(schema, where)
        return
    yield from _words(schema, QUESTION, where)
    items = schema.get("items")
    if isinstance(items, Mapping):
        yield from _child(items, f"the entries of {where}")


def _words(schema: Mapping[str, Any], known: frozenset[str], where: str) -> Iterator[str]:
    for key, value in schema.items():
        if key.startswith("ui:"):
            yield from _ui(key.removeprefix("ui:"), value, where)
        elif key not in known and key not in COMMENTS:
            yield f"{where}: “{key}” does nothing here."
    form = schema.get("format")
    if form is not None and form not in Draft7Validator.FORMAT_CHECKER.checkers:
        yield f"{where}: there is no format “{form}”; any text is taken."
    message = schema.get("errorMessage")
    if isinstance(message, Mapping):
        yield from (
            f"{where}: “errorMessage” knows “pattern” only, not “{key}”." for key in message if key != "pattern"
        )


def _ui(name: str, value: Any, where: str) -> Iterator[str]:
    if name not in UI:
        yield f"{where}: “ui:{name}” does nothing here."
    elif name == "field" and value not in FIELDS:
        yield f"{where}: there is no field “{value}”; it is asked for as if that were not written."
    elif name == "widget" and value not in WIDGETS:
        yield f"{where}: there is no widget “{value}”; it gets the control of its type."
    elif name == "options" and isinstance(value, Mapping):
        for key, inner in value.items():
            if key in UI - _BESIDE:
                yield from _ui(key, inner, where)
            elif key not in OPTIONS:
                yield f"{where}: “{key}” under ui:options does nothing here."
