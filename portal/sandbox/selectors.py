"""Label and field selectors: reading them, and asking whether an object matches."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from portal.sandbox.errors import bad_request
from portal.sandbox.kinds import Resource

_SET = re.compile(r"^\s*([^\s!=,()]+)\s+(in|notin)\s*\(([^)]*)\)\s*$")
_EQUAL = re.compile(r"^\s*([^\s!=]+)\s*(!=|==|=)\s*(\S*)\s*$")
_KEY = re.compile(r"^\s*(!?)\s*([A-Za-z0-9][-A-Za-z0-9_./]*)\s*$")
_LABEL_VALUE = re.compile(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")
Matcher = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term of a label selector."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, str]) -> bool:
        if self.operator == "in":
            return labels.get(self.key) in self.values if self.key in labels else False
        if self.operator == "notin":
            return self.key not in labels or labels[self.key] not in self.values
        return (self.key in labels) == (self.operator == "exists")


def _split(text: str) -> list[str]:
    """Split at the commas that are not within parentheses."""
    parts: list[str] = []
    depth, start = 0, 0
    for index, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def _requirement(text: str) -> Requirement:
    if found := _SET.match(text):
        values = frozenset(value.strip() for value in found[3].split(","))
        return Requirement(found[1], found[2], values)
    if found := _EQUAL.match(text):
        if not _LABEL_VALUE.match(found[3]):
            raise bad_request(
                f'unable to parse requirement: invalid label value: "{found[3]}": at key: "{found[1]}": a valid label '
                "must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
                "end with an alphanumeric character"
            )
        return Requirement(found[1], "notin" if found[2] == "!=" else "in", frozenset([found[3]]))
    if found := _KEY.match(text):
        return Requirement(found[2], "absent" if found[1] else "exists")
    raise bad_request(f"unable to parse requirement: found '{text.strip()}', expected: !, identifier, or ','")


def label_requirements(text: str) -> tuple[Requirement, ...]:
    """Read a label selector of a query."""
    return tuple(_requirement(part) for part in _split(text)) if text.strip() else ()


def selector_requirements(selector: Mapping[str, Any] | None) -> tuple[Requirement, ...]:
    """Read a LabelSelector object (`matchLabels`, `matchExpressions`)."""
    if not selector:
        return ()
    words = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}
    terms = [Requirement(key, "in", frozenset([value])) for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        operator = words.get(expression.get("operator", ""), "exists")
        terms.append(Requirement(expression["key"], operator, frozenset(expression.get("values") or ())))
    return tuple(terms)


def labels_match(requirements: tuple[Requirement, ...], obj: Mapping[str, Any]) -> bool:
    labels = obj["metadata"].get("labels") or {}
    return all(term.holds(labels) for term in requirements)


def selector_text(selector: Mapping[str, Any] | None) -> str:
    """A LabelSelector as `kubectl` prints it, and as the scale subresource reports it."""
    parts = [f"{key}={value}" for key, value in sorted(((selector or {}).get("matchLabels") or {}).items())]
    for expression in (selector or {}).get("matchExpressions") or ():
        values = ",".join(expression.get("values") or ())
        words = {"In": f"{expression['key']} in ({values})", "NotIn": f"{expression['key']} notin ({values})"}
        words |= {"Exists": expression["key"], "DoesNotExist": f"!{expression['key']}"}
        parts.append(words[expression["operator"]])
    return ",".join(parts)


_COMMON = {"metadata.name": "metadata.name", "metadata.namespace": "metadata.namespace"}
_FIELDS: dict[str, tuple[str, ...]] = {
    "Pod": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "Event": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    "Node": ("spec.unschedulable",),
    "Namespace": ("status.phase",),
    "Secret": ("type",),
    "ReplicaSet": ("status.replicas",),
    "Job": ("status.successful",),
    "Service": ("spec.clusterIP", "spec.type"),
}


def _reach(obj: Mapping[str, Any], path: str) -> str:
    if path == "source":
        return str((obj.get("source") or {}).get("component", ""))
    if path == "status.successful":
        path = "status.succeeded"
    value: Any = obj
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    if value is None:
        empty = {"spec.unschedulable": "false", "spec.hostNetwork": "false"}
        return empty.get(path, "0" if path in ("status.succeeded", "status.replicas") else "")
    return str(value).lower() if isinstance(value, bool) else str(value)


def field_matcher(resource: Resource, text: str) -> Matcher | None:
    """Read a field selector; None when there is nothing to ask."""
    if not text.strip():
        return None
    terms: list[tuple[str, bool, str]] = []
    for part in text.split(","):
        found = _EQUAL.match(part)
        if not found:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        if found[1] not in _COMMON and found[1] not in _FIELDS.get(resource.kind, ()):
            if resource.kind in _FIELDS:
                raise bad_request(f"field label not supported: {found[1]}")
            known = '"metadata.name", "metadata.namespace"'
            raise bad_request(f'"{found[1]}" is not a known field selector: only {known}')
        terms.append((found[1], found[2] != "!=", found[3]))
    return lambda obj: all((_reach(obj, path) == value) == wanted for path, wanted, value in terms)
