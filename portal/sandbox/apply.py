"""Server-side apply and the book of who manages which field."""

from dataclasses import dataclass
from typing import Any

from portal.sandbox import fieldsets
from portal.sandbox.errors import ApiError
from portal.sandbox.fieldsets import Fields, is_granular
from portal.sandbox.schema import ANY, Node, item_key

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: the manager's name, how, at what version, to which subresource."""

    manager: str
    operation: str
    api_version: str
    subresource: str = ""

    def matches(self, entry: Entry) -> bool:
        same = (
            entry["manager"] == self.manager
            and entry["operation"] == self.operation
            and entry.get("subresource", "") == self.subresource
        )
        return same and (self.operation == "Apply" or entry["apiVersion"] == self.api_version)

    def entry(self, fields: Fields, time: str) -> Entry:
        out = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": time,
            "fieldsType": "FieldsV1",
            "fieldsV1": fieldsets.to_fields_v1(fields),
        }
        return out | {"subresource": self.subresource} if self.subresource else out


def merge(node: Node, live: Any, config: Any) -> Any:
    """What the live value becomes when the configuration is laid over it."""
    if not is_granular(node, config) or not is_granular(node, live):
        return config
    if node.shape == "list":
        return _merge_list(node, live, config)
    out = dict(live)
    for key, item in config.items():
        child = (node.fields.get(key) if node.shape == "struct" else node.element) or ANY
        out[key] = merge(child, live[key], item) if key in live else item
    return out


def _merge_list(node: Node, live: list[Any], config: list[Any]) -> list[Any]:
    """Items of the configuration in its order, among them the live items it does not name, in theirs."""
    existing = {item_key(node, item): item for item in live}
    wanted = {item_key(node, item) for item in config}
    element = node.element or ANY
    merged = [
        merge(element, existing[item_key(node, item)], item) if item_key(node, item) in existing else item
        for item in config
    ]
    return merged + [item for item in live if item_key(node, item) not in wanted]


def _conflict_error(conflicts: dict[int, Fields], entries: list[Entry]) -> ApiError:
    causes: list[dict[str, str]] = []
    lines: list[str] = []
    for index, fields in sorted(conflicts.items(), key=lambda pair: entries[pair[0]]["manager"]):
        entry = entries[index]
        name = f'"{entry["manager"]}"'
        if entry.get("subresource"):
            name += f' with subresource "{entry["subresource"]}"'
        if entry["operation"] == "Update":
            name += f" using {entry['apiVersion']}"
        lines.append(f"conflicts with {name}:")
        for path in sorted(fieldsets.path_text(path) for path in fields):
            lines.append(f"- {path}")
            causes.append({"reason": "FieldManagerConflict", "message": f"conflict with {name}", "field": path})
    if len(causes) == 1:
        text = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        text = f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines)
    return ApiError(409, "Conflict", text, {"causes": causes})


def _take(entries: list[Entry], index: int, gone: Fields) -> None:
    before = fieldsets.from_fields_v1(entries[index]["fieldsV1"])
    after = before - gone
    if after != before:
        entries[index] = entries[index] | {"fieldsV1": fieldsets.to_fields_v1(after)}


def _settle(entries: list[Entry]) -> list[Entry]:
    kept = [entry for entry in entries if entry["fieldsV1"]]
    return sorted(kept, key=lambda entry: (entry["operation"] != "Apply", entry.get("time", "")))


def apply(
    node: Node, live: dict[str, Any] | None, config: dict[str, Any], writer: Writer, *, force: bool, time: str
) -> dict[str, Any]:
    """The live object after a server-side apply; a field that another manager set differently is a conflict."""
    base = dict(live or {})
    entries = list(base.get("metadata", {}).get("managedFields") or ())
    mine = next((index for index, entry in enumerate(entries) if writer.matches(entry)), None)
    fields = fieldsets.owned(node, config)
    merged: dict[str, Any] = merge(node, base, config) if live else config
    if mine is not None:
        merged = _prune(node, merged, fields, entries, mine)
    changed, removed = fieldsets.differences(node, base, merged)
    held = {index: fieldsets.from_fields_v1(entry["fieldsV1"]) for index, entry in enumerate(entries) if index != mine}
    conflicts = {index: changed & own for index, own in held.items() if changed & own}
    if conflicts and not force:
        raise _conflict_error(conflicts, entries)
    for index in held:
        _take(entries, index, conflicts.get(index, fieldsets.EMPTY) | removed)
    fresh = writer.entry(fields, time)
    if mine is None:
        entries.append(fresh)
    elif entries[mine]["fieldsV1"] != fresh["fieldsV1"] or merged != base:
        entries[mine] = fresh
    metadata = merged.get("metadata", {}) | {"managedFields": _settle(entries)}
    return merged | {"metadata": metadata}


def _prune(node: Node, merged: dict[str, Any], fields: Fields, entries: list[Entry], mine: int) -> dict[str, Any]:
    """Take away what this manager applied before, applies no longer, and nobody else manages."""
    dropped = fieldsets.from_fields_v1(entries[mine]["fieldsV1"]) - fields
    for index, entry in enumerate(entries):
        if index != mine and dropped:
            other = fieldsets.from_fields_v1(entry["fieldsV1"])
            dropped = frozenset(path for path in dropped if not any(own[: len(path)] == path for own in other))
    if not dropped:
        return merged
    out: dict[str, Any] = fieldsets.remove(node, merged, dropped)
    return out


def track(node: Node, live: dict[str, Any] | None, obj: dict[str, Any], writer: Writer, *, time: str) -> list[Entry]:
    """The managedFields after an ordinary write: what changed belongs to the writer now.

    A writer may hand in a book of its own, which then stands for the live one.
    """
    given = obj.get("metadata", {}).get("managedFields")
    entries = list(given or (live or {}).get("metadata", {}).get("managedFields") or ())
    changed, removed = fieldsets.differences(node, live or {}, obj)
    if not changed and not removed:
        return entries
    for index in range(len(entries)):
        if not writer.matches(entries[index]):
            _take(entries, index, changed | removed)
    mine = next((index for index, entry in enumerate(entries) if writer.matches(entry)), None)
    before = fieldsets.from_fields_v1(entries[mine]["fieldsV1"]) if mine is not None else fieldsets.EMPTY
    fresh = writer.entry((before | changed) - removed, time)
    if mine is None:
        entries.append(fresh)
    else:
        entries[mine] = fresh
    return _settle(entries)
