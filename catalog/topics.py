"""What the catalog shows live: the state of a source, and what a card from configuration was told."""

from django.template.loader import render_to_string

from catalog.models import CardAnswer, ConfiguredCard, Source
from portal.accounts.access import Access
from portal.accounts.models import Organisation
from portal.accounts.permissions import PERMISSIONS
from portal.kit.errors import NotFound


def source_state(organisation: Organisation, key: str) -> str | None:
    """The fragment of the topic `source:<id>`."""
    if not key.isdigit() or len(key) > 18:
        return None
    source = Source.objects.for_tenant(organisation).filter(pk=int(key)).first()
    if source is None:
        return None
    return render_to_string("catalog/source_state.html", {"source": source, "org": organisation})


def card_answer(organisation: Organisation, key: str) -> str | None:
    """The fragment of the topic `card:<card>-<entity>`."""
    found = _card(organisation, key)
    if found is None:
        return None
    card, entity = found
    answer = CardAnswer.objects.for_tenant(organisation).filter(card=card, entity=entity).first()
    return render_to_string("catalog/card_answer.html", {"answer": answer, "org": organisation})


def admit_to_card(access: Access, key: str) -> None:
    """A card is for whom its admin said. Raises NotFound and Forbidden."""
    found = _card(access.organisation, key)
    if found is None or found[0].permission not in PERMISSIONS:
        raise NotFound("There is no such card.")
    access.require(found[0].permission)


def _card(organisation: Organisation, key: str) -> tuple[ConfiguredCard, int] | None:
    card, _, entity = key.partition("-")
    if not (card.isdecimal() and entity.isdecimal() and len(key) <= 37):
        return None
    row = ConfiguredCard.objects.for_tenant(organisation).filter(pk=int(card)).first()
    return (row, int(entity)) if row else None
