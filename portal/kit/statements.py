"""Statements that the ORM writes once for each process: a page asks in the same words each time, with other values.

Writing a statement takes the ORM 0.5 to 3 ms, asking it 0.2: what every page asks is kept as it was written. The values
travel beside it, as always. (Measured: docs/adr/0179-statements-written-once.md.)
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import Model, QuerySet

_P = ParamSpec("_P")
_M = TypeVar("_M", bound=Model)
# Shapes of values (how long each sequence is) that one statement is kept for; others are written anew.
MOST_SHAPES = 32


def written_once(build: Callable[_P, QuerySet[_M]]) -> Callable[_P, list[_M]]:
    """Makes a function from values to a queryset into one to its rows.

    The values are texts, whole numbers, UUIDs, moments, or tuples of those, by position, and the function does nothing
    with them but hand them to filters: it is called with others in their place. By a truth value or None it may decide
    what to ask. A value that does not reach the statement as it is, such as one set into a pattern, is a TypeError.
    """
    kept: dict[Hashable, _Written | None] = {}

    @functools.wraps(build)
    def ask(*values: _P.args, **named: _P.kwargs) -> list[_M]:
        if named:
            raise TypeError(f"{build.__name__}: values are given by position.")
        shape = tuple(_shape(value) for value in values)
        if shape not in kept:
            if len(kept) >= MOST_SHAPES:
                return list(build(*values, **named))
            kept[shape] = _write(build, values)
        written = kept[shape]
        return written.rows(_flat(values)) if written else []

    return ask


def _shape(value: Any) -> Any:
    """What of a value the statement's words depend on."""
    if value is None or isinstance(value, bool):
        return value
    return (type(value), len(value)) if isinstance(value, tuple) else type(value)


def _flat(values: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if isinstance(value, tuple):
            found += value
        elif value is not None and not isinstance(value, bool):
            found.append(value)
    return found


_STAND_INS: dict[type, Callable[[int], Any]] = {
    int: lambda number: 2_000_003_000 + number,
    str: lambda number: f"\ue000{number}\ue000",
    UUID: lambda number: UUID(int=0xE000 << 112 | number),
    datetime: lambda number: datetime(1904, 2, 3, 4, 5, 6, tzinfo=UTC) + timedelta(seconds=number),
}


def _write(build: Callable[..., QuerySet[Any]], values: Sequence[Any]) -> _Written | None:
    """The statement in which each value is a place; None where nothing can be found, whatever the values are."""
    count = 0

    def stand_in(value: Any) -> Any:
        nonlocal count
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, tuple):
            return tuple(stand_in(each) for each in value)
        count += 1
        return _STAND_INS[type(value)](count - 1)

    given = [stand_in(value) for value in values]
    rows = build(*given)
    compiler = rows.query.get_compiler(rows.db)
    try:
        words, parameters = compiler.as_sql()
    except EmptyResultSet:
        return None
    places = {value: number for number, value in enumerate(_flat(given))}
    found = [places.get(each) if isinstance(each, tuple(_STAND_INS)) else None for each in parameters]
    if set(places.values()) - set(found):
        raise TypeError(f"{build.__name__}: a value does not reach the statement as it is.")
    return _Written(rows, compiler, words, tuple(parameters), tuple(found))


@dataclass(frozen=True)
class _Written:
    """A statement, and for each of its parameters the number of the value that stands there, or None."""

    queryset: QuerySet[Any]
    compiler: Any
    words: str
    parameters: tuple[Any, ...]
    places: tuple[int | None, ...]

    def rows(self, values: Sequence[Any]) -> list[Any]:
        parameters = tuple(
            # the driver's own kinds of numbers say how wide they are
            each if place is None else values[place] if type(each) is type(values[place]) else type(each)(values[place])
            for each, place in zip(self.parameters, self.places, strict=True)
        )
        compiler = copy.copy(self.compiler)
        compiler.connection = connections[self.queryset.db]
        compiler.as_sql = lambda *_, **__: (self.words, parameters)
        asked: Any = _Asked(self.queryset, _Words(self.queryset.query, compiler))
        rows: Any = self.queryset._iterable_class(asked)
        return [*rows]


class _Words:
    """A query whose compiler is ready."""

    def __init__(self, query: Any, compiler: Any) -> None:
        self._query, self._compiler = query, compiler

    def get_compiler(self, *_: Any, **__: Any) -> Any:
        return self._compiler

    def __getattr__(self, name: str) -> Any:
        return getattr(self._query, name)


class _Asked:
    """A queryset as its iterable sees it, with such a query."""

    def __init__(self, queryset: QuerySet[Any], query: _Words) -> None:
        self._queryset, self.query = queryset, query

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queryset, name)
