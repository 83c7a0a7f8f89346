"""The event that tells of new statements: one for a batch, with every entity of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.index.owning import FileTeller, OwnerChange
from catalog.models import Entity, How, Role
from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.models import Organisation
from portal.kit.refs import name_of

VERB = "ownership.changed"
# Called with what was stated, inside the transaction, once everything tells of it. Higher rooms register here.
AFTER_STATING: dict[str, Callable[[Organisation | int, Sequence[Handed]], None]] = {}


@dataclass(frozen=True)
class Handed:
    """A role of an entity that went from one holder to another; "" for nobody. how: one of How."""

    entity: Entity
    role: str
    was: str
    is_now: str
    how: str = ""

    def plain(self) -> dict[str, Any]:
        """As the event keeps it."""
        return {
            "uid": str(self.entity.uid), "ref": self.entity.ref, "role": self.role, "from": self.was,
            "to": self.is_now,
        }  # fmt: skip


def tell(organisation: Organisation | int, actor: Actor, handed: Sequence[Handed], *, how: str, why: str = "",
         commit: str = "") -> None:  # fmt: skip
    """Records what was stated; nothing for nothing. Inside the transaction of the statements.

    The event's data: how, why, commit, entities: [{uid, ref, role, from, to}].
    """
    if not handed:
        return
    first = handed[0]
    record(
        organisation=organisation,
        actor=actor,
        verb=VERB,
        subject=first.entity if len(handed) == 1 else None,
        subject_label=first.entity.ref if len(handed) == 1 else f"{len(handed)} statements",
        summary=_summary(handed, how),
        data={"how": how, "why": why, "commit": commit, "entities": [each.plain() for each in handed]},
    )
    for hook in AFTER_STATING.values():
        hook(organisation, handed)


def _summary(handed: Sequence[Handed], how: str) -> str:
    said = How(how).label.lower()
    if len(handed) > 1:
        return f"Stated who answers for {len({each.entity.ref for each in handed}):,} entities ({said})"
    [one] = handed
    whom = name_of(one.is_now) if one.is_now else "nobody"
    return f"{Role(one.role).label} of {one.entity.ref}: {whom} ({said})"


def tell_files(organisation: Organisation, told: FileTeller, changes: Sequence[OwnerChange]) -> None:
    """Records that files name other owners than before."""
    how = How.FILE.value
    handed = [Handed(each.entity, Role.OWNER.value, each.was, each.is_now, how) for each in changes]
    actor = Actor.task(told.person) if told.person else Actor.slipway()
    tell(organisation, actor, handed, how=how, why=told.author, commit=told.commit)
