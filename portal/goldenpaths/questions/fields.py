"""The form's fields as the page shows them: which control, with which options, value, help and error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from portal.accounts.access import Access
from portal.goldenpaths.questions import choices, schemas
from portal.goldenpaths.questions.answers import PREFIX, is_nested, is_secret, item_options, option_key, type_of
from portal.goldenpaths.questions.choices import Option
from portal.goldenpaths.questions.forms import allows_other, filters_of
from portal.goldenpaths.questions.schemas import Schema


@dataclass(slots=True)
class Field:
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
    fields: list[Field] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)
    is_required: bool = False
    is_first: bool = False
    is_disabled: bool = False
    decides: bool = False

    @property
    def name(self) -> str:
        return f"{PREFIX}{self.path}"

    @property
    def id(self) -> str:
        return f"field-{self.path.replace('.', '-')}"

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
            return (" " if self.control == "tags" else "\n").join(str(item) for item in self.value)
        return str(self.value)


def fields_of(
    schema: Schema, values: Mapping[str, Any], errors: Mapping[str, str], access: Access, prefix: str = ""
) -> list[Field]:
    """The fields that a page asks for, given the answers so far."""
    resolved = schemas.resolve(schema, values)
    deciding = schemas.controllers(schema)
    found = []
    for name in schemas.ordered(resolved):
        child = resolved["properties"][name]
        if not isinstance(child, Mapping) or is_secret(child):
            continue
        one = _field(f"{prefix}{name}", name, child, values.get(name), errors, access)
        one.is_required = name in resolved["required"]
        one.decides = name in deciding
        found.append(one)
    return found


def _field(path: str, name: str, schema: Schema, value: Any, errors: Mapping[str, str], access: Access) -> Field:
    one = Field(
        path=path,
        label=str(schema.get("title") or name),
        control="text",
        value=value,
        description=str(schema.get("description") or schema.get("ui:description") or ""),
        help=str(schema.get("ui:help") or ""),
        placeholder=str(schema.get("ui:placeholder") or ""),
        error=errors.get(path, ""),
        is_first=bool(schema.get("ui:autofocus")),
        is_disabled=bool(schema.get("ui:disabled") or schema.get("ui:readonly")),
    )
    if is_nested(schema):
        one.control = "group"
        one.fields = fields_of(schema, value if isinstance(value, Mapping) else {}, errors, access, f"{path}.")
        return one
    picker = _PICKERS.get(str(schema.get("ui:field") or ""))
    if picker:
        picker(one, schema, access)
    else:
        _plain(one, schema)
    one.attributes |= _bounds(schema, one.control)
    return one


def _plain(one: Field, schema: Schema) -> None:
    kind, widget = type_of(schema), str(schema.get("ui:widget") or "")
    if widget == "hidden":
        one.control = "hidden"
    elif "enum" in schema or ("const" in schema and kind != "boolean"):
        one.options = _enum(schema.get("enum") or [schema.get("const")], schema)
        one.control = "radio" if widget == "radio" else "select"
    elif kind == "boolean":
        if widget in ("radio", "select"):
            one.options = [Option("true", "Yes"), Option("false", "No")]
            one.control = widget
        else:
            one.control = "checkbox"
    elif kind == "array":
        _list(one, schema, widget)
    elif kind == "object":
        one.control = "yaml"
    elif widget == "textarea":
        one.control = "textarea"
    else:
        one.attributes["type"] = _input_type(kind, widget, str(schema.get("format") or ""))


def _enum(values: list[Any], schema: Schema) -> list[Option]:
    names = schema.get("enumNames") or (schema.get("ui:options") or {}).get("enumNames") or []
    labels = [*map(str, names), *(option_key(value) for value in values[len(names) :])]
    return [Option(option_key(value), label) for value, label in zip(values, labels, strict=False)]


def _list(one: Field, schema: Schema, widget: str) -> None:
    items = schema.get("items")
    if options := item_options(schema):
        one.options = _enum(options, items if isinstance(items, Mapping) else {})
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
    if schema.get("ui:autocomplete"):
        found["autocomplete"] = str(schema["ui:autocomplete"])
    return found


def _entity_picker(one: Field, schema: Schema, access: Access) -> None:
    one.options = choices.entity_options(access.organisation, filters_of(schema))
    one.control = "suggest" if allows_other(schema) else "select"


def _owned_picker(one: Field, schema: Schema, access: Access) -> None:
    mine = set(
        choices.entities(access.organisation).filter(owner_ref__in=access.team_refs).values_list("ref", flat=True)
    )
    found = choices.entity_options(access.organisation, filters_of(schema))
    one.options = [option for option in found if option.value in mine]
    one.control = "suggest" if allows_other(schema) else "select"


def _owner_picker(one: Field, schema: Schema, access: Access) -> None:
    one.options = choices.owner_options(access)
    one.control = "select"
    if one.value is None:
        one.value = next((option.value for option in one.options if option.value in access.team_refs), None)


def _group_picker(one: Field, schema: Schema, access: Access) -> None:
    one.options = choices.own_groups(access)
    one.control = "select"
    if one.value is None and len(one.options) == 1:
        one.value = one.options[0].value


def _cluster_picker(one: Field, schema: Schema, access: Access) -> None:
    one.options = choices.cluster_options(access.organisation)
    one.control = "select"
    if one.value is None and len(one.options) == 1:
        one.value = one.options[0].value
    if not one.options:
        one.help = "No cluster is connected yet. An admin connects one under Clusters."


def _tags_picker(one: Field, schema: Schema, access: Access) -> None:
    one.options = choices.tag_options(access.organisation)
    one.control = "tags"
    one.help = one.help or "Separate tags by spaces."


def _many_picker(one: Field, schema: Schema, access: Access) -> None:
    one.options = choices.entity_options(access.organisation, filters_of(schema))
    one.control = "many"


def _repo_picker(one: Field, schema: Schema, access: Access) -> None:
    one.attributes["type"] = "text"
    one.help = one.help or "The repository is made on this portal's own git host."
    if isinstance(one.value, str) and "repo=" in one.value:
        one.value = one.value.partition("repo=")[2].partition("&")[0]


def _name_picker(one: Field, schema: Schema, access: Access) -> None:
    one.attributes |= {"type": "text", "autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}


_PICKERS = {
    "EntityPicker": _entity_picker,
    "OwnedEntityPicker": _owned_picker,
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
