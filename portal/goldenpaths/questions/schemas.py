"""Parameter schemas: the JSON Schema dialect of golden path forms, resolved against the answers given so far."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jsonschema import Draft7Validator

Schema = Mapping[str, Any]
# The answer that says which of several forms an object takes: its number. It is never a value of its own.
FORM = "~form"


def pages_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The form's pages: `spec.parameters` is one schema or a list of them."""
    parameters = document.get("spec", {}).get("parameters") or []
    return [parameters] if isinstance(parameters, dict) else list(parameters)


def asked(pages: Sequence[Schema]) -> list[dict[str, Schema]]:
    """What each page asks for, by name. A page that only decides by another page's question does not ask it again."""
    return [
        {name: child for name, child in declared(page).items() if name not in _elsewhere(pages, index)}
        for index, page in enumerate(pages)
    ]


def _elsewhere(pages: Sequence[Schema], index: int) -> set[str]:
    here = {name for name, child in declared(pages[index]).items() if not _is_question(child)}
    there = {
        name
        for other, page in enumerate(pages)
        if other != index
        for name, child in declared(page).items()
        if _is_question(child)
    }
    return here & there


def _is_question(child: Schema) -> bool:
    return bool({"type", "title", "default", "properties", "items", "ui:field", "ui:widget"} & child.keys())


def declared(schema: Schema) -> dict[str, Schema]:
    """Every property that a schema may ask for, in whichever branch, by name."""
    names: dict[str, Schema] = {}
    for name, child in declarations(schema):
        if name not in names or "type" not in names[name]:
            names[name] = child
    return names


def declarations(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Every declaration of a property, in whichever branch: several branches may declare one name."""
    for part in _parts(schema):
        for name, child in (part.get("properties") or {}).items():
            if isinstance(child, Mapping):
                yield name, child


def _parts(schema: Schema) -> Iterator[Schema]:
    """The schema and all of its conditional branches."""
    yield schema
    for keyword in ("allOf", "anyOf", "oneOf"):
        for branch in schema.get(keyword) or []:
            if isinstance(branch, Mapping):
                yield from _parts(branch)
    for keyword in ("if", "then", "else"):
        if isinstance(branch := schema.get(keyword), Mapping):
            yield from _parts(branch)
    for dependency in (schema.get("dependencies") or {}).values():
        if isinstance(dependency, Mapping):
            yield from _parts(dependency)


def ui(schema: Schema, name: str) -> Any:
    """What `ui:NAME` says, or the same under `ui:options`; None when neither does."""
    options = schema.get("ui:options")
    return schema.get(f"ui:{name}", options.get(name) if isinstance(options, Mapping) else None)


def forms_of(schema: Schema) -> list[Schema]:
    """The forms that an object may take: branches of oneOf or anyOf that no question of the object itself decides."""
    asks = schema.get("properties") or {}
    for keyword in ("oneOf", "anyOf"):
        branches = [branch for branch in schema.get(keyword) or [] if isinstance(branch, Mapping)]
        if len(branches) > 1 and all(branch.get("properties") for branch in branches):
            deciding = {name for branch in branches for name in _deciding(branch)}
            if not deciding & asks.keys():
                return branches
    return []


def form_of(forms: Sequence[Schema], answers: Mapping[str, Any]) -> int:
    """Which form these answers take: the one that was chosen, else the one that they agree with, else the first."""
    said = answers.get(FORM)
    if isinstance(said, str) and said.isdigit() and int(said) < len(forms):
        return int(said)
    for index, form in enumerate(forms):
        if _agrees(form, answers):
            return index
    for index, form in enumerate(forms):
        needed = [name for name in form.get("required") or [] if name not in _deciding(form)]
        if needed and all(answers.get(name) not in (None, "") for name in needed):
            return index
    return 0


def _deciding(branch: Schema) -> dict[str, Schema]:
    """The properties that a branch fixes by enum or const."""
    return {
        name: child
        for name, child in (branch.get("properties") or {}).items()
        if isinstance(child, Mapping) and ("const" in child or "enum" in child)
    }


def _agrees(branch: Schema, answers: Mapping[str, Any]) -> bool:
    deciding = _deciding(branch)
    return bool(deciding) and all(
        name in answers
        and Draft7Validator({key: child[key] for key in ("const", "enum") if key in child}).is_valid(answers[name])
        for name, child in deciding.items()
    )


def resolve(schema: Schema, answers: Mapping[str, Any], *, is_whole: bool = True) -> dict[str, Any]:
    """The schema that holds for these answers: branches decided, their properties and requirements merged in.

    The result has `properties`, `required` and the other keys of the schema, and no conditional keyword.
    `is_whole` is False for a branch, which cannot be a choice of forms.
    """
    result = {key: value for key, value in schema.items() if key not in _CONDITIONAL}
    result["properties"] = dict(schema.get("properties") or {})
    result["required"] = list(schema.get("required") or [])
    for branch in _chosen(schema, answers, is_whole=is_whole):
        _merge(result, resolve(branch, answers, is_whole=False))
    return result


_CONDITIONAL = ("allOf", "anyOf", "oneOf", "if", "then", "else", "dependencies")


def _chosen(schema: Schema, answers: Mapping[str, Any], *, is_whole: bool) -> Iterator[Schema]:
    yield from schema.get("allOf") or []
    forms = forms_of(schema) if is_whole else []
    if forms:
        yield forms[form_of(forms, answers)]
    for keyword in ("oneOf", "anyOf"):
        if not forms and (branch := _matching(schema.get(keyword) or [], answers)):
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
    return next((branch for branch in branches if isinstance(branch, Mapping) and _agrees(branch, answers)), None)


def _merge(into: dict[str, Any], branch: Mapping[str, Any]) -> None:
    for name, child in branch["properties"].items():
        known = into["properties"].get(name)
        # A branch repeats its deciding property only as a condition; the asking form of it stays.
        if known is None:
            into["properties"][name] = child
        elif isinstance(known, Mapping) and isinstance(child, Mapping) and not {"const", "enum"} & child.keys():
            into["properties"][name] = {**known, **child}
    into["required"] = [*into["required"], *(name for name in branch["required"] if name not in into["required"])]


def settled(
    schema: Schema, given: Mapping[str, Any], context: Mapping[str, Any], names: Mapping[str, Schema]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema that holds, and the answers under it: what was given, and the default of each question that was not.

    A question that appears because of a default has its own default too. `context` are answers of other pages, `names`
    what this schema asks for.
    """
    answers = {name: given[name] for name in names if name in given}
    chosen = {FORM: given[FORM]} if FORM in given else {}
    resolved = resolve(schema, {**context, **answers, **chosen})
    for _ in range(8):
        there = {name: child for name, child in resolved["properties"].items() if name in names}
        new = {name: given[name] if name in given else child["default"] for name, child in there.items()
               if name in given or (isinstance(child, Mapping) and "default" in child)}  # fmt: skip
        if chosen:  # a form that was chosen fixes what makes it that form
            new |= {
                name: child["const"] for name, child in there.items() if isinstance(child, Mapping) and "const" in child
            }
        again = resolve(schema, {**context, **new, **chosen})
        if new == answers and again["properties"].keys() == resolved["properties"].keys():
            break
        answers, resolved = new, again
    resolved["properties"] = {name: child for name, child in resolved["properties"].items() if name in names}
    return resolved, {name: value for name, value in answers.items() if name in resolved["properties"]}


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
        items = child.get("items")
        if isinstance(value, Mapping) and declared(child):
            result[name] = _completed(child, value)
        elif isinstance(value, list) and isinstance(items, Mapping) and declared(items):
            result[name] = [_completed(items, item) if isinstance(item, Mapping) else item for item in value]
        else:
            result[name] = value
    return result


def options_of(schema: Schema) -> list[tuple[Any, str]]:
    """What may be chosen, with its label: from enum (and enumNames), or from oneOf or anyOf of const and title."""
    if isinstance(schema.get("enum"), list):
        names = schema.get("enumNames") or ui(schema, "enumNames") or []
        return [(value, str(names[index]) if index < len(names) else "") for index, value in enumerate(schema["enum"])]
    for keyword in ("oneOf", "anyOf"):
        branches = schema.get(keyword)
        if isinstance(branches, list) and branches and all(_fixed(branch) for branch in branches):
            return [(_value(branch), str(branch.get("title") or "")) for branch in branches]
    if "const" in schema and schema.get("type") != "boolean":
        return [(schema["const"], "")]
    return []


def _fixed(branch: Any) -> bool:
    if not isinstance(branch, Mapping) or branch.get("properties"):
        return False
    return "const" in branch or (isinstance(branch.get("enum"), list) and len(branch["enum"]) == 1)


def _value(branch: Schema) -> Any:
    return branch["const"] if "const" in branch else branch["enum"][0]
