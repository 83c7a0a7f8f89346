"""Cards that come from configuration: their verbs, and the address that a pattern makes for an entity.

A pattern is a web address with placeholders after its host: `{name}`, `{namespace}`, `{kind}` and
`{annotation:some.key/of-it}`. What stands in their place is percent-encoded, so that no descriptor can lead elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from django.db import IntegrityError, transaction

from catalog.descriptors.kinds import KINDS
from catalog.models import ConfiguredCard, Entity
from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.models import Organisation
from portal.kit import sealing
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
REFRESH_LEAST, REFRESH_MOST = 60, 86_400
TEMPLATE_MOST = 10_000
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
# These are the connection's own: another value breaks it, or leads it to another site behind the same address.
OWN_HEADERS = {"host", "connection", "content-length", "transfer-encoding", "te", "upgrade", "accept-encoding"}


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


@dataclass(frozen=True)
class Header:
    """A header that is sent along: a credential, sealed for workers and for one `site` of one organisation."""

    name: str = ""
    sealed: str = ""
    fingerprint: str = ""
    site: str = ""


def site_of(address: str) -> str:
    """Whose answer it is: scheme, host and port."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}".lower()


def binding_of(organisation_id: int, site: str, name: str) -> sealing.Binding:
    """What a header is sealed with: it opens for no other site, so that a changed address cannot carry it off."""
    return (organisation_id, site, name.lower(), "card header")


def seal_header(organisation: Organisation, address: str, name: str, value: str) -> Header:
    """A header as a card keeps it. Raises Invalid at `header_name` or `header_value`."""
    name, value = name.strip(), value.strip()
    if not _HEADER.fullmatch(name) or name.lower() in OWN_HEADERS:
        raise Invalid("This is not a header that can be sent along; most want Authorization.", field="header_name")
    if not value.isascii() or not value.isprintable() or not 0 < len(value) <= 4000:
        raise Invalid("Write the header's value on one line, in plain letters.", field="header_value")
    check_pattern(address)
    site = site_of(address)
    sealed = sealing.seal({"value": value}, binding_of(organisation.pk, site, name))
    return Header(name, sealed, sealing.fingerprint(value), site)


def header_of(card: ConfiguredCard) -> Header:
    """The header that a card keeps; an empty one for none."""
    return Header(card.header_name, card.sealed_header, card.header_fingerprint, site_of(card.address))


@dataclass(frozen=True, kw_only=True)
class CardSaid:
    """Everything that a card says."""

    title: str
    address: str
    kinds: Sequence[str] = ()
    permission: str = "catalog.view"
    label: str = ""
    shows: str = ConfiguredCard.Shows.LINK
    template: str = ""
    refresh_seconds: int = 300
    header: Header = Header()

    def checked(self) -> dict[str, Any]:
        """The row's fields. Raises Invalid at the field that is wrong."""
        check_pattern(self.address)
        if unknown := [kind for kind in self.kinds if kind not in KINDS]:
            raise Invalid(f'"{unknown[0]}" is not a kind.', field="kinds")
        if self.permission not in AUDIENCES:
            raise Invalid("Choose who is shown it.", field="permission")
        if self.shows not in ConfiguredCard.Shows.values:
            raise Invalid("Choose what it shows.", field="shows")
        fields = {name: getattr(self, name) for name in ("title", "permission", "label", "address", "shows")}
        return {**fields, "kinds": list(self.kinds), **self._fetching()}

    def _fetching(self) -> dict[str, Any]:
        if self.shows == ConfiguredCard.Shows.LINK:
            return {"template": "", "refresh_seconds": 300, **_header_fields(Header())}
        if not self.template.strip() or len(self.template) > TEMPLATE_MOST:
            raise Invalid(
                f"Write what the card says of the answer, in at most {TEMPLATE_MOST:,} letters.", field="template"
            )
        if not REFRESH_LEAST <= self.refresh_seconds <= REFRESH_MOST:
            raise Invalid("An answer is kept for a minute at least, and a day at most.", field="refresh_seconds")
        if self.header.name and self.header.site != site_of(self.address):
            raise Invalid("The address leads to another site: write the header's value again.", field="header_value")
        fields = {"template": self.template, "refresh_seconds": self.refresh_seconds}
        return {**fields, **_header_fields(self.header)}


def _header_fields(header: Header) -> dict[str, str]:
    return {
        "header_name": header.name,
        "sealed_header": header.sealed,
        "header_fingerprint": header.fingerprint,
    }


def _told(card: ConfiguredCard) -> dict[str, Any]:
    """What the audit log keeps of a card."""
    told = {"address": card.address, "shows": card.shows}
    return {**told, "header": f"{card.header_name} {card.header_fingerprint}"} if card.header_name else told


def add_card(*, organisation: Organisation, actor: Actor, said: CardSaid) -> ConfiguredCard:
    """Adds a card to the Overview of entities. Raises Invalid and Conflict at their fields."""
    card = ConfiguredCard(organisation=organisation, **said.checked())
    with transaction.atomic():
        _save(card)
        record(
            organisation=organisation,
            actor=actor,
            verb="card.added",
            subject=card,
            summary=f"Added the card {card}",
            data=_told(card),
        )
    return card


def change_card(*, organisation: Organisation, actor: Actor, card: ConfiguredCard, said: CardSaid) -> None:
    """Changes a card; what its address has answered so far is forgotten. Raises as add_card does."""
    wanted = said.checked()
    for name, value in wanted.items():
        setattr(card, name, value)
    with transaction.atomic():
        _save(card)
        card.answers.all().delete()
        record(
            organisation=organisation,
            actor=actor,
            verb="card.changed",
            subject=card,
            summary=f"Changed the card {card}",
            data=_told(card),
        )


def _save(card: ConfiguredCard) -> None:
    try:
        with transaction.atomic():
            card.save()
    except IntegrityError as error:
        raise Conflict(f"There is a card “{card.title}” already.", field="title") from error


@transaction.atomic
def remove_card(*, organisation: Organisation, actor: Actor, card: ConfiguredCard) -> None:
    """Takes a card off every page."""
    record(
        organisation=organisation, actor=actor, verb="card.removed", subject=card, summary=f"Removed the card {card}"
    )
    card.delete()
