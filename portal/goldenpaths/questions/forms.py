"""The form of a golden path: its pages, and the check of answers against every rule the path states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft7Validator
from referencing import Registry

from portal.accounts.access import Access
from portal.goldenpaths.language.rendering import RenderError, matches
from portal.goldenpaths.models import Version
from portal.goldenpaths.questions import choices, schemas
from portal.goldenpaths.questions.answers import is_nested, is_secret
from portal.goldenpaths.questions.schemas import Schema
from portal.goldenpaths.sentences import sentence_of
from portal.kit.plain import odd_character

FORMATS = Draft7Validator.FORMAT_CHECKER
NAME = r"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$"
MAX_TEXT = 20_000
# Shorter words could not be masked without blacking out ordinary text.
MIN_SECRET = 6
# Where the sentence about a secret stands among the errors.
CONFIDENTIAL = "secrets."


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the form, as its author wrote it."""

    number: int
    title: str
    description: str
    schema: dict[str, Any]


@dataclass(slots=True)
class Cleaned:
    """Checked answers. `values` has null for each question that was not answered; `errors` a sentence a field path."""

    values: dict[str, Any]
    secrets: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def is_valid(self) -> bool:
        return not self.errors


def pages_of(version: Version) -> list[Page]:
    """The form's pages in order; a path that asks nothing has none."""
    return [
        Page(index + 1, str(page.get("title") or f"Page {index + 1}"), str(page.get("description") or ""), page)
        for index, page in enumerate(schemas.pages_of(version.document))
    ]


def defaults(schema: Schema) -> dict[str, Any]:
    """The answers that a page starts with."""
    values: dict[str, Any] = {}
    for name, child in schemas.declared(schema).items():
        if "default" in child:
            values[name] = child["default"]
        elif is_nested(child) and (inner := defaults(child)):
            values[name] = inner
    return values


def clean(
    version: Version, raw: Mapping[str, Any], access: Access, *, secrets: Mapping[str, str] | None = None
) -> Cleaned:
    """Check typed answers against every page; questions that are left out altogether take their defaults.

    `secrets` is None while they are not asked for yet (the review asks for them).
    """
    document = version.document
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    checks: list[_Check] = []
    known: set[str] = set()
    for page in schemas.pages_of(document):
        known |= schemas.declared(page).keys()
        page_values, page_checks = _page(page, raw)
        values |= page_values
        checks += page_checks
    for name in raw:
        if name not in known:
            errors[name] = f"No page of the form asks for “{name}”."
    for check in checks:
        errors |= {path: text for path, text in _odd_texts(check).items() if path not in errors}
    for check in checks:
        errors |= {path: text for path, text in _problems(check).items() if path not in errors}
    errors |= {path: text for path, text in _pattern_problems(checks).items() if path not in errors}
    for check in checks:
        errors |= _world_problems(document, check, access, errors)
    given = dict(secrets or {})
    if secrets is not None:
        errors |= _secret_problems(document, given)
    return Cleaned(schemas.completed(document, values), given, errors)


@dataclass(frozen=True, slots=True)
class _Check:
    """One object of answers under the schema that holds for it."""

    schema: dict[str, Any]
    values: dict[str, Any]
    prefix: str = ""

    def label(self, name: str) -> str:
        return str(self.schema["properties"].get(name, {}).get("title") or name)


def _page(schema: Schema, raw: Mapping[str, Any], prefix: str = "") -> tuple[dict[str, Any], list[_Check]]:
    """The answers that belong to one schema, nested ones included, and what to check them against."""
    answers = _with_defaults(schema, raw)
    resolved = schemas.resolve(schema, answers)
    # A branch may have asked for what another branch no longer asks for: settle.
    for _ in range(5):
        kept = {name: value for name, value in answers.items() if name in resolved["properties"]}
        again = schemas.resolve(schema, kept)
        if again["properties"].keys() == resolved["properties"].keys():
            break
        resolved = again
    values: dict[str, Any] = {}
    checks: list[_Check] = []
    for name, child in resolved["properties"].items():
        value = answers.get(name)
        if is_secret(child):
            continue
        if is_nested(child) and (isinstance(value, Mapping) or value is None):
            inner, inner_checks = _page(child, value or {}, f"{prefix}{name}.")
            if inner or name in resolved["required"]:
                values[name] = inner
                checks += inner_checks
        elif not _is_empty(value):
            values[name] = value
    return values, [_Check(resolved, values, prefix), *checks]


def _with_defaults(schema: Schema, raw: Mapping[str, Any]) -> dict[str, Any]:
    start = {name: value for name, value in defaults(schema).items() if name not in raw}
    return start | {name: raw[name] for name in schemas.declared(schema) if name in raw}


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
        if code and not is_nested(check.schema["properties"][name])
    }


def _problems(check: _Check) -> dict[str, str]:
    errors: dict[str, str] = {}
    for name in check.schema["required"]:
        child = check.schema["properties"].get(name, {})
        if name not in check.values and not is_secret(child):
            errors[f"{check.prefix}{name}"] = _missing(child, check.label(name))
    for name, value in check.values.items():
        child = check.schema["properties"][name]
        if is_nested(child):
            if not isinstance(value, Mapping):
                errors[f"{check.prefix}{name}"] = f"{check.label(name)} must be an object."
            continue
        if isinstance(value, str) and len(value) > MAX_TEXT:
            errors[f"{check.prefix}{name}"] = f"{check.label(name)} is longer than {MAX_TEXT:,} characters."
            continue
        validator = Draft7Validator(_tame(child), format_checker=FORMATS, registry=Registry())
        for error in validator.iter_errors(value):
            place = "".join(
                f", entry {part + 1}" if isinstance(part, int) else f", {part}" for part in error.absolute_path
            )
            errors.setdefault(f"{check.prefix}{name}", sentence_of(error, f"{check.label(name)}{place}"))
    return errors


def _missing(child: Schema, label: str) -> str:
    if child.get("ui:field") in ("OwnerPicker", "EntityPicker", "ClusterPicker", "MyGroupsPicker") or "enum" in child:
        return f"Choose an answer for “{label}”."
    return f"“{label}” needs an answer."


def _pattern_problems(checks: list[_Check]) -> dict[str, str]:
    """Values that do not match their pattern, all asked in one child process."""
    asked: list[tuple[str, str, str, Schema]] = []
    for check in checks:
        for name, value in check.values.items():
            child = check.schema["properties"][name]
            place = f"{check.prefix}{name}"
            asked += [(place, check.label(name), text, rule) for text, rule in _patterned(child, value)]
    try:
        verdicts = matches((str(rule["pattern"]), text) for _, _, text, rule in asked)
    except RenderError:
        return {place: f"{label} could not be checked in time; shorten it." for place, label, _, _ in asked}
    return {
        place: _pattern_sentence(rule, label)
        for (place, label, _, rule), verdict in zip(asked, verdicts, strict=True)
        if not verdict
    }


def _patterned(schema: Schema, value: Any) -> Iterator[tuple[str, Schema]]:
    if isinstance(value, str) and isinstance(schema.get("pattern"), str) and len(value) <= MAX_TEXT:
        yield value, schema
    if isinstance(value, str) and schema.get("ui:field") == "EntityNamePicker" and "pattern" not in schema:
        yield value, {"pattern": NAME, "errorMessage": {"pattern": _NAME_RULE}}
    items = schema.get("items")
    if isinstance(value, list) and isinstance(items, Mapping):
        for item in value:
            yield from _patterned(items, item)


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
    for name, value in check.values.items():
        child = check.schema["properties"][name]
        place = f"{check.prefix}{name}"
        kind = str(child.get("ui:field") or "")
        if place in known or not isinstance(value, str) or kind not in _WORLD:
            continue
        if sentence := _WORLD[kind](document, child, value, access, check.label(name)):
            errors[place] = sentence
    return errors


def _name_taken(document: Mapping[str, Any], child: Schema, value: str, access: Access, label: str) -> str:
    options = child.get("ui:options") or {}
    kind = str(options.get("kind") or "Component").lower()
    taken = choices.entity_of_name(access.organisation, f"{kind}:default/{value}")
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


def filters_of(child: Schema) -> list[Mapping[str, Any]]:
    """A picker's `catalogFilter` (or its older `allowedKinds`) as a list of filters."""
    options = child.get("ui:options") or {}
    filters = options.get("catalogFilter")
    if isinstance(filters, Mapping):
        return [filters]
    if isinstance(filters, list):
        return [one for one in filters if isinstance(one, Mapping)]
    return [{"kind": kind} for kind in options.get("allowedKinds") or []]


def allows_other(child: Schema) -> bool:
    """Whether a picker takes what is not among its options."""
    return bool((child.get("ui:options") or {}).get("allowArbitraryValues", True))


def _no_entity(document: Mapping[str, Any], child: Schema, value: str, access: Access, label: str) -> str:
    if allows_other(child):
        return ""
    if value in {option.value for option in choices.entity_options(access.organisation, filters_of(child))}:
        return ""
    return f"“{value}” is not among the choices for “{label}”."


def _no_owner(document: Mapping[str, Any], child: Schema, value: str, access: Access, label: str) -> str:
    ref = value if ":" in value else f"group:{value if '/' in value else f'default/{value}'}"
    if ref.lower() in {option.value for option in choices.owner_options(access)}:
        return ""
    if choices.entity_of_name(access.organisation, ref) is not None:
        return ""
    return f"There is no team or person “{value}” in the catalog."


def _no_group(document: Mapping[str, Any], child: Schema, value: str, access: Access, label: str) -> str:
    if value in access.team_refs:
        return ""
    return f"You are not in “{value}”."


def _no_cluster(document: Mapping[str, Any], child: Schema, value: str, access: Access, label: str) -> str:
    if choices.cluster_named(access.organisation, value) is not None:
        return ""
    return f"There is no cluster called “{value}”."


_WORLD = {
    "EntityNamePicker": _name_taken,
    "RepoUrlPicker": _repository_taken,
    "EntityPicker": _no_entity,
    "OwnedEntityPicker": _no_entity,
    "OwnerPicker": _no_owner,
    "MyGroupsPicker": _no_group,
    "ClusterPicker": _no_cluster,
}


def secret_questions(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What the path wants to be told in confidence, by name: `spec.secrets.schema` and fields of the kind Secret."""
    asked: dict[str, dict[str, Any]] = {}
    for page in schemas.pages_of(document):
        required = set(page.get("required") or [])
        for name, child in schemas.declared(page).items():
            if is_secret(child):
                asked[name] = {**child, "is_required": name in required}
    schema = ((document["spec"].get("secrets") or {}).get("schema")) or {}
    required = set(schema.get("required") or [])
    for name, child in schemas.declared(schema).items():
        asked[name] = {**child, "is_required": name in required}
    return asked


def _secret_problems(document: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    asked = secret_questions(document)
    errors = {
        f"{CONFIDENTIAL}{name}": f"The path asks for no secret called “{name}”." for name in given if name not in asked
    }
    for name, child in asked.items():
        label = child.get("title") or name
        if child["is_required"] and not given.get(name):
            errors[f"{CONFIDENTIAL}{name}"] = f"“{label}” needs an answer."
        elif 0 < len(given.get(name, "").strip()) < MIN_SECRET:
            errors[f"{CONFIDENTIAL}{name}"] = (
                f"“{label}” is too short to be kept out of the log: {MIN_SECRET} characters at least."
            )
    return errors
