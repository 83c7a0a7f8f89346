"""What the palette finds: pages, entities, teams and golden paths, the best first."""

from dataclasses import dataclass, field

from django.contrib.postgres.search import SearchQuery, SearchRank
from django.db.models import Case, F, FloatField, Q, QuerySet, Value, When
from django.urls import reverse

from catalog.asking.query import entities_of, text_search
from catalog.models import Entity
from portal.accounts.access import Access
from portal.accounts.models import Team
from portal.goldenpaths.models import GoldenPath
from portal.kit.navigation import in_order

EACH = 6
EVERYTHING = 30


@dataclass(frozen=True)
class Hit:
    """One line: where it leads, what it says, and what sort of thing it is."""

    title: str
    note: str
    kind: str
    icon: str
    url: str


@dataclass
class Group:
    """Hits of one sort under a heading."""

    title: str
    hits: list[Hit] = field(default_factory=list)


def find(access: Access, words: str, *, most: int = EACH) -> list[Group]:
    """Groups of hits for what was typed; with nothing typed, the pages alone."""
    words = " ".join(words.split())[:100]
    groups = [Group("Go to", _places(access, words))]
    if words:
        groups = [
            Group("Catalog", _entities(access, words, most)),
            Group("Teams", _teams(access, words, most)),
            Group("Golden paths", _paths(access, words, most)),
            *groups,
        ]
    return [group for group in groups if group.hits]


def _address(access: Access, view: str, /, **where: str) -> str:
    return reverse(view, kwargs={"org": access.organisation.slug, **where})


def _places(access: Access, words: str) -> list[Hit]:
    typed = words.lower().split()
    return [
        Hit(place.label, "", "Page", place.icon, _address(access, place.name))
        for place in in_order()
        if access.can(place.permission) and all(word in f"{place.label} {place.words}".lower() for word in typed)
    ]


def ranked(access: Access, words: str) -> QuerySet[Entity]:
    """Entities that match, exact names first, then names that begin so, then by the weight of the words."""
    query = SearchQuery(words, search_type="websearch", config="simple")
    order = Case(
        When(name__iexact=words, then=Value(3.0)),
        When(name__istartswith=words, then=Value(2.0)),
        default=Value(0.0),
        output_field=FloatField(),
    )
    found: QuerySet[Entity] = (
        entities_of(access.organisation)
        .filter(text_search(words) | Q(name__istartswith=words))
        .annotate(nearness=order + SearchRank(F("search"), query))
        .order_by("-nearness", "sort_name", "id")
    )
    return found


def _entities(access: Access, words: str, most: int) -> list[Hit]:
    if not access.can("catalog.view"):
        return []
    # A team is one thing: its Group is found as the team.
    teams = Team.objects.for_tenant(access.organisation).values("ref")
    return [
        Hit(
            row.title or row.name,
            row.description or row.ref,
            row.kind,
            "",
            _address(access, "entity", kind=row.kind.lower(), namespace=row.namespace, name=row.name),
        )
        for row in ranked(access, words).exclude(kind="Group", ref__in=teams)[:most]
    ]


def _teams(access: Access, words: str, most: int) -> list[Hit]:
    rows = Team.objects.for_tenant(access.organisation).filter(Q(name__icontains=words) | Q(slug__icontains=words))
    return [
        Hit(row.name, row.description, "Team", "users-group", _address(access, "team", team=row.slug))
        for row in rows.order_by("name")[:most]
    ]


def _paths(access: Access, words: str, most: int) -> list[Hit]:
    if not access.can("paths.view"):
        return []
    rows = GoldenPath.objects.for_tenant(access.organisation).filter(
        Q(title__icontains=words) | Q(name__icontains=words) | Q(description__icontains=words)
    )
    return [
        Hit(row.title, row.description, "Golden path", "route", _address(access, "path", path=row.slug))
        for row in rows.order_by("title")[:most]
    ]
