"""What time does to transfers, for the live process: dates that come, reminders, offers that nobody answers."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from django.utils.timezone import now

from catalog.handing.answering import come_due, expire
from catalog.handing.carrying import what_of
from catalog.handing.models import Reorganisation, Transfer
from catalog.handing.offering import REMINDED, WAITS
from catalog.handing.plans import drafting
from portal.accounts.tenancy import TenantQuerySet, sweep, tenant
from portal.kit.errors import Conflict
from portal.kit.refs import name_of
from portal.notices.telling import Telling, tell

OFFERED = "transfer.offered"
AT_ONCE = 200


def sweep_transfers(moment: datetime | None = None) -> int:
    """Everything that is due at this moment (now), each in a transaction of its own; returns how many."""
    moment = moment or now()
    with sweep():
        due = list(_due(moment).values_list("organisation_id", "pk", "state", "expires_at")[:AT_ONCE])
    for organisation_id, pk, state, expires_at in due:
        # Somebody may answer or withdraw it at this moment: then theirs is what counts.
        with suppress(Conflict), tenant(organisation_id):
            rows = Transfer.objects.for_tenant(organisation_id).select_related("organisation", "answered_by")
            transfer = rows.get(pk=pk)
            if state == "accepted":
                come_due(transfer, moment)
            elif expires_at is not None and expires_at <= moment:
                expire(transfer, moment)
            else:
                remind(transfer, moment)
    return len(due) + _reorganise(moment)


def _reorganise(moment: datetime) -> int:
    with sweep():
        rows = Reorganisation.objects.get_queryset().filter(state="dated", due_at__lte=moment)
        due = list(rows.order_by("pk").values_list("organisation_id", "pk")[:AT_ONCE])
    for organisation_id, pk in due:
        with tenant(organisation_id):
            plans = Reorganisation.objects.for_tenant(organisation_id).select_related("organisation", "dated_by")
            drafting.come_due(plans.get(pk=pk), moment)
    return len(due)


def _due(moment: datetime) -> TenantQuerySet[Transfer]:
    rows = Transfer.objects.get_queryset()
    waits = rows.filter(state="asked")
    comes = rows.filter(state="accepted", due_at__lte=moment)
    over = waits.filter(expires_at__lte=moment)
    unreminded = waits.filter(expires_at__lte=moment + (WAITS - REMINDED), reminded_at=None)
    return (comes | over | unreminded).order_by("pk")


def remind(transfer: Transfer, moment: datetime) -> None:
    """Tells whoever could answer that a week is left. Once."""
    rows = Transfer.objects.for_tenant(transfer.organisation_id)
    if not rows.filter(pk=transfer.pk, state="asked", reminded_at=None).update(reminded_at=moment):
        return
    left = f"{what_of(transfer)} offered to {name_of(transfer.to_ref)}"
    until = f"{transfer.expires_at:%d %B %Y}" if transfer.expires_at else ""
    thing = Telling(
        kind=OFFERED,
        key=f"reminder:{transfer.pk}",
        summary=f"Waits for your answer until {until}: {left}",
        at=moment,
        subject_kind="transfer",
        subject_id=str(transfer.pk),
        data={"to": transfer.to_ref, "count": transfer.count, "why": transfer.why},
    )
    tell(transfer.organisation_id, [thing])
