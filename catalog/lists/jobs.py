"""What workers do for lists: work through a change of many, a few entities in each transaction."""

from __future__ import annotations

from django.utils.timezone import now

from catalog.lists import bulk as many
from catalog.lists.changing import Turn, access_of
from catalog.lists.committing import commit_files
from catalog.lists.models import Bulk, BulkRow
from portal.accounts.tenancy import tenant
from portal.jobs.models import Job
from portal.jobs.registry import JobDone, JobKind, register
from portal.jobs.work import Work
from portal.kit.errors import NotFound, Refusal

A_TURN = 25
WRITTEN = ["outcome", "sentence", "before", "after", "place", "line", "url"]


def change_many(work: Work) -> JobDone:
    """Every row that waits has its turn; a worker that was killed is followed by one that goes on."""
    with tenant(work.organisation):
        bulk = _bulk(work)
        rows = BulkRow.objects.for_tenant(work.organisation).filter(bulk=bulk)
        total, done = rows.count(), rows.exclude(outcome="waiting").count()
    turn = None
    while turn != 0:
        work.tell("Changing entities", done, total)
        turn = _turn(work, bulk)
        done += turn
    commit_files(work, bulk)
    with tenant(work.organisation):
        work.note()
        Bulk.objects.for_tenant(work.organisation).filter(pk=bulk.pk).update(ended_at=now())
        counts = _counts(bulk)
    left = sum(counts.values()) - counts.get("done", 0) - counts.get("committed", 0)
    said = ", ".join(f"{count} {many.OUTCOMES[name].label.lower()}" for name, count in counts.items())
    page = many.page_of(work.organisation, bulk)
    return JobDone(f"{work.job.title}. {said}.", {"bulk": bulk.pk, **counts}, page, is_doubtful=bool(left))


def _bulk(work: Work) -> Bulk:
    found: Bulk | None = Bulk.objects.for_tenant(work.organisation).filter(pk=work.arguments["bulk"]).first()
    if found is None:
        raise NotFound("The change of many was forgotten meanwhile.")
    return found


def _turn(work: Work, bulk: Bulk) -> int:
    """The next few rows, in one transaction; returns how many there were."""
    with tenant(work.organisation):
        work.note()
        waiting = BulkRow.objects.for_tenant(work.organisation).filter(bulk=bulk, outcome="waiting")
        rows = list(waiting.order_by("pk")[:A_TURN])
        turn = Turn(access_of(work.organisation, work.actor), work.actor, bulk, many.act_of(bulk.act))
        found = many.entities_by_uid(turn.access, [row.entity_uid for row in rows])
        for row in rows:
            turn.take(row, found.get(row.entity_uid))
        BulkRow.objects.bulk_update(rows, WRITTEN)
    return len(rows)


def _counts(bulk: Bulk) -> dict[str, int]:
    rows = BulkRow.objects.for_tenant(bulk.organisation_id).filter(bulk=bulk).values_list("outcome", flat=True)
    found = list(rows)
    return {name: count for name in many.OUTCOMES if (count := found.count(name))}


def ended_badly(job: Job, refusal: Refusal) -> None:
    """What had no turn says why. Runs in the transaction that ends the job."""
    rows = BulkRow.objects.for_tenant(job.organisation_id).filter(bulk=job.arguments.get("bulk"), outcome="waiting")
    rows.update(outcome="refused", sentence=refusal.text[:1000])
    Bulk.objects.for_tenant(job.organisation_id).filter(pk=job.arguments.get("bulk")).update(ended_at=now())


def register_kinds() -> None:
    """Makes the kinds known."""
    register(JobKind(many.JOB, "Change many entities", change_many, lane="asking", ended_badly=ended_badly))
