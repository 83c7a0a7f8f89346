"""The form of a golden path: its pages, and the check of answers against every rule the path states."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft7Validator
from referencing import Registry

from portal.accounts.access import Access
from portal.goldenpaths.language.rendering import RenderError, matches
from portal.goldenpaths.models import Version
from portal.goldenpaths.questions import choices, schemas
from portal.goldenpaths.questions.answers import is_blank, is_nested, is_repeated, is_secret, option_key, typed
from portal.goldenpaths.questions.confidence import TOO_SHORT, is_too_short, secret_problems, too_short
from portal.goldenpaths.questions.schemas import Schema
from portal.goldenpaths.questions.unseen import Unseen
from portal.goldenpaths.sentences import sentence_of
from portal.kit.answers import outside
from portal.kit.errors import Invalid
from portal.kit.plain import odd_character
from portal.kit.refs import ref_to

FORMATS = Draft7Validator.FORMAT_CHECKER
NAME = r"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$"
MAX_TEXT = 20_000


@dataclass(frozen=True, slots=True)
class FormPage:
    """One page of the form, as its author wrote it."""

    number: int
    title: str
    description: str
    schema: dict[str, Any]
    names: Mapping[str, Schema]


@dataclass(slots=True)
class Cleaned:
    """Checked answers. `values` has null for each question that was not answered; `errors` a sentence a field path."""

    values: dict[str, Any]
    secrets: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def is_valid(self) -> bool:
        return not self.errors


def pages_of(version: Version) -> list[FormPage]:
    """The form's pages in order; a path that asks nothing has none."""
    pages = schemas.pages_of(version.document)
    return [
        FormPage(
            index + 1, str(page.get("title") or f"Page {index + 1}"), str(page.get("description") or ""), page, names
        )
        for index, (page, names) in enumerate(zip(pages, schemas.asked(pages), strict=True))
    ]


def clean(
    version: Version, raw: Mapping[str, Any], access: Access, *, secrets: Mapping[str, str] | None = None
) -> Cleaned:
    """Check typed answers against every page; questions that are left out altogether take their defaults.

    `secrets` is None while they are not asked for yet (the review asks for them).
    """
    document = version.document
    values, checks, errors = _settle(document, raw)
    for check in checks:
        errors |= {path: text for path, text in _odd_texts(check).items() if path not in errors}
    for check in checks:
        errors |= {path: text for path, text in _problems(check).items() if path not in errors}
    errors |= {path: text for path, text in _pattern_problems(checks).items() if path not in errors}
    for check in checks:
        errors |= _world_problems(document, check, access, errors)
    errors |= {path: text for path, text in too_short(document, values).items() if path not in errors}
    given = dict(secrets or {})
    if secrets is not None:
        errors |= secret_problems(document, given)
    return Cleaned(schemas.completed(document, values), given, errors)


@dataclass(frozen=True, slots=True)
class _Check:
    """One object of answers under the schema that holds for it."""

    schema: dict[str, Any]
    values: dict[str, Any]
    prefix: str = ""

    def label(self, name: str) -> str:
        return str(self.schema["properties"].get(name, {}).get("title") or name)

    def leaves(self) -> Iterator[tuple[str, str, Schema, Any]]:
        """(path, label, schema, value) of each answer that is no group; each entry of a list stands for itself too."""
        for name, value in self.values.items():
            child = self.schema["properties"][name]
            if is_nested(child) or is_repeated(child):
                continue
            yield f"{self.prefix}{name}", self.label(name), child, value
            items = child.get("items")
            if isinstance(value, list) and isinstance(items, Mapping):
                for number, item in enumerate(value, start=1):
                    yield f"{self.prefix}{name}", f"{self.label(name)}, entry {number}", items, item


def _settle(document: Mapping[str, Any], raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[_Check], dict[str, str]]:
    """The answers that count, what to check them against, and a sentence for each that nobody asked for."""
    values: dict[str, Any] = {}
    checks: list[_Check] = []
    errors: dict[str, str] = {}
    pages = schemas.pages_of(document)
    asked = schemas.asked(pages)
    for page, names in zip(pages, asked, strict=True):
        page_values, page_checks = _page(page, names, raw, {**raw, **values}, "", errors)
        values |= page_values
        checks += page_checks
    known = {name for names in asked for name in names}
    errors |= {
        name: f"No page of the form asks for “{name}”." for name in raw if name not in known and name != schemas.FORM
    }
    return values, checks, errors


def _page(
    schema: Schema,
    names: Mapping[str, Schema],
    raw: Mapping[str, Any],
    context: Mapping[str, Any],
    prefix: str,
    errors: dict[str, str],
) -> tuple[dict[str, Any], list[_Check]]:
    """The answers that belong to one schema, nested ones included, and what to check them against."""
    resolved, answers = schemas.settled(schema, raw, context, names)
    values: dict[str, Any] = {}
    checks: list[_Check] = []
    for name, child in resolved["properties"].items():
        value = answers.get(name)
        if is_secret(child):
            continue
        if is_nested(child) and (isinstance(value, Mapping) or value is None):
            inner, inner_checks = _group(child, value or {}, f"{prefix}{name}", errors)
            if inner or name in resolved["required"]:
                values[name] = inner
                checks += inner_checks
        elif is_repeated(child) and isinstance(value, list):
            rows = [_row(child["items"], row, f"{prefix}{name}.{at}", errors) for at, row in enumerate(value)]
            kept = [row for row in rows if row is not None]
            checks += [check for _, row_checks in kept for check in row_checks]
            if kept:
                values[name] = [row for row, _ in kept]
        elif not _is_empty(value):
            values[name] = value
    return values, [_Check(resolved, values, prefix), *checks]


def _group(
    child: Schema, value: Mapping[str, Any], path: str, errors: dict[str, str]
) -> tuple[dict[str, Any], list[_Check]]:
    names = schemas.declared(child)
    for name in value:
        if name not in names and name != schemas.FORM and child.get("additionalProperties") is not True:
            errors[f"{path}.{name}"] = f"“{child.get('title') or path}” does not ask for “{name}”."
    return _page(child, names, value, {}, f"{path}.", errors)


def _row(items: Schema, row: Any, path: str, errors: dict[str, str]) -> tuple[Any, list[_Check]] | None:
    """One group of a list; None for one that was left alone."""
    if row and is_blank(row):
        return None
    if not isinstance(row, Mapping):
        errors[path] = f"“{items.get('title') or path}” must be a group of answers."
        return row, []
    return _group(items, row, path, errors)


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or value == []


_BY_HAND = frozenset({"pattern", "patternProperties", "propertyNames", "$ref"})


def _tame(schema: Any) -> Any:
    """The schema without what is checked elsewhere (patterns run in the rendering child, for they may never end)."""
    if isinstance(schema, Mapping):
        return {
            key: _tame(value)
            for key, value in schema.items()
            if not (key in _BY_HAND and not (key == "pattern" and isinstance(value, Mapping)))
        }
    return [_tame(item) for item in schema] if isinstance(schema, list) else schema


def _odd_texts(check: _Check) -> dict[str, str]:
    """Answers with a character that no row can keep."""
    codes = {name: odd_character(value) for name, value in check.values.items()}
    return {
        f"{check.prefix}{name}": f"{check.label(name)} holds the character {code}, which cannot be kept; remove it."
        for name, code in codes.items()
        if code
        and not is_nested(check.schema["properties"][name])
        and not is_repeated(check.schema["properties"][name])
    }


def _problems(check: _Check) -> dict[str, str]:
    errors: dict[str, str] = {}
    for name in check.schema["required"]:
        child = check.schema["properties"].get(name, {})
        if name not in check.values and not is_secret(child):
            errors[f"{check.prefix}{name}"] = _missing(child, check.label(name))
    for name, value in check.values.items():
        child = check.schema["properties"][name]
        if sentence := _problem(child, value, check.label(name)):
            errors[f"{check.prefix}{name}"] = sentence
    return errors


def _problem(child: Schema, value: Any, label: str) -> str:
    if is_nested(child):
        return "" if isinstance(value, Mapping) else f"{label} must be an object."
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return f"{label} is longer than {MAX_TEXT:,} characters."
    options = schemas.options_of(child)
    if options and not any(_same(value, option) for option, _ in options):
        return f"{label} must be one of: {', '.join(option_key(option) for option, _ in options[:12])}."
    is_fixed = bool(schemas.ui(child, "readonly") or schemas.ui(child, "disabled")) and "default" in child
    if is_fixed and not _same(value, child["default"]):
        return f"{label} cannot be changed."
    rules = _tame(child)
    if options:
        rules = {key: rule for key, rule in rules.items() if key not in ("enum", "const", "oneOf", "anyOf")}
    if is_repeated(child):
        rules.pop("items", None)  # each group is checked under what holds for its own answers
    for error in Draft7Validator(rules, format_checker=FORMATS, registry=Registry()).iter_errors(value):
        place = "".join(f", entry {part + 1}" if isinstance(part, int) else f", {part}" for part in error.absolute_path)
        return sentence_of(error, f"{label}{place}")
    return ""


def _same(one: Any, other: Any) -> bool:
    """Equal, and of one type: 1 is not true."""
    return type(one) is type(other) and bool(one == other)


def _missing(child: Schema, label: str) -> str:
    if child.get("ui:field") in (
        "OwnerPicker",
        "EntityPicker",
        "ClusterPicker",
        "MyGroupsPicker",
    ) or schemas.options_of(child):
        return f"Choose an answer for “{label}”."
    return f"“{label}” needs an answer."


def _pattern_problems(checks: list[_Check]) -> dict[str, str]:
    """Values that do not match their pattern, all asked in one child process."""
    asked = [
        (place, label, value, rule)
        for check in checks
        for place, label, child, value in check.leaves()
        if (rule := _patterned(child, value))
    ]
    verdicts = _matched([(str(rule["pattern"]), text) for _, _, text, rule in asked])
    if verdicts is None:
        return {place: f"{label} could not be checked in time; shorten it." for place, label, _, _ in asked}
    problems: dict[str, str] = {}
    for (place, label, _, rule), verdict in zip(asked, verdicts, strict=True):
        if not verdict:
            problems.setdefault(place, _pattern_sentence(rule, label))
    return problems


def _matched(pairs: list[tuple[str, str]]) -> list[bool | None] | None:
    """What the rendering child says of each (pattern, text); None when it did not come to an end. Nobody waits for it
    inside the request's transaction."""

    def ask() -> list[bool | None] | None:
        try:
            return matches(pairs)
        except RenderError:
            return None

    return outside(f"patterns:{hashlib.sha256(json.dumps(pairs).encode()).hexdigest()}", ask) if pairs else []


def _patterned(schema: Schema, value: Any) -> Schema:
    """The rule that the value's form has to follow, if there is one."""
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        return {}
    if isinstance(schema.get("pattern"), str):
        return schema
    if schema.get("ui:field") == "EntityNamePicker":
        return {"pattern": NAME, "errorMessage": {"pattern": _NAME_RULE}}
    return {}


_NAME_RULE = "A name uses letters, digits, “-”, “_” and “.”, and begins and ends with a letter or digit."


def _pattern_sentence(rule: Schema, label: str) -> str:
    message = rule.get("errorMessage")
    if isinstance(message, Mapping) and isinstance(message.get("pattern"), str):
        return str(message["pattern"])
    return f"{label} does not have the expected form ({rule['pattern']})."


def _world_problems(
    document: Mapping[str, Any], check: _Check, access: Access, known: Mapping[str, str]
) -> dict[str, str]:
    """What only the organisation's rows can tell: names that are taken, choices that do not exist."""
    errors: dict[str, str] = {}
    for place, label, child, value in check.leaves():
        if place in known or place in errors:
            continue
        kind = str(child.get("ui:field") or "")
        # A list that is picked from is checked entry by entry.
        entries = value if kind == "MultiEntityPicker" and isinstance(value, list) else [value]
        for entry in entries if kind in _WORLD else ():
            if isinstance(entry, str) and (sentence := _WORLD[kind](document, child, entry, access, label)):
                errors.setdefault(place, sentence)
    return errors


def _name_taken(document: Mapping[str, Any], child: Schema, value: str, access: Access, label: str) -> str:
    options = child.get("ui:options") or {}
    kind = str(options.get("kind") or "Component")
    taken = choices.entity_of_name(access.organisation, ref_to(kind, value))
    if taken is not None:
        return f"“{value}” is in the catalog already, as {taken.kind} “{taken.display_name}”. Choose another name."
    publishes = any(step["action"] == "publish:slipway" for step in document["spec"]["steps"])
    if publishes and choices.has_repository(access.organisation, value):
        return f"A repository called “{value}” exists already. Choose another name."
    return ""


def _repository_taken(document: Mapping[str, Any], child: Schema, value: str, access: Access, label: str) -> str:
    name = value.partition("repo=")[2].partition("&")[0] or value
    if choices.has_repository(access.organisation, name):
        return f"A repository called “{name}” exists already. Choose another name."
    return ""


def allows_other(child: Schema) -> bool:
    """Whether a picker takes what is not among its options."""
    return bool((child.get("ui:options") or {}).get("allowArbitraryValues", True))


def _no_entity(document: Mapping[str, Any], child: Schema, value: str, access: Access, label: str) -> str:
    if allows_other(child) or choices.is_offered(child, access, value):
        return ""
    return f"“{value}” is not among the choices for “{label}”."


def _no_owner(document: Mapping[str, Any], child: Schema, value: str, access: Access, label: str) -> str:
    if choices.is_offered(child, access, value):
        return ""
    if choices.entity_of_name(access.organisation, choices.full_ref(child, value)) is None:
        return f"There is no team or person “{value}” in the catalog."
    return f"“{value}” is not among the choices for “{label}”."


def _no_group(document: Mapping[str, Any], child: Schema, value: str, access: Access, label: str) -> str:
    if choices.is_offered(child, access, value):
        return ""
    if choices.full_ref(child, value) not in access.team_refs:
        return f"You are not in “{value}”."
    return f"“{value}” is not among the choices for “{label}”."


def _no_cluster(document: Mapping[str, Any], child: Schema, value: str, access: Access, label: str) -> str:
    if choices.cluster_named(access.organisation, value) is not None:
        return ""
    return f"There is no cluster called “{value}”."


_WORLD = {
    "EntityNamePicker": _name_taken,
    "RepoUrlPicker": _repository_taken,
    "EntityPicker": _no_entity,
    "OwnedEntityPicker": _no_entity,
    "MultiEntityPicker": _no_entity,
    "OwnerPicker": _no_owner,
    "MyGroupsPicker": _no_group,
    "ClusterPicker": _no_cluster,
}


def given_again(one: Unseen, text: str) -> Any:
    """The unseen answer that is typed once more, for a retry. Raises Invalid at its name with what is wrong with it."""
    value = typed(one.schema, [text])
    sentence = _missing(one.schema, one.label) if value is None else _problem(one.schema, value, one.label)
    if not sentence and is_too_short(one.schema, value):
        sentence = TOO_SHORT.format(one.label)
    rule = _patterned(one.schema, value)
    if not sentence and rule:
        verdicts = _matched([(str(rule["pattern"]), value)])
        if verdicts is None:
            sentence = f"{one.label} could not be checked in time; shorten it."
        elif not verdicts[0]:
            sentence = _pattern_sentence(rule, one.label)
    if sentence:
        raise Invalid(sentence, field=one.name)
    return value
