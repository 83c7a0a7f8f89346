"""A list as a file: exactly what is chosen, batch by batch, so that no size of it needs memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from asgiref.sync import sync_to_async

from catalog.lists.choosing import COLUMNS, ListChoice
from catalog.lists.reading import Listed
from catalog.models import Entity
from catalog.presenting import with_refs
from portal.accounts.access import Access
from portal.accounts.tenancy import tenant
from portal.kit.words import cell

BATCH = 500
FORMS = {"csv": "text/csv; charset=utf-8", "json": "application/json; charset=utf-8"}


async def exported(access: Access, wanted: ListChoice, columns: Sequence[str], form: str) -> AsyncIterator[str]:
    """The file as text. Each batch is read in a tenant transaction of its own: what changes meanwhile is as it is then.

    csv   the entity's reference, its name and the columns of the list
    json  one list of whole entities, as the catalog API shows them
    """
    headings = ["Reference", "Name", *(COLUMNS[name].label for name in columns)]
    yield _csv([headings]) if form == "csv" else "["
    after, is_first = "", True
    while True:
        text, after = await sync_to_async(_batch)(access, wanted, columns, form, after)
        if text:
            yield text if is_first or form == "csv" else f",{text}"
            is_first = False
        if not after:
            break
    if form == "json":
        yield "]"


def _batch(access: Access, wanted: ListChoice, columns: Sequence[str], form: str, after: str) -> tuple[str, str]:
    with tenant(access.organisation):
        listed = Listed(access, wanted, columns, is_counted=False)
        page = listed.page(size=BATCH, after=after)
        if form == "csv":
            badges = listed.badges if "health" in columns else {}
            text = _csv([[cell(value) for value in _row(row, columns, badges)] for row in page.rows])
        else:
            text = ",".join(json.dumps(one, ensure_ascii=False) for one in _whole(access, page.rows))
    return text, page.after


def _row(row: Any, columns: Sequence[str], badges: Mapping[str, str]) -> list[str]:
    values = {
        "kind": row.kind, "type": row.type, "lifecycle": row.lifecycle, "owner": row.owner_ref,
        "system": row.system_ref, "namespace": row.namespace, "tags": " ".join(row.tags),
        "health": badges.get(str(row.uid), ""), "tier": getattr(row, "tier", ""),
    }  # fmt: skip
    return [row.ref, row.display_name, *(values[name] for name in columns)]


def _whole(access: Access, rows: Sequence[Entity]) -> list[dict[str, Any]]:
    """In the order of the list."""
    shown = {one.ref: one.entity for one in with_refs(access.organisation, [row.ref for row in rows])}
    return [shown[row.ref] for row in rows if row.ref in shown]


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
