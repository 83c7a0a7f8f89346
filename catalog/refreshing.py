"""Answers of cards are asked for as jobs when somebody looks at them; the worker keeps what came, and says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.timezone import now

from catalog.configured import CardSaid, Header, site_of
from catalog.fetched import CardQuestion, Told, ask, question
from catalog.models import CardAnswer, ConfiguredCard, Entity
from portal.accounts.actor import Actor
from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
from portal.jobs.actions import submit
from portal.jobs.models import Job
from portal.jobs.registry import JobDone, JobKind, register
from portal.jobs.states import ACTIVE_JOB
from portal.jobs.work import Work
from portal.kit.announcing import announce
from portal.kit.errors import Invalid, NotFound

ANSWERS, PREVIEW = "catalog.card-answers", "catalog.card-preview"
LANE = "cards"
# Cards ask by themselves while somebody looks: they leave a person most of what they may have under way.
BY_THEMSELVES = 3
# Who presses the button gets a new answer, but not one after another.
PRESSED = 10
AT_ONCE = 4


def topic_of(card: int, entity: int) -> str:
    """The live topic of one card of one entity."""
    return f"card:{card}-{entity}"


def is_due(refresh_seconds: int, tried_at: datetime | None, moment: datetime) -> bool:
    """Whether what is known is older than the card wants it."""
    return tried_at is None or moment - tried_at >= timedelta(seconds=refresh_seconds)


def due_cards(cards: Iterable[ConfiguredCard], entity: Entity, *, pressed: int | None = None) -> list[int]:
    """Which of the cards (their pks) are to be asked again for an entity; `pressed`: the one whose button was."""
    asked = [card for card in cards if question(card, entity) is not None]
    rows = CardAnswer.objects.for_tenant(entity.organisation_id).filter(entity=entity, card__in=asked)
    tried, moment = dict(rows.values_list("card_id", "tried_at")), now()
    if pressed is not None:
        return [card.pk for card in asked if card.pk == pressed and is_due(PRESSED, tried.get(card.pk), moment)]
    return [card.pk for card in asked if is_due(card.refresh_seconds, tried.get(card.pk), moment)]


def ask_answers(organisation: Organisation, actor: Actor, entity: Entity, cards: list[int]) -> Job | None:
    """The job that asks them: the one in flight, or a new one; None when the person has enough under way.

    Must run inside the tenant.
    """
    active = Job.objects.for_tenant(organisation).filter(kind=ANSWERS, actor=actor.person, state__in=ACTIVE_JOB)
    if active.count() >= BY_THEMSELVES:
        return None
    return submit(
        organisation=organisation,
        actor=actor,
        kind=ANSWERS,
        title=f"Cards of {entity.display_name}",
        arguments={"entity": entity.pk, "cards": cards},
        key=f"entity:{entity.pk}",
    )


def ask_preview(organisation: Organisation, actor: Actor, said: dict[str, Any], ref: str, back_to: str) -> Job:
    """The job that tries a card that is being written; `said` are the form's fields, without an open credential."""
    return submit(
        organisation=organisation,
        actor=actor,
        kind=PREVIEW,
        title=f"Preview of the card {said['title']}",
        arguments={**said, "entity": ref},
        back_to=back_to,
    )


def header_in(said: Mapping[str, Any]) -> Header:
    """The header that a preview's job keeps."""
    return Header(said["header_name"], said["sealed_header"], said["header_fingerprint"], site_of(said["address"]))


def answers(work: Work) -> JobDone:
    """Asks each card's address, several at a time, and keeps each answer as soon as it is there."""
    asked = _questions(work)
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        told = pool.map(ask, [each for _, each in asked])
        for (card, each), found in zip(asked, told, strict=True):
            work.check()
            _keep(work, card, each, found)
    return JobDone()


def _questions(work: Work) -> list[tuple[int, CardQuestion]]:
    with tenant(work.organisation):
        entity = Entity.objects.for_tenant(work.organisation).filter(pk=work.arguments["entity"]).first()
        if entity is None:
            raise NotFound("The entity is gone.")
        return list(_askable(ConfiguredCard.objects.for_tenant(work.organisation), entity, work.arguments["cards"]))


def _askable(rows: Any, entity: Entity, cards: list[int]) -> Iterator[tuple[int, CardQuestion]]:
    for card in rows.filter(pk__in=cards):
        if (asked := question(card, entity)) is not None:
            yield card.pk, asked


def _keep(work: Work, card: int, asked: CardQuestion, told: Told) -> None:
    """Keeps what was told, unless the card says something else by now: then it is no answer to it."""
    entity, organisation = int(work.arguments["entity"]), work.organisation
    with tenant(organisation):
        work.note()
        row = ConfiguredCard.objects.for_tenant(organisation).select_for_update().filter(pk=card).first()
        found = Entity.objects.for_tenant(organisation).filter(pk=entity).first()
        if row is None or found is None or question(row, found) != asked:
            return
        moment = now()
        fields = {"error": told.error, "tried_at": moment}
        if told.text:
            fields |= {"text": told.text, "as_of": moment}
        CardAnswer.objects.update_or_create(organisation=organisation, card=row, entity=found, defaults=fields)
        organisation_id = organisation.pk
        transaction.on_commit(lambda: announce(organisation_id, topic_of(card, entity)))


def preview(work: Work) -> JobDone:
    """Asks as the card would for one entity, and keeps nothing but the job's result."""
    given = work.arguments
    with tenant(work.organisation):
        rows = Entity.objects.for_tenant(work.organisation).select_related("body")
        entity = rows.filter(ref=given["entity"]).first()
    if entity is None:
        raise NotFound(f"There is no {given['entity']} in this catalog.", field="entity")
    header = header_in(given)
    fields = ("title", "address", "template", "refresh_seconds")
    said = CardSaid(**{name: given[name] for name in fields}, shows=ConfiguredCard.Shows.JSON, header=header)
    asked = question(ConfiguredCard(organisation=work.organisation, **said.checked()), entity)
    if asked is None:
        raise Invalid(f"{entity.ref} lacks an annotation that the address wants: it has no such card.", field="entity")
    told = ask(asked)
    return JobDone("", {"text": told.text, "error": told.error, "address": asked.address}, work.job.way_back)


def register_kinds() -> None:
    """Makes the kinds known."""
    register(JobKind(ANSWERS, "Ask for what cards show", answers, lane=LANE, at_once=2, kept=timedelta(minutes=10)))
    register(JobKind(PREVIEW, "Preview a card", preview, lane="asking", kept=timedelta(hours=1)))
