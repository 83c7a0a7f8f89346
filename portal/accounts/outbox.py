"""The audit log as outbox: each consumer reads every event of an organisation once, in one order, and misses none.

Ids cannot be that order: a transaction takes its id when it writes and shows it when it commits, so a reader that has
seen id 8 can meet id 7 later. Positions are given to events that are committed already, by one numberer at a time,
which commits before the next begins: whoever reads position 8 has seen every position below it. docs/adr/0020.
"""

from collections.abc import Callable

from django.db import connection

from portal.accounts.models import AuditEvent, OutboxCursor, OutboxEntry
from portal.accounts.tenancy import sweep, tenant

# First key of the advisory lock that lets one process number an organisation's events at a time.
LOCK_SPACE = 20_262
MOST = 100
NUMBER = """
UPDATE accounts_outboxentry AS entry SET position = fresh.position
FROM (
    SELECT id, coalesce((SELECT max(position) FROM accounts_outboxentry WHERE organisation_id = %s), 0)
               + row_number() OVER (ORDER BY id) AS position
    FROM accounts_outboxentry WHERE organisation_id = %s AND position IS NULL
) AS fresh
WHERE entry.id = fresh.id AND entry.organisation_id = %s
"""

Handle = Callable[[list[AuditEvent]], None]


def waiting() -> list[int]:
    """Ids of the organisations with events that were not numbered yet: for the live process."""
    with sweep():
        rows = OutboxEntry.objects.filter(position=None).order_by("organisation_id")
        return list(rows.values_list("organisation_id", flat=True).distinct())


BEHIND = """
SELECT organisation_id FROM accounts_outboxentry WHERE position IS NULL
UNION
SELECT o.id FROM accounts_organisation o
WHERE EXISTS (
    SELECT 1 FROM accounts_outboxentry e WHERE e.organisation_id = o.id AND e.position > coalesce(
        (SELECT c.position FROM accounts_outboxcursor c WHERE c.organisation_id = o.id AND c.consumer = %s), 0)
)
ORDER BY 1
"""


def behind(consumer: str) -> list[int]:
    """Ids of the organisations with events that the consumer has not read. One statement, inside `sweep()`."""
    with connection.cursor() as cursor:
        cursor.execute(BEHIND, [consumer])
        return [row[0] for row in cursor.fetchall()]


def number(organisation_id: int) -> int:
    """Gives every committed event its position; returns how many got one. A transaction of its own, and short."""
    with tenant(organisation_id), connection.cursor() as cursor:
        # The lock is a statement of its own, so that the next one sees what the numberer before us committed.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_SPACE, organisation_id])
        cursor.execute(NUMBER, [organisation_id] * 3)
        return int(cursor.rowcount)


def consume(organisation_id: int, consumer: str, handle: Handle, *, most: int = MOST) -> int:
    """Hands the next events (oldest first, at most `most`) to the consumer; returns how many.

    What `handle` writes to the database is committed together with the consumer's place, so it happens exactly once,
    whoever else consumes at the same time; when it raises, nothing is kept and the same events come again. What waits
    for the outside (a mail, a webhook) is therefore written as a row here and sent afterwards.
    """
    number(organisation_id)
    with tenant(organisation_id):
        OutboxCursor.objects.for_tenant(organisation_id).get_or_create(
            organisation_id=organisation_id, consumer=consumer
        )
        place = OutboxCursor.objects.for_tenant(organisation_id).select_for_update().get(consumer=consumer)
        entries = (
            OutboxEntry.objects.for_tenant(organisation_id)
            .filter(position__gt=place.position)
            .select_related("event")
            .order_by("position")[:most]
        )
        found = list(entries)
        if found:
            handle([entry.event for entry in found])
            place.position = found[-1].position or 0
            place.save(update_fields=["position"])
    return len(found)
