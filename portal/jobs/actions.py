"""Verbs: ask for a job, and call it off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.timezone import now

from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.models import Organisation, User
from portal.jobs import lease
from portal.jobs.models import Job
from portal.jobs.registry import KINDS
from portal.jobs.states import ACTIVE_JOB
from portal.jobs.tasks import nudge
from portal.kit.errors import Conflict, TooMany


def submit(
    *,
    organisation: Organisation,
    actor: Actor,
    kind: str,
    title: str,
    arguments: Mapping[str, Any] | None = None,
    payload: bytes = b"",
    key: str = "",
    back_to: str = "",
) -> Job:
    """Writes the job; a worker is nudged when this transaction is written. Must run inside the tenant.

    key      one job of this kind and key is in flight at a time: the one that is there is returned
    payload  bytes for the runner, gone when the job ends; seal them where they are secret
    Raises TooMany when the person or the organisation has enough in flight.
    """
    lane = KINDS[kind].lane
    rows = Job.objects.for_tenant(organisation)
    if key and (there := rows.filter(kind=kind, key=key, state__in=ACTIVE_JOB).first()):
        return there
    if actor.person is not None:
        _check_room(organisation, actor.person)
    job = Job(
        organisation=organisation,
        kind=kind,
        lane=lane,
        title=title[:300],
        key=key[:200],
        actor=actor.person,
        origin=actor.facts(),
        arguments=dict(arguments or {}),
        payload=payload or None,
        back_to=back_to[:500],
        wake_at=now() + lease.LATER,
    )
    try:
        with transaction.atomic():
            job.save()
    except IntegrityError:  # somebody asked for the same at the same moment
        return rows.get(kind=kind, key=key, state__in=ACTIVE_JOB)
    organisation_id, pk = organisation.pk, job.pk
    transaction.on_commit(lambda: nudge(organisation_id, pk))
    return job


def _check_room(organisation: Organisation, person: User) -> None:
    """Counted under a lock of the person's own: sixty requests at one moment are counted one by one."""
    lease.count_alone(person.pk)
    active = Job.objects.for_tenant(organisation).filter(state__in=ACTIVE_JOB)
    if active.filter(actor=person).count() >= settings.JOBS_PER_PERSON:
        raise TooMany(
            f"You have {settings.JOBS_PER_PERSON} pieces of work under way already. Wait until one is done.",
            code="too-many-jobs",
        )
    if active.exclude(actor=None).count() >= settings.JOBS_PER_ORGANISATION:
        raise TooMany(
            f"{organisation} has {settings.JOBS_PER_ORGANISATION} pieces of work under way already. "
            "Try again in a minute.",
            code="too-many-jobs",
        )


def cancel(*, organisation: Organisation, actor: Actor, job: Job) -> None:
    """Calls a job off; what it has written stays. Raises Conflict when it is over. Must run inside the tenant."""
    with transaction.atomic():
        if not lease.call_off(organisation.pk, job.pk):
            raise Conflict("It is over already.", code="job-over")
        record(
            organisation=organisation,
            actor=actor,
            verb="job.cancelled",
            subject=job,
            summary=f"Called off: {job.title}",
        )
