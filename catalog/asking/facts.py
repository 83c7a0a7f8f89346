"""The search rows of an entity: every path with its value, lower-cased for matching, as written for counting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_KEY = MAX_VALUE = 200
# Annotations that the server adds where an author has none of the name: see locations.py.
PLACED = ("backstage.io/managed-by-location", "backstage.io/managed-by-origin-location")
_SKIPPED = frozenset({"attachments", "relations", "status", "metadata.etag", "metadata.uid"})


@dataclass(frozen=True)
class Facts:
    """`facts` (lower-case `key` and `key=value`) answers filters; `labels` (`key=Value`) answers facets."""

    facts: list[str]
    labels: list[str]


# What the key of an item says: an item of a list, a text, is a key behind that of its list.
ITEM_VALUE = "true"


def rows(
    document: Mapping[str, Any], edges: Sequence[tuple[str, str]] = (), uid: str = "", *, only: str = ""
) -> list[tuple[str, str | None]]:
    """(path, value) rows of the search index, values in their own case, None where a value cannot be matched.

    only: those of this path, in lower case, and some others: what cannot lead there is not looked at
    """
    found, items = rows_and_items(document, edges, uid, only=only)
    return list(dict.fromkeys([*found, *((item, ITEM_VALUE) for item in items)]))


def rows_and_items(
    document: Mapping[str, Any], edges: Sequence[tuple[str, str]] = (), uid: str = "", *, only: str = ""
) -> tuple[list[tuple[str, str | None]], list[str]]:
    """The same without the keys of items, and those by themselves."""
    found, items = list[tuple[str, str | None]](), dict[str, None]()
    _flatten(found, items, document, "", only)
    metadata = document.get("metadata") or {}
    found.append(("metadata.name", str(metadata.get("name", ""))))
    found.append(("metadata.namespace", str(metadata.get("namespace") or "default")))
    if uid:
        found.append(("metadata.uid", uid))
    found += [(f"relations.{kind}", target) for kind, target in edges]
    unique: dict[tuple[str, str | None], None] = {}
    for key, value in found:
        if len(key) <= MAX_KEY:
            unique[key, value if value is not None and len(value) <= MAX_VALUE else None] = None
    return list(unique), [item for item in items if len(item) <= MAX_KEY]


def of(document: Mapping[str, Any], edges: Sequence[tuple[str, str]] = (), uid: str = "") -> Facts:
    """The arrays kept on the entity's row."""
    facts: set[str] = set()
    labels: set[str] = set()
    for key, value in rows(document, edges, uid):
        facts.add(key.lower())
        if value is not None:
            facts.add(f"{key}={value}".lower())
            labels.add(f"{key.lower()}={value}")
    return Facts(sorted(facts), sorted(labels))


def _flatten(found: list[tuple[str, str | None]], items: dict[str, None], value: Any, path: str, only: str) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            where = f"{path}.{key}" if path else key
            if where not in _SKIPPED and (not only or only.startswith(where.lower())):
                _flatten(found, items, inner, where, only)
    elif isinstance(value, list):
        for item in value:
            _flatten(found, items, item, path, only)
            if isinstance(item, str):
                items[f"{path}.{item}"] = None
    else:
        found.append((path, text_of(value)))


def text_of(value: object) -> str | None:
    """A scalar as the index writes it: true, 1, 1.5, text; None for null."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
