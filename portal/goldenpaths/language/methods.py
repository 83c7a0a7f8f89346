"""The JavaScript members that templates may use on text and lists: a table, so that nothing else is reachable."""

from collections.abc import Callable
from functools import partial
from typing import Any

from portal.goldenpaths.language.values import DialectError, text_of

MAX_REPEAT = 10_000


def _split(value: str, separator: str | None = None) -> list[str]:
    if separator is None:
        return [value]
    return list(value) if separator == "" else value.split(separator)


def _slice(value: Any, start: int = 0, end: int | None = None) -> Any:
    return value[start:end]


def _substring(value: str, start: int = 0, end: int | None = None) -> str:
    stop = len(value) if end is None else max(0, end)
    low, high = sorted((max(0, start), stop))
    return value[low:high]


def _replace(value: str, old: Any, new: Any) -> str:
    if hasattr(old, "sub_in"):
        return str(old.sub_in(value, text_of(new)))
    return value.replace(text_of(old), text_of(new), 1)


def _index_of(value: Any, item: Any) -> int:
    if isinstance(value, str):
        return value.find(text_of(item))
    return value.index(item) if item in value else -1


def _repeat(value: str, times: int) -> str:
    if not 0 <= times <= MAX_REPEAT:
        raise DialectError(f"repeat() takes a number from 0 to {MAX_REPEAT:,}.")
    return value * times


def _pad(value: str, length: int, fill: str, *, at_start: bool) -> str:
    if length > MAX_REPEAT:
        raise DialectError(f"A text is padded to at most {MAX_REPEAT:,} characters.")
    lack = max(0, length - len(value))
    padding = (fill * lack)[:lack]
    return padding + value if at_start else value + padding


TEXT: dict[str, Callable[..., Any]] = {
    "split": _split,
    "slice": _slice,
    "substring": _substring,
    "substr": lambda value, start, length=None: value[start : None if length is None else start + length],
    "replace": _replace,
    "replaceAll": lambda value, old, new: value.replace(text_of(old), text_of(new)),
    "toLowerCase": lambda value: value.lower(),
    "toUpperCase": lambda value: value.upper(),
    "trim": lambda value: value.strip(),
    "trimStart": lambda value: value.lstrip(),
    "trimEnd": lambda value: value.rstrip(),
    "includes": lambda value, part: text_of(part) in value,
    "startsWith": lambda value, part: value.startswith(text_of(part)),
    "endsWith": lambda value, part: value.endswith(text_of(part)),
    "indexOf": _index_of,
    "concat": lambda value, *others: value + "".join(text_of(other) for other in others),
    "repeat": _repeat,
    "padStart": lambda value, length, fill=" ": _pad(value, length, fill, at_start=True),
    "padEnd": lambda value, length, fill=" ": _pad(value, length, fill, at_start=False),
    "charAt": lambda value, at=0: value[at : at + 1],
    "toString": lambda value: value,
}
LIST: dict[str, Callable[..., Any]] = {
    "includes": lambda value, item: item in value,
    "indexOf": _index_of,
    "join": lambda value, separator=",": separator.join(text_of(item) for item in value),
    "slice": _slice,
    "concat": lambda value, *others: [
        *value,
        *(item for other in others for item in (other if isinstance(other, list) else [other])),
    ],
    "toString": lambda value: text_of(value),
}
NUMBER: dict[str, Callable[..., Any]] = {
    "toString": lambda value: text_of(value),
    "toFixed": lambda value, digits=0: f"{value:.{min(int(digits), 20)}f}",
}


def member(value: Any, name: str) -> Any:
    """The member `name` of a value, or None when there is none."""
    if name == "length" and isinstance(value, (str, list, tuple)):
        return len(value)
    if isinstance(value, str):
        table = TEXT
    elif isinstance(value, (list, tuple)):
        table = LIST
    elif isinstance(value, (int, float)):
        table = NUMBER
    elif hasattr(value, "sub_in") and name in ("test", "exec"):
        return getattr(value, name)
    else:
        return None
    method = table.get(name)
    return None if method is None else partial(method, value)
