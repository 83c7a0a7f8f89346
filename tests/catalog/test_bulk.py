"""Rows that are copied arrive as those that are inserted, and what is written down by hand is read as it was meant."""

import pytest
from django.db import IntegrityError, ProgrammingError, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.index import bulk
from catalog.models import Source, SourceFile

TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=12)
ODD = st.sampled_from(["", "NULL", "null", "{}", '"', "\\", '\\"', "a,b", " ", "\n", "\t", "\\N", "é", "🧀", "{a,b}"])


@pytest.mark.django_db
@settings(deadline=None)
@given(
    st.lists(TEXT | ODD | st.none()), st.lists(st.integers(-(2**31), 2**31 - 1) | st.none()), st.lists(st.booleans())
)
def test_arrays_are_read_as_they_were_meant(texts, numbers, truths):
    assert bulk.run("SELECT %s::text[], %s::int[], %s::bool[]", texts, numbers, truths) == [(texts, numbers, truths)]


def files(world, source, count, mark):
    odd = ["", "\\N", "\t", "\n", "é🧀", '{"a": 1}', "\\"]
    return [
        SourceFile(
            organisation=world.acme,
            source=source,
            path=f"{odd[number % 7]}{number}",
            mark=mark,
            includes={odd[number % 7]: odd[number % 5]},
            entities=odd[number % 7],
            kept=[[{"a": odd[number % 7]}, 1]],
            is_whole=bool(number % 2),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("count", [3, bulk.FEW + 3])
def test_many_rows_arrive_as_few_do(world, count):
    """With their keys, in any characters, and a second time as a change of the first."""
    with world.tenant():
        source = Source.objects.create(organisation=world.acme, kind="folder", target="/x")
        rows = files(world, source, count, "one")
        bulk.insert(SourceFile, rows)
        stored = {row.pk: row for row in SourceFile.objects.for_tenant(world.acme)}
        assert {row.pk for row in rows} == set(stored)
        for row in rows:
            kept = stored[row.pk]
            assert (kept.path, kept.mark, kept.includes, kept.entities, kept.kept, kept.broken, kept.is_whole) == (
                row.path, row.mark, row.includes, row.entities, row.kept, [], row.is_whole)  # fmt: skip
        again = files(world, source, count, "two")
        bulk.insert(SourceFile, again, unique=["organisation", "source", "path"], update=["mark"])
        assert set(SourceFile.objects.for_tenant(world.acme).values_list("mark", flat=True)) == {"two"}
        assert SourceFile.objects.for_tenant(world.acme).count() == count


@pytest.mark.parametrize("count", [3, bulk.FEW + 3])
def test_rows_of_another_organisation_are_refused_however_many(world, count):
    """What is copied goes through the same wall as what is inserted."""
    with world.tenant(world.rival):
        source = Source.objects.create(organisation=world.rival, kind="folder", target="/x")
    with world.tenant(), pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
        bulk.insert(SourceFile, [*files(world, source, count - 1, "m"), *stolen(world, source)])


def stolen(world, source):
    return [SourceFile(organisation=world.rival, source=source, path="stolen", mark="m")]


def test_a_row_that_is_there_is_an_error_without_words_for_it(world):
    with world.tenant():
        source = Source.objects.create(organisation=world.acme, kind="folder", target="/x")
        rows = files(world, source, bulk.FEW, "one")
        bulk.insert(SourceFile, rows)
        with pytest.raises(IntegrityError), transaction.atomic():
            bulk.insert(SourceFile, files(world, source, bulk.FEW, "one"))
