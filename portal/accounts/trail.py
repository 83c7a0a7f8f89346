"""Reading the audit log: filters, pages by key, and rows for export."""

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import datetime, time, timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.db.models import Q, QuerySet
from django.utils import timezone

from portal.accounts.models import AuditEvent, Organisation
from portal.accounts.tenancy import tenant
from portal.kit.errors import Invalid
from portal.kit.words import cell

PAGE = 50
BATCH = 1000
COLUMNS = (
    "at",
    "actor",
    "verb",
    "subject_kind",
    "subject_id",
    "subject",
    "summary",
    "way",
    "via",
    "agent",
    "ip",
    "data",
)


def narrowed(organisation: Organisation, wanted: dict[str, Any]) -> QuerySet[AuditEvent]:
    """The events that the cleaned filter form asks for, newest first."""
    found = AuditEvent.objects.for_tenant(organisation).order_by("-at", "-id")
    if actor := wanted.get("actor"):
        found = found.filter(actor=actor)
    if verb := wanted.get("verb"):
        found = found.filter(Q(verb=verb) | Q(verb__startswith=f"{verb}."))
    if subject := wanted.get("subject"):
        found = found.filter(Q(subject_label__icontains=subject) | Q(summary__icontains=subject))
    if since := wanted.get("since"):
        found = found.filter(at__gte=_midnight(since))
    if until := wanted.get("until"):
        found = found.filter(at__lt=_midnight(until + timedelta(days=1)))
    return found


def _midnight(day: Any) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def cursor_of(event: AuditEvent) -> str:
    """What stands in `after=` to continue below this event."""
    return f"{event.at.isoformat()}~{event.pk}"


def below(found: QuerySet[AuditEvent], cursor: str) -> QuerySet[AuditEvent]:
    """The events older than the cursor's."""
    at, _, pk = cursor.partition("~")
    try:
        moment, ident = datetime.fromisoformat(at.replace(" ", "+")), int(pk)
    except ValueError as error:
        raise Invalid("This link to a page of the audit log is broken. Start from its first page.") from error
    if timezone.is_naive(moment) or not 0 <= ident < 2**63:
        raise Invalid("This link to a page of the audit log is broken. Start from its first page.")
    return found.filter(Q(at__lt=moment) | Q(at=moment, pk__lt=ident))


def row_of(event: AuditEvent) -> dict[str, Any]:
    """An event for programs."""
    return {
        "id": event.pk,
        "at": event.at.isoformat(),
        "actor": event.actor_label,
        "verb": event.verb,
        "subject_kind": event.subject_kind,
        "subject_id": event.subject_id,
        "subject": event.subject_label,
        "summary": event.summary,
        "way": event.way,
        "via": event.via,
        "agent": event.agent,
        "ip": event.ip,
        "data": event.data,
    }


async def exported(organisation: Organisation, wanted: dict[str, Any], form: str) -> AsyncIterator[str]:
    """The whole narrowed log as text, batch by batch: each is read in its own tenant transaction."""
    if form == "csv":
        yield _csv([list(COLUMNS)])
    cursor = ""
    while True:
        rows, cursor = await sync_to_async(_batch)(organisation, wanted, cursor)
        if form == "csv":
            yield _csv([[_cell(row[column]) for column in COLUMNS] for row in rows])
        else:
            yield "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        if not cursor:
            return


def _batch(organisation: Organisation, wanted: dict[str, Any], cursor: str) -> tuple[list[dict[str, Any]], str]:
    with tenant(organisation):
        found = narrowed(organisation, wanted)
        events = list((below(found, cursor) if cursor else found)[:BATCH])
    return [row_of(event) for event in events], cursor_of(events[-1]) if len(events) == BATCH else ""


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    return cell(
        json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str("" if value is None else value)
    )
