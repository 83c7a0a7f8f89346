"""The list of sources comes in pages, those in trouble first."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.models import Source

BASE = "/o/acme/catalog/sources/"


def test_a_thousand_sources_come_in_pages_those_in_trouble_first(world, client_for):
    client = client_for(world.vic)
    client.get(BASE)
    with CaptureQueriesContext(connection) as none:
        client.get(BASE)
    with world.tenant():
        Source.objects.bulk_create(
            Source(
                organisation=world.acme, kind="folder", target=f"/{number:04}", problem_count=number == 800,
                state="failed" if number == 900 else "ok", read_author="Dev <dev@acme.example>", read_revision="a" * 40,
            )
            for number in range(1000)
        )  # fmt: skip
    with CaptureQueriesContext(connection) as asked:
        first = client.get(BASE)
    assert len(asked) == len(none)
    assert len(first.content) < 60_000
    page = first.context["page"]
    assert page.total == 1000
    assert [row.target for row in page.rows[:3]] == ["/0900", "/0800", "/0000"]
    seen = [row.target for row in page.rows]
    while page.older:
        page = client.get(BASE, {"page": page.older}).context["page"]
        seen += [row.target for row in page.rows]
    assert len(seen) == len(set(seen)) == 1000
    assert b"aaaaaaaa</code>" in first.content
