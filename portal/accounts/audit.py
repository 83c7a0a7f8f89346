"""The one writer of audit events. Call it inside the transaction of the change it tells of."""

from typing import Any

from django.db import models

from portal.accounts.actor import Actor
from portal.accounts.models import AuditEvent, Organisation, OutboxEntry
from portal.kit.errors import Forbidden


def record(
    *,
    organisation: Organisation | int,
    actor: Actor,
    verb: str,
    summary: str,
    subject: models.Model | None = None,
    subject_label: str = "",
    data: dict[str, Any] | None = None,
) -> AuditEvent:
    """Writes one event, and its place in the outbox (outbox.py).

    verb     noun.past-participle, such as run.launched
    summary  a sentence without the actor, such as "Launched checkout-api down Python web service"
    data     facts for programs; never secrets
    Raises Forbidden when an agent acts whose time or budget is over: then nothing of the transaction is kept.
    """
    organisation_id = organisation if isinstance(organisation, int) else organisation.pk
    _check_agent(organisation_id, actor)
    event = AuditEvent.objects.create(
        organisation_id=organisation_id,
        actor=actor.person,
        actor_label=str(actor)[:254],
        verb=verb,
        subject_kind=subject._meta.model_name or "" if subject else "",
        subject_id=str(subject.pk) if subject else "",
        subject_label=(subject_label or (str(subject) if subject else ""))[:300],
        summary=summary[:500],
        data=data or {},
        ip=actor.address,
        way=actor.way,
        via=actor.token_label,
        token_id=actor.token_id,
        agent=actor.agent.key if actor.agent else "",
    )
    OutboxEntry.objects.create(organisation_id=organisation_id, event=event)
    return event


def _check_agent(organisation_id: int, actor: Actor) -> None:
    agent = actor.agent
    if agent is None:
        return
    if agent.is_over:
        raise Forbidden(agent.over_sentence)
    if AuditEvent.objects.for_tenant(organisation_id).filter(agent=agent.key).count() >= agent.budget:
        raise Forbidden(f"{agent.name} has used its budget of {agent.budget} actions for {actor.name}.")
