"""Team pages: who is in a team, what it owns and how that does."""

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from catalog.asking.filters import In
from catalog.asking.query import entities_of
from catalog.asking.within import OWNED_BY
from catalog.descriptors.kinds import HAS_MEMBER, KINDS
from catalog.index import edges
from catalog.index.rows import first
from catalog.lists.choosing import Mine, whose_node
from catalog.lists.reading import unknown_owners
from catalog.models import Entity, Problem
from catalog.naming import named
from catalog.ownership import confirming
from catalog.ownership.branches import page_of_teams
from catalog.views import with_status
from portal.accounts import paths
from portal.accounts.access import TenantRequest, gate
from portal.accounts.models import Organisation, Team, TeamMembership
from portal.accounts.teams import may_manage, require_manage
from portal.kit.errors import Invalid, NotFound
from portal.notices.people import follows_team

OWNED_SHOWN = 500


@gate("org.view")
def teams(request: TenantRequest) -> HttpResponse:
    """All teams as a tree, with sizes."""
    organisation = request.access.organisation
    words = request.GET.get("q", "").replace("\0", "").strip()[:100]
    direct = is_direct(request)
    page = page_of_teams(organisation, words, request.GET.get("page", ""), direct=direct)
    mine = request.access.team_refs
    for branch in page.rows:
        branch.is_mine = branch.team.ref in mine
    strangers, _ = first(organisation, whose_node("nobody", Mine(nobody=unknown_owners(organisation))), 20)
    return render(
        request,
        "ownership/teams.html",
        {
            "branches": page.rows,
            "page": page,
            "words": words,
            "direct": direct,
            "strangers": strangers,
            "names": named(organisation.pk, [row.owner_ref for row in strangers]),
            "may_make": request.access.can("teams.manage"),
            "waiting": _waiting(request),
        },
    )


def is_direct(request: TenantRequest) -> bool:
    """Whether teams are asked for alone, without those below them."""
    return request.GET.get("owning") == "direct"


@require_POST
@gate("teams.manage")
def teams_confirm(request: TenantRequest) -> HttpResponse:
    """Let teams give rights: each `confirm` names one as it was looked at. For those who may make teams."""
    require_manage(request.access, None)
    chosen = request.POST.getlist("confirm")
    if not chosen:
        raise Invalid("Choose at least one team.", field="confirm")
    organisation = request.access.organisation
    done = confirming.confirm(organisation=organisation, actor=request.access.actor, tokens=chosen)
    names = ", ".join(str(team) for team in done[:5]) + (f" and {len(done) - 5} more" if len(done) > 5 else "")
    messages.success(request, f"Confirmed: {names}.")
    if len(done) == 1 and "stay" in request.POST:
        return redirect("team", org=organisation.slug, team=done[0].slug)
    return redirect("teams", org=organisation.slug)


@require_POST
@gate("teams.manage")
def teams_decline(request: TenantRequest) -> HttpResponse:
    """Leave a team without what is asked for it, for a `reason`: `decline` names it as it was looked at."""
    require_manage(request.access, None)
    organisation = request.access.organisation
    done = confirming.decline(
        organisation=organisation,
        actor=request.access.actor,
        tokens=[request.POST.get("decline", "")],
        reason=request.POST.get("reason", ""),
    )
    messages.success(request, f"Declined: {done[0]}. It is not asked again until something else is asked for it.")
    return redirect("teams", org=organisation.slug)


def _waiting(request: TenantRequest, only: Team | None = None) -> list[confirming.WaitingTeam]:
    """What waits, for those who may confirm it, what was declined on a team's own page alone; there everybody reads
    that it waits."""
    if not may_manage(request.access, None):
        return []
    return confirming.waiting(request.access.organisation, only, with_declined=only is not None)


@gate("org.view")
def team(request: TenantRequest, team: str) -> HttpResponse:
    """One team."""
    organisation = request.access.organisation
    found = Team.objects.for_tenant(organisation).select_related("parent").filter(slug=team).first()
    if found is None:
        raise NotFound("There is no such team.")
    members = TeamMembership.objects.for_tenant(organisation).filter(team=found).select_related("user")
    refs = (found.ref,) if is_direct(request) else paths.with_below(organisation, found.ref)
    owned, total = owned_by(organisation, refs)
    problems = list(problems_of(organisation, refs))
    context = {
        "team": found,
        "members": sorted(members, key=lambda each: (not each.is_lead, str(each.user).lower())),
        "described": described_members(organisation, found.ref, {each.user.email.lower() for each in members}),
        "contact": found.contact,
        "subteams": list(Team.objects.for_tenant(organisation).filter(parent=found)),
        "direct": is_direct(request),
        "owned": owned,
        "owned_count": total,
        "is_cut": total > OWNED_SHOWN,
        "problems": problems,
        "names": named(organisation.pk, [problem.entity_ref for problem in problems]),
        "entity": entities_of(organisation).filter(ref=found.ref).only("ref", "kind", "namespace", "name").first(),
        "may_manage": may_manage(request.access, found),
        "follows": follows_team(request.access.membership, found),
        "waiting": _waiting(request, found),
    }
    return render(request, "ownership/team.html", context)


def owned_by(
    organisation: Organisation, refs: tuple[str, ...]
) -> tuple[list[tuple[str, list[tuple[Entity, Any]]]], int]:
    """(plural of the kind, entities with their status) in the order of the kinds, of the first so many; and how many
    there are."""
    rows, total = first(organisation, In(OWNED_BY, refs), OWNED_SHOWN)
    statuses = with_status(organisation, rows)
    shown = [
        (kind.plural, of_kind)
        for name, kind in KINDS.items()
        if (of_kind := [(row, state) for row, state in statuses if row.kind == name])
    ]
    return shown, total


def problems_of(organisation: Organisation, refs: tuple[str, ...]) -> Any:
    """Problems of what the teams own, and of their own descriptions."""
    rows = Problem.objects.for_tenant(organisation).filter(Q(owner_ref__in=refs) | Q(entity_ref__in=refs))
    return rows.select_related("source").order_by("path", "line", "id")[:50]


def described_members(organisation: Organisation, ref: str, emails: set[str]) -> list[tuple[str, str]]:
    """(reference, title) of people whom descriptors put in the team, on either side, and who have not joined it here:
    they have no rights from it. People whom nobody describes go by the name that the file gives them."""
    refs = sorted({other for *_, other in edges.from_refs(organisation.pk, [ref], [HAS_MEMBER])})[:200]
    rows = entities_of(organisation).filter(ref__in=refs).select_related("body")
    users = {row.ref: row for row in rows}
    return [
        (each, users[each].display_name if each in users else each.partition("/")[2])
        for each in refs
        if each not in users or _mail(users[each]) not in emails
    ]


def _mail(user: Entity) -> str:
    return str((user.spec.get("profile") or {}).get("email", "")).lower()


@gate("org.view")
def team_of(request: TenantRequest, ref: str) -> HttpResponseBase:
    """From a Group's reference to its team's page."""
    found = Team.objects.for_tenant(request.access.organisation).filter(ref=ref.replace("\0", "").lower()).first()
    if found is None:
        raise NotFound("No team belongs to this group yet.")
    return redirect("team", org=request.access.organisation.slug, team=found.slug)
