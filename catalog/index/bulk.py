"""Many rows of one table in three statements: copied into a temporary table, and from there into their own.

`COPY` into a table with row-level security is refused, so what arrives is checked by the INSERT that follows. Twenty
thousand rows take a third of a second so, and three seconds as INSERTs of values. For a few rows that does not pay.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models

from portal.accounts.tenancy import TenantModel

FEW = 500
# The temporary tables of a transaction have names of their own: each goes when it ends.
_NUMBERS = count()


def insert(
    model: type[TenantModel], rows: Sequence[Any], *, unique: Sequence[str] = (), update: Sequence[str] = ()
) -> None:
    """Writes these rows, which get their key where the database makes it. Must run inside the tenant.

    unique  names of fields by which a row may be there already; then the fields `update` of it are brought in line
    """
    if len(rows) < FEW:
        conflict: dict[str, Any] = {}
        if update:
            conflict = {"update_conflicts": True, "unique_fields": list(unique), "update_fields": list(update)}
        model._default_manager.bulk_create(rows, **conflict)
        return
    fields = _fields(model, has_key=rows[0].pk is not None)
    names = ", ".join(_quoted(str(field.column)) for field in fields)
    table, incoming = _quoted(model._meta.db_table), _quoted(f"incoming_{next(_NUMBERS)}")
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE {incoming} ON COMMIT DROP AS SELECT {names} FROM {table} WITH NO DATA")  # noqa: S608
        _copy(cursor, f"COPY {incoming} ({names}) FROM STDIN", fields, rows)
        cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {names} FROM {incoming}"  # noqa: S608
            f"{_on_conflict(model, unique, update)}{_returning(model, rows)}"
        )
        _take_keys(cursor, rows)


def _copy(cursor: Any, sql: str, fields: Sequence[models.Field[Any, Any]], rows: Sequence[Any]) -> None:
    attributes = [field.attname for field in fields]
    shapes = [(place, shape) for place, field in enumerate(fields) if (shape := _shape(field))]
    with cursor.copy(sql) as copy:
        for row in rows:
            values = [getattr(row, name) for name in attributes]
            for place, shape in shapes:
                if values[place] is not None:
                    values[place] = shape(values[place])
            copy.write_row(values)


def _fields(model: type[models.Model], *, has_key: bool) -> list[models.Field[Any, Any]]:
    return [
        field
        for field in model._meta.concrete_fields
        if not field.generated
        and not isinstance(field, models.CompositePrimaryKey)
        and (has_key or not isinstance(field, models.AutoField))
    ]


def _shape(field: models.Field[Any, Any]) -> Callable[[Any], str] | None:
    if isinstance(field, models.JSONField):
        return _json
    return array_of if isinstance(field, ArrayField) else None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def run(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Executes one statement; its rows. Lists are arrays, and the statement says of what (`%s::int[]`): whole columns
    travel so, and the driver would take five times as long to write them down."""
    with connection.cursor() as cursor:
        cursor.execute(sql, [_written(each) for each in parameters])
        return cursor.fetchall() if cursor.description else []


def _written(parameter: Any) -> Any:
    is_plain = isinstance(parameter, list) and not any(isinstance(each, bytes) for each in parameter[:1])
    return array_of(parameter) if is_plain else parameter


def array_of(values: Sequence[Any]) -> str:
    """Texts, numbers, truth values or None as PostgreSQL reads an array of one dimension."""
    return "{" + ",".join([_QUOTED.get(type(each), str)(each) for each in values]) + "}"


def _quoted_text(text: str) -> str:
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


_QUOTED: dict[type, Callable[[Any], str]] = {str: _quoted_text, type(None): lambda _: "NULL"}


def _on_conflict(model: type[models.Model], unique: Sequence[str], update: Sequence[str]) -> str:
    if not update:
        return ""
    keys = ", ".join(_quoted(_column(model, name)) for name in unique)
    columns = [_quoted(_column(model, name)) for name in update]
    return f" ON CONFLICT ({keys}) DO UPDATE SET {', '.join(f'{each} = excluded.{each}' for each in columns)}"


def _returning(model: type[models.Model], rows: Sequence[Any]) -> str:
    """Where the database makes the keys. Rows go in as they were copied, and their keys come back in that order."""
    key = model._meta.pk
    is_made = isinstance(key, models.AutoField) and rows[0].pk is None
    return f" RETURNING {_quoted(str(key.column))}" if key is not None and is_made else ""


def _take_keys(cursor: Any, rows: Sequence[Any]) -> None:
    if cursor.description is None:
        return
    for row, (key,) in zip(rows, cursor.fetchall(), strict=True):
        row.pk = key
        row._state.adding, row._state.db = False, connection.alias


def _column(model: type[models.Model], name: str) -> str:
    field: Any = model._meta.get_field(name)
    return str(field.column)


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
