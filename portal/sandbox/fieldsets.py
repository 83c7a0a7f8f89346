"""Sets of owned fields: made from objects, compared, and written as FieldsV1."""

from typing import Any

import orjson

from portal.sandbox.schema import ANY, KEY_DEFAULTS, Node

# A path is a tuple of FieldsV1 keys: ("f:spec", "f:ports", 'k:{"port":80,"protocol":"TCP"}', "f:name").
Path = tuple[str, ...]
Fields = frozenset[Path]
EMPTY: Fields = frozenset()
# Fields that no manager owns.
_UNOWNED = frozenset(
    [("f:apiVersion",), ("f:kind",), ("f:metadata",)]
    + [
        ("f:metadata", f"f:{name}")
        for name in (
            "name",
            "namespace",
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "selfLink",
            "managedFields",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generateName",
        )
    ]
)
_METADATA = frozenset(path for path in _UNOWNED if len(path) == 2)


def element_of(node: Node, item: Any) -> str:
    """The path element of a list item."""
    if node.list_type == "set":
        return "v:" + orjson.dumps(item).decode()
    key = {name: item.get(name, KEY_DEFAULTS.get(name)) for name in sorted(node.keys)}
    return "k:" + orjson.dumps(key).decode()


def is_granular(node: Node, value: Any) -> bool:
    """Whether parts of this value may have different owners."""
    if node.atomic:
        return False
    if node.shape in ("struct", "map"):
        return isinstance(value, dict)
    return node.shape == "list" and node.list_type in ("map", "set") and isinstance(value, list)


def owned(node: Node, value: Any) -> Fields:
    """The fields that a configuration names."""
    found: set[Path] = set()
    _collect(node, value, (), found)
    return strip(frozenset(found))


def _collect(node: Node, value: Any, path: Path, found: set[Path]) -> None:
    if not is_granular(node, value):
        found.add(path)
        return
    if node.shape == "list":
        element = node.element or ANY
        for item in value:
            inner = (*path, element_of(node, item))
            found.add(inner)
            if node.list_type == "map":
                _collect(element, item, inner, found)
        return
    for key, item in value.items():
        child = node.fields.get(key) if node.shape == "struct" else node.element
        inner = (*path, f"f:{key}")
        if item is None or item == {} or node.shape == "map":
            found.add(inner)
        _collect(child or ANY, item, inner, found)


def strip(fields: Fields) -> Fields:
    """Without what nobody owns."""
    return frozenset(path for path in fields if path and path not in _UNOWNED and path[:2] not in _METADATA)


def differences(node: Node, old: Any, new: Any) -> tuple[Fields, Fields]:
    """What is set anew or changed, and what is gone, between two whole objects."""
    changed: set[Path] = set()
    removed: set[Path] = set()
    _compare(node, old, new, (), changed, removed)
    return strip(frozenset(changed)), strip(frozenset(removed))


def _compare(node: Node, old: Any, new: Any, path: Path, changed: set[Path], removed: set[Path]) -> None:
    if old == new:
        return
    if not is_granular(node, new) or not is_granular(node, old):
        if old is not None and new is None:
            removed.add(path)
            if is_granular(node, old):
                _collect(node, old, path, removed)
        elif old is None and is_granular(node, new):
            if node.shape != "struct" or not new:
                changed.add(path)
            _collect(node, new, path, changed)
        else:
            changed.add(path)
        return
    if node.shape == "list":
        before = {element_of(node, item): item for item in old}
        after = {element_of(node, item): item for item in new}
        children = dict.fromkeys(before | after, node.element or ANY)
    else:
        before = {f"f:{key}": item for key, item in old.items()}
        after = {f"f:{key}": item for key, item in new.items()}
        pick = node.fields.get if node.shape == "struct" else lambda _key: node.element
        children = {key: pick(key[2:]) or ANY for key in before | after}
    for key, child in children.items():
        inner = (*path, key)
        if key not in before and node.shape != "struct":
            changed.add(inner)
        if key not in after and node.shape != "struct":
            removed.add(inner)
        _compare(child, before.get(key), after.get(key), inner, changed, removed)


def to_fields_v1(fields: Fields) -> dict[str, Any]:
    """As the `fieldsV1` of a managedFields entry."""
    root: dict[str, Any] = {}
    parents: set[Path] = {path[:length] for path in fields for length in range(1, len(path))}
    for path in sorted(fields):
        here = root
        for step in path:
            here = here.setdefault(step, {})
        if path in parents:
            here["."] = {}
    return root


def from_fields_v1(document: dict[str, Any]) -> Fields:
    found: set[Path] = set()

    def walk(here: dict[str, Any], path: Path) -> None:
        if not here and path:
            found.add(path)
        for key, inner in here.items():
            if key == ".":
                found.add(path)
            else:
                walk(inner, (*path, key))

    walk(document, ())
    return frozenset(found)


def path_text(path: Path) -> str:
    """A path as conflicts print it: `.spec.containers[name="web"].image`."""
    out = ""
    for step in path:
        kind, _, rest = step.partition(":")
        if kind == "f":
            out += f".{rest}"
        elif kind == "k":
            keys = ",".join(f"{key}={orjson.dumps(value).decode()}" for key, value in orjson.loads(rest).items())
            out += f"[{keys}]"
        else:
            out += f"[={rest}]"
    return out


def remove(node: Node, value: Any, gone: Fields, path: Path = ()) -> Any:
    """The value without the fields that are gone. Emptied maps and lists go with them."""
    if node.shape == "list":
        kept = []
        for item in value:
            inner = (*path, element_of(node, item))
            if inner in gone:
                continue
            kept.append(_inside(node.element or ANY, item, gone, inner))
        return kept
    out: dict[str, Any] = {}
    for key, item in value.items():
        inner = (*path, f"f:{key}")
        if inner in gone:
            continue
        child = (node.fields.get(key) if node.shape == "struct" else node.element) or ANY
        rest = _inside(child, item, gone, inner)
        if rest in ({}, []) and item not in ({}, []):
            continue
        out[key] = rest
    return out


def _inside(node: Node, item: Any, gone: Fields, path: Path) -> Any:
    return remove(node, item, gone, path) if is_granular(node, item) else item
