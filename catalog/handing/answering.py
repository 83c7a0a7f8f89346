"""What is said to a transfer: accepted, declined, withdrawn, undone; and what time does to it."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.timezone import now

from catalog.handing.carrying import (
    OWNER,
    carry_out,
    come_to_nothing,
    items_of,
    move,
    record_of,
    rows_of,
    what_of,
    write_outcomes,
)
from catalog.handing.models import Transfer
from catalog.holders import holder_named, refs_of_person
from catalog.index.owning import holder_of
from catalog.index.writing import lock
from catalog.models import How
from catalog.owners import stating
from catalog.owners.rights import STATE, may_state
from portal.accounts.access import Access
from portal.accounts.actor import Actor
from portal.accounts.permissions import Verdict
from portal.accounts.teams import leads_over
from portal.kit.errors import Conflict, Forbidden, Invalid, NotFound
from portal.kit.refs import kind_of, name_of

ACCEPTED, DECLINED, WITHDRAWN = "transfer.accepted", "transfer.declined", "transfer.withdrawn"
EXPIRED, UNDONE = "transfer.expired", "transfer.undone"
GONE = "Whoever would have got it is no team or person here any more."


def transfer_for(access: Access, pk: int) -> Transfer:
    """The organisation's transfer of that number; NotFound for any other."""
    rows = Transfer.objects.for_tenant(access.organisation).select_related("organisation")
    found: Transfer | None = rows.filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise NotFound("There is no such transfer.")
    return found


# --- who may ---


def may_answer(access: Access, transfer: Transfer) -> Verdict:
    """May they accept or decline? Leads of the team that would get it and of those above, the person, and managers."""
    by_role = access.verdict(STATE, is_owner=False)
    if by_role:
        return by_role
    if kind_of(transfer.to_ref) == "group":
        is_theirs = leads_over(access, transfer.to_ref)
    else:
        is_theirs = transfer.to_ref in refs_of_person(access.organisation, access.user)
    if is_theirs:
        return access.verdict(STATE, is_owner=True)
    return Verdict(False, f"A lead of {name_of(transfer.to_ref)} answers this, or a manager.")


def may_withdraw(access: Access, transfer: Transfer) -> Verdict:
    """May they withdraw it? Who asked, and managers."""
    is_theirs = transfer.asked_by_id == access.user.pk
    verdict = access.verdict(STATE, is_owner=is_theirs)
    return verdict or Verdict(False, f"{transfer.asked_by_label} may withdraw it, or a manager.")


def may_undo(access: Access, transfer: Transfer) -> Verdict:
    """May they put it back? Managers, and who may state every one of its entities to whom it belonged."""
    by_role = access.verdict(STATE, is_owner=False)
    if by_role or not transfer.is_direct or transfer.asked_by_id != access.user.pk:
        return by_role
    items = list(items_of(transfer).filter(outcome="handed"))
    rows, rights = rows_of(transfer, items), dict[tuple[str, str], Verdict]()
    for item in items:
        if (row := rows.get(item.entity_uid)) is not None and (key := (row.owner_ref, item.held_ref)) not in rights:
            rights[key] = may_state(access, row, OWNER, item.held_ref)
    return next((verdict for verdict in rights.values() if not verdict), access.verdict(STATE, is_owner=True))


def _require(verdict: Verdict) -> None:
    if not verdict:
        raise Forbidden(verdict.sentence)


def _said(reason: str) -> str:
    return " ".join(reason.replace("\0", "").split())[:1000]


# --- what people say ---


def say(*, access: Access, transfer: Transfer, word: str, reason: str = "") -> None:
    """One of accept, decline, withdraw and undo. Raises Invalid for any other word, and what each raises."""
    if word == "accept":
        accept(access=access, transfer=transfer, reason=reason)
    elif word == "decline":
        decline(access=access, transfer=transfer, reason=reason)
    elif word == "withdraw":
        withdraw(access=access, transfer=transfer, reason=reason)
    elif word == "undo":
        undo(access=access, transfer=transfer)
    else:
        raise Invalid("Say whether to accept, decline, withdraw or undo it.", field="say")


@transaction.atomic
def accept(*, access: Access, transfer: Transfer, reason: str = "", moment: datetime | None = None) -> None:
    """Takes it: at once, or on its date. Raises Conflict where it is over, or where who would get it is gone."""
    _require(may_answer(access, transfer))
    moment = moment or now()
    lock(transfer.organisation_id)
    if not _is_there(transfer):
        raise Conflict(GONE, code="gone")
    person = access.user
    move(
        transfer, "accepted", answered_by=person, answered_by_label=str(person)[:300], answered_at=moment,
        reason=_said(reason),
    )  # fmt: skip
    on = f", from {transfer.due_at:%d %B %Y} on" if transfer.due_at and transfer.due_at > moment else ""
    record_of(transfer, access.actor, ACCEPTED, f"Accepted {what_of(transfer)} for {name_of(transfer.to_ref)}{on}")
    if not on:
        carry_out(transfer, actor=access.actor, moment=moment)


@transaction.atomic
def decline(*, access: Access, transfer: Transfer, reason: str, moment: datetime | None = None) -> None:
    """Does not take it, for a reason. Raises Invalid without one (field "reason"), Conflict where it is over."""
    _require(may_answer(access, transfer))
    if not (said := _said(reason)):
        raise Invalid("Say why: whoever offered it reads that.", field="reason")
    moment, person = moment or now(), access.user
    move(
        transfer, "declined", answered_by=person, answered_by_label=str(person)[:300], answered_at=moment,
        ended_at=moment, reason=said,
    )  # fmt: skip
    record_of(transfer, access.actor, DECLINED, f"Declined {what_of(transfer)} for {name_of(transfer.to_ref)}")


@transaction.atomic
def withdraw(*, access: Access, transfer: Transfer, reason: str = "", moment: datetime | None = None) -> None:
    """Takes an offer back that nobody has answered, or that is dated and not due yet. Raises Conflict."""
    _require(may_withdraw(access, transfer))
    move(transfer, "withdrawn", ended_at=moment or now(), reason=_said(reason))
    record_of(transfer, access.actor, WITHDRAWN, f"Withdrew {what_of(transfer)} from {name_of(transfer.to_ref)}")


@transaction.atomic
def undo(*, access: Access, transfer: Transfer, moment: datetime | None = None) -> None:
    """Puts back what the transfer handed over and what nobody has stated anything else about since. Raises Conflict."""
    _require(may_undo(access, transfer))
    lock(transfer.organisation_id)
    moment = moment or now()
    items = list(items_of(transfer).filter(outcome="handed"))
    rows, changes = rows_of(transfer, items), []
    for item in items:
        row = rows.get(item.entity_uid)
        is_same = row is not None and holder_of(row) == transfer.to_ref and row.owner_since == transfer.ended_at
        item.outcome = "undone" if is_same else "kept"
        if row is not None and is_same:
            changes.append((row, OWNER, item.held_ref))
    if not changes:
        raise Conflict("There is nothing of it to undo: all of it went on to others since.", code="nothing-to-undo")
    write_outcomes(transfer, items)
    move(transfer, "undone")
    stating.state(
        organisation=transfer.organisation, actor=access.actor, changes=changes, how=How.UNDO.value, at=moment
    )  # fmt: skip
    record_of(transfer, access.actor, UNDONE, f"Put {len(changes):,} back that had gone to {name_of(transfer.to_ref)}")


def _is_there(transfer: Transfer) -> bool:
    try:
        return bool(holder_named(transfer.organisation, transfer.to_ref))
    except Invalid:
        return False


# --- what time does ---


@transaction.atomic
def come_due(transfer: Transfer, moment: datetime) -> None:
    """The date of an accepted transfer has come: it counts, in the name of who accepted it."""
    actor = Actor.task(transfer.answered_by)
    if _is_there(transfer):
        carry_out(transfer, actor=actor, moment=moment)
    else:
        come_to_nothing(transfer, GONE, actor=actor, moment=moment)


@transaction.atomic
def expire(transfer: Transfer, moment: datetime) -> None:
    """Nobody has answered in time."""
    move(transfer, "expired", ended_at=moment, reason="Nobody answered in thirty days.")
    what = f"{what_of(transfer)} offered to {name_of(transfer.to_ref)}"
    record_of(transfer, Actor.slipway(), EXPIRED, f"Nobody answered: {what}")
