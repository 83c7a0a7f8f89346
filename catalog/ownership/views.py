"""Team pages: who is in a team, what it owns and how that does."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from catalog.asking.filters import All, In, Not
from catalog.asking.query import entities_of
from catalog.descriptors.kinds import HAS_MEMBER, KINDS
from catalog.index import edges
from catalog.index.reading import IndexQuestion
from catalog.index.rows import first
from catalog.models import Entity, Problem
from catalog.naming import named
from catalog.ownership import confirming
from catalog.views import with_status
from portal.accounts.access import TenantRequest, gate
from portal.accounts.models import Organisation, Team, TeamMembership
from portal.accounts.teams import may_manage, require_manage
from portal.kit.errors import Invalid, NotFound
from portal.kit.sheets import sheet
from portal.kit.statements import written_once

OWNED_SHOWN = 500
OWNED_BY = "relations.ownedby"


@dataclass
class Branch:
    """A team with its place in the tree and what it answers for."""

    team: Team
    depth: int = 0
    people: int = 0
    owned: dict[str, int] = field(default_factory=dict)
    problems: int = 0
    is_mine: bool = False

    @property
    def indent(self) -> str:
        """The class that moves the name to the right, by depth."""
        return f"depth-{min(self.depth, DEEPEST)}"

    @property
    def owned_words(self) -> str:
        """`12 components, 1 API`."""
        return ", ".join(_counted(name, count) for name in KINDS if (count := self.owned.get(name)))


# The deepest level that still moves to the right; parts.css has a rule for each.
DEEPEST = 5


def _counted(kind: str, count: int) -> str:
    word = kind if count == 1 else KINDS[kind].plural
    return f"{count} {word if word.startswith('API') else word.lower()}"


@gate("org.view")
def teams(request: TenantRequest) -> HttpResponse:
    """All teams as a tree, with sizes."""
    organisation = request.access.organisation
    rows = Team.objects.for_tenant(organisation).annotate(people=Count("memberships"))
    branches = {
        team.pk: Branch(team, people=team.people, is_mine=team.ref in request.access.team_refs) for team in rows
    }
    by_ref = {branch.team.ref: branch for branch in branches.values()}
    words = request.GET.get("q", "").replace("\0", "").strip()[:100]
    ordered = [branch for branch in in_tree_order(branches) if words.lower() in branch.team.name.lower()]
    page = sheet(ordered, request.GET.get("page", ""))
    for owner_ref, owned in owned_by_kind(organisation, [branch.team.ref for branch in page.rows]).items():
        by_ref[owner_ref].owned = owned
    owners = tuple(name.lower() for name, kind in KINDS.items() if kind.is_owned)
    known = In(OWNED_BY, tuple(by_ref))
    strangers, _ = first(organisation, All((In("kind", owners), Not(known))), 20)
    return render(
        request,
        "ownership/teams.html",
        {
            "branches": page.rows,
            "page": page,
            "words": words,
            "strangers": strangers,
            "names": named(organisation.pk, [row.owner_ref for row in strangers]),
            "may_make": request.access.can("teams.manage"),
            "waiting": _waiting(request),
        },
    )


def owned_by_kind(organisation: Organisation, refs: list[str]) -> dict[str, dict[str, int]]:
    """For each owner how many of each kind: one statement."""
    question = IndexQuestion(organisation)
    kinds = {name: question.filter(In("kind", (name.lower(),))) for name in KINDS}
    owned = {ref: question.filter(In(OWNED_BY, (ref,))) for ref in refs}
    question.ask()
    sets = {name: wanted.bits for name, wanted in kinds.items()}
    found = dict[str, dict[str, int]]()
    for ref, wanted in owned.items():
        if bits := wanted.bits:
            found[ref] = {name: count for name, kind in sets.items() if (count := (bits & kind).bit_count())}
    return found


def in_tree_order(branches: dict[int, Branch]) -> list[Branch]:
    """Parents before their children; a circle of parents is cut, never followed."""
    children: dict[int | None, list[Branch]] = {}
    for branch in sorted(branches.values(), key=lambda each: each.team.name.lower()):
        parent = branch.team.parent_id if branch.team.parent_id in branches else None
        children.setdefault(parent, []).append(branch)
    ordered: list[Branch] = []
    waiting = [(branch, 0) for branch in reversed(children.get(None, []))]
    while waiting:
        branch, branch.depth = waiting[-1][0], min(waiting[-1][1], 6)
        depth = waiting.pop()[1]
        ordered.append(branch)
        waiting += [(child, depth + 1) for child in reversed(children.get(branch.team.pk, []))]
    placed = {branch.team.pk for branch in ordered}
    return ordered + [branch for branch in branches.values() if branch.team.pk not in placed]


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


def _waiting(request: TenantRequest, only: Team | None = None) -> list[confirming.WaitingTeam]:
    """What waits, for those who may confirm it; on a team's own page everybody reads that it waits."""
    if not may_manage(request.access, None):
        return []
    return confirming.waiting(request.access.organisation, only)


@written_once
def _team(organisation_id: int, slug: str) -> QuerySet[Team]:
    return Team.objects.for_tenant(organisation_id).select_related("parent").filter(slug=slug)


@written_once
def _members(organisation_id: int, team_id: int) -> QuerySet[TeamMembership]:
    return TeamMembership.objects.for_tenant(organisation_id).filter(team_id=team_id).select_related("user")


@written_once
def _subteams(organisation_id: int, team_id: int) -> QuerySet[Team]:
    return Team.objects.for_tenant(organisation_id).filter(parent_id=team_id)


@written_once
def _problems(organisation_id: int, ref: str) -> QuerySet[Problem]:
    """Problems of what the team owns."""
    rows = Problem.objects.for_tenant(organisation_id).filter(Q(owner_ref=ref) | Q(entity_ref=ref))
    return rows.select_related("source").order_by("path", "line", "id")[:50]


@gate("org.view")
def team(request: TenantRequest, team: str) -> HttpResponse:
    """One team."""
    organisation = request.access.organisation
    here = organisation.pk
    found = next(iter(_team(here, team)), None)
    if found is None:
        raise NotFound("There is no such team.")
    members = _members(here, found.pk)
    owned = owned_by(organisation, found.ref)
    problems = _problems(here, found.ref)
    context = {
        "team": found,
        "members": sorted(members, key=lambda each: (not each.is_lead, str(each.user).lower())),
        "described": described_members(organisation, found.ref, {each.user.email.lower() for each in members}),
        "contact": found.contact,
        "subteams": _subteams(here, found.pk),
        "owned": owned,
        "owned_count": sum(len(rows) for _, rows in owned),
        "problems": problems,
        "names": named(organisation.pk, [problem.entity_ref for problem in problems]),
        "entity": entities_of(organisation).filter(ref=found.ref).only("ref", "kind", "namespace", "name").first(),
        "may_manage": may_manage(request.access, found),
        "waiting": _waiting(request, found),
    }
    return render(request, "ownership/team.html", context)


def owned_by(organisation: Organisation, ref: str) -> list[tuple[str, list[tuple[Entity, Any]]]]:
    """(plural of the kind, entities with their status), in the order of the kinds."""
    rows, _ = first(organisation, In(OWNED_BY, (ref,)), OWNED_SHOWN)
    statuses = with_status(organisation, rows)
    return [
        (kind.plural, shown)
        for name, kind in KINDS.items()
        if (shown := [(row, state) for row, state in statuses if row.kind == name])
    ]


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
