"""What statements cost, in what they read: counted by PostgreSQL while they are done, whatever the machine's load."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection

EXPLAINED = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")


@dataclass(frozen=True)
class Cost:
    """One statement: `given` rows came with it, `made` it gave or wrote; it saw `seen` rows in `blocks` blocks."""

    sql: str
    given: float
    made: float
    seen: float
    blocks: int
    plan: dict[str, Any]

    @property
    def rows(self) -> float:
        return self.given + self.made


@contextmanager
def counted() -> Iterator[list[Cost]]:
    """The costs of the statements about the catalog that this connection makes in transactions. Each is done twice:
    once explained, and undone."""
    found = list[Cost]()

    def wrapper(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        text = sql.lstrip()
        if "catalog_" in text and text.startswith(EXPLAINED) and connection.in_atomic_block and not many:
            found.append(_cost(sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(wrapper):
        yield found


def _cost(sql: str, params: Any) -> Cost:
    raw = connection.connection
    with raw.cursor() as cursor:
        cursor.execute("SAVEPOINT costs")
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {sql}", params)
        [[said]] = cursor.fetchall()
        cursor.execute("ROLLBACK TO SAVEPOINT costs")
        cursor.execute("RELEASE SAVEPOINT costs")
    [whole] = json.loads(said) if isinstance(said, str) else said
    plan = whole["Plan"]
    every = list(nodes(plan))
    return Cost(
        sql,
        given=sum(_rows(node) for node in every if _is_given(node)),
        made=_rows(_source(plan) if plan["Node Type"] == "ModifyTable" else plan),
        seen=sum(_looked_at(node) for node in every),
        blocks=sum(plan[f"Shared {kind} Blocks"] for kind in ("Hit", "Read")),
        plan=plan,
    )


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def _source(plan: dict[str, Any]) -> dict[str, Any]:
    """What gives a change its rows."""
    return next(inner for inner in plan["Plans"] if inner["Parent Relationship"] == "Outer")


def _is_given(node: dict[str, Any]) -> bool:
    return node["Node Type"] == "Function Scan" or node.get("Relation Name", "").startswith("incoming_")


def _rows(node: dict[str, Any]) -> float:
    return float(node.get("Actual Rows", 0) * node.get("Actual Loops", 1))


def _looked_at(node: dict[str, Any]) -> float:
    """Rows that went through the node, those that it threw away included."""
    dropped = sum(
        node.get(f"Rows Removed by {what}", 0) for what in ("Filter", "Index Recheck", "Join Filter", "Conflict Filter")
    )
    return float((node.get("Actual Rows", 0) + dropped) * node.get("Actual Loops", 1))
