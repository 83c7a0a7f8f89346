"""Text and JSON from outside, held to what a row can keep: no NUL, no half characters, no nesting without end."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from portal.kit.errors import Invalid

MAX_DEPTH = 64
MAX_DIGITS = 40
# PostgreSQL keeps neither, in text as in jsonb: NUL, and the halves of characters that JSON's \u escapes can make.
_ODD = re.compile("[\x00\ud800-\udfff]")


def odd_character(value: Any) -> str:
    """The code of the first character that no row can keep, in a text or the texts of nested data; "" for none."""
    if isinstance(value, str) and value.isascii() and "\0" not in value:
        return ""  # nearly all that is read
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if found := _ODD.search(item):
                return f"U+{ord(found[0]):04X}"
        elif isinstance(item, Mapping):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple):
            waiting += item
    return ""


def split_url(text: str) -> SplitResult | None:
    """An address, taken apart; None for what cannot be one: a bracket that is never closed, a port of letters."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return parts


def read_json(text: str) -> Any:
    """The data in a JSON text; raises Invalid with what is wrong, and where that can be said."""
    try:
        value = json.loads(text, parse_constant=_constant, parse_int=_integer)
    except RecursionError as error:
        raise _too_deep() from error
    except json.JSONDecodeError as error:
        raise Invalid(f"This is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno}).") from error
    if _depth_exceeds(value, MAX_DEPTH):
        raise _too_deep()
    if code := odd_character(value):
        raise Invalid(f"A text holds the character {code}, which cannot be kept; remove it.", code="odd-character")
    return value


def _too_deep() -> Invalid:
    return Invalid(f"The JSON is nested more than {MAX_DEPTH} levels deep.", code="too-deep")


def _constant(name: str) -> Any:
    raise Invalid(f"{name} is not a number that JSON knows.")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise Invalid(f"A number has {len(digits)} digits; at most {MAX_DIGITS} are kept exactly.")
    return int(digits)


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        inner = [item for item in level if isinstance(item, dict | list)]
        if not inner:
            return False
        level = [child for item in inner for child in (item.values() if isinstance(item, dict) else item)]
    return True
