"""The history of a source: its readings that changed something or failed, the newest of them."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import F
from django.utils.timezone import now

from catalog.models import Source, SourceReading
from portal.accounts.tenancy import TenantQuerySet

# So many of a source are kept: whatever writes one more takes the oldest away, in the same statement.
KEPT = 50
_ADD = """
WITH old AS (
  SELECT id FROM catalog_sourcereading WHERE organisation_id = %s AND source_id = %s ORDER BY id DESC OFFSET %s
), gone AS (
  DELETE FROM catalog_sourcereading r USING old WHERE r.organisation_id = %s AND r.id = old.id
)
INSERT INTO catalog_sourcereading ({columns}) VALUES ({marks})
"""


def of(source: Source) -> TenantQuerySet[SourceReading]:
    """Newest first."""
    return SourceReading.objects.for_tenant(source.organisation_id).filter(source=source).order_by("-id")


def note(source: Source, *, was_ok: bool, problems_before: int, commit: str, author: str, seconds: float | None,
         **counts: int) -> None:  # fmt: skip
    """A reading went well. What changed nothing is no news: the source itself says when it was read last.

    counts  added, changed, removed, problems. Must run inside the tenant.
    """
    is_news = any(counts.get(name) for name in ("added", "changed", "removed"))
    if was_ok and not is_news and problems_before == counts.get("problems", 0):
        return
    _add(source, is_ok=True, seconds=seconds, commit=commit[:100], author=author[:300], **counts)


def note_failure(source: Source, sentence: str) -> None:
    """A reading failed; the same failure again is one more time of it. Must run inside the tenant."""
    newest = of(source).first()
    if newest is not None and not newest.is_ok and newest.text == sentence[:1000]:
        of(source).filter(pk=newest.pk).update(times=F("times") + 1, at=now())
        return
    _add(source, is_ok=False, text=sentence[:1000])


def _add(source: Source, **values: Any) -> None:
    row = SourceReading(organisation_id=source.organisation_id, source=source, **values)
    fields = [field for field in SourceReading._meta.concrete_fields if not field.primary_key]
    columns, marks = ", ".join(f'"{field.column}"' for field in fields), ", ".join(["%s"] * len(fields))
    told = [field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(
            _ADD.format(columns=columns, marks=marks),
            [source.organisation_id, source.pk, KEPT - 1, source.organisation_id, *told],
        )
