"""The one writer of audit events. Call it inside the transaction of the change it tells of."""

from typing import Any

from django.db import models
from django.http import HttpRequest

from portal.accounts.models import AuditEvent, Organisation, User


def record(
    *,
    organisation: Organisation | int,
    actor: User | None,
    verb: str,
    summary: str,
    subject: models.Model | None = None,
    subject_label: str = "",
    data: dict[str, Any] | None = None,
    request: HttpRequest | None = None,
) -> AuditEvent:
    """Writes one event.

    verb     noun.past-participle, such as run.launched
    summary  a sentence without the actor, such as "Launched checkout-api down Python web service"
    data     facts for programs; never secrets
    """
    access = getattr(request, "access", None)
    token = getattr(access, "token", None)
    return AuditEvent.objects.create(
        organisation_id=organisation if isinstance(organisation, int) else organisation.pk,
        actor=actor,
        actor_label=str(actor) if actor else "Slipway",
        verb=verb,
        subject_kind=subject._meta.model_name or "" if subject else "",
        subject_id=str(subject.pk) if subject else "",
        subject_label=(subject_label or (str(subject) if subject else ""))[:300],
        summary=summary[:500],
        data=data or {},
        ip=request.META.get("REMOTE_ADDR") or None if request else None,
        via=str(token) if token else "",
    )
