"""The acts on candidates: publish exactly these bytes, or decline them with a reason."""

from __future__ import annotations

from uuid import UUID

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from portal.accounts.access import Access
from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.models import Organisation, User
from portal.goldenpaths import actions
from portal.goldenpaths.actions import Provenance
from portal.goldenpaths.models import Candidate, CandidateFile, Version
from portal.goldenpaths.origins import Origin
from portal.goldenpaths.preparing import Prepared
from portal.kit.errors import Conflict, Invalid, NotFound

# How old the number in the navigation may be; after a decision here it is counted anew.
COUNT_SECONDS = 15


def candidate_or_404(organisation: Organisation, uid: UUID) -> Candidate:
    """The candidate of this id, with whom it speaks of."""
    rows = Candidate.objects.for_tenant(organisation).select_related(
        "source", "pushed_by", "decided_by", "version__path"
    )
    found: Candidate | None = rows.filter(uid=uid).first()
    if found is None:
        raise NotFound("There is no such candidate.")
    return found


def waiting_for(access: Access) -> int:
    """How many candidates wait for this person: none for who may not publish. One statement, or none."""
    if not access.can("paths.publish"):
        return 0
    rows = Candidate.objects.for_tenant(access.organisation)
    return rows.filter(state=Candidate.State.WAITING).count()


def navigation_count(access: Access) -> str:
    """The same for beside "Golden paths" in the navigation: a number in words, a few seconds old at most."""
    if not access.can("paths.publish"):
        return ""
    key = _counted(access.organisation.pk)
    told = cache.get(key)
    if told is None:
        told = str(waiting_for(access) or "")
        cache.set(key, told, COUNT_SECONDS)
    return str(told)


def _counted(organisation_id: int) -> str:
    return f"candidates:{organisation_id}"


def publish_candidate(
    *,
    organisation: Organisation,
    actor: Actor,
    candidate: Candidate,
    digest: str,
) -> Version:
    """Publish the bytes that the person looked at: `digest` names them.

    Raises Conflict when the candidate no longer waits or is not these bytes, or the name belongs to another origin, and
    InvalidTemplate for one with findings.
    """
    with transaction.atomic():
        locked = _still(organisation, candidate, digest)
        findings = locked.findings()
        prepared = Prepared(locked.bundle(), locked.digest, locked.document, findings)
        return publish_waiting(
            organisation=organisation,
            actor=actor,
            candidate=locked,
            prepared=prepared,
        )


def publish_waiting(
    *,
    organisation: Organisation,
    actor: Actor,
    candidate: Candidate,
    prepared: Prepared,
    trusted_by: User | None = None,
) -> Version:
    """Make a version of a candidate that waits; the actor is Slipway itself where a trust publishes it."""
    with transaction.atomic():
        version = actions.publish_prepared(
            organisation=organisation,
            actor=actor,
            prepared=prepared,
            origin=Origin(
                candidate.origin_key, candidate.origin_label, candidate.origin_address, candidate.commit[:12]
            ),
            provenance=Provenance(candidate.commit, candidate.author, candidate.pushed_by, trusted_by),
        )
        _decide(candidate, Candidate.State.PUBLISHED, actor, version=version)
    return version


def decline(
    *,
    organisation: Organisation,
    actor: Actor,
    candidate: Candidate,
    digest: str,
    reason: str,
) -> None:
    """Send a candidate back with a reason, which whoever owns the source reads among its problems."""
    if not reason.strip():
        raise Invalid("Say what is wrong with it: its author reads this.", field="reason")
    with transaction.atomic():
        locked = _still(organisation, candidate, digest)
        _decide(locked, Candidate.State.DECLINED, actor, reason=reason.strip()[:1000])
        record(
            organisation=organisation,
            actor=actor,
            verb="path.declined",
            subject=locked,
            summary=f"Declined {locked.title} from {locked.origin_label}",
            data={"digest": locked.digest, "commit": locked.commit, "author": locked.author, "reason": locked.reason},
        )


def _still(organisation: Organisation, candidate: Candidate, digest: str) -> Candidate:
    """The candidate, locked, if it still waits and is the bytes of this digest."""
    rows = Candidate.objects.for_tenant(organisation).select_for_update(of=("self",)).select_related("pushed_by")
    locked: Candidate = rows.get(pk=candidate.pk)
    if locked.state != Candidate.State.WAITING or locked.digest != digest:
        raise Conflict("The source has moved on since you looked: look at what waits now.", code="candidate-moved-on")
    return locked


def _decide(
    candidate: Candidate, state: str, actor: Actor, *, reason: str = "", version: Version | None = None
) -> None:
    candidate.state, candidate.decided_at, candidate.decided_by = state, timezone.now(), actor.person
    candidate.reason, candidate.version = reason, version
    candidate.save(update_fields=["state", "decided_at", "decided_by", "reason", "version"])
    CandidateFile.objects.for_tenant(candidate.organisation_id).filter(candidate=candidate).delete()
    cache.delete(_counted(candidate.organisation_id))
