"""What cards from configuration fetch: one question to a web address, its JSON answer, and the text that a template
makes of it. Runs in workers; pages show what was kept.

The template is in the language of golden paths, which a higher room brings (`speak`). It knows two names: `answer`, the
JSON, and `entity` (ref, kind, namespace, name, title, owner, annotations). What it comes to is Markdown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from catalog.configured import Header, address_for, binding_of, header_of, site_of
from catalog.models import ConfiguredCard, Entity
from portal.kit import sealing
from portal.kit.errors import Invalid, Refusal, Unavailable
from portal.kit.fetching import FetchedPage, Unfetched, fetch
from portal.kit.plain import odd_character, read_json

MOST_BYTES = 256 * 1024
MOST_TEXT = 20_000
SECONDS = 10.0

Render = Callable[[str, Mapping[str, Any]], str]
_language: list[Render] = []


def speak(render: Render) -> None:
    """Makes the language known: text and names in, text out, a Refusal for what cannot be rendered."""
    _language[:] = [render]


@dataclass(frozen=True)
class CardQuestion:
    """One card of one entity, with all that a worker needs to ask: no row is read any more."""

    organisation_id: int
    address: str
    template: str
    header: Header
    entity: Mapping[str, Any]


@dataclass(frozen=True)
class Told:
    """The text that came of it, or why there is none: exactly one of the two is not empty."""

    text: str = ""
    error: str = ""


def question(card: ConfiguredCard, entity: Entity) -> CardQuestion | None:
    """What to ask for an entity; None when it lacks an annotation that the address wants."""
    address = address_for(card.address, entity)
    if not address or card.shows != ConfiguredCard.Shows.JSON:
        return None
    return CardQuestion(card.organisation_id, address, card.template, header_of(card), facts_of(entity))


def facts_of(entity: Entity) -> dict[str, Any]:
    """The entity as templates know it."""
    return {
        "ref": entity.ref,
        "kind": entity.kind,
        "namespace": entity.namespace,
        "name": entity.name,
        "title": entity.display_name,
        "owner": entity.owner_ref,
        "annotations": entity.annotations,
    }


def ask(asked: CardQuestion) -> Told:
    """Fetches and renders; whatever goes wrong is a sentence. Touches no database, so that several can be asked."""
    try:
        return Told(text=_text(asked))
    except Refusal as refusal:
        return Told(error=refusal.text[:1000])


def _text(asked: CardQuestion) -> str:
    end = time.monotonic() + SECONDS
    told = fetch(asked.address, most=MOST_BYTES, deadline=end, headers=_headers(asked), accept="application/json")
    answer = _json(asked.address, told)
    text = _language[0](asked.template, {"answer": answer, "entity": dict(asked.entity)}).strip()
    if not text:
        raise Invalid("The template makes nothing of the answer.")
    if len(text) > MOST_TEXT:
        raise Invalid(f"The template makes more than {MOST_TEXT:,} letters of the answer.")
    if code := odd_character(text):
        raise Invalid(f"The template writes the character {code}, which cannot be kept.")
    return text


def _headers(asked: CardQuestion) -> dict[str, str]:
    if not asked.header.sealed:
        return {}
    binding = binding_of(asked.organisation_id, site_of(asked.address), asked.header.name)
    try:
        return {asked.header.name: sealing.unseal(asked.header.sealed, binding)["value"]}
    except sealing.DoesNotOpen as error:
        raise Unavailable(f"The header {asked.header.name} does not open: {error.text} Write it again.") from error


def _json(address: str, fetched: FetchedPage) -> Any:
    host = urlsplit(address).hostname or ""
    if fetched.media_type == "text/html":
        raise Unfetched(f"{host} answered with a web page, not JSON. Perhaps it wants a credential.")
    try:
        return read_json(fetched.content.decode())
    except UnicodeDecodeError as error:
        raise Unfetched(f"The answer of {host} is not text in UTF-8.") from error
    except Invalid as error:
        raise Unfetched(f"The answer of {host} cannot be used. {error.text}") from error
