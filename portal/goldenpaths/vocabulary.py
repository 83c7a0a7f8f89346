"""The actions that a golden path's steps may name: what each takes and what it gives.

The room above fills the table when it starts: here is only what publishing has to know of an action.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft7Validator

from portal.goldenpaths.sentences import sentence_of
from portal.kit.errors import Invalid

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "array", "items": {"type": "string"}}


def shape(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """The schema of an object with these properties and no other."""
    return {"type": "object", "required": list(required), "properties": properties, "additionalProperties": False}


@dataclass(frozen=True, slots=True)
class Example:
    """One way to write a step: a title and its input."""

    title: str
    input: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ActionSpec:
    """One action: its name, what it does, JSON schemas of what goes in and comes out, and how it is written."""

    id: str
    description: str
    input_schema: Schema
    output_schema: Schema = field(default_factory=shape)
    examples: tuple[Example, ...] = ()


ACTION_SPECS: dict[str, ActionSpec] = {}


def checked_input(action: str, step_input: Mapping[str, Any], *, step: str = "") -> dict[str, Any]:
    """A rendered input without its unanswered (null) entries, or a refusal that names the step and the field."""
    given = {key: value for key, value in step_input.items() if value is not None}
    for error in Draft7Validator(ACTION_SPECS[action].input_schema).iter_errors(given):
        place = ".".join(str(part) for part in error.absolute_path)
        raise Invalid(
            f"Step “{step or action}”: {sentence_of(error, place or 'the input')}", code="bad-input", field=place
        )
    return given
