"""How a fact is looked up where one key has very many values and thousands of keys have one: by key and value."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.asking.filters import In
from catalog.index.parts import NAMED
from catalog.index.reading import FactTerm, IndexQuestion
from catalog.models import Fact, FactKey
from tests.conftest import make_world
from tests.emptying import empty_database

pytestmark = pytest.mark.django_db
WORDS, KEYS = 20_000, 6_000


@pytest.fixture(scope="module")
def skewed(django_db_setup: None, django_db_blocker: Any) -> Iterator[Any]:
    """Facts as a large organisation has them, and what the planner knows of them: committed once, only read here."""
    with django_db_blocker.unblock():
        yield load()
        empty_database()


def load() -> Any:
    world = make_world()
    with world.tenant():
        keys = [FactKey(organisation=world.acme, id=1, key=NAMED, is_many=True)]
        keys += [FactKey(organisation=world.acme, id=n, key=f"spec.dependson.x{n}") for n in range(2, KEYS)]
        FactKey.objects.bulk_create(keys, batch_size=2_000)
        facts = [
            Fact(organisation=world.acme, key_id=1, value=f"word{n:06}", label="", n=1, one=n) for n in range(WORDS)
        ]
        facts += [Fact(organisation=world.acme, key_id=n, value="true", label="", n=1, one=n) for n in range(2, KEYS)]
        Fact.objects.bulk_create(facts, batch_size=2_000)
    # What autovacuum does; only the owner may.
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute("ANALYZE")
    return world


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


@pytest.mark.parametrize(
    "wanted",
    [[FactTerm(NAMED, "word000007")], [FactTerm(NAMED, f"word00{n:04}") for n in range(12)],
     [FactTerm(NAMED, "word00001", True)],
     [FactTerm(NAMED, "word0000", True), In("kind", ("api",)), FactTerm(NAMED, "nothing")]],
    ids=["a word", "twelve words", "a beginning", "a beginning and others"],
)  # fmt: skip
def test_no_more_facts_are_read_than_have_the_value(skewed: Any, wanted: list[Any]) -> None:
    with skewed.tenant():
        question = IndexQuestion(skewed.acme)
        for node in wanted:
            question.filter(node)
        with CaptureQueriesContext(connection) as caught:
            question.ask()
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {caught[0]['sql']}")
            [row] = cursor.fetchone()
    [explained] = row if isinstance(row, list) else json.loads(row)
    scans = [each for each in nodes(explained["Plan"]) if each.get("Relation Name") == "catalog_fact"]
    assert scans
    read = sum((each["Actual Rows"] + each.get("Rows Removed by Filter", 0)) * each["Actual Loops"] for each in scans)
    assert read <= 120
