"""The three older kinds of patch: JSON patch, merge patch, strategic merge patch."""

import copy
from typing import Any

from portal.sandbox.errors import ApiError, bad_request
from portal.sandbox.schema import ANY, Node


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge_patch(out.get(key), value)
    return out


def _invalid() -> ApiError:
    """The real server says no more than this about a JSON patch that does not fit."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def _walk(document: Any, steps: list[str]) -> Any:
    for step in steps:
        try:
            document = document[int(step)] if isinstance(document, list) else document[step]
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise _invalid() from error
    return document


def _steps(pointer: str) -> list[str]:
    if pointer and not pointer.startswith("/"):
        raise bad_request(f"invalid JSON pointer {pointer!r}")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _add(document: Any, steps: list[str], value: Any) -> None:
    parent, last = _walk(document, steps[:-1]), steps[-1]
    if isinstance(parent, list):
        if last != "-" and (not last.isdigit() or int(last) > len(parent)):
            raise _invalid()
        parent.insert(len(parent) if last == "-" else int(last), value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise _invalid()


def _remove(document: Any, steps: list[str]) -> Any:
    value = _walk(document, steps)
    parent = _walk(document, steps[:-1])
    del parent[int(steps[-1]) if isinstance(parent, list) else steps[-1]]
    return value


def json_patch(target: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """RFC 6902."""
    out = copy.deepcopy(target)
    for operation in operations:
        verb, steps = operation.get("op"), _steps(operation.get("path", ""))
        if verb not in ("add", "remove", "replace", "move", "copy", "test"):
            raise bad_request(f"unknown JSON patch operation {verb!r}")
        if not steps:
            raise _invalid()
        if verb == "test":
            if _walk(out, steps) != operation.get("value"):
                raise _invalid()
        elif verb == "remove":
            _remove(out, steps)
        elif verb == "replace":
            _remove(out, steps)
            _add(out, steps, operation.get("value"))
        elif verb == "add":
            _add(out, steps, operation.get("value"))
        else:
            source = _steps(operation.get("from", ""))
            moved = _remove(out, source) if verb == "move" else copy.deepcopy(_walk(out, source))
            _add(out, steps, moved)
    return out


def strategic(node: Node, target: Any, patch: Any) -> Any:
    """Kubernetes' own merge patch: lists with a merge key are merged by it, directives are obeyed."""
    if not isinstance(patch, dict):
        return patch
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if patch.get("$patch") == "delete":
        return {}
    out = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if key.startswith(("$setElementOrder/", "$deleteFromPrimitiveList/", "$retainKeys", "$patch")):
            continue
        child = (node.fields.get(key) if node.shape == "struct" else node.element) or ANY
        if value is None:
            out.pop(key, None)
        elif isinstance(value, list) and "merge" in child.strategy:
            out[key] = _strategic_list(child, out.get(key) or [], value, patch.get(f"$setElementOrder/{key}"))
        else:
            out[key] = strategic(child, out.get(key), value)
    for key, gone in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            out[name] = [item for item in out.get(name) or () if item not in gone]
    if "$retainKeys" in patch:
        out = {key: value for key, value in out.items() if key in patch["$retainKeys"]}
    return out


def _strategic_list(node: Node, live: list[Any], patch: list[Any], order: list[Any] | None) -> list[Any]:
    key = node.merge_key
    if not key:
        return live + [item for item in patch if item not in live]
    if any(item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if item.get("$patch") != "replace"]
    out = list(live)
    for item in patch:
        if item.get(key) is None:
            raise bad_request(f"map: {item} does not contain declared merge key: {key}")
        found = next((index for index, old in enumerate(out) if old.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            out = [old for old in out if old.get(key) != item[key]]
        elif found is None:
            out.append(item)
        else:
            out[found] = strategic(node.element or ANY, out[found], item)
    if order:
        rank = {wanted.get(key): index for index, wanted in enumerate(order)}
        out.sort(key=lambda item: rank.get(item.get(key), len(rank)))
    return out
