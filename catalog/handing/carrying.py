"""A transfer that counts from now on: what is still as it was offered changes hands, the rest is said."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from catalog.handing.models import Transfer, TransferItem
from catalog.handing.states import sources_of
from catalog.index.owning import SLIM, holder_of
from catalog.index.writing import lock
from catalog.models import Entity, How, Role
from catalog.owners import stating
from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.tenancy import TenantQuerySet
from portal.kit.errors import Conflict
from portal.kit.refs import name_of

OWNER = Role.OWNER.value
DONE, VOID = "transfer.done", "transfer.void"
NOTHING_LEFT = "None of it was as it had been offered any more."


def move(transfer: Transfer, after: str, **fields: object) -> None:
    """Brings a transfer into another state, by compare-and-set. Raises Conflict where it is over already.

    Whatever ends it closes its entities too.
    """
    rows = Transfer.objects.for_tenant(transfer.organisation_id).filter(pk=transfer.pk, state__in=sources_of(after))
    if not rows.update(state=after, **fields):
        raise Conflict("Somebody has answered or withdrawn it meanwhile. Look at it again.", code="changed")
    transfer.state = after
    for name, value in fields.items():
        setattr(transfer, name, value)
    if not transfer.shown.is_open:
        items_of(transfer).filter(is_open=True).update(is_open=False)


def items_of(transfer: Transfer) -> TenantQuerySet[TransferItem]:
    """The entities of a transfer, in the order of their references."""
    return TransferItem.objects.for_tenant(transfer.organisation_id).filter(transfer=transfer.pk).order_by("ref")


def rows_of(transfer: Transfer, items: list[TransferItem]) -> dict[UUID, Entity]:
    """The entities that are still in the catalog."""
    rows = Entity.objects.for_tenant(transfer.organisation_id).filter(
        uid__in=[each.entity_uid for each in items], removed_at=None
    )
    return {row.uid: row for row in rows.only(*SLIM)}


def outcome_of(item: TransferItem, row: Entity | None, to_ref: str) -> str:
    """What becomes of an entity when the transfer counts: a word of states.OUTCOMES."""
    if row is None:
        return "gone"
    if holder_of(row) == to_ref:
        return "same"
    return "handed" if row.owner_ref == item.was_ref else "moved"


@transaction.atomic
def carry_out(transfer: Transfer, *, actor: Actor, moment: datetime | None = None) -> None:
    """States that what the transfer holds belongs to who gets it. Where nothing of it is left, it came to nothing."""
    lock(transfer.organisation_id)
    moment = moment or now()
    items = list(items_of(transfer))
    rows = rows_of(transfer, items)
    changes = []
    for item in items:
        row = rows.get(item.entity_uid)
        item.outcome = outcome_of(item, row, transfer.to_ref)
        if item.outcome == "handed" and row is not None:
            item.held_ref = holder_of(row)
            changes.append((row, OWNER, transfer.to_ref))
    write_outcomes(transfer, items)
    if not any(item.outcome in ("handed", "same") for item in items):
        come_to_nothing(transfer, NOTHING_LEFT, actor=actor, moment=moment)
        return
    stating.state(
        organisation=transfer.organisation, actor=actor, changes=changes, how=How.TRANSFER.value,
        why=_why(transfer), at=moment,
    )  # fmt: skip
    move(transfer, "done", ended_at=moment)
    handed = sum(item.outcome == "handed" for item in items)
    summary = f"Handed {handed:,} of {what_of(transfer)} over to {name_of(transfer.to_ref)}"
    record_of(transfer, actor, DONE, summary.replace(f"{handed:,} of {handed:,} ", f"{handed:,} "))


def write_outcomes(transfer: Transfer, items: list[TransferItem]) -> None:
    """A statement for each outcome and holder, of which there are few."""
    groups: dict[tuple[str, str], list[int]] = {}
    for item in items:
        groups.setdefault((item.outcome, item.held_ref), []).append(item.pk)
    for (outcome, held_ref), pks in groups.items():
        items_of(transfer).filter(pk__in=pks).update(outcome=outcome, held_ref=held_ref)


def come_to_nothing(transfer: Transfer, reason: str, *, actor: Actor, moment: datetime) -> None:
    """Ends a transfer that cannot count any more, and says why."""
    move(transfer, "void", ended_at=moment, reason=reason)
    record_of(transfer, actor, VOID, f"The transfer to {name_of(transfer.to_ref)} came to nothing: {reason}")


def _why(transfer: Transfer) -> str:
    if transfer.is_direct:
        return transfer.why
    return f"{transfer.why} (offered by {transfer.asked_by_label})".strip()


def what_of(transfer: Transfer) -> str:
    """How many entities it is about, in words."""
    return f"{transfer.count:,} entit{'y' if transfer.count == 1 else 'ies'}"


def record_of(transfer: Transfer, actor: Actor, verb: str, summary: str) -> None:
    """One event of a transfer."""
    record(
        organisation=transfer.organisation,
        actor=actor,
        verb=verb,
        subject=transfer,
        summary=summary[:500],
        data=facts_of(transfer),
    )


def facts_of(made: Transfer) -> dict[str, object]:
    """A transfer as its events tell of it."""
    return {
        "to": made.to_ref, "count": made.count, "why": made.why, "reason": made.reason, "asked_by": made.asked_by_id,
        "answered_by": made.answered_by_id, "is_direct": made.is_direct,
        "due_at": made.due_at.isoformat() if made.due_at else None,
    }  # fmt: skip
