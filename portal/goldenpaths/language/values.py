"""How values of the template language turn into text and into plain data."""

import json
from collections.abc import Iterable
from typing import Any

from jinja2.runtime import Undefined


class DialectError(Exception):
    """A template cannot be rendered; the text is a sentence for its author."""


def text_of(value: Any) -> str:
    """The text of a value inside other text: as JavaScript prints it, except that an object is refused."""
    if isinstance(value, str):
        return str(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(number(value))
    if isinstance(value, Undefined):
        value._fail_with_undefined_error()
    if isinstance(value, dict):
        raise DialectError("An object cannot be written into text; write it with “| dump”, or pick one of its fields.")
    if isinstance(value, Iterable):
        return ",".join(text_of(item) for item in value)
    raise DialectError("A function cannot be written into text; call it with ().")


def number(value: int | float) -> int | float:
    """Whole numbers without a decimal point, as JavaScript has them."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def plain(value: Any) -> Any:
    """The value as plain JSON data."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, dict):
        return {text_of(key): plain(item) for key, item in value.items()}
    if isinstance(value, Undefined):
        value._fail_with_undefined_error()
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    raise DialectError("A function is not a value; call it with ().")


def as_json(value: Any, indent: int | str | None = None) -> str:
    """JSON as JavaScript's JSON.stringify writes it."""
    separators = (",", ":") if not indent else (",", ": ")
    return json.dumps(plain(value), ensure_ascii=False, indent=indent or None, separators=separators, allow_nan=False)
