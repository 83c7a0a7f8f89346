"""Replaces `{$text: file}`, `{$json: file}` and `{$yaml: file}` by what the file of the same source holds."""

import json
import math
from collections.abc import Callable
from typing import Any

from catalog.descriptors.rules import BrokenRule
from portal.kit.yamltext import MAX_DEPTH, FieldPath, YamlError, load_all

# Takes the file's place as written and gives its text; raises CannotRead with a sentence.
Reader = Callable[[str], str]

_KEYS = ("$text", "$json", "$yaml")
MAX_PLACEHOLDERS = 100
MAX_TEXT = 4 * 1024 * 1024


class CannotRead(Exception):
    """A file that a descriptor points to cannot be read; `str()` is the sentence."""


class _Budget:
    def __init__(self) -> None:
        self.files = 0
        self.size = 0


def resolve(document: Any, read: Reader) -> tuple[Any, list[BrokenRule]]:
    """The document with every placeholder replaced, and what could not be; unknown `$keys` stay as they are."""
    broken: list[BrokenRule] = []
    return _walk(document, (), read, broken, _Budget()), broken


def _walk(value: Any, at: FieldPath, read: Reader, broken: list[BrokenRule], budget: _Budget) -> Any:
    if isinstance(value, list):
        return [_walk(item, (*at, index), read, broken, budget) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and (key := next(iter(value))) in _KEYS:
        return _replace(key, value[key], at, read, broken, budget)
    return {key: _walk(inner, (*at, key), read, broken, budget) for key, inner in value.items()}


def _replace(key: str, target: Any, at: FieldPath, read: Reader, broken: list[BrokenRule], budget: _Budget) -> Any:
    if not isinstance(target, str) or not target:
        broken.append(BrokenRule(at, "placeholder", f"`{key}` must name a file, e.g. {key}: ./openapi.yaml."))
        return None
    try:
        return _parse(key, target, _read(target, read, budget))
    except CannotRead as problem:
        broken.append(BrokenRule((*at, key), "placeholder", str(problem)))
        return None


def _read(target: str, read: Reader, budget: _Budget) -> str:
    budget.files += 1
    if budget.files > MAX_PLACEHOLDERS:
        raise CannotRead(f"One descriptor may include at most {MAX_PLACEHOLDERS} files.")
    text = read(target)
    budget.size += len(text)
    if budget.size > MAX_TEXT:
        raise CannotRead("The included files are larger than 4 MiB together.")
    if "\0" in text:
        raise CannotRead(f'"{target}" is not a text file.')
    return text


def _parse(key: str, target: str, text: str) -> Any:
    if key == "$text":
        return text
    if key == "$json":
        try:
            value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
            _check_storable(value, 0)
        except (ValueError, RecursionError) as error:
            raise CannotRead(f'"{target}" is not valid JSON: {error}.') from error
        return value
    try:
        documents = load_all(text, target)
    except YamlError as error:
        raise CannotRead(f'"{target}", line {error.line}: {error.sentence}') from error
    if len(documents) != 1:
        raise CannotRead(f'"{target}" holds {len(documents)} YAML documents; it must hold exactly one.')
    return documents[0].data


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not allowed")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is too large")
    return value


def _check_storable(value: Any, depth: int) -> None:
    """JSON may spell what the database cannot keep: NUL, halves of characters, endless nesting."""
    if depth > MAX_DEPTH:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, str) and ("\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value)):
        raise ValueError("it holds characters that are not text")
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_storable(key, depth)
            _check_storable(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check_storable(inner, depth + 1)
