"""An object before a change, after it, and as it is now: what to put back, what others changed since; pure."""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from portal.clusters.claims import KUBECTL

Manifest = dict[str, Any]

# What the server writes: never put back, never compared, never shown.
SERVERS_OWN: Final = frozenset(
    {"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "deletionTimestamp",
     "deletionGracePeriodSeconds"}
)  # fmt: skip
MOST_LINES = 400
NAMES = ("name", "containerPort", "port", "mountPath", "key", "ip", "type")
HIDDEN = "••••••"
# A name in words, however it is written: dbPassword, DB_PASSWORD, db.password.
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_SECRET_WORDS = frozenset(
    {"password", "passwd", "passphrase", "pwd", "secret", "secrets", "token", "credential", "credentials", "apikey",
     "dsn"}
)  # fmt: skip
_SECRET_PAIRS = ("apikey", "accesskey", "privatekey", "secretkey", "signingkey", "encryptionkey", "connectionstring")
# Such a name says where a secret is, or how it is to be treated.
_POINTERS = frozenset({"name", "ref", "path", "file", "namespace", "type", "url", "seconds", "policy"})
_TOLD = re.compile(
    r"""(?P<lead>(?P<quote>["']?)\b(?P<name>[A-Za-z][\w.-]*)(?P=quote)[ \t]*[:=][ \t]*)"""
    r"""(?P<value>"[^"]*"|'[^']*'|[^\s,;&}]+)"""
)
_PASSWORD_IN_URL = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^/\s:@]*:)[^/\s@]+@", re.IGNORECASE)


class _Absent:
    """No such field; unlike null, which is a value."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = _Absent()


def content_of(obj: Mapping[str, Any]) -> Manifest:
    """The object without status and without what the server writes."""
    kept = {key: copy.deepcopy(value) for key, value in obj.items() if key not in ("status", "metadata")}
    metadata = {key: copy.deepcopy(value) for key, value in obj["metadata"].items() if key not in SERVERS_OWN}
    return {**kept, "metadata": metadata}


@dataclass
class Restored:
    """The content to write, the fields that go back, and those that somebody else has changed since."""

    content: Manifest
    returned: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def restored(before: Manifest, after: Manifest, now: Manifest) -> Restored:
    """Three contents: before the change, right after it, and now. Only what the change changed goes back.

    A field that reads otherwise now than right after the change was changed by somebody else, and stays.
    """
    result = Restored({})
    result.content = _merge(before, after, now, "", result)
    return result


def _merge(before: Any, after: Any, now: Any, path: str, result: Restored) -> Any:
    if before == after:
        return now
    if all(isinstance(one, dict) for one in (before, after, now)):
        return _merge_mappings(before, after, now, path, result)
    if all(isinstance(one, list) for one in (before, after, now)) and (key := _key_of(before, after, now)):
        return _merge_lists(before, after, now, key, path, result)
    if now == after:
        result.returned.append(path)
        return before
    if now != before:
        result.kept.append(path)
    return now


def _merge_mappings(
    before: dict[str, Any], after: dict[str, Any], now: dict[str, Any], path: str, result: Restored
) -> dict[str, Any]:
    merged = {}
    for key in [*now, *(key for key in before if key not in now)]:
        inner = f"{path}.{key}" if path else str(key)
        value = _merge(before.get(key, ABSENT), after.get(key, ABSENT), now.get(key, ABSENT), inner, result)
        if value is not ABSENT:
            merged[key] = value
    return merged


def _merge_lists(
    before: list[Any], after: list[Any], now: list[Any], key: str, path: str, result: Restored
) -> list[Any]:
    """Lists whose items have names are merged item by item, in the order of now, what comes back at the end."""
    olds, news, lives = ({item[key]: item for item in items} for items in (before, after, now))
    merged = []
    for name in [*lives, *(name for name in olds if name not in lives)]:
        inner = f"{path}[{name}]"
        value = _merge(olds.get(name, ABSENT), news.get(name, ABSENT), lives.get(name, ABSENT), inner, result)
        if value is not ABSENT:
            merged.append(value)
    return merged


def _key_of(*lists: list[Any]) -> str:
    """The key by which the items of all these lists tell themselves apart; "" when there is none."""
    for key in NAMES:
        if all(_names(items, key) for items in lists):
            return key
    return ""


def _names(items: list[Any], key: str) -> bool:
    if not all(isinstance(item, dict) and isinstance(item.get(key), str | int) for item in items):
        return False
    return len({item[key] for item in items}) == len(items)


def returned_managers(before: list[Any], now: list[Any], ours: str) -> list[Any]:
    """The book of managers after an undo that put everything back: as before, with what others wrote meanwhile.

    Only for an object that nobody else changed: each manager has again what it had, and status writers stay.
    """
    had = {_identity(entry) for entry in before}
    since = [entry for entry in now if entry.get("manager") != ours and _identity(entry) not in had]
    return [*before, *since]


def without_manager(entries: list[Any], ours: str, operation: str = "") -> list[Any]:
    """The book without a manager's entries (of one operation); parts of subresources stay."""
    return [
        entry
        for entry in entries
        if entry.get("manager") != ours
        or entry.get("subresource")
        or (operation and entry.get("operation") != operation)
    ]


def _identity(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    return (entry.get("manager") or "", entry.get("operation") or "", entry.get("subresource") or "")


def difference(before: Manifest, after: Manifest) -> list[str]:
    """A unified diff of two contents, for a person; of what may be secret it says only that it differs.

    That is every value of a Secret, and anywhere else what stands under a name that speaks of a secret: an environment
    variable's value, a key of a ConfigMap, an annotation, an argument such as `--api-token=…`.
    """
    old, new = _masked(content_of(before), content_of(after))
    lines = difflib.unified_diff(_lines(old), _lines(new), "as it stands", "as it would be", lineterm="", n=2)
    found = list(lines)
    if len(found) > MOST_LINES:
        return [*found[:MOST_LINES], f"… and {len(found) - MOST_LINES} lines more"]
    return found


def _lines(content: Manifest) -> list[str]:
    text: str = yaml.safe_dump(content, sort_keys=True, default_flow_style=False, allow_unicode=True, width=10_000)
    return text.splitlines()


def _masked(old: Manifest, new: Manifest) -> tuple[Manifest, Manifest]:
    """Both contents with what may be secret hidden, so that they still tell whether it is the same."""
    known: dict[str, str] = {}
    is_secret = "Secret" in (old.get("kind"), new.get("kind"))
    return _veiled(old, known, "", is_secret=is_secret), _veiled(new, known, "", is_secret=is_secret)


def _veiled(value: Any, known: dict[str, str], place: str, *, is_secret: bool) -> Any:
    """The value with what may be secret in it hidden. `known` tells what stood at a place in the other object."""
    if isinstance(value, dict):
        if "value" in value and speaks_of_secret(str(value.get("name", ""))):
            value = {**value, "value": _hidden(value["value"], known, f"{place}.{value['name']}")}
        return {
            key: _hidden(item, known, f"{place}.{key}")
            if (is_secret and place in (".data", ".stringData")) or _is_told_by(str(key), item)
            else _veiled(item, known, f"{place}.{key}", is_secret=is_secret)
            for key, item in value.items()
            if key != KUBECTL  # holds the whole object once more
        }
    if isinstance(value, list):
        names = _names(value, "name")
        places = [f"{place}.{item['name'] if names else index}" for index, item in enumerate(value)]
        return [
            _hidden(item, known, at) if _is_asked_for(before) else _veiled(item, known, at, is_secret=is_secret)
            for at, before, item in zip(places, [None, *value], value, strict=False)
        ]
    return _text(value, known, place) if isinstance(value, str) else value


def _is_asked_for(before: Any) -> bool:
    """Whether the argument after this one is its value: `--password` and then what it is."""
    return isinstance(before, str) and before.startswith("-") and "=" not in before and speaks_of_secret(before)


def _is_told_by(key: str, item: Any) -> bool:
    """Whether a text stands under a name of a secret; where a name only points to one (`secretName`), it does not."""
    return isinstance(item, str | int | float) and not isinstance(item, bool) and speaks_of_secret(key)


def speaks_of_secret(name: str) -> bool:
    """Whether what is called so is likely to be secret: DB_PASSWORD, api-token, client.secret; not secretName."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or words[-1] in _POINTERS:
        return False
    joined = "".join(words)
    return any(word in _SECRET_WORDS for word in words) or any(word in joined for word in _SECRET_PAIRS)


def _text(text: str, known: dict[str, str], place: str) -> str:
    """A text with what it tells of secrets hidden: `--token=…`, `db.password: …` in a file, `//user:…@host`."""

    def hide(found: re.Match[str]) -> str:
        if not speaks_of_secret(found["name"]):
            return found[0]
        return found["lead"] + _hidden(found["value"], known, f"{place}.{found['name']}")

    return _PASSWORD_IN_URL.sub(rf"\1{HIDDEN}@", _TOLD.sub(hide, text))


def _hidden(value: Any, known: dict[str, str], place: str) -> str:
    told = repr(value)
    return HIDDEN if known.setdefault(place, told) == told else f"{HIDDEN} (another value)"
