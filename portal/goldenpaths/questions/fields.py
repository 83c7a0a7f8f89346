"""The form's fields as the page shows them: which control, with which options, value, help and error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from portal.accounts.access import Access
from portal.goldenpaths.questions import choices, schemas
from portal.goldenpaths.questions.answers import (
    COUNT,
    MAX_ROWS,
    PREFIX,
    is_nested,
    is_repeated,
    is_secret,
    option_key,
    type_of,
)
from portal.goldenpaths.questions.choices import Option
from portal.goldenpaths.questions.forms import allows_other
from portal.goldenpaths.questions.schemas import FORM, Schema


@dataclass(slots=True)
class FormField:
    """One question. `control` names the block of the template that draws it."""

    path: str
    label: str
    control: str
    value: Any = ""
    description: str = ""
    help: str = ""
    placeholder: str = ""
    error: str = ""
    options: list[Option] = field(default_factory=list)
    fields: list[FormField] = field(default_factory=list)
    rows: list[FormField] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)
    is_required: bool = False
    is_first: bool = False
    is_readonly: bool = False
    is_disabled: bool = False
    decides: bool = False
    is_searched: bool = False

    @property
    def name(self) -> str:
        return f"{PREFIX}{self.path}"

    @property
    def id(self) -> str:
        return f"field-{self.path.replace('.', '-').replace('~', '-')}"

    @property
    def is_list(self) -> bool:
        return isinstance(self.value, list)

    @property
    def count_name(self) -> str:
        """The hidden answer that says how many groups a list shows."""
        return f"{self.name}.{COUNT}"

    @property
    def described_by(self) -> str:
        """The ids of what explains the control, for people who hear the page."""
        parts = [f"{self.id}-about"] if self.description else []
        parts += [f"{self.id}-help"] if self.help else []
        return " ".join([*parts, f"{self.id}-error"])

    @property
    def chosen(self) -> list[str]:
        """The values that are chosen, as they are sent."""
        if isinstance(self.value, list):
            return [option_key(item) for item in self.value]
        return [] if self.value is None else [option_key(self.value)]

    @property
    def text(self) -> str:
        """The value as it stands in a text control."""
        if self.value is None:
            return ""
        if self.control == "yaml" and not isinstance(self.value, str):
            return yaml.safe_dump(self.value, sort_keys=False, allow_unicode=True)
        if isinstance(self.value, list):
            return (" " if self.control == "tags" else "\n").join(option_key(item) for item in self.value)
        return option_key(self.value)


def fields_of(
    schema: Schema,
    values: Mapping[str, Any],
    errors: Mapping[str, str],
    access: Access,
    prefix: str = "",
    *,
    names: Mapping[str, Schema] | None = None,
) -> list[FormField]:
    """The fields that a page asks for, given the answers so far; a question that has just appeared has its default.

    `names` is what the page itself asks for, where other pages ask for what decides it.
    """
    own = schemas.declared(schema) if names is None else names
    resolved, answers = schemas.settled(schema, values, values, own)
    deciding = schemas.controllers(schema)
    found = []
    if forms := schemas.forms_of(schema):
        found.append(_chooser(schema, forms, values, prefix))
    for name in schemas.ordered(resolved):
        child = resolved["properties"][name]
        if not isinstance(child, Mapping) or is_secret(child):
            continue
        one = _field(f"{prefix}{name}", name, child, answers.get(name), errors, access)
        one.is_required = name in resolved["required"]
        one.decides = name in deciding
        found.append(one)
    return found


def _chooser(schema: Schema, forms: Sequence[Schema], values: Mapping[str, Any], prefix: str) -> FormField:
    """Which of several forms is filled in."""
    return FormField(
        path=f"{prefix}{FORM}",
        label=f"Form of {schema['title']}" if prefix and schema.get("title") else "Form",
        control="select",
        value=str(schemas.form_of(forms, values)),
        options=[Option(str(at), str(form.get("title") or f"Form {at + 1}")) for at, form in enumerate(forms)],
        is_required=True,
        decides=True,
    )


def _rows(one: FormField, schema: Schema, errors: Mapping[str, str], access: Access) -> None:
    """A group of fields for each entry of a list; at least as many as it must have."""
    items = schema["items"]
    values = one.value if isinstance(one.value, list) else []
    least = schema.get("minItems")
    missing = (least if isinstance(least, int) else 0) - len(values)
    one.control = "rows"
    for at, value in enumerate([*values, *({} for _ in range(min(missing, MAX_ROWS)))]):
        row = FormField(
            f"{one.path}.{at}",
            f"{items.get('title') or one.label} {at + 1}",
            "group",
            error=errors.get(f"{one.path}.{at}", ""),
        )
        row.fields = fields_of(items, value if isinstance(value, Mapping) else {}, errors, access, f"{row.path}.")
        one.rows.append(row)


def _field(path: str, name: str, schema: Schema, value: Any, errors: Mapping[str, str], access: Access) -> FormField:
    one = FormField(
        path=path,
        label=str(schema.get("title") or name),
        control="text",
        value=value,
        description=str(schema.get("description") or schemas.ui(schema, "description") or ""),
        help=str(schemas.ui(schema, "help") or ""),
        placeholder=str(schemas.ui(schema, "placeholder") or ""),
        error=errors.get(path, ""),
        is_first=bool(schemas.ui(schema, "autofocus")),
        is_readonly=bool(schemas.ui(schema, "readonly")),
        is_disabled=bool(schemas.ui(schema, "disabled")),
    )
    one.label = str(schemas.ui(schema, "title") or one.label)
    if is_nested(schema):
        one.control = "group"
        one.fields = fields_of(schema, value if isinstance(value, Mapping) else {}, errors, access, f"{path}.")
        return one
    if is_repeated(schema):
        _rows(one, schema, errors, access)
        return one
    picker = _PICKERS.get(str(schema.get("ui:field") or ""))
    if schemas.ui(schema, "widget") == "hidden":
        one.control = "hidden"
    elif picker:
        picker(one, schema, access)
    elif _item_picker(schema):
        _picked_list(one, schema["items"], access)
    else:
        _plain(one, schema)
    one.attributes |= _bounds(schema, one.control)
    return one


def _plain(one: FormField, schema: Schema) -> None:
    kind, widget = type_of(schema), str(schemas.ui(schema, "widget") or "")
    if kind == "boolean":
        if widget in ("radio", "select"):
            one.options = _yes_and_no(schema)
            one.control = widget
        else:
            one.control = "checkbox"
    elif options := schemas.options_of(schema):
        one.options = _options(options)
        one.control = "radio" if widget == "radio" else "select"
    elif kind == "array":
        _list(one, schema, widget)
    elif kind == "object":
        one.control = "yaml"
    elif widget == "textarea":
        one.control = "textarea"
    else:
        wanted = str(schemas.ui(schema, "inputType") or "")
        one.attributes["type"] = (
            wanted if wanted in INPUT_TYPES else _input_type(kind, widget, str(schema.get("format") or ""))
        )


def _options(options: Sequence[tuple[Any, str]]) -> list[Option]:
    return [Option(option_key(value), label or option_key(value)) for value, label in options]


def _yes_and_no(schema: Schema) -> list[Option]:
    """Yes and no in the author's words: enumNames stand beside enum, or mean true and then false."""
    if options := schemas.options_of(schema):
        named = {value: label for value, label in options if isinstance(value, bool)}
    else:
        names = [*map(str, schema.get("enumNames") or schemas.ui(schema, "enumNames") or []), "", ""]
        named = {True: names[0], False: names[1]}
    words = {True: "Yes", False: "No"}
    return [Option(option_key(value), label or words[value]) for value, label in named.items()]


def _item_picker(schema: Schema) -> bool:
    items = schema.get("items")
    return isinstance(items, Mapping) and str(items.get("ui:field") or "") in _CHOSEN_IN_LISTS


def _picked_list(one: FormField, items: Schema, access: Access) -> None:
    """Several of what a picker offers; a long list is written, and each entry is checked like a single one."""
    offered = FormField("", "", "")
    _PICKERS[str(items["ui:field"])](offered, items, access)
    one.options = offered.options
    one.control = "lines" if offered.is_searched or offered.control == "suggest" else "many"


def _list(one: FormField, schema: Schema, widget: str) -> None:
    items = schema.get("items")
    if isinstance(items, Mapping) and (options := schemas.options_of(items)):
        one.options = _options(options)
        one.control = "many" if widget == "select" else "checkboxes"
    elif isinstance(items, Mapping) and type_of(items) in ("object", "array"):
        one.control = "yaml"
    else:
        one.control = "lines"


def _input_type(kind: str, widget: str, form: str) -> str:
    if widget == "password":
        return "password"
    if kind in ("integer", "number"):
        return "number"
    return {"email": "email", "uri": "url", "date": "date", "time": "time"}.get(form, "text")


def _bounds(schema: Schema, control: str) -> dict[str, str]:
    """What the browser may already hold people to; everything is checked again here."""
    names = {"maximum": "max", "minimum": "min"} if control == "text" else {}
    if control in ("text", "textarea"):
        names["maxLength"] = "maxlength"
    found = {html: str(schema[key]) for key, html in names.items() if isinstance(schema.get(key), (int, float))}
    if control == "text" and type_of(schema) == "number":
        found["step"] = str(schema.get("multipleOf") or "any")
    if schemas.ui(schema, "autocomplete"):
        found["autocomplete"] = str(schemas.ui(schema, "autocomplete"))
    rows = schemas.ui(schema, "rows")
    if control == "textarea" and isinstance(rows, int):
        found["rows"] = str(min(max(rows, 1), 40))
    return found


def _offer(one: FormField, schema: Schema, access: Access, *, is_open: bool) -> None:
    """A list of what is there; a long one is searched while somebody types, and an open one takes other answers too."""
    one.options = choices.options(schema, access, limit=choices.SHOWN + 1)
    one.is_searched = len(one.options) > choices.SHOWN
    one.options = one.options[: choices.SHOWN]
    one.control = "suggest" if is_open or one.is_searched else "select"


def _entity_picker(one: FormField, schema: Schema, access: Access) -> None:
    _offer(one, schema, access, is_open=allows_other(schema))


def _owner_picker(one: FormField, schema: Schema, access: Access) -> None:
    _offer(one, schema, access, is_open=False)
    if one.value is None:
        one.value = next((option.value for option in one.options if option.value in access.team_refs), None)


def _group_picker(one: FormField, schema: Schema, access: Access) -> None:
    _offer(one, schema, access, is_open=False)
    if one.value is None and len(one.options) == 1:
        one.value = one.options[0].value


def _cluster_picker(one: FormField, schema: Schema, access: Access) -> None:
    one.options = choices.cluster_options(access.organisation)
    one.control = "select"
    if one.value is None and len(one.options) == 1:
        one.value = one.options[0].value
    if not one.options:
        one.help = "No cluster is connected yet. An admin connects one under Clusters."


def _tags_picker(one: FormField, schema: Schema, access: Access) -> None:
    one.options = choices.tag_options(access.organisation)
    one.control = "tags"
    one.help = one.help or "Separate tags by spaces."


def _many_picker(one: FormField, schema: Schema, access: Access) -> None:
    _offer(one, schema, access, is_open=allows_other(schema))
    one.control = "tags" if one.control == "suggest" else "many"
    if one.control == "tags":
        one.help = one.help or "Separate entries by spaces."


def _repo_picker(one: FormField, schema: Schema, access: Access) -> None:
    one.attributes["type"] = "text"
    one.help = one.help or "The repository is made on this portal's own git host."
    if isinstance(one.value, str) and "repo=" in one.value:
        one.value = one.value.partition("repo=")[2].partition("&")[0]


def _name_picker(one: FormField, schema: Schema, access: Access) -> None:
    one.attributes |= {"type": "text", "autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}


_PICKERS = {
    "EntityPicker": _entity_picker,
    "OwnedEntityPicker": _entity_picker,
    "MultiEntityPicker": _many_picker,
    "OwnerPicker": _owner_picker,
    "MyGroupsPicker": _group_picker,
    "ClusterPicker": _cluster_picker,
    "EntityTagsPicker": _tags_picker,
    "RepoUrlPicker": _repo_picker,
    "RepoOwnerPicker": _name_picker,
    "RepoBranchPicker": _name_picker,
    "EntityNamePicker": _name_picker,
}
# Pickers that may stand inside a list.
_CHOSEN_IN_LISTS = frozenset({"EntityPicker", "OwnedEntityPicker", "OwnerPicker", "MyGroupsPicker", "ClusterPicker"})
INPUT_TYPES = frozenset({"color", "date", "email", "number", "password", "search", "tel", "text", "time", "url"})
