"""Pages of candidates and trust: what sources brought, and the acts of those who may publish it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from catalog.models import Source
from portal.accounts.access import TenantRequest, gate
from portal.accounts.models import Organisation
from portal.goldenpaths import actions
from portal.goldenpaths.curation import deciding, places, trusting
from portal.goldenpaths.curation.comparing import compare
from portal.goldenpaths.curation.deciding import candidate_or_404
from portal.goldenpaths.models import Candidate, GoldenPath, Trust
from portal.goldenpaths.origins import Origin
from portal.goldenpaths.questions.keywords import ignored
from portal.kit.errors import NotFound, Refusal

SHOWN = 100


@gate("paths.view")
@require_safe
def candidates(request: TenantRequest) -> HttpResponse:
    """What waits, what was decided lately, and which sources are trusted."""
    organisation = request.access.organisation
    rows = (
        Candidate.objects.for_tenant(organisation)
        .defer("document")
        .select_related("pushed_by", "decided_by", "version")
    )
    context = {
        "waiting": rows.filter(state=Candidate.State.WAITING).order_by("found_at")[:SHOWN],
        "decided": rows.filter(state__in=(Candidate.State.PUBLISHED, Candidate.State.DECLINED)).order_by("-decided_at")[
            :20
        ],
        "trusts": [_shown(trust) for trust in _trusts(organisation)],
        "may_publish": request.access.can("paths.publish"),
    }
    return render(request, "goldenpaths/candidates.html", context)


def _trusts(organisation: Organisation) -> list[Trust]:
    rows = Trust.objects.for_tenant(organisation).select_related("source", "granted_by", "ended_by")
    return [*rows.filter(ended_at=None).order_by("label"), *rows.exclude(ended_at=None).order_by("-ended_at")[:10]]


def _shown(trust: Trust) -> dict[str, Any]:
    """A trust and, while it stands, what Slipway cannot see of its place, or why it lapses at the next look."""
    source = trust.source if trust.ended_at is None else None
    return {
        "trust": trust,
        "unknowable": places.unknowable(source) if source else "",
        "lapses": trusting.changed(trust, source) if source else "",
    }


@gate("paths.view")
@require_safe
def candidate(request: TenantRequest, uid: UUID) -> HttpResponse:
    """One candidate beside what is published, with the form to decide."""
    return _candidate(request, candidate_or_404(request.access.organisation, uid))


def _candidate(request: TenantRequest, found: Candidate, refusal: Refusal | None = None) -> HttpResponse:
    organisation = request.access.organisation
    path = GoldenPath.objects.for_tenant(organisation).filter(ref=found.ref).first()
    current = path.current if path and path.current_number else None
    origin = Origin(found.origin_key, found.origin_label, found.origin_address)
    is_waiting = found.state == Candidate.State.WAITING
    context = {
        "candidate": found,
        "path": path,
        "current": current,
        "comparison": compare(found, current) if is_waiting else None,
        "whose": actions.whose(organisation, found.document, origin) if is_waiting and found.document else "",
        "ignored": ignored(found.document)[:SHOWN] if found.document else [],
        "moved": bool(path and path.origin_key == found.origin_key and path.origin_address != found.origin_address),
        "may_publish": request.access.can("paths.publish"),
        "trust": trusting_of(organisation, found.source),
        "not_trustable": places.not_trustable(found.source) if found.source else "",
        "unknowable": places.unknowable(found.source) if found.source else "",
        "place": places.place_of(found.source) if found.source else {},
        "refusal": refusal,
    }
    return render(request, "goldenpaths/candidate.html", context, status=refusal.status if refusal else 200)


def trusting_of(organisation: Organisation, source: Source | None) -> Trust | None:
    """The trust that stands for a source, as rows have it."""
    if source is None:
        return None
    rows = Trust.objects.for_tenant(organisation).filter(source=source, ended_at=None).select_related("granted_by")
    found: Trust | None = rows.first()
    return found


@gate("paths.publish")
@require_POST
def candidate_publish(request: TenantRequest, uid: UUID) -> HttpResponse:
    """Publish exactly the bytes whose digest the form carries."""
    organisation = request.access.organisation
    found = candidate_or_404(organisation, uid)
    try:
        version = deciding.publish_candidate(
            organisation=organisation,
            actor=request.access.actor,
            candidate=found,
            digest=request.POST.get("digest", ""),
        )
    except Refusal as refusal:
        return _candidate(request, candidate_or_404(organisation, uid), refusal)
    messages.success(request, f"Published {version.path.title}, version {version.number}.")
    return redirect("path", org=organisation.slug, path=version.path.slug)


@gate("paths.publish")
@require_POST
def candidate_decline(request: TenantRequest, uid: UUID) -> HttpResponse:
    """Send it back with a reason."""
    organisation = request.access.organisation
    found = candidate_or_404(organisation, uid)
    try:
        deciding.decline(
            organisation=organisation,
            actor=request.access.actor,
            candidate=found,
            digest=request.POST.get("digest", ""),
            reason=request.POST.get("reason", ""),
        )
    except Refusal as refusal:
        return _candidate(request, candidate_or_404(organisation, uid), refusal)
    messages.success(request, f"Declined {found.title}. Its source shows your reason.")
    return redirect("candidates", org=organisation.slug)


@gate("paths.publish")
@require_POST
def candidate_trust(request: TenantRequest, uid: UUID) -> HttpResponse:
    """Trust the candidate's source from now on."""
    organisation = request.access.organisation
    found = candidate_or_404(organisation, uid)
    try:
        if found.source is None:
            raise NotFound("The source of this candidate is no longer registered.")
        trusting.grant(
            organisation=organisation,
            actor=request.access.actor,
            source=found.source,
            reason=request.POST.get("reason", ""),
        )
    except Refusal as refusal:
        return _candidate(request, found, refusal)
    messages.success(request, f"{found.origin_label} is trusted from now on. What waits still waits for you.")
    return redirect("candidate", org=organisation.slug, uid=uid)


@gate("paths.publish")
@require_POST
def trust_withdraw(request: TenantRequest, uid: UUID) -> HttpResponse:
    """End a trust."""
    organisation = request.access.organisation
    found = Trust.objects.for_tenant(organisation).filter(uid=uid).first()
    if found is None:
        raise NotFound("There is no such trust.")
    trusting.withdraw(
        organisation=organisation,
        actor=request.access.actor,
        trust=found,
        reason=request.POST.get("reason", ""),
    )
    messages.success(request, f"{found.label} is no longer trusted.")
    return redirect("candidates", org=organisation.slug)
