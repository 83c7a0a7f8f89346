"""Parameter schemas: the JSON Schema dialect of golden path forms, resolved against the answers given so far."""

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft7Validator

Schema = Mapping[str, Any]


def pages_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The form's pages: `spec.parameters` is one schema or a list of them."""
    parameters = document.get("spec", {}).get("parameters") or []
    return [parameters] if isinstance(parameters, dict) else list(parameters)


def declared(schema: Schema) -> dict[str, Schema]:
    """Every property that a schema may ask for, in whichever branch, by name."""
    names: dict[str, Schema] = {}
    for part in _parts(schema):
        for name, child in (part.get("properties") or {}).items():
            if isinstance(child, Mapping) and (name not in names or "type" not in names[name]):
                names[name] = child
    return names


def _parts(schema: Schema) -> Iterator[Schema]:
    """The schema and all of its conditional branches."""
    yield schema
    for keyword in ("allOf", "anyOf", "oneOf"):
        for branch in schema.get(keyword) or []:
            yield from _parts(branch)
    for keyword in ("if", "then", "else"):
        if isinstance(branch := schema.get(keyword), Mapping):
            yield from _parts(branch)
    for dependency in (schema.get("dependencies") or {}).values():
        if isinstance(dependency, Mapping):
            yield from _parts(dependency)


def resolve(schema: Schema, answers: Mapping[str, Any]) -> dict[str, Any]:
    """The schema that holds for these answers: branches decided, their properties and requirements merged in.

    The result has `properties`, `required` and the other keys of the schema, and no conditional keyword.
    """
    result = {key: value for key, value in schema.items() if key not in _CONDITIONAL}
    result["properties"] = dict(schema.get("properties") or {})
    result["required"] = list(schema.get("required") or [])
    for branch in _chosen(schema, answers):
        _merge(result, resolve(branch, answers))
    return result


_CONDITIONAL = ("allOf", "anyOf", "oneOf", "if", "then", "else", "dependencies")


def _chosen(schema: Schema, answers: Mapping[str, Any]) -> Iterator[Schema]:
    yield from schema.get("allOf") or []
    for keyword in ("oneOf", "anyOf"):
        if branch := _matching(schema.get(keyword) or [], answers):
            yield branch
    if isinstance(schema.get("if"), Mapping):
        side = "then" if Draft7Validator(schema["if"]).is_valid(dict(answers)) else "else"
        if isinstance(schema.get(side), Mapping):
            yield schema[side]
    for name, dependency in (schema.get("dependencies") or {}).items():
        if answers.get(name) in (None, ""):
            continue
        yield {"required": dependency} if isinstance(dependency, list) else dependency


def _matching(branches: list[Schema], answers: Mapping[str, Any]) -> Schema | None:
    """The branch whose deciding properties (those fixed by enum or const) agree with the answers."""
    for branch in branches:
        deciding = {
            name: child
            for name, child in (branch.get("properties") or {}).items()
            if isinstance(child, Mapping) and ("const" in child or "enum" in child)
        }
        if deciding and all(
            name in answers and Draft7Validator(child).is_valid(answers[name]) for name, child in deciding.items()
        ):
            return branch
    return None


def _merge(into: dict[str, Any], branch: Mapping[str, Any]) -> None:
    for name, child in branch["properties"].items():
        known = into["properties"].get(name)
        # A branch repeats its deciding property only as a condition; the asking form of it stays.
        if known is None:
            into["properties"][name] = child
        elif isinstance(known, Mapping) and isinstance(child, Mapping) and not {"const", "enum"} & child.keys():
            into["properties"][name] = {**known, **child}
    into["required"] = [*into["required"], *(name for name in branch["required"] if name not in into["required"])]


def controllers(schema: Schema) -> set[str]:
    """The properties on which other properties depend: a change of one may change the form."""
    names: set[str] = set((schema.get("dependencies") or {}).keys())
    for part in _parts(schema):
        names |= set((part.get("dependencies") or {}).keys())
        if isinstance(part.get("if"), Mapping):
            names |= set((part["if"].get("properties") or {}).keys())
        for keyword in ("oneOf", "anyOf"):
            for branch in part.get(keyword) or []:
                names |= {
                    name for name, child in (branch.get("properties") or {}).items() if {"const", "enum"} & set(child)
                }
    return names


def ordered(schema: Schema) -> list[str]:
    """The property names in the order that the form shows them (`ui:order`, `*` for the rest)."""
    names = list(schema.get("properties") or {})
    order = schema.get("ui:order")
    if not isinstance(order, list):
        return names
    rest = [name for name in names if name not in order]
    result: list[str] = []
    for name in order:
        result += rest if name == "*" else [name] if name in names else []
    return result + [name for name in rest if name not in result]


def completed(document: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The answers with null for each declared question without one, so that templates may read every question."""
    result: dict[str, Any] = {}
    for page in pages_of(document):
        result |= _completed(page, values)
    return result


def _completed(schema: Schema, values: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, child in declared(schema).items():
        value = values.get(name)
        result[name] = _completed(child, value) if isinstance(value, Mapping) and declared(child) else value
    return result
