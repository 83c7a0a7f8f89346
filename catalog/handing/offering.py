"""Handing over: at once where one may state it, else offered to whoever would get it; now or on a date."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from catalog.handing.carrying import carry_out, record_of, what_of
from catalog.handing.models import Transfer, TransferItem
from catalog.index.writing import lock
from catalog.models import Role
from catalog.owners import stating
from catalog.planning import MOST, OwnerWish, Plan, PlannedChange, RefusedWish, planned
from portal.accounts.access import Access
from portal.accounts.models import Organisation
from portal.kit.errors import Conflict, Invalid
from portal.kit.refs import name_of

ASKED = "transfer.asked"
WAITS = timedelta(days=30)
REMINDED = timedelta(days=23)
# So many refusals are told in one sentence.
FEW = 3


@dataclass(frozen=True)
class Terms:
    """How things are handed over.

    due_at  from when it counts; none: at once
    asks    whoever gets them is asked, even where one could state it
    """

    due_at: datetime | None = None
    asks: bool = False


def wishes_for(refs: Iterable[str], holder: str, why: str) -> list[OwnerWish]:
    """The wish that each of these entities belongs to this holder. Raises Invalid for nobody and for too many."""
    found = [OwnerWish(number, ref, Role.OWNER.value, holder, why) for number, ref in enumerate(refs, 1)]
    if not found:
        raise Invalid("Select at least one entity.", field="entities")
    if len(found) > MOST:
        raise Invalid(f"At most {MOST:,} at once. Narrow the list first.", field="entities")
    return found


def plan_for(access: Access, wishes: Sequence[OwnerWish], terms: Terms) -> Plan:
    """What these wishes come to on these terms; what stands in an open transfer is refused where it would be offered.

    Other roles than the owner's change at once, whatever the terms.
    """
    plan = planned(access, wishes)
    owners = [each for each in plan.changes if each.role == Role.OWNER.value and each.holder]
    if terms.asks:
        plan.changes = [each for each in plan.changes if each not in owners]
        plan.offers = sorted([*plan.offers, *owners], key=lambda each: each.number)
    dated = owners if terms.due_at and not terms.asks else []
    open_ones = open_transfers(access.organisation, [each.entity.uid for each in (*plan.offers, *dated)])
    taken = {each.number for each in (*plan.offers, *dated) if each.entity.uid in open_ones}
    for each in (*plan.offers, *dated):
        if each.number in taken:
            plan.refused.append(RefusedWish(each.number, each.entity.ref, open_sentence(open_ones[each.entity.uid])))
    plan.offers = [each for each in plan.offers if each.number not in taken]
    plan.changes = [each for each in plan.changes if each.number not in taken]
    plan.refused.sort(key=lambda each: each.number)
    return plan


def open_transfers(organisation: Organisation, uids: Collection[UUID]) -> dict[UUID, Transfer]:
    """The open transfer of each of these entities that stands in one: one statement."""
    rows = TransferItem.objects.for_tenant(organisation).filter(is_open=True, entity_uid__in=uids)
    return {row.entity_uid: row.transfer for row in rows.select_related("transfer")}


def open_sentence(transfer: Transfer) -> str:
    """Why an entity of this transfer is not offered once more."""
    on = f"{transfer.asked_at:%d %B %Y}"
    return f"{transfer.asked_by_label} offered it to {name_of(transfer.to_ref)} on {on}: withdraw that first."


def hand_over(access: Access, plan: Plan, terms: Terms, *, token: str = "") -> list[Transfer]:
    """Makes what a plan comes to: a transfer for each holder and reason, those that count at once carried out.

    token  of the plan that was looked at; Conflict where this is another. Nothing is made where anything is refused:
    raises Invalid with the first sentences.
    """
    if token and token != plan.token:
        raise Conflict("The catalog has changed since you looked. Look again.", code="changed")
    if plan.refused:
        told = " ".join(f"{each.ref[:120]}: {each.sentence}" for each in plan.refused[:FEW])
        more = f" And {len(plan.refused) - FEW} more." if len(plan.refused) > FEW else ""
        raise Invalid(f"{told}{more} Nothing was handed over.", field="entities")
    made = list[Transfer]()
    with transaction.atomic():
        lock(access.organisation.pk)
        owners = [each for each in plan.changes if each.role == Role.OWNER.value and each.holder]
        _state_rest(access, [each for each in plan.changes if each not in owners])
        for group in _grouped(owners):
            made.append(_direct(access, group, terms))
        for group in _grouped(plan.offers):
            made.append(_ask(access, group, terms))
    return made


def _grouped(changes: Sequence[PlannedChange]) -> list[list[PlannedChange]]:
    groups: dict[tuple[str, str], list[PlannedChange]] = {}
    for each in changes:
        groups.setdefault((each.holder, each.why), []).append(each)
    return list(groups.values())


def _state_rest(access: Access, changes: Sequence[PlannedChange]) -> None:
    """Other roles, and owners that are taken away: nobody is handed anything."""
    for why in dict.fromkeys(each.why for each in changes):
        stated = [(each.entity, each.role, each.holder) for each in changes if each.why == why]
        stating.state(
            organisation=access.organisation, actor=access.actor, changes=stated, how="transfer", why=why
        )  # fmt: skip


def _direct(access: Access, group: Sequence[PlannedChange], terms: Terms) -> Transfer:
    person = access.user
    made = Transfer(
        state="accepted", is_direct=True, answered_by=person, answered_by_label=str(person)[:300], answered_at=now()
    )
    _write(access, made, group, terms)
    if terms.due_at is None:
        carry_out(made, actor=access.actor)
    else:
        record_of(made, access.actor, "transfer.dated", f"Will hand {what_of(made)} over to {name_of(made.to_ref)}")
    return made


def _ask(access: Access, group: Sequence[PlannedChange], terms: Terms) -> Transfer:
    made = Transfer(state="asked", expires_at=now() + WAITS)
    _write(access, made, group, terms)
    record_of(made, access.actor, ASKED, f"Offered {what_of(made)} to {name_of(made.to_ref)}")
    return made


def _write(access: Access, made: Transfer, group: Sequence[PlannedChange], terms: Terms) -> None:
    first = group[0]
    made.organisation, made.to_ref, made.why = access.organisation, first.holder, first.why.strip()[:1000]
    made.count, made.due_at = len(group), terms.due_at
    made.asked_by, made.asked_by_label = access.user, str(access.user)[:300]
    made.save()
    items = [
        TransferItem(
            organisation=access.organisation, transfer=made, entity_uid=each.entity.uid, ref=each.entity.ref,
            title=each.entity.display_name, was_ref=each.entity.owner_ref,
        )
        for each in group
    ]  # fmt: skip
    TransferItem.objects.bulk_create(items, batch_size=1000)
