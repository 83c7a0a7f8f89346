"""What writing a catalog reads does not depend on what PostgreSQL happens to know of its tables.

A fresh installation has never been looked at; or it was while it was empty; or it holds another organisation, and to
the planner the new one has no rows. Each of these made one statement read the organisation's whole table for each row.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from catalog import actions
from catalog.intake import ingest
from tests.catalog import many
from tests.catalog.costs import Cost, counted
from tests.catalog.made_up import document
from tests.conftest import by

pytestmark = pytest.mark.django_db(transaction=True)
COUNT = 2_400
# What a row may cost; an upsert of an entity looks into eight indexes and writes them.
ROWS, BLOCKS = 60, 40
# And what a statement may cost whatever it is about: a look through what the organisation has, not one for each row.
ANYHOW = 4 * COUNT


@pytest.fixture
def owner() -> Iterator[psycopg.Connection]:
    """The owner of the tables, which nobody else looks at meanwhile."""
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        for table in tables(owner):
            owner.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        yield owner
        for table in tables(owner):
            owner.execute(f"ALTER TABLE {table} RESET (autovacuum_enabled)")
            owner.execute(f"ANALYZE {table}")


def tables(owner: psycopg.Connection) -> list[str]:
    rows = owner.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'catalog%'").fetchall()
    return [name for (name,) in rows]


def never_looked_at(world: Any, owner: psycopg.Connection) -> None:
    for table in tables(owner):
        owner.execute(f"SELECT pg_clear_relation_stats('public', '{table}')")
        owner.execute(
            "SELECT pg_clear_attribute_stats('public', %s, attname, false) FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            [table, table],
        )


def looked_at_while_empty(world: Any, owner: psycopg.Connection) -> None:
    never_looked_at(world, owner)
    owner.execute("ANALYZE")


def looked_at_before_it_came(world: Any, owner: psycopg.Connection) -> None:
    many.load(world.rival, 1_500)
    owner.execute("ANALYZE")


def write(folder: Path, note: str = "") -> None:
    for start in range(0, COUNT, 32):
        documents = [document(number, COUNT) for number in range(start, min(COUNT, start + 32))]
        for each in documents:
            each["metadata"]["labels"] = {"note": f"{note}{len(each['metadata']['name'])}"}
        (folder / f"{start:05}.yaml").write_text("\n---\n".join(map(json.dumps, documents)))


def too_dear(costs: list[Cost]) -> list[str]:
    return [
        f"{cost.rows:.0f} rows: {cost.seen:.0f} seen, {cost.blocks} blocks: {cost.sql[:1500]}"
        for cost in costs
        if cost.seen > ROWS * cost.rows + ANYHOW or cost.blocks > BLOCKS * cost.rows + ANYHOW
    ]


@pytest.mark.parametrize("known", [never_looked_at, looked_at_while_empty, looked_at_before_it_came])
def test_no_statement_reads_much_more_than_it_writes(
    committed_world: Any, owner: psycopg.Connection, tmp_path: Path, known: Any
) -> None:
    world = committed_world
    known(world, owner)
    write(tmp_path)
    with counted() as first:
        source = actions.add_source(
            organisation=world.acme, actor=by(world.ada), kind="folder", target=str(tmp_path), path="*.yaml"
        )
    assert source.entity_count == COUNT
    write(tmp_path, "x")
    with counted() as again:
        assert ingest.ingest(source).changed == COUNT
    for file in sorted(tmp_path.iterdir())[::2]:
        file.unlink()
    with counted() as last:
        assert ingest.ingest(source).removed > COUNT / 3
    assert min(len(first), len(again), len(last)) > 30, "the statements were caught"
    assert too_dear(first) + too_dear(again) + too_dear(last) == []
