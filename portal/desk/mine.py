"""What the home page says: a person's services, their runs, and what needs them."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from catalog.asking.filters import All, In
from catalog.asking.query import entities_of
from catalog.index.rows import first
from catalog.lists.seen import SeenEntity, starred_and_visited
from catalog.models import Entity, Problem, Source
from catalog.problems import open_of
from portal.accounts.access import Access
from portal.accounts.models import Team
from portal.clusters import status
from portal.clusters.status import EntityStatus
from portal.goldenpaths.curation.deciding import waiting_for
from portal.kit.refs import name_of
from portal.kit.statements import written_once
from portal.provisioning.models import Run

# The order in which services ask for attention; the rest follows by name.
TROUBLE = ("Down", "Stuck", "Reduced", "Progressing", "Unknown")
SHOWN, LOOKED_AT = 12, 200
KEPT_SHOWN = 6
FAILED_RUNS_MATTER_FOR = timedelta(days=14)


@dataclass(frozen=True)
class MyService:
    """An entity of mine and how it is."""

    entity: Entity
    status: EntityStatus | None

    @property
    def worry(self) -> int:
        """Lower is more urgent."""
        word = self.status.badge if self.status else ""
        return TROUBLE.index(word) if word in TROUBLE else len(TROUBLE)


@dataclass(frozen=True)
class Matter:
    """One thing that needs somebody: what, why, and where to look."""

    icon: str
    title: str
    note: str
    url: str
    badge: str = ""


@dataclass(frozen=True)
class MyOverview:
    """Everything on the home page."""

    services: list[MyService]
    services_total: int
    runs: list[Run]
    matters: list[Matter]
    teams: list[Team]
    has_catalog: bool
    starred: list[SeenEntity]
    visited: list[SeenEntity]


def overview(access: Access) -> MyOverview:
    """The page's content for one person."""
    mine = All((In("kind", ("component",)), In("relations.ownedby", tuple(sorted(access.team_refs)))))
    rows, total = first(access.organisation, mine, LOOKED_AT)
    here, refs = access.organisation.pk, tuple(sorted(access.team_refs))
    known = status.of_entities(access.organisation.pk, [row.uid for row in rows])
    services = sorted((MyService(row, known.get(str(row.uid))) for row in rows), key=lambda one: one.worry)
    starred, visited = starred_and_visited(access, KEPT_SHOWN)
    return MyOverview(
        services=services[:SHOWN],
        services_total=total,
        runs=_runs(here, access.user.pk),
        matters=[
            *_troubles(access, services),
            *_unseen(access, services),
            *_failures(access),
            *_candidates(access),
            *_problems(access),
            *_sources(access),
        ],
        teams=_teams(here, refs),
        has_catalog=bool(rows) or entities_of(access.organisation).exists(),
        starred=starred,
        visited=visited,
    )


@written_once
def _runs(organisation_id: int, user_id: int) -> QuerySet[Run]:
    rows = Run.objects.for_tenant(organisation_id).filter(requester_id=user_id)
    return rows.select_related("requester").order_by("-id")[:5]


@written_once
def _teams(organisation_id: int, refs: tuple[str, ...]) -> QuerySet[Team]:
    return Team.objects.for_tenant(organisation_id).filter(ref__in=refs).order_by("name")


@written_once
def _failed(organisation_id: int, user_id: int, refs: tuple[str, ...], since: datetime) -> QuerySet[Run]:
    rows = Run.objects.for_tenant(organisation_id).filter(
        Q(requester_id=user_id) | Q(owner_ref__in=refs), status__in=("failed", "undo_failed"), ended_at__gte=since
    )
    return rows.order_by("-id")[:4]


@written_once
def _open_problems(organisation_id: int, refs: tuple[str, ...], moment: datetime) -> QuerySet[Problem]:
    rows = open_of(organisation_id, moment).filter(owner_ref__in=refs)
    return rows.order_by("-first_seen_at", "-id")[:4]


@written_once
def _failed_sources(organisation_id: int, made_by: int | None) -> QuerySet[Source]:
    rows = Source.objects.for_tenant(organisation_id).filter(state=Source.State.FAILED)
    return (rows if made_by is None else rows.filter(created_by_id=made_by)).order_by("id")[:3]


def _entity_url(access: Access, entity: Entity) -> str:
    where = {"kind": entity.kind.lower(), "namespace": entity.namespace, "name": entity.name}
    return reverse("entity", kwargs={"org": access.organisation.slug, **where})


def _troubles(access: Access, services: list[MyService]) -> list[Matter]:
    return [
        Matter(
            "heartbeat",
            one.entity.display_name,
            one.status.hint or one.status.sentence,
            _entity_url(access, one.entity),
            one.status.badge,
        )
        for one in services
        if one.status and one.status.badge in ("Down", "Stuck", "Reduced")
    ][:6]


def _unseen(access: Access, services: list[MyService]) -> list[Matter]:
    """Clusters of which there is no current view, when services of mine run there, or may: quiet is not well."""
    hidden = Counter(name for one in services if one.status for name in one.status.lost or one.status.unknown_in)
    return [
        Matter(
            "plug-connected-x",
            name,
            f"Slipway has no current view of it. It concerns {count} of your services.",
            reverse("clusters", kwargs={"org": access.organisation.slug}),
            "Unknown",
        )
        for name, count in hidden.most_common(3)
    ]


def _failures(access: Access) -> list[Matter]:
    since = timezone.now() - FAILED_RUNS_MATTER_FOR
    refs = tuple(sorted(access.team_refs))
    return [
        Matter(
            "player-play",
            f"Run #{run.pk}: {run.subject or run.title}",
            run.error_text,
            reverse("run", kwargs={"org": access.organisation.slug, "run": run.pk}),
            "failed",
        )
        for run in _failed(access.organisation.pk, access.user.pk, refs, since)
    ]


def _candidates(access: Access) -> list[Matter]:
    """Golden paths that sources brought wait for those who may publish."""
    count = waiting_for(access)
    if not count:
        return []
    title = "1 golden path waits" if count == 1 else f"{count} golden paths wait"
    where = reverse("candidates", kwargs={"org": access.organisation.slug})
    return [Matter("route", f"{title} to be published", "A source brought it; nobody can launch it yet.", where)]


def _problems(access: Access) -> list[Matter]:
    return [
        Matter(
            "file-alert",
            name_of(row.entity_ref) or row.kind.title,
            f"{row.path}:{row.line}  {row.sentence}",
            reverse("problem", kwargs={"org": access.organisation.slug, "problem": row.pk}),
        )
        for row in _open_problems(access.organisation.pk, tuple(sorted(access.team_refs)), timezone.now())
    ]


def _sources(access: Access) -> list[Matter]:
    """Sources that cannot be read concern their maker and those who manage."""
    rows = _failed_sources(access.organisation.pk, None if access.can("audit.view") else access.user.pk)
    return [
        Matter(
            "folders",
            row.label,
            row.state_text,
            reverse("source", kwargs={"org": access.organisation.slug, "source": row.pk}),
            "failed",
        )
        for row in rows
    ]
