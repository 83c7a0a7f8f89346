"""Catalogs of any size, made up and written straight into the tables by the catalog's own writer: for tests and
benchmarks of what reads them. The same number is always the same entity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection

from catalog.asking.words import split_words
from catalog.descriptors import relations
from catalog.index import writing
from catalog.models import Body, Entity, Source
from portal.accounts.tenancy import tenant
from tests.catalog.made_up import document

AT_ONCE = 2000


def raw_of(known: dict[str, Any]) -> str:
    """About what its author would have written; the text is only kept, never read."""
    metadata, spec = known["metadata"], known["spec"]
    lines = [f"apiVersion: {known['apiVersion']}", f"kind: {known['kind']}", "metadata:"]
    lines += [f"  {key}: {value}" for key, value in metadata.items()]
    return "\n".join([*lines, "spec:", *(f"  {key}: {value}" for key, value in spec.items()), ""])


def rows(organisation: Any, source: Source, start: int, end: int, count: int) -> Iterator[Entity]:
    for number in range(start, end):
        known = document(number, count)
        metadata, spec = known["metadata"], known["spec"]
        outgoing = relations.outgoing(known)
        ref = f"{known['kind']}:default/{metadata['name']}".lower()
        title = metadata.get("title", "")
        row = Entity(
            organisation_id=organisation.pk, kind=known["kind"], namespace="default", name=metadata["name"], ref=ref,
            title=title, description=metadata.get("description", ""), type=spec.get("type", ""),
            lifecycle=spec.get("lifecycle", ""), owner_ref=relations.owner_among(outgoing),
            system_ref=relations.system_among(outgoing), tags=metadata.get("tags", []),
            sort_name=(title or metadata["name"]).lower(), source=source, path=f"{number // 32:05}/catalog-info.yaml",
            line=number % 32 * 30 + 1, digest=f"{number:064x}",
        )  # fmt: skip
        row.body = Body.of(organisation.pk, known, raw_of(known))
        yield row


def load(organisation: Any, count: int) -> None:
    """Fills an organisation's catalog with so many entities, in transactions of two thousand."""
    with tenant(organisation):
        source = Source.objects.create(organisation=organisation, kind=Source.Kind.FOLDER, target="/many", path="**")
    for start in range(0, count, AT_ONCE):
        with tenant(organisation):
            writing.put(organisation.pk, list(rows(organisation, source, start, min(count, start + AT_ONCE), count)))


def settle(owner_url: str) -> None:
    """What autovacuum does within minutes in a database that lives longer than a test's: as the tables' owner."""
    import psycopg

    with psycopg.connect(owner_url, autocommit=True) as owner:
        for table in ("entity", "body", "edge", "fact", "factblock", "factkey", "near"):
            owner.execute(f"VACUUM ANALYZE catalog_{table}")


def size_of_an_entity(count: int) -> float:
    """Bytes on disk for each entity, with all indexes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relname = ANY(%s)",
            [[f"catalog_{name}" for name in ("entity", "body", "edge", "fact", "factblock", "factkey", "near")]],
        )
        return float(cursor.fetchone()[0]) / count


def words(number: int, count: int) -> list[str]:
    return split_words(document(number, count)["metadata"]["name"])
