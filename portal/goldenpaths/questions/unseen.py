"""Answers that nobody is to read over a shoulder: typed as dots (`ui:widget: password`) or masked in the review.

Every schema that may declare an answer is asked, in whichever branch, form or page: what one of them hides is hidden.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.goldenpaths.questions import schemas
from portal.goldenpaths.questions.schemas import Schema

# Before the place of an answer where it stands among secrets, which have plain names.
PREFIX = "parameters/"
# A run keeps no longer ones; what is longer goes by its digest.
LONGEST_NAME = 200

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Unseen:
    """One such answer: where it stands, the question, and what was said."""

    place: Place
    schema: Schema
    value: Any

    @property
    def name(self) -> str:
        """The place in one text that no other place has."""
        name = PREFIX + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in self.place)
        return name if len(name) <= LONGEST_NAME else PREFIX + hashlib.sha256(name.encode()).hexdigest()

    @property
    def label(self) -> str:
        """What the form calls it."""
        return str(
            self.schema.get("title") or next((part for part in reversed(self.place) if isinstance(part, str)), "")
        )


def is_unseen(schema: Schema) -> bool:
    """Whether the answer to this question is masked wherever it is shown."""
    return schemas.ui(schema, "widget") == "password" or bool(mask_of(schema))


def mask_of(schema: Schema) -> str:
    """What the author wants to see in the answer's place; "" for no wish."""
    backstage = schema.get("ui:backstage")
    review = backstage.get("review") if isinstance(backstage, Mapping) else None
    return str(review.get("mask") or "") if isinstance(review, Mapping) else ""


def called(name: str) -> str:
    """The name of a secret or an unseen answer, as people write it."""
    return name.removeprefix(PREFIX).replace("/", ".").replace("~1", "/").replace("~0", "~")


def unseen_in(document: Mapping[str, Any], values: Mapping[str, Any]) -> list[Unseen]:
    """The answers that were given unseen, at any depth."""
    return list(_among(schemas.pages_of(document), values, ()))


def replaced(values: Mapping[str, Any], instead: Mapping[Place, Any]) -> dict[str, Any]:
    """The answers with others at these places; what is given stays as it is."""
    return {name: _replaced(value, (name,), instead) for name, value in values.items()}


def veiled(document: Mapping[str, Any], values: Mapping[str, Any], veil: str) -> dict[str, Any]:
    """The answers with `veil` in the place of each that was given unseen."""
    return replaced(values, {one.place: veil for one in unseen_in(document, values)})


def _among(asking: Sequence[Schema], values: Mapping[str, Any], at: Place) -> Iterator[Unseen]:
    """Those among the answers of one object, which any of `asking` may declare."""
    questions: dict[str, list[Schema]] = {}
    for schema in asking:
        for name, child in schemas.declarations(schema):
            questions.setdefault(name, []).append(child)
    for name, value in values.items():
        yield from _within(questions.get(name, []), value, (*at, name))


def _within(asking: Sequence[Schema], value: Any, at: Place) -> Iterator[Unseen]:
    if value is None or value == "":
        return
    hiding = next((schema for schema in asking if is_unseen(schema)), None)
    if hiding is not None:
        yield Unseen(at, hiding, value)
    elif isinstance(value, Mapping):
        yield from _among(asking, value, at)
    elif isinstance(value, list):
        items = [schema["items"] for schema in asking if isinstance(schema.get("items"), Mapping)]
        for number, item in enumerate(value):
            yield from _within(items, item, (*at, number))


def _replaced(value: Any, at: Place, instead: Mapping[Place, Any]) -> Any:
    if at in instead:
        return instead[at]
    if isinstance(value, Mapping):
        return {name: _replaced(item, (*at, name), instead) for name, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, (*at, number), instead) for number, item in enumerate(value)]
    return value
