"""The filter language of the catalog API: `kind=component,spec.type=service`, and JSON predicates.

Both become one tree. `query.py` turns the tree into SQL; `matches` evaluates it on plain facts, for tests to compare.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.asking.facts import text_of

MAX_DEPTH = 20
MAX_TERMS = 500


class BadFilter(ValueError):
    """The filter cannot be understood; `str()` is the sentence."""


@dataclass(frozen=True)
class Exists:
    """The entity has the key."""

    key: str


@dataclass(frozen=True)
class In:
    """The entity's key has one of the values (all lower-case)."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Prefix:
    """A value of the key starts with the text (lower-case)."""

    key: str
    text: str


@dataclass(frozen=True)
class All:
    """Every part holds; an empty one is true."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Either:
    """At least one part holds; an empty one is false."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Not:
    """The part does not hold."""

    part: "Node"


Node = Exists | In | Prefix | All | Either | Not


def parse_filters(filters: Sequence[str]) -> Node:
    """Several `filter` parameters are alternatives; the conditions in each must all hold."""
    parts = [part for each in filters if (part := _parse_one(each)) is not None]
    return Either(tuple(parts)) if parts else All(())


def _parse_one(text: str) -> Node | None:
    wanted: dict[str, list[str]] = {}
    for statement in text.split(","):
        key, equals, value = (part.strip() for part in statement.partition("="))
        if not key and not equals:
            continue
        if not key:
            raise BadFilter(f'The filter "{statement.strip()}" has no key before "=". Write key=value.')
        values = wanted.setdefault(key.lower(), [])
        if equals:
            values.append(value.lower())
    if not wanted:
        return None
    return All(tuple(In(key, tuple(values)) if values else Exists(key) for key, values in wanted.items()))


def parse_catalog_filter(filters: Sequence[Mapping[str, Any]]) -> Node:
    """A picker's `catalogFilter`: alternatives of keys with a value, several values, or {exists: true | false}."""
    parts = tuple(All(tuple(_wanted(key, value) for key, value in one.items())) for one in filters)
    return Either(parts) if parts else All(())


def _wanted(key: str, value: Any) -> Node:
    if isinstance(value, Mapping):
        if set(value) != {"exists"}:
            raise BadFilter(f'"{key}" must have a value, a list of values, or {{exists: true}}.')
        return _exists(key.lower(), value["exists"])
    values = value if isinstance(value, list) else [value]
    return In(key.lower(), tuple(_primitive(each) for each in values))


def parse_query(query: Any) -> Node:
    """The JSON predicate of the POST forms."""
    if not isinstance(query, dict):
        raise BadFilter('`query` must be an object, e.g. {"kind": "component"}.')
    return _Predicate().node(query, 0)


class _Predicate:
    def __init__(self) -> None:
        self.terms = 0

    def node(self, query: Any, depth: int) -> Node:
        self.terms += 1
        if depth > MAX_DEPTH or self.terms > MAX_TERMS:
            raise BadFilter("The query is nested too deeply or has too many parts.")
        if not isinstance(query, dict):
            raise BadFilter("Each part of a query must be an object.")
        logic = [key for key in query if key in ("$all", "$any", "$not")]
        if logic:
            return self._logic(query, logic, depth)
        return All(tuple(self._matcher(key, matcher) for key, matcher in query.items()))

    def _logic(self, query: Mapping[str, Any], logic: list[str], depth: int) -> Node:
        if len(query) != 1:
            raise BadFilter(f"`{logic[0]}` must stand alone in its object.")
        value = query[logic[0]]
        if logic[0] == "$not":
            return Not(self.node(value, depth + 1))
        if not isinstance(value, list):
            raise BadFilter(f"`{logic[0]}` takes a list.")
        parts = tuple(self.node(each, depth + 1) for each in value)
        return All(parts) if logic[0] == "$all" else Either(parts)

    def _matcher(self, key: str, matcher: Any) -> Node:
        if key.startswith("$"):
            raise BadFilter(f"`{key}` is not an operator here. Use $all, $any or $not.")
        self.terms += 1
        name = key.lower()
        if not isinstance(matcher, dict):
            return In(name, (_primitive(matcher),))
        if len(matcher) != 1 or (operator := next(iter(matcher))) not in _MATCHERS:
            raise BadFilter(f'The matcher of "{key}" must be a value or one of $exists, $in, $hasPrefix and $contains.')
        return _MATCHERS[operator](name, matcher[operator])


def _primitive(value: Any) -> str:
    if isinstance(value, str | int | float | bool) and (text := text_of(value)) is not None:
        return text.lower()
    raise BadFilter("A value to compare with must be text, a number or true/false.")


def _exists(key: str, value: Any) -> Node:
    if not isinstance(value, bool):
        raise BadFilter("`$exists` takes true or false.")
    return Exists(key) if value else Not(Exists(key))


def _in(key: str, value: Any) -> Node:
    if not isinstance(value, list):
        raise BadFilter("`$in` takes a list of values.")
    return In(key, tuple(_primitive(each) for each in value))


def _has_prefix(key: str, value: Any) -> Node:
    if not isinstance(value, str):
        raise BadFilter("`$hasPrefix` takes text.")
    return Prefix(key, value.lower())


def _contains(key: str, value: Any) -> Node:
    if not isinstance(value, dict):
        return In(key, (_primitive(value),))
    kind, target = value.get("type"), value.get("targetRef")
    if key != "relations" or not isinstance(kind, str) or not set(value) <= {"type", "targetRef"}:
        raise BadFilter("`$contains` takes a value, or {type, targetRef} for relations.")
    name = f"relations.{kind.lower()}"
    if target is None:
        return Exists(name)
    return _in(name, target.get("$in")) if isinstance(target, dict) else In(name, (_primitive(target),))


_MATCHERS: Mapping[str, Callable[[str, Any], Node]] = {
    "$exists": _exists,
    "$in": _in,
    "$hasPrefix": _has_prefix,
    "$contains": _contains,
}


def matches(node: Node, facts: Collection[str]) -> bool:
    """Whether an entity with these facts is wanted; the meaning that the SQL must have."""
    if isinstance(node, Exists):
        return node.key in facts
    if isinstance(node, In):
        return any(f"{node.key}={value}" in facts for value in node.values)
    if isinstance(node, Prefix):
        return any(fact.startswith(f"{node.key}={node.text}") for fact in facts)
    if isinstance(node, All):
        return all(matches(part, facts) for part in node.parts)
    if isinstance(node, Either):
        return any(matches(part, facts) for part in node.parts)
    return not matches(node.part, facts)
