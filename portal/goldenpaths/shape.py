"""The shape of a template document, as JSON Schema: which keys there are, and of which type."""

from typing import Any

API_VERSION = "scaffolder.backstage.io/v1beta3"

CODE = "golden-path"  # of every finding about one

_NAME = {"type": "string", "pattern": r"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$", "maxLength": 63}
STEP = {
    "type": "object",
    "required": ["action"],
    "properties": {
        "id": {"type": "string", "pattern": r"^[A-Za-z_][A-Za-z0-9_-]*$", "maxLength": 63},
        "name": {"type": "string"},
        "action": {"type": "string"},
        "input": {"type": "object"},
        "if": {"type": ["string", "boolean"]},
        "each": {"type": ["string", "array", "object"]},
    },
    # What nobody would act on is not accepted: tests/provisioning/test_keywords.py proves each of these.
    "additionalProperties": False,
}
_CONDITION = {"type": ["string", "boolean"]}


def _shown(**properties: dict[str, Any]) -> dict[str, Any]:
    """A list of things that are shown at the end of a run, each under an optional condition."""
    item = {
        "type": "object",
        "properties": {"if": _CONDITION, "title": {"type": "string"}, "icon": {"type": "string"}, **properties},
        "additionalProperties": False,
    }
    return {"type": ["array", "null"], "items": item}


OUTPUT = {
    "type": "object",
    "properties": {
        "links": _shown(url={"type": "string"}, entityRef={"type": "string"}),
        "text": _shown(content={"type": "string"}),
    },
}
SHAPE = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": API_VERSION},
        "kind": {"const": "Template"},
        "metadata": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": _NAME,
                "namespace": {"type": "string", "pattern": r"^[a-z0-9]+(?:-+[a-z0-9]+)*$", "maxLength": 63},
                "title": {"type": "string", "minLength": 1},
                "description": {"type": "string"},
                "tags": {"type": "array", "items": {"type": "string"}},
            },
        },
        "spec": {
            "type": "object",
            "required": ["type", "steps"],
            "properties": {
                "type": {"type": "string", "minLength": 1},
                "owner": {"type": "string", "minLength": 1},
                "lifecycle": {"type": "string"},
                "parameters": {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]},
                "secrets": {"type": "object", "properties": {"schema": {"type": "object"}}},
                "steps": {"type": "array", "items": STEP, "minItems": 1, "maxItems": 100},
                "output": OUTPUT,
            },
        },
    },
}
