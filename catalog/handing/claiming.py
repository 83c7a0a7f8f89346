"""Taking what is nobody's, as it was suggested; or saying that it is not theirs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from catalog.handing.models import Suggestion
from catalog.handing.reading import led_by
from catalog.index.owning import SLIM, holder_of
from catalog.index.writing import lock
from catalog.lists.reading import unknown_owners
from catalog.models import Entity, How, Role
from catalog.owners import stating
from catalog.owners.rights import STATE
from portal.accounts.access import Access
from portal.accounts.audit import record
from portal.accounts.models import Team
from portal.accounts.tenancy import TenantQuerySet
from portal.kit.errors import Conflict, Forbidden, Invalid
from portal.kit.refs import name_of

MOST = 1000
ACCEPTED, DECLINED = "suggestion.accepted", "suggestion.declined"
OPEN = Suggestion.State.OPEN.value


def open_of(access: Access, *, mine: bool = False) -> TenantQuerySet[Suggestion]:
    """The open suggestions, the surest first; `mine`: those that this person may answer as a lead."""
    rows = Suggestion.objects.for_tenant(access.organisation).filter(state=OPEN).order_by("-score", "pk")
    return rows.filter(to_ref__in=led_by(access)) if mine else rows


def answerable(access: Access) -> frozenset[str] | None:
    """For which teams they may answer; None for all: managers."""
    return None if access.verdict(STATE, is_owner=False) else frozenset(led_by(access))


def _chosen(access: Access, pks: Collection[int]) -> list[Suggestion]:
    if not pks:
        raise Invalid("Choose at least one.", field="chosen")
    if len(pks) > MOST:
        raise Invalid(f"At most {MOST:,} at once.", field="chosen")
    rows = list(Suggestion.objects.for_tenant(access.organisation).filter(pk__in=pks, state=OPEN).order_by("pk"))
    if len(rows) != len(set(pks)):
        raise Conflict("Some of these are answered already, or were looked at anew. Look again.", code="changed")
    mine = answerable(access)
    strange = next((row for row in rows if mine is not None and row.to_ref not in mine), None)
    if strange is not None:
        raise Forbidden(f"A lead of {name_of(strange.to_ref)} answers this, or a manager.")
    if not access.verdict(STATE, is_owner=True):
        raise Forbidden(access.verdict(STATE, is_owner=True).sentence)
    return rows


@transaction.atomic
def accept(*, access: Access, pks: Collection[int]) -> int:
    """Claims what was suggested; all or nothing. Returns how many changed hands.

    Raises Conflict where somebody answered meanwhile, or where it is somebody's by now; Forbidden.
    """
    lock(access.organisation.pk)
    rows = _chosen(access, pks)
    entities = _still_nobodys(access, rows)
    changes = [(entities[row.entity_uid], Role.OWNER.value, row.to_ref) for row in rows]
    [only] = rows if len(rows) == 1 else [None]
    why = only.evidence[0]["sentence"] if only is not None and only.evidence else "As the evidence suggested."
    made = stating.state(
        organisation=access.organisation, actor=access.actor, changes=changes, how=How.CLAIM.value, why=why
    )  # fmt: skip
    _answer(access, rows, Suggestion.State.ACCEPTED.value, "")
    _record(access, rows, ACCEPTED, "Claimed")
    return len(made)


def _still_nobodys(access: Access, rows: Sequence[Suggestion]) -> dict[UUID, Entity]:
    found = Entity.objects.for_tenant(access.organisation).filter(
        uid__in=[row.entity_uid for row in rows], removed_at=None
    )
    entities = {row.uid: row for row in found.only(*SLIM)}
    strangers = unknown_owners(access.organisation)
    for row in rows:
        entity = entities.get(row.entity_uid)
        if entity is None:
            raise Conflict(f"{row.ref} is not in the catalog any more. Nothing was claimed.", code="changed")
        if (holder := holder_of(entity)) and holder not in strangers:
            raise Conflict(f"{row.ref} belongs to {name_of(holder)} by now. Nothing was claimed.", code="changed")
    refs = {row.to_ref for row in rows}
    gone = refs - set(Team.objects.for_tenant(access.organisation).filter(ref__in=refs).values_list("ref", flat=True))
    if gone:
        raise Conflict(f"There is no {name_of(min(gone))} here any more. Nothing was claimed.", code="changed")
    return entities


@transaction.atomic
def decline(*, access: Access, pks: Collection[int], reason: str = "") -> int:
    """Says that these are not theirs: they are not suggested again. Returns how many."""
    rows = _chosen(access, pks)
    _answer(access, rows, Suggestion.State.DECLINED.value, " ".join(reason.replace("\0", "").split())[:1000])
    _record(access, rows, DECLINED, "Declined")
    return len(rows)


def _answer(access: Access, rows: Sequence[Suggestion], state: str, reason: str) -> None:
    person = access.user
    Suggestion.objects.for_tenant(access.organisation).filter(pk__in=[row.pk for row in rows]).update(
        state=state, answered_by=person, answered_by_label=str(person)[:300], answered_at=now(), reason=reason
    )


def _record(access: Access, rows: Sequence[Suggestion], verb: str, word: str) -> None:
    first = rows[0]
    what = first.ref if len(rows) == 1 else f"{len(rows):,} suggestions"
    record(
        organisation=access.organisation, actor=access.actor, verb=verb,
        subject=first if len(rows) == 1 else None, subject_label=what, summary=f"{word} {what}",
        data={"suggestions": [{"uid": str(row.entity_uid), "ref": row.ref, "to": row.to_ref} for row in rows]},
    )  # fmt: skip
