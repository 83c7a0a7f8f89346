"""Cards that come from configuration: their verbs, and the link that a pattern makes for an entity.

A pattern is a web address with placeholders after its host: `{name}`, `{namespace}`, `{kind}` and
`{annotation:some.key/of-it}`. What stands in their place is percent-encoded, so that no descriptor can lead elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from django.db import IntegrityError, transaction

from catalog.descriptors.kinds import KINDS
from catalog.models import ConfiguredCard, Entity
from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.models import Organisation
from portal.kit.errors import Conflict, Invalid

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
PLAIN = ("name", "namespace", "kind")
ANNOTATION = "annotation:"
# Whom a card can be shown to: a right that everybody from a role up has.
AUDIENCES = {
    "catalog.view": "Everybody",
    "catalog.register": "Developers and up",
    "audit.view": "Managers and up",
    "org.manage": "Admins",
}


def address_for(pattern: str, entity: Entity) -> str:
    """The address for one entity; "" when it lacks an annotation that the pattern wants."""
    values = {"name": entity.name, "namespace": entity.namespace, "kind": entity.kind.lower()}
    for wanted in PLACEHOLDER.findall(pattern):
        if wanted.startswith(ANNOTATION):
            values[wanted] = str(entity.annotations.get(wanted.removeprefix(ANNOTATION), ""))
    if not all(values.get(wanted) for wanted in PLACEHOLDER.findall(pattern)):
        return ""
    return PLACEHOLDER.sub(lambda found: quote(values[found[1]], safe=""), pattern)


def check_pattern(pattern: str) -> None:
    """Raises Invalid, at the field `address`, unless it always makes a web address of the host that it names."""
    try:
        parts = urlsplit(pattern)
        host = parts.hostname or ""
    except ValueError:
        raise Invalid("This is not a web address.", field="address") from None
    if parts.scheme.lower() not in ("https", "http") or not host or any(each <= " " for each in pattern):
        raise Invalid("Write a whole web address, such as https://grafana.example/d/{name}.", field="address")
    if set("{}@") & set(parts.netloc):
        raise Invalid("The host stands as it is: placeholders and names come after it.", field="address")
    for wanted in PLACEHOLDER.findall(pattern):
        if wanted not in PLAIN and not (wanted.startswith(ANNOTATION) and wanted != ANNOTATION):
            raise Invalid(
                f"{{{wanted[:60]}}} is not known. There are {{name}}, {{namespace}}, {{kind}} and {{annotation:key}}.",
                field="address",
            )
    if set("{}") & set(PLACEHOLDER.sub("", pattern)):
        raise Invalid("A brace has no partner.", field="address")


def _checked(title: str, kinds: Sequence[str], permission: str, label: str, address: str) -> dict[str, object]:
    check_pattern(address)
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise Invalid(f'"{unknown[0]}" is not a kind.', field="kinds")
    if permission not in AUDIENCES:
        raise Invalid("Choose who is shown it.", field="permission")
    return {"title": title, "kinds": list(kinds), "permission": permission, "label": label, "address": address}


def add_card(
    *,
    organisation: Organisation,
    actor: Actor,
    title: str,
    address: str,
    kinds: Sequence[str] = (),
    permission: str = "catalog.view",
    label: str = "",
) -> ConfiguredCard:
    """Adds a card to the Overview of entities. Raises Invalid and Conflict at their fields."""
    wanted = _checked(title, kinds, permission, label, address)
    with transaction.atomic():
        try:
            with transaction.atomic():
                card = ConfiguredCard.objects.create(organisation=organisation, **wanted)
        except IntegrityError as error:
            raise Conflict(f"There is a card “{title}” already.", field="title") from error
        record(
            organisation=organisation,
            actor=actor,
            verb="card.added",
            subject=card,
            summary=f"Added the card {title}",
            data={"address": address},
        )
    return card


def change_card(
    *,
    organisation: Organisation,
    actor: Actor,
    card: ConfiguredCard,
    title: str,
    address: str,
    kinds: Sequence[str] = (),
    permission: str = "catalog.view",
    label: str = "",
) -> None:
    """Changes a card. Raises as add_card does."""
    for name, value in _checked(title, kinds, permission, label, address).items():
        setattr(card, name, value)
    with transaction.atomic():
        try:
            with transaction.atomic():
                card.save()
        except IntegrityError as error:
            raise Conflict(f"There is a card “{title}” already.", field="title") from error
        record(
            organisation=organisation,
            actor=actor,
            verb="card.changed",
            subject=card,
            summary=f"Changed the card {title}",
            data={"address": address},
        )


@transaction.atomic
def remove_card(*, organisation: Organisation, actor: Actor, card: ConfiguredCard) -> None:
    """Takes a card off every page."""
    record(
        organisation=organisation, actor=actor, verb="card.removed", subject=card, summary=f"Removed the card {card}"
    )
    card.delete()
