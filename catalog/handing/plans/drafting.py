"""Verbs of a draft: begun, its steps written and taken out, shared, dated, dropped; its files brought in line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from catalog.handing.models import Reorganisation
from catalog.handing.plans import applying
from catalog.handing.plans.foreseeing import still_other
from catalog.handing.plans.unfolding import MOST_STEPS, clean_step
from catalog.lists import bulk as many
from catalog.models import Entity
from portal.accounts.access import Access
from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.teams import require_manage
from portal.kit.errors import Conflict, Invalid, NotFound, Refusal

State = Reorganisation.State
CHANGED, DATED, FAILED = "reorganisation.drafted", "reorganisation.dated", "reorganisation.failed"


def plan_for(access: Access, pk: int) -> Reorganisation:
    """The organisation's plan of that number: for managers, and for everybody where it is shared. NotFound."""
    rows = Reorganisation.objects.for_tenant(access.organisation).select_related("organisation", "dated_by")
    found: Reorganisation | None = rows.filter(pk=pk).first() if pk < 2**63 else None
    if found is None or not (found.is_shared or may_plan(access)):
        raise NotFound("There is no such reorganisation.")
    return found


def may_plan(access: Access) -> bool:
    """Managers: a reorganisation hands over what belongs to anybody."""
    return bool(access.verdict("teams.manage", is_owner=False))


@transaction.atomic
def begin(*, access: Access, name: str) -> Reorganisation:
    """An empty draft. Raises Invalid without a name, Forbidden."""
    require_manage(access, None)
    called = " ".join(name.replace("\0", "").split())[:120]
    if not called:
        raise Invalid("Give it a name.", field="name")
    made = Reorganisation.objects.create(
        organisation=access.organisation, name=called, made_by=access.user, made_by_label=str(access.user)[:300]
    )
    _record(access.actor, made, CHANGED, f"Began to draft the reorganisation {called}")
    return made


@transaction.atomic
def add_step(*, access: Access, plan: Reorganisation, said: Mapping[str, Any]) -> None:
    """Writes a step at the end. Raises Invalid for what is none, Conflict where it is no draft."""
    step = clean_step(said)
    row = _draft(access, plan)
    if len(row.steps) >= MOST_STEPS:
        raise Invalid(f"At most {MOST_STEPS} steps in a plan.", field="kind")
    _write(access, plan, row, [*row.steps, step], f"Added a step to the reorganisation {plan.name}")


@transaction.atomic
def drop_step(*, access: Access, plan: Reorganisation, number: int) -> None:
    """Takes the step of this number (from 1) out. Raises NotFound."""
    row = _draft(access, plan)
    if not 1 <= number <= len(row.steps):
        raise NotFound("There is no such step.")
    steps = [each for place, each in enumerate(row.steps, 1) if place != number]
    _write(access, plan, row, steps, f"Took a step out of the reorganisation {plan.name}")


@transaction.atomic
def share(*, access: Access, plan: Reorganisation, is_shared: bool) -> None:
    """Lets everybody here read it, or managers alone."""
    require_manage(access, None)
    Reorganisation.objects.for_tenant(access.organisation).filter(pk=plan.pk).update(is_shared=is_shared)
    plan.is_shared = is_shared
    _record(access.actor, plan, CHANGED, f"{'Shared' if is_shared else 'Hid'} the reorganisation {plan.name}")


def _draft(access: Access, plan: Reorganisation) -> Reorganisation:
    require_manage(access, None)
    rows = Reorganisation.objects.for_tenant(access.organisation).select_for_update()
    row = rows.filter(pk=plan.pk, state=State.DRAFT).first()
    if row is None:
        raise Conflict("It is no draft any more.", code="changed")
    return row


def _write(access: Access, plan: Reorganisation, row: Reorganisation, steps: list[Any], summary: str) -> None:
    row.steps = plan.steps = steps
    row.save(update_fields=["steps"])
    _record(access.actor, plan, CHANGED, summary)


@transaction.atomic
def date(*, access: Access, plan: Reorganisation, due_at: datetime | None) -> None:
    """Sets the day on which it is applied; none: a draft again. Raises Conflict where it is applied already."""
    require_manage(access, None)
    before, after = (State.DRAFT, State.DATED) if due_at else (State.DATED, State.DRAFT)
    rows = Reorganisation.objects.for_tenant(access.organisation).filter(pk=plan.pk, state__in=[before, after])
    if not rows.update(state=after, due_at=due_at, dated_by=access.user, reason=""):
        raise Conflict("It is applied already, or was undone.", code="changed")
    plan.state, plan.due_at = after, due_at
    on = f"for {due_at:%d %B %Y}" if due_at else "as a draft again"
    _record(access.actor, plan, DATED, f"Set the reorganisation {plan.name} {on}")


@transaction.atomic
def drop(*, access: Access, plan: Reorganisation) -> None:
    """Deletes a draft. Raises Conflict for anything else."""
    _draft(access, plan)
    _record(access.actor, plan, CHANGED, f"Dropped the draft of the reorganisation {plan.name}")
    Reorganisation.objects.for_tenant(access.organisation).filter(pk=plan.pk).delete()


def apply(*, access: Access, plan: Reorganisation) -> None:
    """Now. Raises what applying raises, and Forbidden."""
    require_manage(access, None)
    applying.apply(actor=access.actor, plan=plan)


def undo(*, access: Access, plan: Reorganisation) -> int:
    """Raises what undoing raises, and Forbidden."""
    require_manage(access, None)
    return applying.undo(actor=access.actor, plan=plan)


@transaction.atomic
def settle_files(*, access: Access, plan: Reorganisation) -> int:
    """Brings every file that says something else in line with the record, in one batch: a change of many. Returns its
    number. Raises Conflict where there is nothing to do."""
    require_manage(access, None)
    other = {each.ref for each in still_other(plan)}
    rows = Entity.objects.for_tenant(access.organisation).filter(ref__in=other, removed_at=None)
    uids: list[UUID] = list(rows.values_list("uid", flat=True))
    if plan.state not in (State.APPLIED, State.UNDONE) or not uids:
        raise Conflict("Every file says what is on record.", code="nothing-to-do")
    begun = many.begin(access=access, act=many.ACTS["settle"], value="", uids=uids)
    Reorganisation.objects.for_tenant(access.organisation).filter(pk=plan.pk).update(bulk=begun.pk)
    plan.bulk = begun.pk
    return int(begun.pk)


def come_due(plan: Reorganisation, moment: datetime) -> None:
    """Its day has come: applied in the name of who set it. What cannot be is a draft again, and says why."""
    actor = Actor.task(plan.dated_by)
    try:
        with transaction.atomic():
            applying.apply(actor=actor, plan=plan, moment=moment)
    except Refusal as refusal:
        rows = Reorganisation.objects.for_tenant(plan.organisation_id).filter(pk=plan.pk, state=State.DATED)
        if rows.update(state=State.DRAFT, due_at=None, reason=refusal.text[:1000]):
            _record(Actor.slipway(), plan, FAILED, f"Could not apply the reorganisation {plan.name}: {refusal.text}")


def _record(actor: Actor, plan: Reorganisation, verb: str, summary: str) -> None:
    record(
        organisation=plan.organisation, actor=actor, verb=verb, subject=plan, summary=summary[:500],
        data={"name": plan.name, "made_by": plan.made_by_id, "steps": len(plan.steps)},
    )  # fmt: skip
