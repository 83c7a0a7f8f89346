"""The turns of the live process: what the outbox and the rooms told is spread, exactly once; what is due is sent."""

from __future__ import annotations

from datetime import timedelta

from django.db.models.functions import Now

from portal.accounts import outbox
from portal.accounts.models import AuditEvent, Organisation
from portal.accounts.tenancy import sweep, tenant
from portal.notices import unread
from portal.notices.models import Delivery, Happening, Notice
from portal.notices.registry import VERBS, Happened
from portal.notices.spreading import spread
from portal.notices.tasks import nudge

CONSUMER = "notices"
# So many happenings are told in one transaction: each may concern thousands.
AT_ONCE = 20
KEPT = timedelta(days=90)
# Told things are remembered for longer than anything could tell them again.
TOLD_KEPT = timedelta(days=30)
FORGET_AT_ONCE = 5000


def turn() -> int:
    """Spreads everything that waits, and has workers send what is due. Returns how many happenings were looked at."""
    with sweep():
        behind, telling = outbox.behind(CONSUMER), _with_happenings()
    done = sum(map(_consume, behind)) + sum(map(_tell_on, telling))
    sweep_deliveries()
    return done


def _consume(organisation_id: int) -> int:
    done = 0
    while count := outbox.consume(organisation_id, CONSUMER, _events, most=AT_ONCE):
        done += count
    return done


def _events(events: list[AuditEvent]) -> None:
    known = [event for event in events if event.verb in VERBS]
    if known:
        organisation = Organisation.objects.get(pk=known[0].organisation_id)
        spread(organisation, [_happened(organisation, event) for event in known])


def _happened(organisation: Organisation, event: AuditEvent) -> Happened:
    return Happened(
        organisation=organisation,
        key=f"event:{event.pk}",
        verb=event.verb,
        at=event.at,
        summary=event.summary,
        actor_id=event.actor_id,
        actor=event.actor_label,
        subject_kind=event.subject_kind,
        subject_id=event.subject_id,
        subject_label=event.subject_label,
        data=event.data,
    )


def _with_happenings() -> list[int]:
    """Inside `sweep()`."""
    rows = Happening.objects.filter(told_at=None).order_by("organisation_id")
    return list(rows.values_list("organisation_id", flat=True).distinct())


def _tell_on(organisation_id: int) -> int:
    done = 0
    while count := _tell_some(organisation_id):
        done += count
    return done


def _tell_some(organisation_id: int) -> int:
    """Spreads some of what rooms told, in the transaction that marks it as told."""
    with tenant(organisation_id):
        organisation = Organisation.objects.get(pk=organisation_id)
        waiting = Happening.objects.for_tenant(organisation_id).filter(told_at=None).order_by("pk")
        rows = list(waiting.select_for_update(skip_locked=True)[:AT_ONCE])
        spread(
            organisation,
            [
                Happened(
                    organisation=organisation,
                    key=f"told:{row.kind}:{row.key}",
                    verb=row.kind,
                    at=row.at,
                    summary=row.summary,
                    actor_id=row.actor_id,
                    actor=row.actor_label,
                    subject_kind=row.subject_kind,
                    subject_id=row.subject_id,
                    subject_label=row.subject_label,
                    data=row.data,
                )
                for row in rows
            ],
        )
        Happening.objects.for_tenant(organisation_id).filter(pk__in=[row.pk for row in rows]).update(told_at=Now())
    return len(rows)


def sweep_deliveries() -> int:
    """Nudges a worker for each organisation in which something is due. Returns how many organisations."""
    with sweep():
        rows = Delivery.objects.filter(due_at__lte=Now()).order_by("organisation_id")
        due = list(rows.values_list("organisation_id", flat=True).distinct())
    for organisation_id in due:
        if not nudge(organisation_id):
            break
    return len(due)


def forget() -> int:
    """Deletes notices of three months ago, deliveries that ended then, and what was told a month ago. Returns how
    many rows went."""
    with sweep():
        organisations = sorted(
            set(Notice.objects.filter(at__lt=Now() - KEPT).values_list("organisation_id", flat=True).distinct())
            | set(
                Delivery.objects.filter(ended_at__lt=Now() - KEPT).values_list("organisation_id", flat=True).distinct()
            )
            | set(
                Happening.objects.filter(told_at__lt=Now() - TOLD_KEPT)
                .values_list("organisation_id", flat=True)
                .distinct()
            )
        )
    return sum(_forget(organisation_id) for organisation_id in organisations)


def _forget(organisation_id: int) -> int:
    with tenant(organisation_id):
        old = Notice.objects.for_tenant(organisation_id).filter(at__lt=Now() - KEPT)
        rows = list(old.order_by("pk").select_for_update(skip_locked=True)[:FORGET_AT_ONCE])
        for membership in {row.membership_id for row in rows}:
            number = sum(row.read_at is None for row in rows if row.membership_id == membership)
            unread.count_down(organisation_id, membership, number)
        gone, _ = Notice.objects.for_tenant(organisation_id).filter(pk__in=[row.pk for row in rows]).delete()
        ended = Delivery.objects.for_tenant(organisation_id).filter(ended_at__lt=Now() - KEPT)
        told = Happening.objects.for_tenant(organisation_id).filter(told_at__lt=Now() - TOLD_KEPT)
        gone += Delivery.objects.filter(pk__in=ended.values("pk")[:FORGET_AT_ONCE]).delete()[0]
        gone += Happening.objects.filter(pk__in=told.values("pk")[:FORGET_AT_ONCE]).delete()[0]
    return gone
