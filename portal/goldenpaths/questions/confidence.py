"""What a path is told in confidence: its secrets, and answers given unseen. Neither may read like a plain word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portal.goldenpaths.questions import schemas
from portal.goldenpaths.questions.answers import is_secret
from portal.goldenpaths.questions.schemas import Schema
from portal.goldenpaths.questions.unseen import unseen_in

# Shorter words could not be masked without blacking out ordinary text.
MIN_SECRET = 6
# Where the sentence about a secret stands among the errors.
CONFIDENTIAL = "secrets."
TOO_SHORT = f"“{{}}” is too short to be kept out of the log: {MIN_SECRET} characters at least."


def too_short(document: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, str]:
    """Unseen answers that could not be kept out of a log."""
    return {
        ".".join(str(part) for part in one.place): TOO_SHORT.format(one.label)
        for one in unseen_in(document, values)
        if is_too_short(one.schema, one.value)
    }


def is_too_short(schema: Schema, value: Any) -> bool:
    """Whether a typed answer cannot be told from ordinary words; a choice among few is no secret to begin with."""
    if isinstance(value, bool) or schemas.options_of(schema):
        return False
    return isinstance(value, str | int | float) and len(str(value).strip()) < MIN_SECRET


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


def secret_problems(document: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with the secrets that were given, each at its name."""
    asked = secret_questions(document)
    errors = {
        f"{CONFIDENTIAL}{name}": f"The path asks for no secret called “{name}”." for name in given if name not in asked
    }
    for name, child in asked.items():
        label = child.get("title") or name
        if child["is_required"] and not given.get(name):
            errors[f"{CONFIDENTIAL}{name}"] = f"“{label}” needs an answer."
        elif 0 < len(given.get(name, "").strip()) < MIN_SECRET:
            errors[f"{CONFIDENTIAL}{name}"] = TOO_SHORT.format(label)
    return errors
