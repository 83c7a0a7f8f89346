"""Trust in a source: granted by somebody who may publish, and gone as soon as the place or its write rights change."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from catalog.models import Source
from catalog.sourcefacts import SourceFact
from portal.accounts.access import Access
from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.models import Organisation, Team, User
from portal.goldenpaths.curation import places
from portal.goldenpaths.models import Trust
from portal.kit.errors import Conflict, Invalid


def grant(
    *,
    organisation: Organisation,
    actor: Actor,
    source: Source,
    reason: str,
) -> Trust:
    """Trust a source from now on: its candidates publish by themselves. What waits already still waits.

    Raises Invalid without a reason or for a source that cannot be trusted, Conflict where it is trusted already.
    """
    if not reason.strip():
        raise Invalid("Say why this source can be trusted; whoever comes after you will ask.", field="reason")
    if sentence := places.not_trustable(source):
        raise Invalid(sentence, field="source")
    with transaction.atomic():
        locked = Source.objects.for_tenant(organisation).select_for_update().get(pk=source.pk)
        if standing(organisation, locked) is not None:
            raise Conflict(f"{source.label} is trusted already.", code="trusted")
        trust = Trust.objects.create(
            organisation=organisation,
            source=locked,
            label=locked.label,
            place=places.place_of(locked),
            rights=places.rights_of(locked),
            reason=reason.strip()[:1000],
            granted_by=actor.person,
        )
        record(
            organisation=organisation,
            actor=actor,
            verb="trust.granted",
            subject=trust,
            summary=f"Trusted {trust.label}: what it brings is published by itself",
            data={"source": str(locked.uid), "place": trust.place, "reason": trust.reason},
        )
    return trust


def withdraw(
    *,
    organisation: Organisation,
    actor: Actor,
    trust: Trust,
    reason: str = "",
) -> None:
    """End a trust. Raises Conflict when it has ended already."""
    why = reason.strip()[:1000] or f"Withdrawn by {actor}."
    with transaction.atomic():
        if not _end(organisation, trust, why, ended_by=actor.person):
            raise Conflict("This trust has ended already.", code="ended")
        record(
            organisation=organisation,
            actor=actor,
            verb="trust.withdrawn",
            subject=trust,
            summary=f"No longer trusts {trust.label}",
            data={"reason": why},
        )


def standing(organisation: Organisation, source: Source) -> Trust | None:
    """The trust that a source has now. One whose place or rights are no longer what they were lapses here, for good.

    Runs inside the tenant's transaction.
    """
    trust: Trust | None = (
        Trust.objects.for_tenant(organisation)
        .select_for_update(of=("self",))
        .filter(source=source, ended_at=None)
        .select_related("granted_by")
        .first()
    )
    if trust is None:
        return None
    if why := changed(trust, source):
        lapse(organisation, trust, why)
        return None
    return trust


def fact(access: Access, source: Source) -> SourceFact | None:
    """The line of a source's page: whether what it brings is published by itself, and on whose word. Changes nothing:
    a trust that no longer holds lapses at the next reading."""
    rows = Trust.objects.for_tenant(access.organisation).filter(source=source, ended_at=None)
    trust: Trust | None = rows.select_related("granted_by").first()
    if trust is None:
        return None
    said = (
        f"{trust.granted_by or 'An admin'} trusts it, and its golden paths are published by themselves: {trust.reason}"
    )
    return SourceFact("Trust", said, reverse("candidates", kwargs={"org": access.organisation.slug}))


def changed(trust: Trust, source: Source) -> str:
    """A sentence when the place or its write rights are no longer those that were trusted."""
    for name, now in places.place_of(source).items():
        if now != trust.place.get(name):
            before = trust.place.get(name) or "the default"
            return f"Its {name} changed from {before} to {now or 'the default'}."
    rights = places.rights_of(source)
    # A trust from before a right was looked at knows nothing of it: it lapses too, and is granted again by somebody.
    for name in sorted({*rights, *trust.rights}):
        before, is_now = trust.rights.get(name), rights.get(name)
        if is_now != before:
            return f"Who may write there changed: {name} was {_said(before)}, is {_said(is_now)}."
    return ""


def _said(value: Any) -> str:
    return (
        "nobody" if value in (None, "", []) else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    )


def lapse(organisation: Organisation, trust: Trust, why: str) -> None:
    """End a trust because of what happened to its source; nobody's act, so the event is Slipway's own."""
    if _end(organisation, trust, why):
        record(
            organisation=organisation,
            actor=Actor.slipway(),
            verb="trust.lapsed",
            subject=trust,
            summary=f"The trust in {trust.label} lapsed. {why}"[:500],
            data={"why": why, "granted_by": str(trust.granted_by or "")},
        )


def on_move(organisation: Organisation, source: Source) -> None:
    """A source that is pointed elsewhere is trusted no longer, wherever it goes and even if it comes back."""
    for trust in Trust.objects.for_tenant(organisation).filter(source=source, ended_at=None):
        lapse(organisation, trust, "The source was moved.")


def before_team_goes(actor: Actor, team: Team) -> None:
    """The hook: what a team's repositories bring is trusted no longer once the team is deleted."""
    standing_now = Trust.objects.for_tenant(team.organisation_id).filter(rights__owner=team.ref, ended_at=None)
    for trust in standing_now.select_related("granted_by"):
        lapse(team.organisation, trust, f"{actor} deleted its owner, the team {team}.")


def _end(organisation: Organisation, trust: Trust, why: str, *, ended_by: User | None = None) -> bool:
    rows = Trust.objects.for_tenant(organisation).filter(pk=trust.pk, ended_at=None)
    return bool(rows.update(ended_at=timezone.now(), ended_by=ended_by, ended_because=why[:1000]))
