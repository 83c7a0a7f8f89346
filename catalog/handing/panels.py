"""On the tab of an entity's owners: whether it is offered to somebody, and the way to hand it over."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.descriptors.kinds import is_ownable
from catalog.handing.models import Transfer
from catalog.handing.reading import waits
from catalog.models import Role
from catalog.owners.rights import may_state
from catalog.panels import Card, Look, register_card


@dataclass(frozen=True)
class ChangingHands:
    """The open transfer in which it stands, if any; whether this person may hand it over."""

    transfer: Transfer | None
    may_offer: bool


def changing_hands(look: Look) -> ChangingHands | None:
    entity = look.entity
    if not is_ownable(entity.kind) or entity.removed_at:
        return None
    transfer = waits(look.organisation, entity.uid)
    may = bool(may_state(look.request.access, entity, Role.OWNER.value))
    if transfer is not None:
        look.also_named([transfer.to_ref])
    return ChangingHands(transfer, may) if transfer or may else None


def register() -> None:
    """Makes the card known."""
    register_card(
        Card(
            name="changing-hands", title="Changing hands", tab="ownership", order=12, place="side",
            template="handing/card.html", context=changing_hands,
        )
    )  # fmt: skip
